import { Role } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Gathering } from './gathering.js';
import type { Incarnation, NodeStatus, View } from './member.js';

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
  readonly #moves: { readonly open: number };
  #waitsUntil = 0;
  /** Others may have ended, since this node has told them that it waits for nothing but them. */
  #hasToldQuiet = false;
  /** Who has told that it waits: remembered when it is left out, too. Members of one view, at most. */
  readonly #ending = new Set<Incarnation>();

  constructor(state: ClusterState, gathering: Gathering, moves: { readonly open: number }) {
    this.#state = state;
    this.#gathering = gathering;
    this.#moves = moves;
  }

  status(): Pick<NodeStatus, 'ending' | 'quietView'> {
    if (!this.#state.isEnding) return {};
    if (!this.#isQuiet) return { ending: 1 };
    this.#hasToldQuiet = true;
    return { ending: 1, quietView: this.#state.view!.id.number };
  }

  /** Whether this node may stop, and write. `final`: the view that names the parts of the snapshot. */
  isReached(final: View): boolean {
    const state = this.#state;
    const { now } = state;
    const { nodeTimeoutMs, leaveTimeoutMs } = state.config;
    const begins = !state.isEnding;
    if (begins) {
      state.isEnding = true;
      this.#waitsUntil =
        now + Math.min(WAIT_NODE_TIMEOUTS * nodeTimeoutMs, WAIT_LEAVE_TIMEOUTS * leaveTimeoutMs);
    }
    // At once: who dies, or freezes, before it has told may be taken for one that went on.
    if (begins || (this.#isQuiet && !this.#hasToldQuiet)) state.membership.tell(now);
    const peers = state.livePeers();
    for (const { id } of peers)
      if (state.membership.statusOf(id)?.ending === 1) this.#ending.add(id);
    if (now >= this.#waitsUntil) return true;
    // What one has written, or may have, who has gone is not changed any more: neither acknowledged without it nor promoted.
    if (final.members.some(({ id }) => this.#mayHaveEnded(id))) return true;
    return this.#isQuiet && peers.every(({ id }) => this.#isQuietAt(id));
  }

  canOnlyStop(id: Incarnation): boolean {
    return this.#ending.has(id);
  }

  /** Somebody stays after all. */
  withdraw(): void {
    this.#state.isEnding = false;
    this.#hasToldQuiet = false;
    this.#ending.clear();
  }

  /** Who is just left out has written nothing, unless it could know that all were quiet; and who had handed over all writes nothing. */
  #mayHaveEnded(id: Incarnation): boolean {
    const { membership } = this.#state;
    if (membership.proofOf(id) === 'goodbye') return !membership.hadHandedOver(id);
    return this.#hasToldQuiet && this.#state.memberIndexOf(id) < 0;
  }

  #isQuietAt(id: Incarnation): boolean {
    const { membership, view } = this.#state;
    return membership.statusOf(id)?.quietView === view!.id.number;
  }

  get #isQuiet(): boolean {
    const { isEnding, isChanging, view } = this.#state;
    if (!isEnding || isChanging || view === null) return false;
    return this.#gathering.unacked === 0 && this.#moves.open === 0 && !this.#hasOrphans;
  }

  /** Copies whose primary is gone: what becomes of them is not decided yet. */
  get #hasOrphans(): boolean {
    const { store, peers } = this.#state;
    return peers.some((peer, index) => {
      return peer?.isLive !== true && store.countWithPeer(Role.Backup, index) > 0;
    });
  }
}
