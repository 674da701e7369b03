import { evictionCandidate } from '../store/eviction.js';
import { ExpiryCycle } from '../store/expiry.js';
import { type Ref, Role, type Store } from '../store/store.js';
import { TombstoneReaper } from '../store/tombstones.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { LiveKeyspace } from './keyspace.js';
import { versionMs } from './version-clock.js';

/** Keys that one command may evict. */
const EVICTIONS_PER_COMMAND = 16;
/** Entries looked at for tombstones per tick. */
const TOMBSTONES_PER_TICK = 2000;
/** A settled cluster forgets tombstones after so many node-timeouts. */
const TOMBSTONE_NODE_TIMEOUTS = 5;

/** Gives back what expired keys, keys to evict and old tombstones occupy; keys only where this node is their primary. */
export class Reclaiming {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #keyspace: LiveKeyspace;
  readonly #random: () => number;
  readonly #expiry: ExpiryCycle;
  readonly #reaper: TombstoneReaper;

  constructor(state: ClusterState, keyspace: LiveKeyspace, random: () => number) {
    this.#state = state;
    this.#store = state.store;
    this.#keyspace = keyspace;
    this.#random = random;
    this.#expiry = new ExpiryCycle(state.store);
    this.#reaper = new TombstoneReaper(state.store);
  }

  /** Deletes what has expired, a bounded piece per call. */
  expire(entriesMax: number): void {
    if (!this.#state.isServing || this.#state.flushing || this.#state.mergingSlots > 0) return;
    this.#keyspace.begin();
    this.#expiry.run(this.#state.expiryNow, entriesMax, (ref) => {
      if (this.#isInUse(ref)) return false;
      this.#state.statistics.expired++;
      this.#keyspace.reclaim(ref, true);
      return true;
    });
  }

  /** Evicts by policy until memory is below its limit; true when it is still full. */
  makeRoom(): boolean {
    const { maxMemoryBytes, maxMemoryPolicy, maxMemorySamples } = this.#state.config;
    if (maxMemoryPolicy === 'noeviction') return true;
    for (let i = 0; i < EVICTIONS_PER_COMMAND; i++) {
      if (this.#store.usedBytes <= maxMemoryBytes) return false;
      const ref = evictionCandidate(this.#store, maxMemoryPolicy, this.#random, maxMemorySamples);
      if (ref === 0) return true;
      if (this.#isInUse(ref)) continue;
      this.#state.statistics.evicted++;
      this.#keyspace.reclaim(ref);
    }
    return this.#store.usedBytes > maxMemoryBytes;
  }

  /**
   * Tombstones live on while a copy that does not know of the delete may turn up: for a few node-timeouts where all is
   * settled, for `tombstone-ttl` where members are missing.
   */
  reapTombstones(isSettledEverywhere: boolean): void {
    const { config, clock } = this.#state;
    const calmMs = TOMBSTONE_NODE_TIMEOUTS * config.nodeTimeoutMs;
    const ageMs = isSettledEverywhere ? calmMs : Math.max(config.tombstoneTtlMs, calmMs);
    this.#reaper.run(TOMBSTONES_PER_TICK, (ref) => {
      if (this.#state.isOpenDelete(ref)) return false;
      return versionMs(this.#store.version(ref)) < clock.wall - ageMs;
    });
  }

  #isInUse(ref: Ref): boolean {
    return (
      this.#store.role(ref) !== Role.Primary ||
      this.#state.merging[this.#store.slot(ref)] === 1 ||
      (this.#store.flags(ref) & (Flag.Busy | Flag.Held | Flag.Ahead)) !== 0
    );
  }
}
