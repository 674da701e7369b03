import type { Request } from '../protocol/request.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { ACQUIRE } from './acquire.js';
import type { Claims, TaskRouter } from './claims.js';
import type { ClusterState } from './cluster-state.js';
import { Flag, SLOW_FOR_MEMBERS, SLOW_PRIMARY } from './entry-flags.js';
import type { Failover } from './failover.js';
import type { Forgets } from './forgets.js';
import type { Forwarding, ForwardingRouter } from './forwarding.js';
import type { Key } from './key.js';
import type { LiveKeyspace } from './keyspace.js';
import type { Locations } from './locations.js';
import { bestHolding, type Lookups } from './lookups.js';
import type { Incarnation } from './member.js';
import { MoveState } from './move.js';
import type { Moves } from './moves.js';
import type { CommandTraits, ReplySink } from './operation.js';
import { NOBODY, type Peer } from './peer.js';
import type { Preparing } from './preparing.js';
import type { Records } from './records.js';
import { CLUSTER_DOWN, errorReply, NO_REPLICAS, NOT_RUN, type Runner } from './runner.js';
import type { Streams } from './streams.js';
import type { TakeOver } from './take-over.js';
import type { Task } from './task.js';

/** Redirections in a row before a command waits for the next tick. */
const HOPS_MAX = 8;
/** Redirections after which a record that sends commands around in a circle is doubted. */
const HOPS_DOUBT = 4;
/** Commands that may wait for leases, a view or a tick; more are refused. */
const PARKED_MAX = 100_000;

/** Keys that a command on several keys holds, or wants to have here. */
export interface GatheredKeys {
  enqueue(task: Task): boolean;
  acquire(task: Task, ref: Ref): void;
}

/**
 * Decides where a command on one key runs: here, at its primary, at its backup, or nowhere since there is no such key. The
 * outcomes stand in `route`, in the order in which they are tried.
 */
export class Routing implements TaskRouter, ForwardingRouter, ReplySink {
  gathering!: GatheredKeys;
  /** Whether commands of this node's clients that have waited may be served, as far as a snapshot is concerned. */
  mayServe!: () => boolean;
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #keyspace: LiveKeyspace;
  readonly #runner: Runner;
  readonly #claims: Claims;
  readonly #forwarding: Forwarding;
  readonly #lookups: Lookups;
  readonly #moves: Moves;
  readonly #failover: Failover;
  readonly #takeOver: TakeOver;
  readonly #locations: Locations;
  readonly #records: Records;
  readonly #forgets: Forgets;
  readonly #streams: Streams;
  readonly #preparing: Preparing;
  #parked: Task[] = [];
  /** A delete is final, a change-over has ended, or a value is prepared, that parked tasks may wait for. */
  #isWoken = false;

  constructor(parts: {
    state: ClusterState;
    keyspace: LiveKeyspace;
    runner: Runner;
    claims: Claims;
    forwarding: Forwarding;
    lookups: Lookups;
    moves: Moves;
    failover: Failover;
    takeOver: TakeOver;
    locations: Locations;
    records: Records;
    forgets: Forgets;
    streams: Streams;
    preparing: Preparing;
  }) {
    this.#state = parts.state;
    this.#store = parts.state.store;
    this.#keyspace = parts.keyspace;
    this.#runner = parts.runner;
    this.#claims = parts.claims;
    this.#forwarding = parts.forwarding;
    this.#lookups = parts.lookups;
    this.#moves = parts.moves;
    this.#failover = parts.failover;
    this.#takeOver = parts.takeOver;
    this.#locations = parts.locations;
    this.#records = parts.records;
    this.#forgets = parts.forgets;
    this.#streams = parts.streams;
    this.#preparing = parts.preparing;
    this.#claims.router = this;
    this.#forwarding.router = this;
  }

  get parked(): number {
    return this.#parked.length;
  }

  /** The hot path: whether a command on this key may run at once. */
  mayRun(db: number, request: Request, keyIndex: number, traits: CommandTraits): boolean {
    if (!this.#mayRunAny(traits)) return false;
    const store = this.#store;
    const ref = store.findArgument(db, request, keyIndex);
    if (!this.#isRunnable(ref, traits, db, request, keyIndex)) return false;
    this.#keyspace.noteFound(db, request, keyIndex, ref);
    return true;
  }

  /**
   * The same of a command that a member has sent. Only on a copy: what there is not the member makes itself, if anybody
   * does.
   */
  mayRunForMember(db: number, request: Request, keyIndex: number, traits: CommandTraits): boolean {
    if (!this.#mayRunAny(traits)) return false;
    const store = this.#store;
    const ref = store.findArgument(db, request, keyIndex);
    if (ref === 0) return false;
    const role = store.role(ref);
    const mayRun =
      role === Role.Primary
        ? (store.flags(ref) & SLOW_FOR_MEMBERS) === 0 && this.#isReady(ref, traits)
        : role === Role.Backup && !traits.write && this.#mayReadBackup(ref);
    if (mayRun) this.#keyspace.noteFound(db, request, keyIndex, ref);
    return mayRun;
  }

  /** Whether a gathering command may take the key, which `ref` is the entry of, at once. */
  mayAcquire(db: number, request: Request, keyIndex: number, ref: Ref): boolean {
    return this.#mayRunAny(ACQUIRE) && this.#isRunnable(ref, ACQUIRE, db, request, keyIndex);
  }

  #mayRunAny(traits: CommandTraits): boolean {
    const state = this.#state;
    if (state.now >= state.runsUntil) return false;
    return !(traits.write && (state.flushing || state.lacksBackups));
  }

  #isRunnable(
    ref: Ref,
    traits: CommandTraits,
    db: number,
    request: Request,
    keyIndex: number,
  ): boolean {
    const state = this.#state;
    const store = this.#store;
    if (ref === 0) {
      if (db >= state.floors.length) return false;
      const slot = state.slotOf(request.buffer, request.start[keyIndex]!, request.end[keyIndex]!);
      return state.isCertain(slot);
    }
    switch (store.role(ref)) {
      case Role.Primary:
        return (store.flags(ref) & SLOW_PRIMARY) === 0 && this.#isReady(ref, traits);
      case Role.Backup:
        return !traits.write && this.#mayReadBackup(ref);
      case Role.Tombstone:
        return this.#mayDeny(ref, traits);
      default:
        return false;
    }
  }

  /** Of a primary whose flags say nothing against it. */
  #isReady(ref: Ref, traits: CommandTraits): boolean {
    const state = this.#state;
    if (traits.usesElements && this.#preparing.isWanting(ref)) return false;
    const index = this.#store.peer(ref);
    if (index === NOBODY) return state.isAlone && !state.isChanging;
    const backup = state.peers[index]!;
    // A write that changes nothing (SET NX) is a read: no ack fences its reply.
    return backup.isLive && !backup.stream.isFull && state.now < backup.readsUntil;
  }

  /** A task goes on from wherever it is: the one place that decides. */
  route(task: Task): void {
    const state = this.#state;
    const { operation } = task;
    if (operation.traits.write && this.#state.lacksBackups) return this.#refuse(task, NO_REPLICAS);
    if (!state.isServing || task.hops > HOPS_MAX) return this.park(task);
    if (state.merging[task.key.slot] === 1) return this.park(task);
    if (state.flushing && operation.traits.write) return this.park(task);
    const ref = this.#find(task.key);
    const role = ref === 0 ? Role.Tombstone : this.#store.role(ref);
    switch (role) {
      case Role.Primary:
        return this.#routePrimary(task, ref);
      case Role.Backup:
        if (!operation.traits.write && this.#mayReadBackup(ref)) return this.#run(task);
        return this.#routeBackup(task, ref);
      case Role.Record:
        return this.#routeRecord(task, ref);
      default:
        return this.#routeAbsent(task, ref);
    }
  }

  routeTo(task: Task, id: Incarnation): void {
    const peer = this.#state.peerById(id);
    const ref = this.#find(task.key);
    const isHere = ref !== 0 && this.#store.role(ref) < Role.Record;
    if (
      isHere ||
      peer === undefined ||
      !peer.isLive ||
      !this.#state.isServing ||
      this.#state.merging[task.key.slot] === 1 ||
      task.hops > HOPS_MAX
    ) {
      this.route(task);
      return;
    }
    this.#locations.learn(task.key, id);
    this.#goTo(task, peer);
  }

  /** The anchor is certain that there is no such key. */
  absent(task: Task, anchor: Peer): void {
    this.#locations.forget(task.key);
    const ref = this.#find(task.key);
    const isHere = ref !== 0 && this.#store.role(ref) !== Role.Tombstone;
    const current = this.#state.livePeer(this.#state.anchors[task.key.slot]!);
    const isOpen = ref !== 0 && this.#state.isOpenDelete(ref);
    const isMerging = this.#state.merging[task.key.slot] === 1;
    if (isHere || current !== anchor || isMerging || !this.#state.isServing) this.route(task);
    else if (isOpen && task.operation.traits.creates) this.#awaitDelete(task, ref);
    else this.#claims.run(task, anchor, true);
  }

  unknown(task: Task): void {
    this.#locations.forget(task.key);
    this.route(task);
  }

  served(task: Task, by: Peer): void {
    this.#locations.learn(task.key, by.id);
  }

  created(ref: Ref, _key: Key): void {
    if (this.#state.config.locationList === 'all') this.#records.announce(ref);
    const backup = this.#state.rankedBackup(this.#store.slot(ref));
    if (backup !== null && backup.index !== this.#store.peer(ref)) this.#moves.start(ref, backup);
  }

  /** Tasks that waited for leases, a view or a tick are routed again. */
  retryParked(): void {
    if (this.#parked.length === 0 || !this.#state.isServing) return this.#refuseOverdue();
    const parked = this.#parked;
    this.#parked = [];
    for (const task of parked) {
      // Where an owner is on its way through a link that is cut, it is sent around for as long as that takes.
      task.hops = task.hops > HOPS_MAX ? HOPS_MAX - 1 : 0;
      this.#retry(task);
    }
  }

  /** Tasks that waited for a delete, a change-over or a value go on in the turn in which it ends, or is prepared. */
  step(): void {
    if (!this.#isWoken) return;
    this.#isWoken = false;
    const waiting = this.#parked.filter((task) => task.awaitsKey);
    this.#parked = this.#parked.filter((task) => !task.awaitsKey);
    for (const task of waiting) this.#retry(task);
  }

  #retry(task: Task): void {
    task.awaitsKey = false;
    const { deadline, from, operation } = task;
    if (deadline <= this.#state.now) this.#refuse(task);
    else if (from === null && operation.isOver === undefined && !this.mayServe()) this.park(task);
    else this.route(task);
  }

  /** A delete or a change-over has ended, or a value is prepared. */
  acknowledged(): void {
    this.#isWoken = true;
    this.#streams.wantFlush();
  }

  complete(): void {}

  fail(): void {
    this.acknowledged();
  }

  /** What a lost member had forwarded and was not run is not run any more. */
  peerLost(peer: Peer): void {
    this.#parked = this.#parked.filter((task) => task.from !== peer);
  }

  /** This incarnation was left out: so it is with all that was forwarded. */
  dropForwarded(): void {
    this.#parked = this.#parked.filter((task) => task.from === null);
  }

  // --- by role

  #routePrimary(task: Task, ref: Ref): void {
    const flags = this.#store.flags(ref);
    const { traits } = task.operation;
    if ((flags & Flag.Ahead) !== 0) this.#moves.start(ref, null);
    if ((flags & Flag.Busy) !== 0 && this.#claims.enqueue(task)) return;
    if ((flags & Flag.Held) !== 0 && this.gathering.enqueue(task)) return;
    if (task.from === null && !traits.observes && (flags & (Flag.Streak | Flag.Eager)) !== 0) {
      this.#takeOver.usedHere(ref, task.key);
    }
    if (!this.#mayReadPrimary(ref)) return this.park(task);
    const backup = this.#state.livePeer(this.#store.peer(ref));
    if (traits.write && backup?.stream.isFull) return this.#parkForBacklog(task);
    if (traits.usesElements && this.#preparing.isWanting(ref)) return this.#awaitPrepared(task);
    this.#run(task);
    if (task.from === null || traits.observes || traits === ACQUIRE) return;
    const now = this.#find(task.key);
    if (now !== 0 && this.#store.role(now) === Role.Primary) {
      this.#takeOver.served(now, task.key, task.from);
    }
  }

  #routeBackup(task: Task, ref: Ref): void {
    const primary = this.#state.livePeer(this.#store.peer(ref));
    if (primary !== null) return this.#goTo(task, primary);
    if (this.#state.isChanging) return this.park(task);
    if (this.#failover.promote(ref)) return this.route(task);
    if ((this.#store.flags(ref) & Flag.Full) === 0) this.#failover.adoptOrphan(ref);
    this.park(task);
  }

  #routeRecord(task: Task, ref: Ref): void {
    const primary = this.#state.livePeer(this.#store.peer(ref));
    if (primary !== null && primary !== task.from && task.hops < HOPS_DOUBT) {
      return this.#goTo(task, primary);
    }
    if (this.#state.isChanging || this.#state.now < this.#state.certainFrom) return this.park(task);
    const named = this.#store.peer(ref);
    const isAsked = this.#failover.resolveRecord(task.key, () => {
      const again = this.#find(task.key);
      const isRecord = again !== 0 && this.#store.role(again) === Role.Record;
      // What was asked has changed nothing: asking again at once would not either.
      if (isRecord && this.#store.peer(again) === named) this.park(task);
      else this.route(task);
    });
    if (!isAsked) this.park(task);
  }

  #routeAbsent(task: Task, ref: Ref): void {
    const state = this.#state;
    // Nobody else knows better: the others have not heard of the delete, and would ask all, or send it here again.
    if (ref !== 0 && state.isOpenDelete(ref)) return this.#awaitDelete(task, ref);
    const hint = this.#locations.primaryOf(task.key);
    const hinted = hint === undefined ? undefined : state.peerById(hint);
    // Who leaves has fewer keys from moment to moment, and answers nothing after its goodbye: the anchor knows better.
    const isUseful = hinted?.isLive && !hinted.member.leaving;
    if (isUseful && task.from === null) return this.#goTo(task, hinted);
    const anchor = state.anchors[task.key.slot]!;
    if (anchor === NOBODY) return this.#routeAsAnchor(task);
    if (task.from !== null) return this.#forwarding.notKnown(task.operation.token);
    const peer = state.livePeer(anchor);
    if (peer === null) return this.park(task);
    if (peer.stream.isFull) return this.#parkForBacklog(task);
    const { traits } = task.operation;
    if (traits.creates && !state.isLeaving && task.hops < HOPS_DOUBT) {
      if (this.#claims.run(task, peer, false)) return;
    }
    this.#forwarding.send(task, peer);
  }

  #routeAsAnchor(task: Task): void {
    const state = this.#state;
    if (state.isCertain(task.key.slot)) return this.#deny(task);
    if (state.now < state.certainFrom || state.flushing) return this.park(task);
    this.#lookups.ask(task.key, (holdings) => {
      // Left out meanwhile: nothing is certain here.
      if (!state.isServing) return this.route(task);
      const best = bestHolding(holdings);
      const again = this.#find(task.key);
      // The anchor looks once more at itself after the last no.
      if (again !== 0 && this.#store.role(again) !== Role.Tombstone) return this.route(task);
      if (best === null && state.isAnchor(task.key.slot)) return this.#deny(task);
      if (best === null) return this.route(task);
      task.hops++;
      this.routeTo(task, best.holder);
    });
  }

  /** There is no such key, for certain, and this node is its anchor. */
  #deny(task: Task): void {
    const { traits } = task.operation;
    const mustCreateHere = task.from?.member.leaving && traits.creates && traits !== ACQUIRE;
    if (task.from === null || mustCreateHere) this.#run(task);
    else this.#forwarding.none(task.operation.token);
  }

  #goTo(task: Task, peer: Peer): void {
    if (task.from !== null) this.#forwarding.redirect(task.operation.token, peer.id);
    else if (peer.stream.isFull) this.#parkForBacklog(task);
    else this.#forwarding.send(task, peer);
  }

  #run(task: Task): void {
    if (task.operation.traits === ACQUIRE) this.gathering.acquire(task, this.#find(task.key));
    else this.#runner.run(task.operation);
  }

  // --- may it?

  /** A primary reads from memory while it holds L from every node that could promote the key. */
  #mayReadPrimary(ref: Ref): boolean {
    if (this.#state.isDoubtful) return false;
    const { now } = this.#state;
    const holds = (peer: Peer | null) => peer === null || now < peer.readsUntil;
    if ((this.#store.flags(ref) & Flag.Moving) !== 0) {
      const { from, to, state } = this.#moves.moveOf(ref);
      return holds(from) && (state === MoveState.Lease || holds(to));
    }
    return holds(this.#state.livePeer(this.#store.peer(ref)));
  }

  #mayReadBackup(ref: Ref): boolean {
    const store = this.#store;
    const state = this.#state;
    if ((store.flags(ref) & Flag.Reads) === 0 || state.flushing || state.awaitsFloors) return false;
    // Every change drops the index that reading a large collection makes: its primary has one that is kept.
    if (store.isLarge(ref) && store.type(ref) !== ValueType.String) return false;
    const primary = state.livePeer(store.peer(ref));
    if (primary === null || primary.isApplying || state.now >= primary.readsUntil) return false;
    const expireAt = store.expireAt(ref);
    return expireAt === 0 || expireAt > state.expiryNow;
  }

  /** A tombstone answers like no entry, once its delete is on both copies. */
  #mayDeny(ref: Ref, traits: CommandTraits): boolean {
    const state = this.#state;
    if (!state.isCertain(this.#store.slot(ref))) return false;
    if (!state.isOpenDelete(ref)) return true;
    return !traits.creates && state.livePeer(this.#store.peer(ref)) !== null;
  }

  // --- waiting

  /** The task waits for the next tick, or for leases or a view. */
  park(task: Task): void {
    const isFull = this.#parked.length >= PARKED_MAX;
    if (isFull) this.#state.statistics.limits.add('parked');
    if (task.deadline <= this.#state.now || isFull) this.#refuse(task);
    else this.#parked.push(task);
  }

  /** The task waits until the peer has acknowledged more. */
  #parkForBacklog(task: Task): void {
    this.#state.statistics.limits.add('bus-backlog');
    this.park(task);
  }

  /** The task waits for the delete `ref` to be final, at most until the next tick. */
  #awaitDelete(task: Task, ref: Ref): void {
    const pending = this.#forgets.find(task.key);
    const backup = this.#state.livePeer(this.#store.peer(ref));
    if (pending !== undefined) pending.add(this, 0);
    else backup?.stream.awaitAck(this.#store.changeOffset(ref), this, 0);
    this.parkUntilMoved(task);
  }

  /** The task waits until the index of its key's value is made, a slice in each turn. */
  #awaitPrepared(task: Task): void {
    this.#preparing.ask(task.key);
    this.parkUntilMoved(task);
  }

  /** The task waits until a change-over has ended, at most until the next tick. */
  parkUntilMoved(task: Task): void {
    task.awaitsKey = true;
    this.park(task);
  }

  #refuseOverdue(): void {
    const { now, isDown } = this.#state;
    const overdue = this.#parked.filter((task) => isDown || task.deadline <= now);
    if (overdue.length === 0) return;
    this.#parked = isDown ? [] : this.#parked.filter((task) => task.deadline > now);
    for (const task of overdue) this.#refuse(task, isDown ? CLUSTER_DOWN : NOT_RUN);
  }

  /** It was not run: the client may send it again. */
  #refuse(task: Task, error: string = NOT_RUN): void {
    const { operation } = task;
    if (task.from !== null) this.#forwarding.refuse(operation.token, error);
    else operation.sink.complete(operation.token, errorReply(error));
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }
}
