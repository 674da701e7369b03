import type { Clock } from '../base/clock.js';
import type { Store } from '../store/store.js';

/** Moving entries out of sparse memory takes at most so many milliseconds each time. */
const COMPACT_MS_MAX = 2;
/** Memory let go that waits for a garbage collection, while more is about to follow. */
const UNCOLLECTED_BYTES_MAX = 256 * 1024 * 1024;
/** More is about to follow until nothing has been moved or let go for so long, milliseconds. */
const CALM_MS = 1000;

export interface MemoryReturnParts {
  readonly store: Pick<Store, 'compact' | 'droppedBytes'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Frees what the store has let go; takes some 10 ms. */
  collectGarbage(): void;
  /** Commands so far: how busy the node is. */
  commands(): number;
}

/** Gives memory back to the system that the store needs no more: in slices, and with few collections. */
export class MemoryReturn {
  readonly #parts: MemoryReturnParts;
  #commands = 0;
  #droppedBytes = 0;
  #changedAt = 0;
  /** Of the bytes that the store has let go, those that were followed by a garbage collection. */
  #collectedBytes = 0;

  constructor(parts: MemoryReturnParts) {
    this.#parts = parts;
  }

  /** One slice; true where there is more to do, and no command has come since the last one. */
  step(): boolean {
    const { commands } = this.#parts;
    const hasMore = this.#compact();
    this.#collect(hasMore);
    const before = this.#commands;
    this.#commands = commands();
    return hasMore && this.#commands === before;
  }

  #compact(): boolean {
    const { store, clock } = this.#parts;
    const start = clock.monotonicMs();
    let moved: number;
    do moved = store.compact(1);
    while (moved > 0 && clock.monotonicMs() - start < COMPACT_MS_MAX);
    return moved > 0;
  }

  #collect(hasMore: boolean): void {
    const { store, clock, collectGarbage } = this.#parts;
    const { droppedBytes } = store;
    const now = clock.monotonicMs();
    if (hasMore || droppedBytes !== this.#droppedBytes) this.#changedAt = now;
    this.#droppedBytes = droppedBytes;
    const uncollected = droppedBytes - this.#collectedBytes;
    const isCalm = now - this.#changedAt >= CALM_MS;
    if (uncollected === 0 || (!isCalm && uncollected < UNCOLLECTED_BYTES_MAX)) return;
    this.#collectedBytes = droppedBytes;
    collectGarbage();
  }
}
