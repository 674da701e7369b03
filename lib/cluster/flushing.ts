import type { Store } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import type { Queries } from './queries.js';
import type { Floor } from './records.js';

interface DropQuestion {
  readonly ask: 'flush';
  /** Null: all. */
  readonly db: number | null;
  readonly floor: number;
  /** The first slot to look at. */
  readonly from: number;
}

export type FlushQuestion =
  | { readonly ask: 'flush-begin'; readonly id: string }
  | DropQuestion
  | { readonly ask: 'flush-end'; readonly id: string };

/** Entries that a member looks at for one step. */
const ENTRIES_PER_STEP = 5000;

/** What flushing needs of the rest of the node, and sets off there. */
export interface FlushHooks {
  /** All members have told their floors in this view. */
  allReported(): boolean;
  /** Writes stop. What is half done is finished. */
  flushBegins(): void;
  /** Entries are gone without having been deleted one by one. */
  flushed(): void;
  /** Writes may go on. */
  flushEnded(): void;
}

/**
 * FLUSHDB and FLUSHALL over all members, in questions to everybody: stop writing, and tell your clock; drop what is older
 * than this floor above all clocks, some slots at a time; go on. Between the first and the last nobody writes, no backup
 * answers reads and no anchor grants a creation: so no key of before is seen after a member has dropped its copy.
 *
 * Floors are told with the reports of a view change, and whoever has stopped writing goes on only after all reports:
 *   1. the floor is 100: A has dropped what is older, B has stopped writing and not heard of the floor yet
 *   2. a view is installed without C, which had asked
 *   3. without A's report B would execute INCR on a key that should be gone, as version 101, and that key would stay;
 *      with a new floor for B, A would drop what was created there since the first one
 *
 * The last to hear of the floor reads nothing meanwhile from what it holds, and from what others have copied to them since:
 *   4. A has all reports, goes on, and grants D the creation of k, which B is still primary of; D answers OK
 *   5. A's report is still on its way to B. Were B asked now, it would show k as it was before
 * So B serves nobody from the moment when it has installed that view, and with that may have told A to go on, until it has
 * all reports itself. Who has joined since is in the same doubt about what B copies to it: it answers no reads as a backup,
 * and promotes nothing. Records of what is below a floor need not be kept for the time until then.
 */
export class Flushing {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #queries: Queries;
  readonly #hooks: FlushHooks;
  /** Flushes that have begun and not ended: those of different databases may overlap. */
  readonly #begun = new Set<string>();
  #lastId = 0;

  constructor(state: ClusterState, queries: Queries, hooks: FlushHooks) {
    this.#state = state;
    this.#store = state.store;
    this.#queries = queries;
    this.#hooks = hooks;
  }

  /**
   * `db` null: all databases. `lost` instead of `done` when this node is left out meanwhile. False when the node is
   * overloaded, or about to stop with all others.
   */
  run(db: number | null, done: () => void, lost: () => void): boolean {
    if (this.#state.isEnding) return false;
    const id = `${this.#state.self.id}:${++this.#lastId}`;
    return this.#queries.ask({ ask: 'flush-begin', id }, (clocks) => {
      const floor = Math.max(...(clocks as number[])) + 1;
      // From here on this member knows the floor, and will report it: a view change cannot forget it.
      this.#step(db, floor, 0);
      this.#drop({ ask: 'flush', db, floor, from: 0 }, id, done, lost);
    });
  }

  #drop(question: DropQuestion, id: string, done: () => void, lost: () => void): void {
    const dropped = (positions: unknown[]): void => {
      const from = Math.min(...(positions as number[]));
      if (from < SLOTS) this.#drop({ ...question, from }, id, done, lost);
      else this.#queries.goOn({ ask: 'flush-end', id }, done);
    };
    this.#queries.goOn(question, dropped, lost);
  }

  /** A clock, or the next slot to look at. */
  evaluate(question: FlushQuestion): number {
    switch (question.ask) {
      case 'flush-begin':
        this.#hooks.flushBegins();
        this.#begun.add(question.id);
        this.#state.flushing = true;
        this.#state.refreshRuns();
        return this.#state.clock.last;
      case 'flush':
        return this.#step(question.db, question.floor, question.from);
      case 'flush-end':
        this.#begun.delete(question.id);
        this.step();
        return 0;
    }
  }

  /** A view change ends all flushes, those too whose asker is gone. */
  installed(): void {
    this.#begun.clear();
    if (!this.#state.flushing) return;
    this.#state.awaitsFloors = true;
    this.#state.refreshRuns();
  }

  /** Lets writes go on where no flush is under way any more. */
  step(): void {
    const state = this.#state;
    if (!state.flushing && !state.awaitsFloors) return;
    if (!this.#hooks.allReported()) return;
    const wasDoubtful = state.awaitsFloors;
    state.awaitsFloors = false;
    const isOver = state.flushing && this.#begun.size === 0;
    if (isOver) state.flushing = false;
    if (!isOver && !wasDoubtful) return;
    state.refreshRuns();
    this.#hooks.flushEnded();
  }

  /** Drops what is older than these floors; what arrives later and is older is dropped too. */
  apply(floors: readonly Floor[]): void {
    const raised = floors.filter(({ db, floor }) => this.#raise(db, floor));
    if (raised.length === 0) return;
    for (let slot = 0; slot < SLOTS; slot++) this.#dropSlot(slot);
  }

  #step(db: number | null, floor: number, from: number): number {
    const isAboveAll = floor > this.#state.clock.last;
    const isNews = this.#raise(db, floor);
    if (isNews && from > 0) return 0;
    if (isNews && db === null && isAboveAll && this.#state.flushing) {
      this.#state.absences.dropping(this.#store);
      this.#store.clear();
      return SLOTS;
    }
    let slot = from;
    for (let seen = 0; slot < SLOTS && seen < ENTRIES_PER_STEP; slot++) {
      seen += this.#dropSlot(slot);
    }
    return slot;
  }

  /** True when the floor is a new one. */
  #raise(db: number | null, floor: number): boolean {
    const { floors, clock } = this.#state;
    clock.observe(floor);
    let isNews = false;
    for (let each = db ?? 0; each <= (db ?? floors.length - 1); each++) {
      if (floors[each]! >= floor) continue;
      floors[each] = floor;
      isNews = true;
    }
    if (isNews) this.#hooks.flushed();
    return isNews;
  }

  /** Entries looked at. */
  #dropSlot(slot: number): number {
    const count = this.#store.countInSlot(slot);
    if (count === 0) return 0;
    const { floors, absences } = this.#state;
    this.#store.eachInSlot(slot, (ref) => {
      const isBelow = this.#store.version(ref) < floors[this.#store.db(ref)]!;
      if (isBelow) absences.deleted(this.#store, ref);
      return isBelow;
    });
    return count;
  }
}
