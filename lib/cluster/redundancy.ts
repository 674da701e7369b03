import { Role } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Headroom } from './headroom.js';
import type { NodeStatus } from './member.js';
import type { Peer } from './peer.js';
import type { Records } from './records.js';
import type { Settling } from './settling.js';

/**
 * Whether every key of the cluster has its two copies: what this node tells the others with heartbeats, and what it
 * makes of what they tell. "Yes" is said only with a fresh answer of every member, in one view.
 */
export class Redundancy {
  readonly #state: ClusterState;
  readonly #records: Records;
  readonly #settling: Settling;
  readonly #headroom: Headroom;

  constructor(state: ClusterState, records: Records, settling: Settling, headroom: Headroom) {
    this.#state = state;
    this.#records = records;
    this.#settling = settling;
    this.#headroom = headroom;
  }

  status(operationsPerSecond: number): Omit<NodeStatus, 'membersMissing' | 'deletesForgotten'> {
    const { store, clock, view, isChanging } = this.#state;
    const viewNumber = view === null || isChanging ? 0 : view.id.number;
    return {
      version: clock.last,
      knownView: this.#records.isKnown ? viewNumber : 0,
      settledView: this.#settling.isDone ? viewNumber : 0,
      keysWithoutBackup: this.#settling.keysWithoutBackup,
      primaries: store.countOfRole(Role.Primary),
      backups: store.countOfRole(Role.Backup),
      memoryBytes: store.usedBytes,
      headroomBytes: this.#headroom.own,
      operationsPerSecond,
    };
  }

  /** Every member has said, within a short lease, that all is known and settled in the view installed here. */
  get isSettled(): boolean {
    const { view, isChanging } = this.#state;
    if (view === null || isChanging || !this.#settling.isDone || !this.#records.isKnown) {
      return false;
    }
    return this.#state.livePeers().every((peer) => this.#isSettledAt(peer, view.id.number));
  }

  /** Keys of the whole cluster with one copy; at least 1 while that is not certain to be none. */
  get keysWithoutBackup(): number {
    let sum = this.#settling.keysWithoutBackup;
    for (const { id } of this.#state.livePeers()) {
      sum += this.#state.membership.statusOf(id)?.keysWithoutBackup ?? 0;
    }
    return this.isSettled ? sum : Math.max(1, sum);
  }

  /** A connection that has just ended, or an answer that did not come, may be the first sign of a death. */
  #isSettledAt(peer: Peer, viewNumber: number): boolean {
    const { membership, now } = this.#state;
    const status = membership.statusOf(peer.id);
    const isFresh = now < membership.readsUntil(peer.id) && peer.stream.resumed;
    return isFresh && status?.settledView === viewNumber && status.knownView === viewNumber;
  }
}
