import { Role } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Gathering } from './gathering.js';
import type { Incarnation, NodeStatus, View } from './member.js';
import { idsOf } from './membership/views.js';
import type { Peer } from './peer.js';

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
 *     3. P has told J so, or has handed a key over to J, which has not read that yet. Where P's file cannot be written, or
 *        J begins to move the key on, there is one copy less than it seems.
 *     4. FLUSHALL has dropped what A and B held, and C has not heard of it yet.
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
  /** The last view in which this node was quiet, and in which it knew all quiet: from then on others may end, as may itself. */
  #quietView: View | null = null;
  #allQuietView: View | null = null;
  /** The view in which nothing is under way here, and the ends of the streams to the others since when. */
  #restView: View | null = null;
  #restOffsets: ReadonlyMap<Peer, number> = new Map();
  /** Who has told that it waits, and who that it knows all quiet: remembered when it is left out, too. Members of one view, at most. */
  readonly #ending = new Set<Incarnation>();
  readonly #mayEnd = new Set<Incarnation>();

  constructor(state: ClusterState, gathering: Gathering, moves: { readonly open: number }) {
    this.#state = state;
    this.#gathering = gathering;
    this.#moves = moves;
  }

  status(): Pick<NodeStatus, 'ending' | 'quietView' | 'allQuietView'> {
    if (!this.#state.isEnding) return {};
    const { view } = this.#state;
    const quietView = view!.id.number;
    if (this.#quietView !== view || !this.#isAtRest) return { ending: 1 };
    if (this.#allQuietView !== view) return { ending: 1, quietView };
    return { ending: 1, quietView, allQuietView: quietView };
  }

  heard(id: Incarnation, { ending, allQuietView }: NodeStatus): void {
    if (ending === undefined) this.#ending.delete(id);
    else this.#ending.add(id);
    if (allQuietView !== undefined) this.#mayEnd.add(id);
  }

  /** Whether this node may stop, and write. `final`: the view that names the parts of the snapshot. */
  isReached(final: View): boolean {
    const begins = !this.#state.isEnding;
    if (begins) this.#begin();
    // At once: who dies, or freezes, before it has told may be taken for one that went on.
    if (this.#goOn() || begins) this.#state.membership.tell(this.#state.now);
    if (this.#state.now >= this.#waitsUntil) return true;
    // What one has written, or may have, who has gone is not changed any more: neither acknowledged without it nor promoted.
    if (final.members.some(({ id }) => this.mayHaveEnded(id))) return true;
    return this.#allQuietView === this.#state.view && this.#isToldByAll('allQuietView');
  }

  canOnlyStop(id: Incarnation): boolean {
    return this.#ending.has(id);
  }

  /** Who had handed over all writes nothing. Of who is just left out, the goodbye may be lost. */
  mayHaveEnded(id: Incarnation): boolean {
    const { membership } = this.#state;
    if (membership.proofOf(id) === 'goodbye') return !membership.hadHandedOver(id);
    const isLeftOut = this.#state.memberIndexOf(id) < 0;
    return isLeftOut && (this.#mayEnd.has(id) || idsOf(this.#allQuietView).has(id));
  }

  /** Somebody stays after all. */
  withdraw(): void {
    this.#state.isEnding = false;
    this.#restView = null;
    this.#quietView = null;
    this.#allQuietView = null;
    this.#ending.clear();
    this.#mayEnd.clear();
  }

  #begin(): void {
    const { config, now } = this.#state;
    const { nodeTimeoutMs, leaveTimeoutMs } = config;
    this.#state.isEnding = true;
    this.#waitsUntil =
      now + Math.min(WAIT_NODE_TIMEOUTS * nodeTimeoutMs, WAIT_LEAVE_TIMEOUTS * leaveTimeoutMs);
  }

  /** Whether that is news for the others. */
  #goOn(): boolean {
    const { view } = this.#state;
    if (!this.#isAtRest) {
      this.#restView = null;
      return false;
    }
    if (this.#allQuietView === view || !this.#isRead()) return false;
    const isNew = this.#quietView !== view;
    this.#quietView = view;
    if (!this.#isToldByAll('quietView')) return isNew;
    this.#allQuietView = view;
    return true;
  }

  #isToldByAll(what: 'quietView' | 'allQuietView'): boolean {
    const { membership, view } = this.#state;
    return this.#state
      .livePeers()
      .every(({ id }) => membership.statusOf(id)?.[what] === view!.id.number);
  }

  /** Whether the others have read what was sent until nothing was under way here. */
  #isRead(): boolean {
    const peers = this.#state.livePeers();
    if (this.#restView !== this.#state.view) {
      this.#restView = this.#state.view;
      this.#restOffsets = new Map(peers.map((peer) => [peer, peer.stream.log.endOffset]));
    }
    return peers.every((peer) => peer.stream.acked >= this.#restOffsets.get(peer)!);
  }

  get #isAtRest(): boolean {
    const { isEnding, isChanging, flushing, awaitsFloors, view } = this.#state;
    if (!isEnding || isChanging || flushing || awaitsFloors || view === null) return false;
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
