import { Role, type Store } from '../store/store.js';
import { TombstoneReaper } from '../store/tombstones.js';
import type { ClusterState } from './cluster-state.js';
import { versionMs } from './version-clock.js';

/** Entries looked at for tombstones per tick. */
const TOMBSTONES_PER_TICK = 2000;
/** A settled cluster forgets tombstones after so many node-timeouts. */
const TOMBSTONE_NODE_TIMEOUTS = 5;
/** `tombstonesMax` of a server. */
export const TOMBSTONES_MAX = 1_000_000;

/**
 * How long tombstones are kept: for a few node-timeouts where all is settled; for `tombstone-ttl`, and `tombstonesMax` of
 * them, while members are missing that may be serving on the other side of a partition. A node that had to forget one
 * before they were back cannot merge with them any more: they could bring a deleted key back. One side then discards
 * what it holds.
 */
export class TombstoneKeeping {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #reaper: TombstoneReaper;
  #hasForgotten = false;

  constructor(state: ClusterState) {
    this.#state = state;
    this.#store = state.store;
    this.#reaper = new TombstoneReaper(state.store);
  }

  /** What others are told with heartbeats: members that this node misses, and whether it has forgotten deletes since. */
  status(): { membersMissing: number; deletesForgotten: number } {
    const { membership } = this.#state;
    return {
      membersMissing: membership.membersMissing(),
      deletesForgotten: this.#hasForgotten ? 1 : 0,
    };
  }

  /** Whether all deletes since the sides parted are still known, as far as this node has heard. */
  get mayMerge(): boolean {
    return !this.#hasForgotten && !this.#others().some((status) => status.deletesForgotten > 0);
  }

  /** Every tick. */
  reap(isSettledEverywhere: boolean): void {
    const { clock } = this.#state;
    const isMissing = this.#isMissing();
    if (!isMissing) this.#hasForgotten = false;
    const ageMs = this.#ageMs(isMissing, isSettledEverywhere);
    const reaped = this.#reaper.run(TOMBSTONES_PER_TICK, (ref) => {
      if (this.#state.isOpenDelete(ref)) return false;
      return versionMs(this.#store.version(ref)) < clock.wall - ageMs;
    });
    if (isMissing && reaped > 0) this.#hasForgotten = true;
  }

  #ageMs(isMissing: boolean, isSettledEverywhere: boolean): number {
    const { tombstoneTtlMs, tombstonesMax, nodeTimeoutMs } = this.#state.config;
    const calmMs = TOMBSTONE_NODE_TIMEOUTS * nodeTimeoutMs;
    const longMs = Math.max(tombstoneTtlMs, calmMs);
    if (!isMissing || this.#hasForgotten) return isSettledEverywhere ? calmMs : longMs;
    return this.#store.countOfRole(Role.Tombstone) > tombstonesMax ? calmMs : longMs;
  }

  /** Somebody in the view misses a member: who has joined since knows of it from the others. */
  #isMissing(): boolean {
    if (this.#state.membership.membersMissing() > 0) return true;
    return this.#others().some((status) => status.membersMissing > 0);
  }

  #others() {
    const { membership } = this.#state;
    return this.#state.livePeers().flatMap(({ id }) => membership.statusOf(id) ?? []);
  }
}
