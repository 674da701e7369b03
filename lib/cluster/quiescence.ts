import { Role } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Gathering } from './gathering.js';
import type { Incarnation, NodeStatus, View } from './member.js';
import { idsOf } from './membership/views.js';

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
 * Members tell each other of it with their status, in two rounds: that they are quiet, and that they know it of all. Who has
 * told the second cannot know whether the others have ended; but then nothing was under way anywhere, nor is since, and it
 * may stop at any moment. As long as one has not told it, nobody has ended.
 *
 *     1. P is quiet and has told so, Y still has a command on several keys in flight. X dies.
 *     2. P sees that X is left out. After one round it could not know whether X had ended as all were quiet, would stop,
 *        and Y with it: the half of a command would be in the files.
 */
export class Quiescence {
  readonly #state: ClusterState;
  readonly #gathering: Gathering;
  readonly #moves: { readonly open: number };
  #waitsUntil = 0;
  /** The last view in which this node has told that it is quiet, and that it knows it of all: from the latter on others may end. */
  #quietView: View | null = null;
  #allQuietView: View | null = null;
  /** Who has told that it waits: remembered when it is left out, too. Members of one view, at most. */
  readonly #ending = new Set<Incarnation>();

  constructor(state: ClusterState, gathering: Gathering, moves: { readonly open: number }) {
    this.#state = state;
    this.#gathering = gathering;
    this.#moves = moves;
  }

  status(): Pick<NodeStatus, 'ending' | 'quietView' | 'allQuietView'> {
    if (!this.#state.isEnding) return {};
    if (!this.#isQuiet) return { ending: 1 };
    const view = this.#state.view!;
    this.#quietView = view;
    const quietView = view.id.number;
    if (!this.#isToldByAll('quietView')) return { ending: 1, quietView };
    this.#allQuietView = view;
    return { ending: 1, quietView, allQuietView: quietView };
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
    if (begins || this.#hasNews) state.membership.tell(now);
    for (const { id } of state.livePeers())
      if (state.membership.statusOf(id)?.ending === 1) this.#ending.add(id);
    if (now >= this.#waitsUntil) return true;
    // What one has written, or may have, who has gone is not changed any more: neither acknowledged without it nor promoted.
    if (final.members.some(({ id }) => this.#mayHaveEnded(id))) return true;
    return this.#allQuietView === state.view && this.#isToldByAll('allQuietView');
  }

  canOnlyStop(id: Incarnation): boolean {
    return this.#ending.has(id);
  }

  /** Somebody stays after all. */
  withdraw(): void {
    this.#state.isEnding = false;
    this.#quietView = null;
    this.#allQuietView = null;
    this.#ending.clear();
  }

  /** Who had handed over all writes nothing; and who is just left out has, only if this node had told that it knows all quiet. */
  #mayHaveEnded(id: Incarnation): boolean {
    const { membership } = this.#state;
    if (membership.proofOf(id) === 'goodbye') return !membership.hadHandedOver(id);
    return idsOf(this.#allQuietView).has(id) && this.#state.memberIndexOf(id) < 0;
  }

  /** There is something to tell the others that they do not know yet. */
  get #hasNews(): boolean {
    const { view } = this.#state;
    if (!this.#isQuiet || this.#allQuietView === view) return false;
    return this.#quietView !== view || this.#isToldByAll('quietView');
  }

  #isToldByAll(what: 'quietView' | 'allQuietView'): boolean {
    const { membership, view } = this.#state;
    return this.#state
      .livePeers()
      .every(({ id }) => membership.statusOf(id)?.[what] === view!.id.number);
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
