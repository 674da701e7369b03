import { f64At } from '../protocol/bytes.js';
import { type EvictionPolicy, evictionCandidate } from '../store/eviction.js';
import { ExpiryCycle } from '../store/expiry.js';
import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType } from './frames.js';
import { entryBytes } from './headroom.js';
import type { KeyUses } from './key-uses.js';
import type { LiveKeyspace } from './keyspace.js';
import { Reclaimed } from './keyspace-hooks.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Keys that one command may evict. */
const EVICTIONS_PER_COMMAND = 256;
/** How far above its limit memory may be while keys are evicted, as a share of it: something large takes several commands. */
const EVICTION_SLACK = 1 / 16;
/** Keys looked at to relieve a member that is full. */
const DRAWS_MAX = 64;

/** Gives back what expired keys and keys to evict occupy, where this node is their primary. */
export class Reclaiming {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #keyspace: LiveKeyspace;
  readonly #streams: Streams;
  readonly #uses: KeyUses;
  readonly #random: () => number;
  readonly #expiry: ExpiryCycle;

  constructor(
    state: ClusterState,
    streams: Streams,
    keyspace: LiveKeyspace,
    uses: KeyUses,
    random: () => number,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#keyspace = keyspace;
    this.#streams = streams;
    this.#uses = uses;
    this.#random = random;
    this.#expiry = new ExpiryCycle(state.store);
  }

  /** Deletes what has expired, a bounded piece per call. */
  expire(entriesMax: number): void {
    const { isServing, flushing, mergingSlots, keepsExpired } = this.#state;
    if (!isServing || flushing || mergingSlots > 0 || keepsExpired) return;
    this.#keyspace.begin();
    this.#expiry.run(this.#state.expiryNow, entriesMax, (ref) => {
      if (this.#isInUse(ref)) return false;
      this.#state.statistics.expired++;
      this.#keyspace.reclaim(ref, Reclaimed.Expired);
      return true;
    });
  }

  /** Evicts by policy until memory is below its limit, a bounded piece per call; true when the command may not run. */
  makeRoom(): boolean {
    const { maxMemoryBytes, maxMemoryPolicy } = this.#state.config;
    if (maxMemoryPolicy === 'noeviction') return true;
    for (let i = 0; i < EVICTIONS_PER_COMMAND; i++) {
      if (this.#evictableBytes() <= maxMemoryBytes) return false;
      const ref = this.#candidate(maxMemoryPolicy);
      if (ref === 0) return true;
      if (this.#isInUse(ref)) continue;
      this.#state.statistics.evicted++;
      this.#keyspace.reclaim(ref, Reclaimed.Evicted);
    }
    return this.#evictableBytes() > maxMemoryBytes * (1 + EVICTION_SLACK);
  }

  /** What keys are evicted for: not for the backlog, as each eviction adds to it. */
  #evictableBytes(): number {
    return this.#state.countedBytes - this.#state.backlogBytes;
  }

  /** Evicts keys whose backup is the peer, until that has room for `bytes` more; true when it has not. */
  makeRoomAt(peer: Peer, bytes: number): boolean {
    const freed = this.#evict(bytes, peer.index);
    peer.grownBytes -= freed;
    return freed < bytes;
  }

  /**
   * A node that others' keys have made too full takes what they have executed all the same, and asks them to evict their
   * part; its own it evicts itself. FULL: bytes f64.
   */
  askForRoom(): void {
    const { config, store, statistics } = this.#state;
    const over = store.usedBytes - config.maxMemoryBytes;
    if (config.maxMemoryBytes === 0 || over <= 0 || !this.#state.isServing) return;
    const peers = this.#state.livePeers();
    const part = over / (peers.length + 1);
    for (const peer of peers) {
      peer.stream.log.begin(FrameType.Full, 8);
      peer.stream.log.f64(part);
      statistics.framesSent[FrameType.Full]!++;
      this.#streams.appended(peer);
    }
    if (this.#state.flushing || this.#state.keepsExpired) return;
    this.#keyspace.begin();
    this.#evict(part, null);
  }

  receiveFull(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start !== 8) return false;
    if (!this.#state.isServing || this.#state.flushing) return true;
    this.#keyspace.begin();
    this.makeRoomAt(peer, f64At(buffer, start));
    return true;
  }

  /** Bytes freed by evicting primaries, those with one backup only where it is given; 0 where nothing is evicted. */
  #evict(bytes: number, backup: number | null): number {
    const { maxMemoryPolicy } = this.#state.config;
    if (maxMemoryPolicy === 'noeviction') return 0;
    let freed = 0;
    // Keys with another backup are drawn in vain.
    for (let i = 0; freed < bytes && i < DRAWS_MAX; i++) {
      const ref = this.#candidate(maxMemoryPolicy);
      if (ref === 0) break;
      if (this.#isInUse(ref) || (backup !== null && this.#store.peer(ref) !== backup)) continue;
      freed += entryBytes(this.#store, ref);
      this.#state.statistics.evicted++;
      this.#keyspace.reclaim(ref, Reclaimed.Evicted);
    }
    return freed;
  }

  #candidate(policy: EvictionPolicy): Ref {
    const { config, clock } = this.#state;
    const frequencyOf = (ref: Ref): number => this.#uses.frequency(ref, clock.wall) ?? 0;
    return evictionCandidate(
      this.#store,
      policy,
      this.#random,
      config.maxMemorySamples,
      frequencyOf,
    );
  }

  #isInUse(ref: Ref): boolean {
    return (
      this.#store.role(ref) !== Role.Primary ||
      this.#state.merging[this.#store.slot(ref)] === 1 ||
      (this.#store.flags(ref) & (Flag.Busy | Flag.Held | Flag.Ahead)) !== 0
    );
  }
}
