import type { Incarnation, View } from '../member.js';
import type { Departed } from './departed.js';
import { idsOf } from './views.js';

/** Incarnations remembered as missing; the longest missing are forgotten first. */
const MISSING_MAX = 4096;

/** Members that were left out without a proof of death: they may be serving on the other side of a partition. */
export class Missing {
  readonly #ids = new Set<Incarnation>();

  /** A view has taken the place of another one. */
  changed(before: View | null, view: View): void {
    for (const id of idsOf(before)) if (!idsOf(view).has(id)) this.#ids.add(id);
    for (const id of idsOf(view)) this.#ids.delete(id);
    for (const id of this.#ids) {
      if (this.#ids.size <= MISSING_MAX) break;
      this.#ids.delete(id);
    }
  }

  /** Who was proven dead since is not missing. */
  count(departed: Departed): number {
    for (const id of this.#ids) if (departed.has(id)) this.#ids.delete(id);
    return this.#ids.size;
  }

  clear(): void {
    this.#ids.clear();
  }
}
