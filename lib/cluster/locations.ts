import { LRUCache } from 'lru-cache';
import type { Key } from './key.js';
import type { Incarnation } from './member.js';

/** Locations remembered; a wrong or missing one costs a hop, never an answer. */
const LOCATIONS_MAX = 65_536;

/** Where keys of other nodes were found lately. */
export class Locations {
  readonly #primaries = new LRUCache<string, Incarnation>({ max: LOCATIONS_MAX });

  get size(): number {
    return this.#primaries.size;
  }

  primaryOf(key: Key): Incarnation | undefined {
    return this.#primaries.get(key.id);
  }

  learn(key: Key, primary: Incarnation): void {
    this.#primaries.set(key.id, primary);
  }

  forget(key: Key): void {
    this.#primaries.delete(key.id);
  }

  clear(): void {
    // Clearing touches every place that there is, used or not.
    if (this.#primaries.size > 0) this.#primaries.clear();
  }
}
