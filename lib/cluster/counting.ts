import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Queries } from './queries.js';

export interface CountQuestion {
  readonly ask: 'count';
  readonly db: number;
  /** Keys by their anchors' entries instead of by their primaries. */
  readonly byAnchors: boolean;
}

/** A node that holds more entries is not asked to walk them. */
const WALK_ENTRIES_MAX = 20_000;

/**
 * DBSIZE. Members count at different moments, so a key whose primary role moves meanwhile may be counted twice, or not at
 * all. Its anchor has an entry of it all along: where a walk is cheap, anchors are asked. Else the primaries are added up,
 * which is exact when nothing moves.
 */
export class Counting {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #queries: Queries;

  constructor(state: ClusterState, queries: Queries) {
    this.#state = state;
    this.#store = state.store;
    this.#queries = queries;
  }

  /** False when too many questions are open. */
  count(db: number, done: (count: number) => void): boolean {
    return this.#queries.ask({ ask: 'count', db, byAnchors: true }, (counts) => {
      if (!counts.includes(null)) return done(sum(counts));
      this.#queries.goOn({ ask: 'count', db, byAnchors: false }, (primaries) =>
        done(sum(primaries)),
      );
    });
  }

  /** Null where anchors' entries cannot be counted. */
  evaluate({ db, byAnchors }: CountQuestion): number | null {
    const isLarge = this.#store.size > WALK_ENTRIES_MAX;
    if (!byAnchors) return isLarge ? this.#store.count(db, Role.Primary) : this.#countLed(db);
    if (isLarge || !this.#isKnown()) return null;
    let count = 0;
    const { slots } = this.#store;
    for (let slot = slots.next(0); slot < SLOTS; slot = slots.next(slot + 1)) {
      if (!this.#state.isAnchor(slot)) continue;
      this.#store.eachInSlot(slot, (ref) => {
        if (this.#store.db(ref) === db && this.#exists(ref)) count++;
        return false;
      });
    }
    return count;
  }

  /** Also of slots that nothing is known of here: what they hold is yet to be reported. */
  #isKnown(): boolean {
    const { known } = this.#state;
    for (let slot = 0; slot < SLOTS; slot++) {
      if (known[slot] === 0 && this.#state.isAnchor(slot)) return false;
    }
    return true;
  }

  /** Keys that this node is primary of, or is about to be as theirs was lost. */
  #countLed(db: number): number {
    const { slots } = this.#store;
    let count = 0;
    for (let slot = slots.next(0); slot < SLOTS; slot = slots.next(slot + 1)) {
      this.#store.eachInSlot(slot, (ref) => {
        if (this.#store.db(ref) === db && this.#isLed(ref) && this.#exists(ref)) count++;
        return false;
      });
    }
    return count;
  }

  #isLed(ref: Ref): boolean {
    const role = this.#store.role(ref);
    if (role !== Role.Backup) return role === Role.Primary;
    const mayPromote = (this.#store.flags(ref) & Flag.Full) !== 0;
    return mayPromote && this.#state.livePeer(this.#store.peer(ref)) === null;
  }

  #exists(ref: Ref): boolean {
    const role = this.#store.role(ref);
    if (role === Role.Tombstone) return false;
    if (role === Role.Record) return true;
    if (role === Role.Primary && (this.#store.flags(ref) & Flag.Busy) !== 0) return false;
    return this.#store.type(ref) !== ValueType.None;
  }
}

const sum = (counts: readonly unknown[]): number =>
  (counts as number[]).reduce((total, count) => total + count, 0);
