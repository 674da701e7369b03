import type { ClusterState } from './cluster-state.js';

/** SWAPDBs that wait; more are refused. */
const WAITING_MAX = 1000;

interface Swap {
  readonly first: number;
  readonly second: number;
  /** Monotonic time after which it is refused instead of waiting on. */
  readonly deadline: number;
  readonly done: (error: string | null) => void;
}

const NOT_ALLOWED = 'ERR SWAPDB is not allowed in cluster mode';
const TRY_AGAIN = 'TRYAGAIN the cluster is changing and could not swap databases in time';

/**
 * SWAPDB, on a node that is the only member (docs/decisions/0010). The store swaps at once; here it is seen to that nobody
 * notices who goes by the name that a key had before:
 *   - members that are missing, and may be serving on the other side of a partition, would merge by the old names;
 *   - whatever has begun for a key and is not over finds it by its name: it is waited for;
 *   - floors go with the keys. Else what is older than the other database's last flush would be dropped by the next joiner.
 */
export class Swapping {
  readonly #state: ClusterState;
  /** Nothing is under way for any key. */
  readonly #isAtRest: () => boolean;
  /** Keys go by other names now. */
  readonly #swapped: () => void;
  #waiting: Swap[] = [];

  constructor(state: ClusterState, isAtRest: () => boolean, swapped: () => void) {
    this.#state = state;
    this.#isAtRest = isAtRest;
    this.#swapped = swapped;
  }

  /** `done` gets the error text, null when the databases are swapped. False when too many wait. */
  run(first: number, second: number, done: (error: string | null) => void): boolean {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#state.statistics.limits.add('swaps');
      return false;
    }
    this.#waiting.push({ first, second, deadline: this.#state.deadline(), done });
    this.tick();
    return true;
  }

  /** Swaps what has waited, in order, as soon as it can. */
  tick(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const swap of waiting) {
      if (!this.#isAllowed()) swap.done(NOT_ALLOWED);
      else if (this.#maySwap()) this.#swap(swap);
      else if (swap.deadline <= this.#state.now) swap.done(TRY_AGAIN);
      else this.#waiting.push(swap);
    }
  }

  #isAllowed(): boolean {
    return this.#state.isAlone && this.#state.membership.membersMissing() === 0;
  }

  #maySwap(): boolean {
    const { isChanging, isServing, flushing } = this.#state;
    return isServing && !isChanging && !flushing && this.#isAtRest();
  }

  #swap({ first, second, done }: Swap): void {
    const { store, floors } = this.#state;
    store.swapDatabases(first, second);
    const floor = floors[first]!;
    floors[first] = floors[second]!;
    floors[second] = floor;
    this.#swapped();
    done(null);
  }
}
