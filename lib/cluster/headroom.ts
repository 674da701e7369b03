import type { Ref, Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Peer } from './peer.js';

/** Shares are taken from the members' reports, and growth is counted, in periods of node-timeout / 10: a heartbeat. */
const PERIODS_PER_NODE_TIMEOUT = 10;
/** What an entry takes besides key and value: header, index, rounding to its class. */
export const ENTRY_OVERHEAD_BYTES = 96;

/** Bytes that an entry takes, about. */
export const entryBytes = (store: Store, ref: Ref): number =>
  ENTRY_OVERHEAD_BYTES + store.keyLength(ref) + store.valueLength(ref);

/** Frees memory at a member by evicting keys whose backup it is; true when all policy allows was not enough. */
export type MakeRoomAt = (peer: Peer, bytes: number) => boolean;

/**
 * How much the other members may still take. Each reports its headroom with heartbeats, and every primary counts on its
 * share of it only, less what it has sent there since: so a backup never has to refuse what was executed.
 */
export class Headroom {
  readonly #state: ClusterState;
  readonly #makeRoomAt: MakeRoomAt;
  #periodEnds = 0;
  /** A member has not reported yet. */
  #isIncomplete = false;

  constructor(state: ClusterState, makeRoomAt: MakeRoomAt) {
    this.#state = state;
    this.#makeRoomAt = makeRoomAt;
  }

  /** Bytes that this node may still take; a number that JSON can carry where there is no limit. */
  get own(): number {
    const { config } = this.#state;
    if (config.maxMemoryBytes === 0) return Number.MAX_SAFE_INTEGER;
    return Math.max(0, config.maxMemoryBytes - this.#state.countedBytes);
  }

  /** A view with new members, whose reports came before they were members: none is taken for one without a limit. */
  installed(): void {
    this.#takeShares();
  }

  /** Called every tick. */
  tick(): void {
    const { now, config } = this.#state;
    if (this.#isIncomplete) this.#takeShares();
    if (now < this.#periodEnds) return;
    this.#periodEnds = now + config.nodeTimeoutMs / PERIODS_PER_NODE_TIMEOUT;
    this.#takeShares();
    for (const peer of this.#state.livePeers()) {
      // A report need not know yet of what was sent in the period before it.
      peer.grownBytesBefore = peer.grownBytes;
      peer.grownBytes = 0;
    }
  }

  #takeShares(): void {
    const { membership } = this.#state;
    const peers = this.#state.livePeers();
    this.#state.isMemoryLimited = false;
    this.#isIncomplete = false;
    for (const peer of peers) {
      const headroomBytes = membership.statusOf(peer.id)?.headroomBytes;
      // Who has not reported yet is as limited as this node is, or not.
      const assumed = this.#state.config.maxMemoryBytes === 0 ? Number.MAX_SAFE_INTEGER : 0;
      peer.shareBytes = (headroomBytes ?? assumed) / peers.length;
      if (headroomBytes === undefined) this.#isIncomplete = true;
      else if (headroomBytes < Number.MAX_SAFE_INTEGER) this.#state.isMemoryLimited = true;
    }
  }

  /** Whether the peer may be sent `bytes` more; evicts keys backed there where the policy says so. */
  admits(peer: Peer, bytes: number): boolean {
    const missing = bytes - roomAt(peer);
    return missing <= 0 || !this.#makeRoomAt(peer, missing);
  }
}

/** Bytes that this node may still send there; 0 or less when it is full. */
export function roomAt(peer: Peer): number {
  return peer.shareBytes - peer.grownBytes - peer.grownBytesBefore;
}
