import { KEYS_PER_TURN } from '../base/limits.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { acquireOperation } from './acquire.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { entryBytes, type Headroom } from './headroom.js';
import { type Key, keyOfArgument } from './key.js';
import type { LiveKeyspace } from './keyspace.js';
import type { Moves } from './moves.js';
import type { Operation, ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import type { Routing } from './routing.js';
import { errorReply, NO_REPLICAS, NOT_RUN, OUT_OF_MEMORY, type Runner } from './runner.js';
import { FRAME_BYTES_MAX } from './stream.js';
import { type Task, taskOf } from './task.js';
import { isTicket } from './tickets.js';

const MINUS = 45;
const OK = Buffer.from('+OK\r\n', 'latin1');
const OUT_OF_MEMORY_REPLY = errorReply(OUT_OF_MEMORY);
/** Gathering commands in progress; more are refused. */
const GATHERS_MAX = 10_000;
/** A command's bytes besides those of its arguments, for each of them: more than what ATOMIC takes for a key. */
const ARGUMENT_BYTES = 32;
const TOO_LARGE = 'ERR the command changes more than can be sent to a backup as one step';

interface Gather {
  readonly operation: Operation;
  /** In the order in which they are acquired, the same on every node: two gatherers never wait for each other. */
  readonly keys: readonly Key[];
  readonly deadline: number;
  readonly token: number;
  /** Keys[0, held) are held here. */
  held: number;
  /** An ACQUIRE for the next one is on its way. */
  isAsking: boolean;
  /** Keys are being asked for; an answer that comes at once is taken up there. */
  isGoingOn: boolean;
}

/** A command that has run. */
interface Sending {
  readonly gather: Gather;
  readonly backup: Peer;
  readonly ticket: number;
}

/**
 * Commands on several keys that run as one step (MSET, MSETNX, RENAME, RENAMENX): the node that was asked brings all keys
 * here in key order, holds them, gives all of them one backup, runs the command, and sends its changes as one frame. A
 * view change lets all go and begins again.
 *
 * Where that frame is large it travels in parts, which the frames of later commands would overtake. So its keys stay
 * held until its end is written, or its backup is lost, also across a view change:
 *
 *     1. MSET a b on G. Half of it is on its way to the backup X.
 *     2. APPEND a on G. Its frame goes between two parts; X applies and acks it, the client has its reply.
 *     3. G dies. X promotes a with both changes, and b with none.
 */
export class Gathering implements ReplySink {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #keyspace: LiveKeyspace;
  readonly #runner: Runner;
  readonly #moves: Moves;
  readonly #routing: Routing;
  readonly #headroom: Headroom;
  /** Asks for a call of `tick` in the next turn. */
  readonly #wantTurn: () => void;
  readonly #gathers = new Map<number, Gather>();
  readonly #sending = new Set<Sending>();
  /** Keys that may go back to their places when the frame about them is acked. */
  readonly #returning = new Map<number, readonly Key[]>();
  /** Who holds a key, and the commands that wait for it. */
  readonly #holders = new Map<string, { readonly gather: Gather; readonly queue: Task[] }>();
  /** Tasks of other nodes that wait for a key to be handed over. */
  readonly #handovers = new Map<string, Task[]>();
  #lastToken = 0;

  constructor(
    state: ClusterState,
    keyspace: LiveKeyspace,
    runner: Runner,
    moves: Moves,
    routing: Routing,
    headroom: Headroom,
    wantTurn: () => void,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#keyspace = keyspace;
    this.#runner = runner;
    this.#moves = moves;
    this.#routing = routing;
    this.#headroom = headroom;
    this.#wantTurn = wantTurn;
    routing.gathering = this;
  }

  get open(): number {
    return this.#inProgress + this.#handovers.size;
  }

  get #inProgress(): number {
    return this.#gathers.size + this.#sending.size + this.#returning.size;
  }

  run(operation: Operation): void {
    if (this.#state.lacksBackups) return refuse(operation, NO_REPLICAS);
    if (this.#state.isAlone && !this.#state.isChanging) return this.#runner.run(operation);
    if (this.#inProgress >= GATHERS_MAX) return refuse(operation);
    if (changeBytesMax(operation) > FRAME_BYTES_MAX) return refuse(operation, TOO_LARGE);
    const byId = new Map<string, Key>();
    for (const index of operation.keys) {
      const key = keyOfArgument(operation.db, operation.request, index);
      byId.set(key.id, key);
    }
    const gather: Gather = {
      operation,
      keys: [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      deadline: this.#state.deadline(),
      token: ++this.#lastToken,
      held: 0,
      isAsking: false,
      isGoingOn: false,
    };
    this.#gathers.set(gather.token, gather);
    this.#goOn(gather);
  }

  /** A command on a key that is held runs when it is let go. */
  enqueue(task: Task): boolean {
    const holder = this.#holders.get(task.key.id);
    holder?.queue.push(task);
    return holder !== undefined;
  }

  /** An ACQUIRE has come to where it can be served. */
  acquire(task: Task, ref: Ref): void {
    if (task.from === null) this.#acquireHere(task, ref);
    else if (ref === 0 || this.#store.role(ref) !== Role.Primary) this.#routing.park(task);
    else this.#handOver(task, ref, task.from);
  }

  /** The key was handed over: SWAP is in the stream, the answer follows behind it. */
  swapped(key: Key): void {
    const tasks = this.#handovers.get(key.id) ?? [];
    this.#handovers.delete(key.id);
    tasks.forEach((task, index) => {
      if (index === 0) task.operation.sink.complete(task.operation.token, OK);
      else this.#routing.route(task);
    });
  }

  /** Gathers and handovers that wait for a change-over go on; called every tick and when change-overs end. */
  tick(): void {
    for (const [id, tasks] of [...this.#handovers]) {
      const ref = this.#find(tasks[0]!.key);
      const isMoving = ref !== 0 && (this.#store.flags(ref) & Flag.Moving) !== 0;
      if (isMoving) continue;
      this.#handovers.delete(id);
      for (const task of tasks) this.#routing.route(task);
    }
    for (const gather of [...this.#gathers.values()]) {
      if (!gather.isAsking) this.#goOn(gather);
    }
  }

  /** The end of a frame about this key is written: what is appended from here on comes after it. */
  ticketClosed(_key: Key, ticket: number): void {
    for (const sending of this.#sending) if (sending.ticket === ticket) this.#sent(sending);
  }

  /** A view change lets all go but what is on its way; what has not run begins again. */
  installed(): void {
    for (const sending of [...this.#sending]) if (!sending.backup.isLive) this.#sent(sending);
    for (const gather of [...this.#gathers.values()]) this.#letGo(gather);
    for (const gather of [...this.#gathers.values()]) if (!gather.isAsking) this.#goOn(gather);
  }

  /** This incarnation was left out: nothing is held any more. */
  clear(): void {
    const gathers = [...this.#gathers.values()];
    this.#gathers.clear();
    this.#sending.clear();
    this.#returning.clear();
    const queued = [...this.#holders.values()].flatMap((holder) => holder.queue);
    this.#holders.clear();
    this.#handovers.clear();
    for (const { operation } of gathers) refuse(operation);
    for (const task of queued) this.#routing.route(task);
  }

  // --- ReplySink: the answers to ACQUIRE

  complete(token: number, reply: Buffer): void {
    const gather = this.#gathers.get(token);
    if (gather === undefined) return;
    gather.isAsking = false;
    if (reply.equals(OUT_OF_MEMORY_REPLY)) return this.#giveUp(gather, OUT_OF_MEMORY);
    if (reply[0] === MINUS) return this.#giveUp(gather);
    if (this.#hold(gather) && !gather.isGoingOn) this.#goOn(gather);
  }

  acknowledged(token: number): void {
    const keys = this.#returning.get(token) ?? [];
    this.#returning.delete(token);
    for (const key of keys) this.#return(key);
    if (keys.length > 0 && this.#gathers.size > 0) this.#wantTurn();
  }

  fail(token: number): void {
    const gather = this.#gathers.get(token);
    if (gather !== undefined) this.#giveUp(gather);
  }

  // --- inside

  /** Asks for key after key until one is not there at once, or others are to get their turn. */
  #goOn(gather: Gather): void {
    gather.isGoingOn = true;
    let isHeld = true;
    for (let room = KEYS_PER_TURN; room > 0 && isHeld && this.#isGathering(gather); room--) {
      const { held } = gather;
      gather.isAsking = true;
      const operation = acquireOperation(gather.keys[held]!, this, gather.token);
      this.#routing.route(taskOf(operation, null, gather.deadline));
      isHeld = gather.held > held;
    }
    gather.isGoingOn = false;
    if (!isHeld || !this.#gathers.has(gather.token)) return;
    if (gather.deadline <= this.#state.now) this.#giveUp(gather);
    else if (gather.held === gather.keys.length) this.#runWhenTogether(gather);
    else this.#wantTurn();
  }

  /** Whether there is a key to be asked for. Letting the keys of one command go may have run or refused another one. */
  #isGathering(gather: Gather): boolean {
    if (!this.#gathers.has(gather.token) || gather.deadline <= this.#state.now) return false;
    return gather.held < gather.keys.length;
  }

  #acquireHere(task: Task, ref: Ref): void {
    const { operation } = task;
    if (ref === 0 || this.#store.role(ref) === Role.Tombstone) {
      this.#keyspace.begin();
      this.#keyspace.reserve(operation.db, operation.request, 1);
    } else if ((this.#store.flags(ref) & Flag.Moving) !== 0) {
      // It may be on its way to another node.
      return this.#routing.parkUntilMoved(task);
    }
    operation.sink.complete(operation.token, OK);
  }

  /** The key becomes the asker's: by a swap where that is its backup, else by a change-over to it and a swap. */
  #handOver(task: Task, ref: Ref, to: Peer): void {
    // Who was left out meanwhile wants nothing, and hears no answer.
    if (!to.isLive) return;
    const isBusy = (this.#store.flags(ref) & (Flag.Moving | Flag.Sending)) !== 0;
    if (isBusy) return this.#routing.parkUntilMoved(task);
    const waiting = this.#handovers.get(task.key.id);
    if (waiting !== undefined) {
      waiting.push(task);
      return;
    }
    const isItsBackup = this.#store.peer(ref) === to.index;
    if (!isItsBackup && !this.#admits(to, ref)) {
      task.operation.sink.complete(task.operation.token, OUT_OF_MEMORY_REPLY);
      return;
    }
    this.#handovers.set(task.key.id, [task]);
    if (isItsBackup) this.#moves.swap(ref, to);
    else this.#moves.start(ref, to, to);
  }

  /** False when the key is not here any more, or somebody else holds it: it is asked for again after a tick. */
  #hold(gather: Gather): boolean {
    const key = gather.keys[gather.held];
    const ref = key === undefined ? 0 : this.#find(key);
    if (key === undefined || ref === 0 || this.#holders.has(key.id)) return false;
    if (!this.#isOurs(ref)) return false;
    this.#store.setFlags(ref, this.#store.flags(ref) | Flag.Held);
    this.#holders.set(key.id, { gather, queue: [] });
    gather.held++;
    return true;
  }

  /** After a view change the answer may be that for another key, and this one may be claimed by another command. */
  #isOurs(ref: Ref): boolean {
    const isBusy = (this.#store.flags(ref) & Flag.Busy) !== 0;
    return this.#store.role(ref) === Role.Primary && !isBusy;
  }

  /** All keys are here; their backups are brought together too, so that one frame can carry the whole change. */
  #runWhenTogether(gather: Gather): void {
    const refs = gather.keys.map((key) => this.#find(key));
    if (refs.some((ref) => ref === 0 || !this.#isOurs(ref))) {
      this.#letGo(gather);
      return this.#goOn(gather);
    }
    if (this.#state.isChanging || this.#state.flushing || !this.#state.isServing) return;
    const backup = this.#state.livePeer(this.#store.peer(refs[0]!));
    // Since the gather began all others have gone.
    if (this.#state.isAlone) return this.#execute(gather);
    if (backup?.stream.isFull) return;
    let room = KEYS_PER_TURN;
    let isTogether = true;
    for (const key of gather.keys) {
      const ref = this.#find(key);
      const isMoving = (this.#store.flags(ref) & Flag.Moving) !== 0;
      const isSending = (this.#store.flags(ref) & Flag.Sending) !== 0;
      const isThere = backup !== null && this.#store.peer(ref) === backup.index;
      if (!isMoving && !isSending && isThere) continue;
      isTogether = false;
      if (isMoving || isThere) continue;
      // The others follow in the next turns.
      if (room-- === 0) return this.#wantTurn();
      const to = backup ?? this.#state.rankedBackup(key.slot);
      if (to !== null && !this.#admits(to, ref)) return this.#giveUp(gather, OUT_OF_MEMORY);
      this.#moves.start(ref, to);
    }
    if (!isTogether) return;
    if (backup === null || this.#hasRoomFor(gather.operation, backup)) this.#execute(gather);
    else this.#giveUp(gather, OUT_OF_MEMORY);
  }

  /** One value may be what fills a member (docs/decisions/0009), not as many as a command can name. */
  #hasRoomFor(operation: Operation, backup: Peer): boolean {
    if (!operation.traits.denyOom || !this.#state.isMemoryLimited) return true;
    this.#keyspace.begin();
    return this.#headroom.admits(backup, changeBytesMax(operation));
  }

  /** Whether a copy may be brought there for the command: what is only reserved takes next to nothing. */
  #admits(to: Peer, ref: Ref): boolean {
    if (this.#store.type(ref) === ValueType.None) return true;
    this.#keyspace.begin();
    return this.#headroom.admits(to, entryBytes(this.#store, ref));
  }

  #execute(gather: Gather): void {
    const { operation } = gather;
    this.#gathers.delete(gather.token);
    this.#keyspace.begin();
    let reply: Buffer = OK;
    this.#keyspace.atomically(() => {
      reply = this.#runner.execute(operation);
    });
    this.#dropReserved(gather);
    const acks = this.#keyspace.count();
    this.#runner.finish(operation, reply, acks);
    const sending = this.#sendingOf(gather);
    if (sending === null) this.#finish(gather);
    else this.#sending.add(sending);
  }

  /** All is written: the keys are let go. They stay together until it is acked (moves.ts). */
  #finish(gather: Gather): void {
    const { keys, token } = gather;
    const ref = keys.map((key) => this.#find(key)).find((one) => one !== 0) ?? 0;
    const backup = ref === 0 ? null : this.#state.livePeer(this.#store.peer(ref));
    if (backup !== null) backup.atomicOffset = backup.stream.log.endOffset;
    this.#letGo(gather);
    if (backup === null) return;
    this.#returning.set(token, keys);
    backup.stream.awaitAll(this, token);
  }

  /** What has been sent of the command's changes; null when it is all written. */
  #sendingOf(gather: Gather): Sending | null {
    for (const key of gather.keys) {
      const ref = this.#find(key);
      const ticket = ref === 0 ? 0 : this.#store.changeOffset(ref);
      const backup = ref === 0 ? null : this.#state.livePeer(this.#store.peer(ref));
      if (isTicket(ticket) && backup !== null) return { gather, backup, ticket };
    }
    return null;
  }

  #sent(sending: Sending): void {
    this.#sending.delete(sending);
    this.#finish(sending.gather);
  }

  /** Keys that stay absent: the reply waits until no record of them is left, which DBSIZE would count. */
  #dropReserved(gather: Gather): void {
    for (const key of gather.keys) {
      const ref = this.#find(key);
      const isOurs = ref !== 0 && this.#store.role(ref) === Role.Primary;
      if (isOurs && this.#store.type(ref) === ValueType.None) this.#keyspace.remove(ref);
    }
  }

  #letGo(gather: Gather): void {
    const queued: Task[] = [];
    for (const key of gather.keys) {
      const holder = this.#holders.get(key.id);
      if (holder?.gather !== gather) continue;
      this.#holders.delete(key.id);
      queued.push(...holder.queue);
      this.#release(key);
    }
    gather.held = 0;
    for (const task of queued) this.#routing.route(task);
  }

  #release(key: Key): void {
    const ref = this.#find(key);
    if (ref === 0 || this.#store.role(ref) !== Role.Primary) return;
    this.#store.setFlags(ref, this.#store.flags(ref) & ~Flag.Held);
    // When sides meet the key's anchor decides, and takes the reservation for what it is.
    if (this.#state.merging[key.slot] === 1) return;
    if (this.#store.type(ref) === ValueType.None) {
      this.#keyspace.begin();
      this.#keyspace.reclaim(ref);
      return;
    }
    this.#return(key);
  }

  /** The backup moves back to where the ranking wants it. */
  #return(key: Key): void {
    const ref = this.#find(key);
    if (ref === 0 || this.#store.role(ref) !== Role.Primary) return;
    const isInUse = (this.#store.flags(ref) & (Flag.Held | Flag.Busy)) !== 0;
    const ranked = this.#state.rankedBackup(key.slot);
    if (isInUse || ranked === null || ranked.index === this.#store.peer(ref)) return;
    if (this.#state.merging[key.slot] === 0) this.#moves.startIfRoom(ref, ranked);
  }

  #giveUp(gather: Gather, error: string = NOT_RUN): void {
    this.#gathers.delete(gather.token);
    this.#letGo(gather);
    refuse(gather.operation, error);
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }
}

/** Bytes of the frame at most: what is renamed is one value, which always fits. */
function changeBytesMax({ request }: Operation): number {
  let bytes = 0;
  for (let i = 1; i < request.argc; i++) bytes += ARGUMENT_BYTES + request.length(i);
  return bytes;
}

function refuse(operation: Operation, error: string = NOT_RUN): void {
  operation.sink.complete(operation.token, errorReply(error));
}
