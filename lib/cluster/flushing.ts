import type { Store } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import type { Queries } from './queries.js';

export type FlushQuestion =
  | { readonly ask: 'flush-begin' }
  | { readonly ask: 'flush'; readonly db: number | null; readonly floor: number }
  | { readonly ask: 'flush-end' };

/** What flushing sets off elsewhere in the node. */
export interface FlushListener {
  /** Entries are gone without having been deleted one by one. */
  flushed(): void;
  /** Writes may go on. */
  flushEnded(): void;
}

/**
 * FLUSHDB and FLUSHALL over all members, in three questions to everybody: stop writing, and tell your clock; drop what is
 * older than this floor above all clocks; go on. Between the first and the last nobody writes, no backup answers reads and
 * no anchor grants a creation: so no key of before is seen after a member has dropped its copy.
 */
export class Flushing {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #queries: Queries;
  readonly #listener: FlushListener;

  constructor(state: ClusterState, queries: Queries, listener: FlushListener) {
    this.#state = state;
    this.#store = state.store;
    this.#queries = queries;
    this.#listener = listener;
  }

  /** `db` null: all databases. False when the node is overloaded. */
  run(db: number | null, done: () => void): boolean {
    return this.#queries.ask({ ask: 'flush-begin' }, (clocks) => {
      const floor = Math.max(...(clocks as number[])) + 1;
      this.#queries.ask({ ask: 'flush', db, floor }, () => {
        this.#queries.ask({ ask: 'flush-end' }, done);
      });
    });
  }

  evaluate(question: FlushQuestion): number {
    switch (question.ask) {
      case 'flush-begin':
        this.#state.flushing = true;
        return this.#state.clock.last;
      case 'flush':
        this.apply(question.db, question.floor);
        return 0;
      case 'flush-end':
        this.#end();
        return 0;
    }
  }

  /** A view change ends a flush that its asker has not ended; floors are told with the reports. */
  installed(): void {
    if (this.#state.flushing) this.#end();
  }

  /** Drops what is older than `floor`, wherever it is; what arrives later and is older is dropped too. */
  apply(db: number | null, floor: number): void {
    const { floors, clock } = this.#state;
    const isAboveAll = floor > clock.last;
    clock.observe(floor);
    let isNews = false;
    for (let each = db ?? 0; each <= (db ?? floors.length - 1); each++) {
      if (floors[each]! >= floor) continue;
      floors[each] = floor;
      isNews = true;
    }
    if (!isNews) return;
    if (db === null && isAboveAll && this.#state.flushing) this.#store.clear();
    else {
      for (let slot = 0; slot < SLOTS; slot++) {
        if (this.#store.countInSlot(slot) === 0) continue;
        this.#store.eachInSlot(
          slot,
          (ref) => this.#store.version(ref) < floors[this.#store.db(ref)]!,
        );
      }
    }
    this.#listener.flushed();
  }

  #end(): void {
    this.#state.flushing = false;
    this.#listener.flushEnded();
  }
}
