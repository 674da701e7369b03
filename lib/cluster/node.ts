import type { Store } from '../store/store.js';
import { Claims } from './claims.js';
import { ClockWarning } from './clock-warning.js';
import type { ClusterConfig } from './cluster-config.js';
import { ClusterRouter } from './cluster-router.js';
import { ClusterState } from './cluster-state.js';
import { Departure, type DepartureHooks } from './departure.js';
import { Digests } from './digests.js';
import { Failover } from './failover.js';
import { Flushing } from './flushing.js';
import { Forgets } from './forgets.js';
import { Forwarding } from './forwarding.js';
import { Gathering } from './gathering.js';
import { Headroom } from './headroom.js';
import { Inbox } from './inbox.js';
import type { Key } from './key.js';
import { type KeyspaceHooks, LiveKeyspace } from './keyspace.js';
import { LargeReceiver } from './large-receiver.js';
import { LargeSender, type TicketKeeper } from './large-sender.js';
import { Locations } from './locations.js';
import { Lookups } from './lookups.js';
import { drainLostAcks } from './lost-acks.js';
import type { Incarnation, Install, Member, NodeStatus, View } from './member.js';
import type {
  LinkEnd,
  MembershipConfig,
  MembershipHost,
  MembershipListener,
} from './membership/contract.js';
import { Membership } from './membership/membership.js';
import type { ControlMessage } from './membership/messages.js';
import { Merging } from './merging.js';
import { MirrorReceiver } from './mirror-receiver.js';
import { MirrorSender } from './mirror-sender.js';
import type { Waiter } from './move.js';
import { Moves } from './moves.js';
import { type Executor, lateExecutor } from './operation.js';
import type { Peer } from './peer.js';
import { Queries } from './queries.js';
import { Reclaiming } from './reclaiming.js';
import { Records } from './records.js';
import { Redundancy } from './redundancy.js';
import { Routing } from './routing.js';
import { OUTCOME_UNKNOWN, Runner } from './runner.js';
import { Scanning } from './scanning.js';
import { Settling } from './settling.js';
import { type DataHost, Streams } from './streams.js';
import { TakeOver } from './take-over.js';
import { TombstoneKeeping } from './tombstone-keeping.js';

/** The outside of a node's cluster part. */
export interface ClusterHost extends MembershipHost, DataHost {
  /** 0 <= x < 1, from the seed in a simulation. */
  random(): number;
}

/**
 * The cluster part of one node: composes the mechanisms and tells them what happens. Inputs are calls (bytes, links, ticks,
 * commands), with the time set by `beginTurn`; outputs are calls of the host. No socket, timer or clock of its own.
 */
export class ClusterNode implements MembershipListener {
  readonly state: ClusterState;
  readonly membership: Membership;
  readonly keyspace: LiveKeyspace;
  readonly router: ClusterRouter;
  readonly settling: Settling;
  readonly queries: Queries;
  readonly moves: Moves;
  executor!: Executor;
  /** Operations per second, told to the others with heartbeats; set by the host. */
  operationsPerSecond = 0;

  readonly #host: ClusterHost;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #runner: Runner;
  readonly #lookups: Lookups;
  readonly #mirror: MirrorReceiver;
  readonly #claims: Claims;
  readonly #forwarding: Forwarding;
  readonly #records: Records;
  readonly #forgets: Forgets;
  readonly #failover: Failover;
  readonly #routing: Routing;
  readonly #flushing: Flushing;
  readonly #gathering: Gathering;
  readonly #locations = new Locations();
  readonly #reclaiming: Reclaiming;
  readonly #digests: Digests;
  readonly #merging: Merging;
  readonly #tombstones: TombstoneKeeping;
  readonly #redundancy: Redundancy;
  readonly #headroom: Headroom;
  readonly #clockWarning: ClockWarning;
  readonly #largeSender: LargeSender;
  readonly #largeReceiver: LargeReceiver;
  readonly #ticketKeepers: TicketKeeper[] = [];
  readonly #departure: Departure;
  #movesEnded = false;

  constructor(
    store: Store,
    config: ClusterConfig,
    membership: MembershipConfig,
    self: Member,
    host: ClusterHost,
    now: number,
  ) {
    this.#host = host;
    this.#store = store;
    const state = new ClusterState(store, config, () => this.membership);
    this.state = state;
    state.now = now;
    this.#clockWarning = new ClockWarning(state.clock, (...line) => host.log(...line));
    const inbox = new Inbox();
    this.#largeReceiver = new LargeReceiver(state, inbox);
    this.#headroom = new Headroom(state, (...room) => this.#reclaiming.makeRoomAt(...room));
    this.#streams = new Streams(state, host, inbox);
    this.#forgets = new Forgets(state, this.#streams);
    this.#records = new Records(state, this.#streams, this.#forgets, {
      apply: (db, floor) => this.#flushing.apply(db, floor),
    });
    this.#largeSender = new LargeSender(state, this.#streams, this.#ticketKeepers);
    const mirror = new MirrorSender(state, this.#streams, this.#largeSender);
    this.keyspace = new LiveKeyspace(state, this.#streams, mirror, this.#keyspaceHooks());
    this.moves = new Moves(state, this.keyspace, this.#records, {
      moveDone: () => {
        this.#movesEnded = true;
        this.#streams.wantFlush();
      },
      swapped: (key) => this.#gathering.swapped(key),
    });
    this.#lookups = new Lookups(state, this.#streams);
    this.#mirror = new MirrorReceiver(state, {
      becamePrimary: (ref) => this.moves.swappedIn(ref),
      copied: (peer, frame) => this.#digests.named(peer, frame),
      primaryLost: (key, wasBusy) => this.#primaryLost(key, wasBusy),
    });
    const executor = lateExecutor(() => this.executor);
    this.#runner = new Runner(this.keyspace, executor);
    this.#claims = new Claims(
      state,
      this.#streams,
      this.keyspace,
      this.#runner,
      this.#lookups,
      this.#mirror,
      this.moves,
    );
    this.#forwarding = new Forwarding(state, this.#streams, this.#largeSender, executor);
    this.#failover = new Failover(state, this.moves, this.#lookups, this.#records);
    this.#routing = new Routing({
      state,
      keyspace: this.keyspace,
      runner: this.#runner,
      claims: this.#claims,
      forwarding: this.#forwarding,
      lookups: this.#lookups,
      moves: this.moves,
      failover: this.#failover,
      takeOver: new TakeOver(state, this.moves),
      locations: this.#locations,
      records: this.#records,
    });
    this.settling = new Settling(state, this.moves, this.#failover, this.#headroom);
    this.#redundancy = new Redundancy(state, this.#records, this.settling, this.#headroom);
    this.#departure = new Departure(state, this.settling);
    this.queries = new Queries(state, this.#streams);
    this.#flushing = new Flushing(state, this.queries, {
      flushed: () => this.#locations.clear(),
      flushEnded: () => this.#routing.retryParked(),
    });
    this.#gathering = new Gathering(state, this.keyspace, this.#runner, this.moves, this.#routing);
    this.router = this.#makeRouter();
    this.#digests = new Digests(state, this.#streams, this.keyspace, host);
    this.#reclaiming = new Reclaiming(state, this.#streams, this.keyspace, () => host.random());
    this.#tombstones = new TombstoneKeeping(state);
    this.#merging = this.#makeMerging();
    this.membership = new Membership(membership, self, host, this, now);
    this.#connect(inbox);
  }

  #makeMerging(): Merging {
    return new Merging(this.state, this.#streams, {
      quiet: () => this.#claims.withdrawAll(),
      isSending: () => this.#largeSender.open > 0,
      report: () => this.#records.reportMerge(),
      allReported: () => this.#records.allReported,
      resolved: () => this.#slotsResolved(),
      grant: (to, ref) => this.keyspace.grant(to, ref),
    });
  }

  #makeRouter(): ClusterRouter {
    return new ClusterRouter(
      this.state,
      this.#routing,
      this.#gathering,
      new Scanning(this.state, this.queries),
      this.#flushing,
      this.queries,
      this.#host,
    );
  }

  #keyspaceHooks(): KeyspaceHooks {
    return {
      moveOf: (ref) => this.moves.moveOf(ref),
      cancelSending: (ref) => this.#largeSender.cancelAll(ref),
      moveEnded: (move) => this.moves.end(move),
      restore: (ref) => this.moves.restore(ref),
      forget: (ref, also) => this.#forgets.add(ref, also),
      created: (ref) => this.#records.announce(ref),
      makeRoom: () => this.#reclaiming.makeRoom(),
      admits: (backup) => this.#headroom.admits(backup, 1),
    };
  }

  #connect(inbox: Inbox): void {
    this.#ticketKeepers.push(this.moves, this.#claims);
    this.queries.evaluate = (question) => this.router.evaluate(question);
    inbox.connect({
      mirror: this.#mirror,
      claims: this.#claims,
      forwarding: this.#forwarding,
      lookups: this.#lookups,
      records: this.#records,
      queries: this.queries,
      digests: this.#digests,
      large: this.#largeReceiver,
      reclaiming: this.#reclaiming,
      merging: this.#merging,
    });
  }

  // --- time

  /** At the start of every turn: leases are judged by a clock read in the turn that executes. */
  beginTurn(now: number, wall: number): void {
    this.state.now = now;
    this.state.clock.wall = wall;
    // What wakes a node that slept may be a command: its leases are void before that is looked at.
    if (this.state.view !== null && this.membership.observe(now, wall)) this.#leasesChanged();
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
    if (this.state.view === null) return;
    for (const { id } of this.state.view.members) {
      this.state.clock.observe(this.membership.statusOf(id)?.version ?? 0);
    }
    this.#clockWarning.tick();
    this.state.clockAheadMs = Math.max(0, wall - this.membership.medianClockMs(wall));
    this.#streams.tick();
    this.#merging.step();
    this.#records.takeKnown();
    this.#headroom.tick();
    this.#reclaiming.askForRoom();
    this.moves.tick();
    this.#forgets.tick();
    this.#claims.tick();
    this.#gathering.tick();
    this.settling.tick();
    this.#routing.retryParked();
    const isSettled = this.#redundancy.isSettled;
    this.#tombstones.reap(isSettled);
    this.#claims.beforeFlush();
    if (isSettled && !this.state.flushing) this.#digests.tick();
    this.#departure.step();
    this.#streams.wantFlush();
  }

  /** At the end of a turn in which something was appended, and again while there is work. */
  flush(): void {
    this.#claims.beforeFlush();
    if (this.#movesEnded) {
      this.#movesEnded = false;
      this.#gathering.tick();
    }
    this.#merging.step();
    const settlingGoesOn = this.#records.step() || this.settling.step();
    const goesOn = this.#largeSender.pump() || settlingGoesOn;
    this.#streams.flush();
    if (goesOn) this.#streams.wantFlush();
  }

  /** Deletes what has expired, a bounded piece per call; only what this node is primary of. */
  expire(entriesMax: number): void {
    this.#reclaiming.expire(entriesMax);
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
    this.#streams.dataOpened(link);
  }

  dataAccepted(link: number, from: Incarnation): void {
    this.#streams.dataAccepted(link, from);
  }

  dataClosed(link: number): void {
    this.#streams.dataClosed(link);
  }

  dataReceived(link: number, chunk: Buffer, length: number): void {
    this.#streams.dataReceived(link, chunk, length);
    // An ack may have made room for the next parts.
    if (this.#largeSender.open > 0) this.#streams.wantFlush();
  }

  // --- leaving

  /** Leaves in good order: hands everything over, lets clients go, says goodbye. */
  leave(hooks: DepartureHooks): void {
    this.#departure.begin(hooks);
  }

  /** Stays after all; false when this node does not leave, or has handed over everything. */
  stay(): boolean {
    return this.#departure.withdraw();
  }

  // --- MembershipListener

  prepared(view: View): void {
    this.state.isChanging = true;
    for (const peer of this.state.livePeers()) {
      if (view.members.some((member) => member.id === peer.id)) continue;
      peer.isLive = false;
      this.#streams.end(peer);
    }
    this.#leasesChanged();
  }

  installed(install: Install): void {
    const { state } = this;
    if (this.#store.size === 0) this.#store.reseed(install.view.seed);
    const lost = state.peers.filter(
      (peer): peer is Peer =>
        peer !== null && !install.view.members.some((member) => member.id === peer.id),
    );
    for (const peer of lost) this.#streams.end(peer);
    state.isChanging = false;
    for (const peer of lost) state.end(peer);
    const added = state.install(install.view);
    this.#merging.installed(install);
    if (install.merge) {
      this.moves.suspend();
      this.#locations.clear();
    }
    state.refreshLeases();
    this.#headroom.installed();
    this.#streams.mark(install.view);
    this.#records.installed(install, added);
    this.settling.installed();
    this.#flushing.installed();
    for (const peer of lost) this.#peerLost(peer);
    this.#forgets.tick();
    this.#gathering.installed();
    this.#lookups.restart();
    this.queries.restart();
    this.#streams.resumePaused();
    this.#routing.retryParked();
    this.#streams.wantFlush();
  }

  excluded(): void {
    const { state } = this;
    for (const peer of [...state.peers]) {
      if (peer === null) continue;
      this.#streams.end(peer);
      this.#largeReceiver.peerLost(peer);
      peer.stream.drain((_offset, sink, token) => sink.fail(token, OUTCOME_UNKNOWN));
      state.end(peer);
    }
    state.leaveView();
    const tasks = [...this.#claims.clear(), ...this.#forwarding.clear()];
    const fail = ({ sink, token }: Waiter): void => sink.fail(token, OUTCOME_UNKNOWN);
    this.moves.clear(fail);
    this.#forgets.clear(fail);
    this.#lookups.clear();
    this.#failover.clear();
    this.#gathering.clear();
    this.#runner.clear();
    this.#locations.clear();
    this.#records.clear();
    this.#largeSender.clear();
    this.#merging.clear();
    this.#store.clear();
    for (const task of tasks) this.#routing.route(task);
    this.#routing.dropForwarded();
    this.#departure.end();
  }

  status(): NodeStatus {
    return {
      ...this.#redundancy.status(this.operationsPerSecond),
      ...this.#tombstones.status(),
    };
  }

  isKnown(): boolean {
    return this.#records.isKnown;
  }

  isMerging(): boolean {
    return this.state.mergingSlots > 0;
  }

  mayMerge(): boolean {
    return this.#tombstones.mayMerge;
  }

  // --- inside

  /** Who is left out leaves commands, claims and change-overs behind: each mechanism takes its own up again. */
  #peerLost(peer: Peer): void {
    const sending = this.#largeSender.peerLost(peer);
    this.#largeReceiver.peerLost(peer);
    this.#routing.peerLost(peer);
    this.moves.peerLost(peer);
    this.#forgets.peerLost();
    drainLostAcks(peer, this.#store, this.moves, this.#forgets, this.#claims, sending);
    this.#claims.peerLost(peer);
    this.#forwarding.peerLost(peer);
    this.#digests.peerLost(peer);
  }

  #leasesChanged(): void {
    const wasServing = this.state.isServing;
    this.state.refreshLeases();
    this.#streams.resumePaused();
    if (!wasServing && this.state.isServing) this.#routing.retryParked();
  }

  /** What was held up since sides have met goes on where its slot is resolved. */
  #slotsResolved(): void {
    this.moves.resume();
    this.#lookups.resolved();
    this.#streams.wantFlush();
    if (this.state.mergingSlots > 0) return;
    this.#records.merged();
    this.#routing.retryParked();
  }

  #primaryLost(key: Key, wasBusy: boolean): void {
    if (wasBusy) this.#claims.lost(key);
    else {
      this.#host.log('warn', 'another primary took over a key of this node', { db: key.db });
      const move = this.moves.find(key);
      if (move !== undefined) this.moves.end(move);
    }
  }

  /** Keys of the whole cluster with one copy; 0 says that it is safe to stop a node. */
  keysWithoutBackup(): number {
    return this.#redundancy.keysWithoutBackup;
  }

  get isSettled(): boolean {
    return this.#redundancy.isSettled;
  }

  /** Work in progress by mechanism: all zero on a node at rest. */
  get open(): Readonly<Record<string, number>> {
    return {
      merging: this.#merging.open,
      claims: this.#claims.open,
      moves: this.moves.open,
      large: this.#largeSender.open,
      forgets: this.#forgets.open,
      lookups: this.#lookups.open,
      failovers: this.#failover.open,
      gathers: this.#gathering.open,
      forwards: this.#forwarding.open,
      queries: this.queries.open,
      parked: this.#routing.parked,
      held: this.#runner.open,
    };
  }
}
