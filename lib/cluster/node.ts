import { Role, type Store } from '../store/store.js';
import type { ClusterConfig } from './cluster-config.js';
import { ClusterEvents } from './cluster-events.js';
import type { ClusterRouter } from './cluster-router.js';
import type { ClusterState } from './cluster-state.js';
import type { DepartureHooks } from './departure.js';
import type { Invalidation } from './invalidation.js';
import type { LiveKeyspace } from './keyspace.js';
import { drainLostAcks } from './lost-acks.js';
import type { Incarnation, Install, Member, NodeStatus, View } from './member.js';
import type { MemberQuestions } from './member-questions.js';
import type { LinkEnd, MembershipConfig, MembershipListener } from './membership/contract.js';
import { Membership } from './membership/membership.js';
import type { ControlMessage } from './membership/messages.js';
import type { Waiter } from './move.js';
import type { Moves } from './moves.js';
import { type ClusterHost, NodeParts } from './node-parts.js';
import type { Executor } from './operation.js';
import type { Peer } from './peer.js';
import type { Publishing } from './publishing.js';
import { OUTCOME_UNKNOWN } from './runner.js';
import type { Settling } from './settling.js';
import type { SharedSettings } from './shared-settings.js';
import type { SnapshotOffers } from './snapshot-offers.js';

/**
 * The cluster part of one node: tells its mechanisms (node-parts.ts) what happens, in the order that they need. Inputs are
 * calls (bytes, links, ticks, commands), with the time set by `beginTurn`; outputs are calls of the host. No socket, timer
 * or clock of its own.
 */
export class ClusterNode implements MembershipListener {
  readonly state: ClusterState;
  readonly membership: Membership;
  readonly keyspace: LiveKeyspace;
  readonly router: ClusterRouter;
  readonly settling: Settling;
  readonly moves: Moves;
  readonly publishing: Publishing;
  readonly sharedSettings: SharedSettings;
  readonly invalidation: Invalidation;
  readonly snapshots: SnapshotOffers;
  readonly events: ClusterEvents;
  readonly memberQuestions: MemberQuestions;
  executor!: Executor;
  /** Operations per second, told to the others with heartbeats; set by the host. */
  operationsPerSecond = 0;
  readonly #parts: NodeParts;

  constructor(
    store: Store,
    config: ClusterConfig,
    membership: MembershipConfig,
    self: Member,
    host: ClusterHost,
    now: number,
  ) {
    this.#parts = new NodeParts(store, config, host, {
      membership: () => this.membership,
      executor: () => this.executor,
    });
    this.state = this.#parts.state;
    this.keyspace = this.#parts.keyspace;
    this.router = this.#parts.router;
    this.settling = this.#parts.settling;
    this.moves = this.#parts.moves;
    this.publishing = this.#parts.publishing;
    this.sharedSettings = this.#parts.sharedSettings;
    this.invalidation = this.#parts.invalidation;
    this.snapshots = this.#parts.snapshots;
    this.memberQuestions = this.#parts.memberQuestions;
    this.events = this.#makeEvents();
    this.state.now = now;
    this.membership = new Membership(membership, self, host, this, now);
  }

  // --- time

  /** At the start of every turn: leases are judged by a clock read in the turn that executes. */
  beginTurn(now: number, wall: number): void {
    this.state.now = now;
    this.state.clock.wall = wall;
    // What wakes a node that slept may be a command: its leases are void before that is looked at.
    if (this.state.view === null || !this.membership.observe(now, wall)) return;
    this.#parts.streams.slept();
    this.#leasesChanged();
  }

  start(now: number, wall: number): void {
    this.beginTurn(now, wall);
    this.membership.start(now, wall);
    this.#leasesChanged();
  }

  /** Every node-timeout / 40. */
  tick(now: number, wall: number): void {
    this.beginTurn(now, wall);
    this.membership.tick(now, wall);
    this.#leasesChanged();
    this.events.tick();
    if (this.state.view === null || this.#parts.departure.isOver) return;
    for (const { id } of this.state.view.members) {
      this.state.clock.observe(this.membership.statusOf(id)?.version ?? 0);
    }
    this.#parts.clockWarning.tick();
    this.#parts.streams.tick();
    this.#parts.merging.step();
    this.#parts.records.takeKnown();
    this.#parts.headroom.tick();
    this.#parts.reclaiming.askForRoom();
    this.moves.tick();
    this.#parts.forgets.tick();
    this.#parts.grants.tick();
    this.#parts.gathering.tick();
    this.settling.tick();
    this.#parts.swapping.tick();
    this.#parts.routing.retryParked();
    const isSettled = this.#parts.redundancy.isSettled;
    this.#parts.tombstones.reap(isSettled);
    this.#parts.claims.beforeFlush();
    if (isSettled && !this.state.flushing) this.#parts.digests.tick();
    this.#parts.departure.step();
    this.#parts.streams.wantFlush();
  }

  /** At the end of a turn in which something was appended, and again while there is work. */
  flush(): void {
    if (this.#parts.departure.isOver) {
      this.#parts.streams.flush();
      return;
    }
    this.#parts.claims.beforeFlush();
    this.#parts.announcements.beforeFlush();
    this.invalidation.beforeFlush();
    const preparingGoesOn = this.#parts.preparing.step();
    if (this.#parts.gathersGoOn) {
      this.#parts.gathersGoOn = false;
      this.#parts.gathering.tick();
      this.#parts.routing.acknowledged();
    }
    this.#parts.merging.step();
    this.#parts.flushing.step();
    this.#parts.forgets.step();
    this.#parts.grants.step();
    this.#parts.routing.step();
    this.#parts.awaitedKeys.step();
    if (this.#parts.mirrorReceiver.atomic.step()) this.#parts.streams.resumePaused();
    const scattersGoOn = this.router.scattering.step();
    const questionsGoOn = this.#parts.queries.step();
    const settlingGoesOn = this.#parts.records.step() || this.settling.step();
    const goesOn =
      this.#parts.largeSender.pump() || settlingGoesOn || questionsGoOn || preparingGoesOn;
    this.#parts.streams.flush();
    const isApplying = this.#parts.mirrorReceiver.atomic.open > 0;
    if (goesOn || scattersGoOn || isApplying || this.#parts.gathersGoOn)
      this.#parts.streams.wantFlush();
  }

  /** Deletes what has expired, a bounded piece per call; only what this node is primary of. */
  expire(entriesMax: number): void {
    this.#parts.reclaiming.expire(entriesMax);
  }

  // --- control links

  controlOpened(link: number): void {
    this.membership.linkOpened(link, this.state.now);
  }

  controlAccepted(link: number): void {
    this.membership.linkAccepted(link, this.state.now);
  }

  controlClosed(link: number, end: LinkEnd): void {
    this.membership.linkClosed(link, end, this.state.now);
    this.#leasesChanged();
  }

  controlMessage(link: number, message: ControlMessage): void {
    this.membership.received(link, message, this.state.now, this.state.clock.wall);
    this.#leasesChanged();
  }

  // --- data links

  dataOpened(link: number): void {
    this.#parts.streams.dataOpened(link);
  }

  dataAccepted(link: number, from: Incarnation): void {
    this.#parts.streams.dataAccepted(link, from);
  }

  dataClosed(link: number): void {
    this.#parts.streams.dataClosed(link);
  }

  dataReceived(link: number, chunk: Buffer, length: number): void {
    this.#parts.streams.dataReceived(link, chunk, length);
    // An ack may have made room for the next parts.
    if (this.#parts.largeSender.open > 0) this.#parts.streams.wantFlush();
  }

  // --- leaving

  /** Leaves in good order: hands everything over, lets clients go, says goodbye. */
  leave(hooks: Omit<DepartureHooks, 'ending'>): void {
    this.#parts.departure.begin({ ...hooks, ending: () => this.#finishSteps() });
  }

  /** Stays after all; false when this node does not leave, or has handed over everything. */
  stay(): boolean {
    return this.#parts.departure.withdraw();
  }

  /** Nobody is left to whom anything could be handed over. */
  endLeaving(): void {
    this.#parts.departure.end();
  }

  /** The last view of the cluster, of which every member leaves; null while somebody stays. */
  get finalView(): View | null {
    return this.#parts.departure.finalView;
  }

  /** All are stopping, and that member has told that it has come so far: it ends, whatever else becomes of it. */
  canOnlyStop(id: Incarnation): boolean {
    return this.#parts.quiescence.canOnlyStop(id);
  }

  /** Whether this node has gone on without it as all stopped: what it may have written is older. */
  hasLeftOut(id: Incarnation): boolean {
    return this.#parts.departure.leftOut.has(id);
  }

  // --- MembershipListener

  prepared(view: View): void {
    // From here on copies are reported, promoted and compared.
    this.#finishSteps();
    this.state.isChanging = true;
    this.#parts.departure.prepared(view);
    for (const peer of this.state.livePeers()) {
      if (view.members.some((member) => member.id === peer.id)) continue;
      this.state.leaveOut(peer);
      this.#parts.streams.end(peer);
    }
    this.#leasesChanged();
  }

  installed(install: Install): void {
    const { state } = this;
    if (this.state.store.size === 0) this.state.store.reseed(install.view.seed);
    const lost = state.peers.filter(
      (peer): peer is Peer =>
        peer !== null && !install.view.members.some((member) => member.id === peer.id),
    );
    for (const peer of lost) this.#parts.streams.end(peer);
    this.events.installed(install.view, (id) => this.copiesWith(state.peerById(id)));
    state.isChanging = false;
    for (const peer of lost) state.end(peer);
    const added = state.install(install.view);
    this.#parts.merging.installed(install);
    if (install.merge) {
      this.moves.suspend();
      this.#parts.locations.clear();
    }
    state.refreshLeases();
    this.#parts.headroom.installed();
    this.#parts.streams.mark(install.view);
    this.#parts.announcements.installed(added);
    this.invalidation.membersChanged();
    // Who is lost has taken along what it had to tell; what another side has changed was told there.
    if (lost.length > 0 || install.merge) this.invalidation.forgetAll();
    this.#parts.records.installed(install, added);
    this.settling.installed();
    // Where all leave, this view is the last one, and nobody is to go on from it. Who is left alone in it would be certain
    // of what there is, without what the others took along in their files: so nothing that waited is answered any more.
    this.#parts.departure.installed(install.view);
    if (this.#parts.departure.finalView !== null && this.#parts.departure.tryEnd()) return;
    this.#parts.claims.installed();
    this.#parts.flushing.installed();
    for (const peer of lost) this.#peerLost(peer);
    this.#parts.forgets.tick();
    this.#parts.gathering.installed();
    this.#parts.lookups.restart();
    this.#parts.queries.restart();
    // Before anything is read that the others say in this view.
    this.#parts.awaitedKeys.installed();
    this.#parts.streams.resumePaused();
    this.#parts.routing.retryParked();
    this.#parts.streams.wantFlush();
    if (this.#parts.departure.finalView !== null) this.#parts.departure.step();
  }

  /** Where all stop, this node does so in the same turn: the other one waits for its goodbye, to vouch for it in its file. */
  saidGoodbye(): void {
    if (this.#parts.departure.finalView !== null) this.#parts.departure.tryEnd();
  }

  /** What is half done or half applied is whole. */
  #finishSteps(): void {
    this.#parts.gathering.finishSteps();
    this.#parts.largeSender.keepLent();
    this.#parts.mirrorReceiver.atomic.finish();
  }

  excluded(self: Member): void {
    const { state } = this;
    this.events.excluded(self);
    for (const peer of [...state.peers]) {
      if (peer === null) continue;
      this.#parts.streams.end(peer);
      this.#parts.publishing.peerLost(peer);
      this.#parts.largeReceiver.peerLost(peer);
      peer.stream.drain((_offset, sink, token) => sink.fail(token, OUTCOME_UNKNOWN));
      state.end(peer);
    }
    state.leaveView();
    this.#parts.announcements.excluded();
    this.#parts.grants.clear();
    this.invalidation.membersChanged();
    this.invalidation.forgetAll();
    const tasks = [...this.#parts.claims.clear(), ...this.#parts.forwarding.clear()];
    const fail = ({ sink, token }: Waiter): void => sink.fail(token, OUTCOME_UNKNOWN);
    this.moves.clear(fail);
    this.#parts.forgets.clear(fail);
    const answers = this.#parts.lookups.clear();
    this.#parts.failover.clear();
    this.#parts.gathering.clear();
    this.#parts.mirrorReceiver.atomic.clear();
    this.#parts.runner.clear();
    this.#parts.locations.clear();
    this.#parts.records.clear();
    this.#parts.largeSender.clear();
    this.#parts.preparing.clear();
    this.#parts.merging.clear();
    this.#parts.awaitedKeys.excluded();
    this.state.store.clear();
    for (const task of tasks) this.#parts.routing.route(task);
    for (const answer of answers) answer([]);
    this.#parts.routing.dropForwarded();
    this.#parts.queries.excluded();
    this.snapshots.excluded();
    this.#parts.departure.end();
  }

  status(): NodeStatus {
    return {
      ...this.#parts.redundancy.status(this.operationsPerSecond),
      ...this.#parts.tombstones.status(),
      ...this.snapshots.status(),
      ...this.#parts.quiescence.status(),
    };
  }

  heard(id: Incarnation, status: NodeStatus, isMember: boolean): void {
    this.snapshots.heard(status, isMember);
    this.#parts.quiescence.heard(id, status);
    if (this.state.isEnding) this.#parts.departure.tryEnd();
  }

  isKnown(): boolean {
    return this.#parts.records.isKnown;
  }

  isMerging(): boolean {
    return this.state.mergingSlots > 0;
  }

  mayMerge(): boolean {
    return this.#parts.tombstones.mayMerge;
  }

  /** Copies held here whose other holder is that one. */
  copiesWith(peer: Peer | undefined): number {
    if (peer === undefined) return 0;
    const { store } = this.state;
    return (
      store.countWithPeer(Role.Primary, peer.index) + store.countWithPeer(Role.Backup, peer.index)
    );
  }

  // --- inside

  #makeEvents(): ClusterEvents {
    const { state, settling } = this;
    const { statistics } = state;
    return new ClusterEvents({
      now: () => ({ monotonic: state.now, wall: state.clock.wall }),
      self: () => this.membership.self,
      isProvenDead: (id) => this.membership.grantEnds(id) === 0,
      promotions: () => statistics.promotions,
      takenOver: () => statistics.takenOver,
      single: () => settling.keysWithoutBackup,
      isSettled: () => this.isSettled,
      isDown: () => state.isDown,
    });
  }

  /** Who is left out leaves commands, claims and change-overs behind: each mechanism takes its own up again. */
  #peerLost(peer: Peer): void {
    this.#parts.announcements.peerLost(peer);
    this.#parts.publishing.peerLost(peer);
    const sending = this.#parts.largeSender.peerLost(peer);
    this.#parts.largeReceiver.peerLost(peer);
    this.#parts.routing.peerLost(peer);
    this.moves.peerLost(peer);
    this.#parts.forgets.peerLost();
    drainLostAcks(peer, this.#parts, sending);
    this.#parts.grants.peerLost(peer);
    this.#parts.claims.peerLost(peer);
    this.#parts.forwarding.peerLost(peer);
    this.#parts.digests.peerLost(peer);
  }

  #leasesChanged(): void {
    const wasServing = this.state.isServing;
    this.state.refreshLeases();
    this.#parts.streams.resumePaused();
    if (!wasServing && this.state.isServing) this.#parts.routing.retryParked();
  }

  /** Keys of the whole cluster with one copy; 0 says that it is safe to stop a node. */
  keysWithoutBackup(): number {
    return this.#parts.redundancy.keysWithoutBackup;
  }

  get isSettled(): boolean {
    return this.#parts.redundancy.isSettled;
  }

  /** Bytes for members that they have not acknowledged, or taken. */
  get busBacklogBytes(): number {
    let bytes = 0;
    for (const { stream, lossy } of this.state.livePeers())
      bytes += stream.log.pendingBytes + stream.bodyBytes + lossy.pendingBytes;
    return bytes;
  }

  /** Bytes that the others may still send here; null without a limit. */
  get headroomBytes(): number | null {
    return this.state.config.maxMemoryBytes === 0 ? null : this.#parts.headroom.own;
  }

  /** Keys of other nodes whose primary is remembered. */
  get locations(): number {
    return this.#parts.locations.size;
  }

  /** Work in progress by mechanism: all zero on a node at rest. */
  get open(): Readonly<Record<string, number>> {
    return {
      merging: this.#parts.merging.open,
      claims: this.#parts.claims.open + this.#parts.grants.open,
      moves: this.moves.open,
      large: this.#parts.largeSender.open,
      forgets: this.#parts.forgets.open,
      lookups: this.#parts.lookups.open,
      failovers: this.#parts.failover.open,
      gathers: this.#parts.gathering.open,
      applying: this.#parts.mirrorReceiver.atomic.open,
      scatters: this.router.scattering.open,
      forwards: this.#parts.forwarding.open,
      queries: this.#parts.queries.open,
      parked: this.#parts.routing.parked,
      preparing: this.#parts.preparing.open,
      held: this.#parts.runner.open,
    };
  }
}
