import type { Incarnation, Member, View } from '../member.js';
import type { Departed } from './departed.js';
import { idsOf } from './views.js';

/** Incarnations remembered as missing, and as forgotten; the longest missing are dropped first. */
const MISSING_MAX = 4096;

/** Members that were left out without a proof of death: they may be serving on the other side of a partition. */
export class Missing {
  readonly #members = new Map<Incarnation, Member>();
  /** Those of them that an operator has given up: no delete is kept for them. */
  readonly #forgotten = new Set<Incarnation>();

  /** A view has taken the place of another one. */
  changed(before: View | null, view: View): void {
    const ids = idsOf(view);
    for (const member of before?.members ?? []) {
      if (!ids.has(member.id)) this.#members.set(member.id, member);
    }
    for (const id of ids) {
      this.#members.delete(id);
      this.#forgotten.delete(id);
    }
    bound(this.#members);
  }

  /** Who was proven dead since is not missing. */
  count(departed: Departed): number {
    for (const id of this.#members.keys()) if (departed.has(id)) this.#members.delete(id);
    return this.#members.size;
  }

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  has(id: Incarnation): boolean {
    return this.#members.has(id);
  }

  /** False when it is not missing. */
  forget(id: Incarnation): boolean {
    if (!this.#members.delete(id)) return false;
    this.#forgotten.add(id);
    bound(this.#forgotten);
    return true;
  }

  /**
   * Whether all deletes are known here since these were lost. Not of who was forgotten, nor of a side on which nobody is
   * missed any more: it may have its copies from one that was.
   */
  knowsDeletesSince(others: readonly Incarnation[]): boolean {
    if (this.#forgotten.size === 0) return true;
    if (others.some((id) => this.#forgotten.has(id))) return false;
    return others.length === 0 || others.some((id) => this.#members.has(id));
  }

  clear(): void {
    this.#members.clear();
    this.#forgotten.clear();
  }
}

function bound(ids: Map<Incarnation, Member> | Set<Incarnation>): void {
  for (const id of ids.keys()) {
    if (ids.size <= MISSING_MAX) break;
    ids.delete(id);
  }
}
