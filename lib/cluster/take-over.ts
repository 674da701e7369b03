import { LRUCache } from 'lru-cache';
import type { Ref, Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Key } from './key.js';
import type { Moves } from './moves.js';
import type { Peer } from './peer.js';

/** Keys whose forwarders are being counted. */
const STREAKS_MAX = 16_384;
/** Larger values are not moved for locality. */
const VALUE_BYTES_MAX = 1024 * 1024;

/**
 * Sessions follow their users: after `take-over-after` commands in a row through the same other node, ownership moves
 * there; at once for a key that was promoted because its primary died. Where there is no room for it, it stays.
 */
export class TakeOver {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #moves: Moves;
  /** By sizes, for its tables then grow as it fills. */
  readonly #streaks = new LRUCache<string, { peer: Peer; count: number }>({
    maxSize: STREAKS_MAX,
    sizeCalculation: () => 1,
  });

  constructor(state: ClusterState, moves: Moves) {
    this.#state = state;
    this.#store = state.store;
    this.#moves = moves;
  }

  get isOn(): boolean {
    return this.#state.config.takeOverAfter > 0;
  }

  /** A command on this primary was run for another member. */
  served(ref: Ref, key: Key, from: Peer): void {
    const after = this.#state.config.takeOverAfter;
    if (!this.isOn || from.member.leaving || !from.isLive) return;
    const flags = this.#store.flags(ref);
    if ((flags & (Flag.Busy | Flag.Held)) !== 0) return;
    let streak = this.#streaks.get(key.id);
    if (streak?.peer === from) streak.count++;
    else {
      streak = { peer: from, count: 1 };
      this.#streaks.set(key.id, streak);
    }
    this.#store.setFlags(ref, flags | Flag.Streak);
    const isEnough = streak.count >= after || (flags & Flag.Eager) !== 0;
    if (isEnough && this.#store.valueLength(ref) <= VALUE_BYTES_MAX) this.#begin(ref, key, from);
  }

  /** A client of this node used the key: the streak is broken. */
  usedHere(ref: Ref, key: Key): void {
    this.#streaks.delete(key.id);
    this.#store.setFlags(ref, this.#store.flags(ref) & ~(Flag.Streak | Flag.Eager));
  }

  #begin(ref: Ref, key: Key, to: Peer): void {
    if ((this.#store.flags(ref) & (Flag.Moving | Flag.Sending)) !== 0) return;
    this.#streaks.delete(key.id);
    this.#store.setFlags(ref, this.#store.flags(ref) & ~(Flag.Streak | Flag.Eager));
    if (this.#store.peer(ref) === to.index) this.#moves.swap(ref, to);
    else this.#moves.startIfRoom(ref, to, to);
  }
}
