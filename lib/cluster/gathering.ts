import { type Ref, type Store, ValueType } from '../store/store.js';
import { Acquiring } from './acquiring.js';
import type { ClusterState } from './cluster-state.js';
import { changeBytesMax, Gather, isMany, isSliced, Phase } from './gather.js';
import { GatheredEntries } from './gathered-entries.js';
import type { Handovers } from './handovers.js';
import type { Headroom } from './headroom.js';
import type { Key } from './key.js';
import { KeyHolds } from './key-holds.js';
import type { LiveKeyspace } from './keyspace.js';
import { Reclaimed } from './keyspace-hooks.js';
import type { Moves } from './moves.js';
import { databaseOf, type Operation, type ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import type { Preparing } from './preparing.js';
import type { Routing } from './routing.js';
import { errorReply, NO_REPLICAS, NOT_RUN, OUT_OF_MEMORY } from './runner.js';
import { StepMaker, type StepParts } from './step-maker.js';
import { FRAME_BYTES_MAX } from './stream.js';
import type { Task } from './task.js';
import { isTicket } from './tickets.js';
import { Progress, Together, type Turn } from './together.js';

const OK = Buffer.from('+OK\r\n', 'latin1');
/** Gathering commands in progress; more are refused. */
const GATHERS_MAX = 10_000;
/** Keys of all commands that are put in order in one turn. */
const ORDERED_PER_TURN = 16_000;
const TOO_LARGE = 'ERR the command changes more than can be sent to a backup as one step';

/** What gathering needs, and sets off. */
export interface GatheringParts extends StepParts {
  readonly state: ClusterState;
  readonly moves: Moves;
  readonly routing: Routing;
  readonly handovers: Handovers;
  readonly preparing: Preparing;
  readonly headroom: Headroom;
  /** Very many keys may not have the backups that the ranking names. */
  readonly unsettled: () => void;
}

/**
 * Commands on several keys that run as one step (MSET, MSETNX, RENAME, RENAMENX), and steps of several commands: the node that was asked brings all keys
 * here, holds them, gives all of them one backup, runs the command, and sends its changes as one frame. A view change
 * lets all go and begins again.
 *
 * Two gatherers never wait for each other: keys are held for good in an order that is the same on every node. Many are
 * asked for at a time, and arrive out of that order; those behind a gap are given away again to who asks for them.
 *
 * Where that frame is large it travels in parts, which the frames of later commands would overtake. So its keys stay
 * held until its end is written, or its backup is lost, also across a view change:
 *
 *     1. MSET a b on G. Half of it is on its way to the backup X.
 *     2. APPEND a on G. Its frame goes between two parts; X applies and acks it, the client has its reply.
 *     3. G dies. X promotes a with both changes, and b with none.
 */
export class Gathering implements ReplySink {
  readonly #parts: GatheringParts;
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #keyspace: LiveKeyspace;
  readonly #routing: Routing;
  /** In the order in which they get their turns. */
  readonly #gathers = new Map<number, Gather>();
  readonly #holds: KeyHolds;
  readonly #acquiring: Acquiring;
  readonly #together: Together;
  readonly #entries: GatheredEntries;
  readonly #steps: StepMaker;
  /** Keys that may still be handled in this turn. */
  readonly #turn: Turn;
  /** Commands whose keys may go back to their places when the frame about them is acked. */
  readonly #returning = new Map<number, Gather>();
  #lastToken = 0;

  constructor(parts: GatheringParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.#store = parts.state.store;
    this.#keyspace = parts.keyspace;
    this.#routing = parts.routing;
    this.#routing.gathering = this;
    this.#holds = new KeyHolds(this.#store);
    this.#entries = new GatheredEntries(parts.state, parts.keyspace, this.#holds);
    this.#steps = new StepMaker(parts);
    this.#turn = { room: this.#stepKeys };
    this.#acquiring = new Acquiring({
      ...parts,
      holds: this.#holds,
      entries: this.#entries,
      turn: this.#turn,
      goOn: (gather) => this.#goOn(gather),
      isOverdue: (gather) => this.#isOverdue(gather),
      giveUp: (gather) => this.#giveUp(gather),
      giveUpFull: (gather) => this.#giveUpFull(gather),
    });
    this.#together = new Together(parts.state, parts.moves, parts.handovers, this.#turn);
  }

  get open(): number {
    const { handovers } = this.#parts;
    return this.#gathers.size + this.#returning.size + this.#acquiring.open + handovers.open;
  }

  /** Commands of which a part may be at this node only: they run, or what they have changed is not acked yet. */
  get unacked(): number {
    let count = this.#returning.size;
    for (const { phase, acksMissing } of this.#gathers.values())
      if (phase === Phase.Running || phase === Phase.Sending || acksMissing > 0) count++;
    return count;
  }

  run(operation: Operation): void {
    const isAlone = this.#state.isAlone && !this.#state.isChanging && this.#state.isServing;
    const isWrite = operation.traits.write;
    if (isWrite && this.#state.lacksBackups) return refuse(operation, NO_REPLICAS);
    const isShort = !isSliced(operation, this.#stepKeys);
    const isFree = operation.keys.length === 0 || (isAlone && this.#holds.size === 0);
    if (isShort && isFree && !this.#wantsPreparing(operation))
      return this.#steps.runAlone(operation);
    if (this.#gathers.size + this.#returning.size >= GATHERS_MAX) {
      this.#state.statistics.limits.add('gathers');
      return refuse(operation);
    }
    if (changeBytesMax(operation) > FRAME_BYTES_MAX) return refuse(operation, TOO_LARGE);
    const gather = new Gather(operation, ++this.#lastToken, this.#state.deadline());
    this.#gathers.set(gather.token, gather);
    this.#goOn(gather);
  }

  /** A command on a key that is held runs when it is let go. False when the key is given away instead. */
  enqueue(task: Task): boolean {
    const outcome = this.#holds.enqueue(task);
    if (outcome === 'given') this.#parts.wantTurn();
    return outcome === 'waits';
  }

  /** An ACQUIRE has come to where it can be served. */
  acquire(task: Task, ref: Ref): void {
    this.#parts.handovers.acquire(task, ref);
  }

  /** At most once per turn: gathers and handovers that have waited for a change-over, or for their turn, go on. */
  tick(): void {
    this.#turn.room = this.#stepKeys;
    this.#parts.handovers.tick();
    for (const task of this.#holds.takeYielded()) this.#routing.route(task);
    for (const gather of [...this.#gathers.values()]) this.#goOn(gather);
  }

  /**
   * A view is to be prepared, or all is to be flushed: what is half done is finished first, so that nobody finds half of
   * it in the store.
   */
  finishSteps(): void {
    for (const gather of this.#gathers.values()) {
      if (gather.phase === Phase.Running) this.#runSome(gather, Number.POSITIVE_INFINITY);
    }
    this.lookAgain();
  }

  /** Entries may have gone without being let go: keys that were found together are looked at once more. */
  lookAgain(): void {
    for (const gather of this.#gathers.values()) {
      gather.together = 0;
      gather.moving = 0;
      gather.prepared = 0;
    }
  }

  /** A view change lets all go but what is on its way; what has not run begins again. */
  installed(): void {
    for (const gather of [...this.#gathers.values()]) {
      if (gather.phase === Phase.Sending && !gather.sent!.backup.isLive) {
        gather.phase = Phase.LettingGo;
      } else if (gather.phase < Phase.Running) this.#restart(gather);
    }
    this.#parts.wantTurn();
  }

  /** This incarnation was left out: nothing is held any more. */
  clear(): void {
    const gathers = [...this.#gathers.values()];
    this.#gathers.clear();
    this.#acquiring.clear();
    this.#returning.clear();
    const queued = this.#holds.clear();
    this.#parts.handovers.clear();
    for (const { operation, phase, isAgain, lateReply } of gathers) {
      const isOver = phase === Phase.Sending || (phase === Phase.LettingGo && !isAgain);
      if (lateReply !== null) operation.sink.complete(operation.token, lateReply);
      else if (!isOver) refuse(operation);
    }
    for (const task of queued) this.#routing.route(task);
  }

  // --- ReplySink: the acks that a late reply, and the way back, wait for

  acknowledged(token: number): void {
    const gather = this.#gathers.get(token);
    if (gather === undefined) return this.#returns(token);
    if (gather.acksMissing === 0) return;
    gather.acksMissing--;
    this.#parts.wantTurn();
  }

  fail(token: number): void {
    this.acknowledged(token);
  }

  /** Nothing is asked for in its own name. */
  complete(): void {}

  /** The frame is acked: the keys may go back to their places. */
  #returns(token: number): void {
    const gather = this.#returning.get(token);
    this.#returning.delete(token);
    if (gather === undefined) return;
    if (isMany(gather.operation, this.#stepKeys)) this.#parts.unsettled();
    else for (let i = 0; i < gather.count; i++) this.#together.return(gather.key(i));
    // Who wants one of the keys elsewhere has waited for the ack, too (moves.ts).
    if (this.#gathers.size > 0 || this.#parts.handovers.open > 0) this.#parts.wantTurn();
  }

  #awaitAcks(gather: Gather): void {
    const acks = this.#keyspace.count();
    if (acks === 0) return;
    gather.acksMissing += acks;
    this.#keyspace.register(this, gather.token);
  }

  // --- from phase to phase

  #goOn(gather: Gather): void {
    if (gather.isGoingOn || !this.#gathers.has(gather.token)) return;
    if (this.#state.isEnding && gather.phase < Phase.Running) return;
    gather.isGoingOn = true;
    const hasMore = this.#proceed(gather);
    gather.isGoingOn = false;
    if (!hasMore || !this.#gathers.has(gather.token)) return;
    // The others come first in the next turn.
    this.#gathers.delete(gather.token);
    this.#gathers.set(gather.token, gather);
    this.#parts.wantTurn();
  }

  /** True when there is more to be done in the next turn. */
  #proceed(gather: Gather): boolean {
    if (gather.phase === Phase.Ordering) {
      if (this.#turn.room <= 0) return true;
      if (!gather.order.step(ORDERED_PER_TURN)) {
        this.#turn.room = 0;
        return true;
      }
      gather.phase = Phase.Acquiring;
    }
    if (gather.phase === Phase.Acquiring) {
      if (!this.#acquiring.acquire(gather)) return this.#hasMore(gather);
      gather.phase = Phase.Together;
    }
    if (gather.phase === Phase.Together && !this.#bringTogether(gather))
      return this.#hasMore(gather);
    if (gather.phase === Phase.Running) this.#runSome(gather, this.#stepKeys);
    if (gather.phase === Phase.LettingGo) this.#letGo(gather);
    return this.#hasMore(gather);
  }

  /** Whether only the bound of this turn has stopped it. */
  #hasMore(gather: Gather): boolean {
    if (gather.phase === Phase.LettingGo) return gather.isAgain || gather.released < gather.count;
    return gather.phase === Phase.Running || this.#turn.room <= 0;
  }

  /** Refuses a command that has made no progress for too long. */
  #isOverdue(gather: Gather): boolean {
    const done = gather.firm + gather.together;
    if (done >= gather.farthest + this.#stepKeys) {
      gather.farthest = done;
      gather.deadline = this.#state.deadline();
    }
    if (gather.deadline > this.#state.now) return false;
    this.#giveUp(gather);
    return true;
  }

  // --- all keys are here

  /** Backups are brought together, so that one frame can carry the whole change. True when the command runs, or has run. */
  #bringTogether(gather: Gather): boolean {
    if (this.#isOverdue(gather)) return false;
    if (this.#state.isChanging || this.#state.flushing || !this.#state.isServing) return false;
    const first = gather.count === 0 ? 0 : this.#together.refAt(gather, 0);
    const backup = first === 0 ? null : this.#state.livePeer(this.#store.peer(first));
    // Since the gather began all others may have gone.
    if (!this.#state.isAlone) {
      if (backup?.stream.isFull) return false;
      const progress = this.#together.bring(gather, backup);
      if (progress === Progress.Lost) return this.#restart(gather);
      if (progress === Progress.Full) this.#giveUpFull(gather);
      if (progress !== Progress.Done) return false;
      if (backup !== null && !this.#hasRoomFor(gather.operation, backup)) {
        this.#giveUpFull(gather);
        return true;
      }
    }
    if (!this.#isPrepared(gather) || !this.#steps.isChecked(gather)) return false;
    if (gather.check !== null || isSliced(gather.operation, this.#stepKeys)) {
      gather.step = this.#steps.make(gather, this.#state.isAlone ? null : backup);
      gather.phase = Phase.Running;
    } else this.#execute(gather);
    return true;
  }

  /** Of a command that could run at once. */
  #wantsPreparing(operation: Operation): boolean {
    const { keys, request, traits } = operation;
    if (!traits.usesElements) return false;
    return keys.some((index, number) => {
      const [start, end] = [request.start[index]!, request.end[index]!];
      const ref = this.#store.find(databaseOf(operation, number), request.buffer, start, end);
      return ref !== 0 && this.#parts.preparing.isWanting(ref);
    });
  }

  /** Whether the values of all keys, which are held here, can be used: those that cannot are prepared, one after the other. */
  #isPrepared(gather: Gather): boolean {
    const { preparing } = this.#parts;
    if (!gather.operation.traits.usesElements) return true;
    for (; gather.prepared < gather.count; gather.prepared++) {
      if (this.#turn.room-- <= 0) return false;
      const ref = this.#together.refAt(gather, gather.prepared);
      if (ref === 0 || !preparing.isWanting(ref)) continue;
      preparing.ask(gather.key(gather.prepared));
      return false;
    }
    return true;
  }

  /** One value may be what fills a member (docs/decisions/0009), not as many as a command can name. */
  #hasRoomFor(operation: Operation, backup: Peer): boolean {
    if (!operation.traits.denyOom || !this.#state.isMemoryLimited) return true;
    this.#keyspace.begin();
    return this.#parts.headroom.admits(backup, changeBytesMax(operation));
  }

  // --- running

  #runSome(gather: Gather, pairs: number): void {
    if (!this.#state.isServing && Number.isFinite(pairs)) return;
    this.#turn.room -= pairs;
    const outcome = gather.step!.run(pairs, (offset) => this.#written(gather, offset));
    if (outcome === null) return;
    const isMany = gather.count > this.#stepKeys;
    // Its frame's end is told by its keys (`ticketClosed`).
    if (gather.operation.step !== undefined) gather.step = null;
    if (outcome.isDone) {
      if (!isMany) this.#entries.dropReserved(gather);
      const acks = this.#keyspace.count();
      this.#parts.runner.finish(gather.operation, outcome.reply, acks);
    } else {
      gather.lateReply = outcome.reply;
      this.#awaitAcks(gather);
    }
    this.#ran(gather, outcome.sent);
  }

  #execute(gather: Gather): void {
    const { operation } = gather;
    this.#keyspace.begin();
    let reply: Buffer = OK;
    this.#keyspace.atomically(() => {
      reply = this.#parts.runner.execute(operation);
    });
    this.#entries.dropReserved(gather);
    const acks = this.#keyspace.count();
    this.#parts.runner.finish(operation, reply, acks);
    this.#ran(gather, this.#entries.sentOf(gather));
  }

  #ran(gather: Gather, sent: Gather['sent']): void {
    gather.sent ??= sent;
    if (sent !== null && isTicket(sent.offset)) gather.phase = Phase.Sending;
    else this.#finish(gather);
  }

  /** The end of a frame about this key is written: what is appended from here on comes after it. */
  ticketClosed(_key: Key, ticket: number, offset: number): void {
    for (const gather of this.#gathers.values()) {
      const isSent = gather.phase === Phase.Sending && gather.sent!.offset === ticket;
      if (isSent && gather.step === null) this.#written(gather, offset);
    }
  }

  #written(gather: Gather, offset: number): void {
    if (gather.sent !== null) gather.sent = { ...gather.sent, offset };
    this.#finish(gather);
    this.#parts.wantTurn();
  }

  /** All is written: the keys are let go. They stay together until it is acked (moves.ts). */
  #finish(gather: Gather): void {
    gather.phase = Phase.LettingGo;
    const backup = gather.sent?.backup ?? this.#entries.backupOf(gather);
    if (backup?.isLive !== true) return;
    backup.atomicOffset = backup.stream.log.endOffset;
    const token = ++this.#lastToken;
    this.#returning.set(token, gather);
    backup.stream.awaitAll(this, token);
  }

  // --- letting go

  /** Always false. */
  #restart(gather: Gather): false {
    if (gather.phase === Phase.Ordering) return false;
    gather.isAgain ||= gather.phase !== Phase.LettingGo;
    gather.phase = Phase.LettingGo;
    return false;
  }

  #giveUp(gather: Gather, error: string = NOT_RUN): void {
    gather.phase = Phase.LettingGo;
    gather.isAgain = false;
    refuse(gather.operation, error);
    this.#parts.wantTurn();
  }

  #giveUpFull(gather: Gather): void {
    this.#giveUp(gather, gather.operation.step?.outOfMemory ?? OUT_OF_MEMORY);
  }

  #letGo(gather: Gather): void {
    const queued: Task[] = [];
    for (; gather.released < gather.count && this.#turn.room > 0; gather.released++) {
      if (gather.isHeld[gather.released] === 0) continue;
      this.#turn.room--;
      const key = gather.key(gather.released);
      queued.push(...this.#holds.letGo(key));
      this.#release(gather, key);
    }
    if (gather.released === gather.count) this.#allGone(gather);
    for (const task of queued) this.#routing.route(task);
  }

  #allGone(gather: Gather): void {
    if (gather.isAgain) {
      gather.beginAgain();
      return this.#parts.wantTurn();
    }
    if (gather.acksMissing > 0) return;
    const { sink, token } = gather.operation;
    if (gather.lateReply !== null) sink.complete(token, gather.lateReply);
    this.#gathers.delete(gather.token);
    if (isMany(gather.operation, this.#stepKeys)) this.#parts.unsettled();
  }

  /**
   * What was held here may have been flushed, and be another command's by now:
   *
   *   1. RENAME k j holds k, FLUSHALL drops it. COPY k i claims k, which it takes for absent, at the anchor; that is about to say no.
   *   2. RENAME lets k go. If it took the claimed entry for its own reservation it would delete k there, which others have made anew.
   */
  #release(gather: Gather, key: Key): void {
    const ref = this.#entries.find(key);
    if (ref === 0 || !this.#holds.isOurs(ref)) return;
    // When sides meet the key's anchor decides, and takes the reservation for what it is.
    if (this.#state.merging[key.slot] === 1) return;
    if (this.#store.type(ref) === ValueType.None) {
      this.#keyspace.begin();
      if (gather.lateReply === null) return this.#keyspace.reclaim(ref, Reclaimed.LetGo);
      this.#keyspace.remove(ref);
      return this.#awaitAcks(gather);
    }
    if (isMany(gather.operation, this.#stepKeys)) return this.#entries.noteSent(gather, ref);
    this.#together.return(key);
  }

  get #stepKeys(): number {
    return this.#state.config.stepKeys;
  }
}

function refuse(operation: Operation, error: string = NOT_RUN): void {
  operation.sink.complete(operation.token, errorReply(error));
}
