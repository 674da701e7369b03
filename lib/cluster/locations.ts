import { LRUCache } from 'lru-cache';
import type { Key } from './key.js';
import type { Incarnation } from './member.js';

/** Locations remembered; a wrong or missing one costs a hop, never an answer. */
export const LOCATIONS_MAX = 65_536;

/** Where keys of other nodes were found lately. */
export class Locations {
  /** Sizes instead of `max`: the tables of the cache grow as it fills, most nodes never need all of them. */
  readonly #primaries = new LRUCache<string, Incarnation>({
    maxSize: LOCATIONS_MAX,
    sizeCalculation: () => 1,
  });

  get size(): number {
    return this.#primaries.size;
  }

  primaryOf(key: Key): Incarnation | undefined {
    return this.#primaries.get(key.id);
  }

  learn(key: Key, primary: Incarnation): void {
    // As a rule it is known, and was used just now: to look costs a fraction of putting it there again.
    if (this.#primaries.peek(key.id) === primary) return;
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
