import { Role } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Gathering } from './gathering.js';
import type { NodeStatus, View } from './member.js';

/** Whoever stops does not wait longer for the others, in node-timeouts, nor as a share of `leave-timeout`. */
const WAIT_NODE_TIMEOUTS = 3;
const WAIT_LEAVE_TIMEOUTS = 0.5;

/**
 * All members stop, and keep what they hold in files: they wait until nothing is under way that would leave the files of
 * two of them at odds. From when it waits a node begins no command on several keys; those on one key run on.
 *
 *     1. A command on several keys has run at G, and its frame is on its way to X. X would write what was there before.
 *     2. P has died while it moved a backup from X to J. X has given its copy up, J has not been told that it may promote
 *        its own, and would write nothing.
 *
 * Members tell each other of it with their status.
 */
export class Quiescence {
  readonly #state: ClusterState;
  readonly #gathering: Gathering;
  #waitsUntil = 0;

  constructor(state: ClusterState, gathering: Gathering) {
    this.#state = state;
    this.#gathering = gathering;
  }

  status(): Pick<NodeStatus, 'quietView'> {
    return this.#isQuiet ? { quietView: this.#state.view!.id.number } : {};
  }

  /** Whether this node may stop, and write. `final`: the view that names the parts of the snapshot. */
  isReached(final: View): boolean {
    const state = this.#state;
    const { membership, now } = state;
    const { nodeTimeoutMs, leaveTimeoutMs } = state.config;
    if (!state.isEnding) {
      state.isEnding = true;
      this.#waitsUntil =
        now + Math.min(WAIT_NODE_TIMEOUTS * nodeTimeoutMs, WAIT_LEAVE_TIMEOUTS * leaveTimeoutMs);
    }
    if (now >= this.#waitsUntil) return true;
    // What one has written, or may have, who has gone is not changed any more: neither acknowledged without it nor promoted.
    const hasGone = final.members.some(({ id }) => {
      return state.memberIndexOf(id) < 0 || membership.proofOf(id) === 'goodbye';
    });
    return hasGone || (this.#isQuiet && state.livePeers().every(({ id }) => this.#isQuietAt(id)));
  }

  /** Somebody stays after all. */
  withdraw(): void {
    this.#state.isEnding = false;
  }

  #isQuietAt(id: string): boolean {
    const { membership, view } = this.#state;
    return membership.statusOf(id)?.quietView === view!.id.number;
  }

  get #isQuiet(): boolean {
    const { isEnding, isChanging, view } = this.#state;
    if (!isEnding || isChanging || view === null) return false;
    return this.#gathering.unacked === 0 && !this.#hasOrphans;
  }

  /** Copies whose primary is gone: what becomes of them is not decided yet. */
  get #hasOrphans(): boolean {
    const { store, peers } = this.#state;
    return peers.some((peer, index) => {
      return peer?.isLive !== true && store.countWithPeer(Role.Backup, index) > 0;
    });
  }
}
