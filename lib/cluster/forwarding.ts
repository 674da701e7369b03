import { copyOf, f64At, u32At } from '../protocol/bytes.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import { Request } from '../protocol/request.js';
import { ACQUIRE, isAcquire } from './acquire.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType, ownBytes } from './frames.js';
import type { ForwardedOrigins } from './invalidation.js';
import type { Body } from './large-frame.js';
import type { LargeSender } from './large-sender.js';
import type { Incarnation } from './member.js';
import type { Executor, Operation, RunTime } from './operation.js';
import type { Peer } from './peer.js';
import { errorReply, OUTCOME_UNKNOWN } from './runner.js';
import type { MemberReplies, ServedAtOnce } from './served-at-once.js';
import type { Streams } from './streams.js';
import { type Task, taskOf } from './task.js';
import { isWatch, WATCH } from './watching.js';

/** What a FORWARD is answered with. */
const Answer = {
  /** The command has run: its reply follows. */
  Reply: 0,
  /** Not run; the key is at the member whose id follows. */
  Redirect: 1,
  /** Not run; the anchor is certain that there is no such key. */
  None: 2,
  /** Not run; the receiver does not know the key and is not its anchor. */
  Unknown: 3,
  /** Not run; the text of an error follows. */
  Refused: 4,
  /** The command has run, and took long: how many milliseconds, f64, then its reply. */
  SlowReply: 5,
} as const;

/** Request id f64, protocol u8, database u8, number of arguments u32. */
const FORWARD_HEADER_BYTES = 14;
/** Where the arguments begin: their number, the length of each, their bytes. */
const ARGUMENTS_AT = FORWARD_HEADER_BYTES - 4;
/** Before the reply of a SlowReply; before any other, 9. */
const SLOW_HEAD_BYTES = 17;

/** A command with at most so many arguments may be run straight from its frame. */
const SHORT_ARGUMENTS_MAX = 16;
/** Arguments of a forwarded command, as the request parser allows a client. */
const ARGUMENTS_MAX = 1024 * 1024;

export interface ForwardingRouter {
  route(task: Task): void;
  routeTo(task: Task, id: Incarnation): void;
  /** The anchor says that the key does not exist. */
  absent(task: Task, anchor: Peer): void;
  /** The peer did not know the key. */
  unknown(task: Task): void;
  /** A command was run for us by that peer. */
  served(task: Task, by: Peer): void;
}

interface Sent {
  readonly task: Task;
  readonly peer: Peer;
  /** Where its frame ends in the peer's stream; a ticket while that is not written. */
  offset: number;
}

/** A command that a member has sent here. */
class Received implements RunTime {
  readonly peer: Peer;
  readonly id: number;
  /** Milliseconds, of what was slow. */
  ranMs = 0;

  constructor(peer: Peer, id: number) {
    this.peer = peer;
    this.id = id;
  }

  add(milliseconds: number, isSlow: boolean): void {
    if (isSlow) this.ranMs += milliseconds;
  }
}

const kindOf = ({ ranMs }: Received): number => (ranMs > 0 ? Answer.SlowReply : Answer.Reply);

/** A write that the peer may have executed: nobody knows, and it is never executed twice. */
function mayHaveRun({ task, peer, offset }: Sent): boolean {
  return task.operation.traits.write && peer.stream.wasSent(offset);
}

/** Commands sent to where their key is, and commands received for keys that are here. Each is answered exactly once. */
export class Forwarding implements MemberReplies<Received>, ForwardedOrigins {
  router!: ForwardingRouter;
  atOnce!: ServedAtOnce;
  readonly #state: ClusterState;
  readonly #streams: Streams;
  readonly #large: LargeSender;
  readonly #executor: Executor;
  readonly #sent = new Map<number, Sent>();
  readonly #received = new Map<number, Received>();
  /** Of the command that is being read. */
  readonly #arrived = new Request(SHORT_ARGUMENTS_MAX);
  #lastId = 0;
  #lastToken = 0;

  constructor(state: ClusterState, streams: Streams, large: LargeSender, executor: Executor) {
    this.#state = state;
    this.#streams = streams;
    this.#large = large;
    this.#executor = executor;
  }

  /** Commands sent or received that are not answered yet. */
  get open(): number {
    return this.#sent.size + this.#received.size;
  }

  // --- at the sender

  /** FORWARD: id f64, protocol u8, db u8, argument count u32, the length u32 of each, then the arguments. */
  send(task: Task, peer: Peer): void {
    const { request } = task.operation;
    const id = ++this.#lastId;
    let bytes = 0;
    for (let i = 0; i < request.argc; i++) bytes += request.length(i);
    this.#state.statistics.forwards++;
    // What follows a large command on its key does not overtake it.
    const isLarge = bytes > this.#state.config.partBytes;
    if (isLarge || this.#large.isOrdered(peer, task.key.id)) {
      const sent: Sent = { task, peer, offset: 0 };
      this.#sent.set(id, sent);
      const written = (offset: number): void => {
        sent.offset = offset;
      };
      const body = forwardBody(id, task, bytes, written);
      sent.offset = this.#large.sendBody(peer, FrameType.Forward, body);
      return;
    }
    const { log } = peer.stream;
    log.begin(FrameType.Forward, FORWARD_HEADER_BYTES + 4 * request.argc + bytes);
    log.f64(id);
    log.u8(task.operation.proto);
    log.u8(task.operation.db);
    log.u32(request.argc);
    for (let i = 0; i < request.argc; i++) log.u32(request.length(i));
    for (let i = 0; i < request.argc; i++) {
      log.bytes(request.buffer, request.start[i]!, request.end[i]!);
    }
    this.#sent.set(id, { task, peer, offset: log.endOffset });
    this.#state.statistics.framesSent[FrameType.Forward]!++;
    this.#streams.appended(peer);
  }

  /** REPLY: id f64, kind of answer u8, then what the kind says. */
  receiveReply(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < 9) return false;
    const id = f64At(buffer, start);
    const sent = this.#sent.get(id);
    if (sent === undefined || sent.peer !== peer) return true;
    this.#sent.delete(id);
    const { task } = sent;
    const { operation } = task;
    const kind = buffer[start + 8];
    const isSlow = kind === Answer.SlowReply;
    const ranMs = isSlow && end - start >= SLOW_HEAD_BYTES ? f64At(buffer, start + 9) : 0;
    if (isSlow && !(ranMs > 0 && ranMs < Number.POSITIVE_INFINITY)) return false;
    const body = ownBytes(buffer, start + (isSlow ? SLOW_HEAD_BYTES : 9), end, start);
    task.hops++;
    switch (kind) {
      case Answer.SlowReply:
      case Answer.Reply:
        if (isSlow) operation.runTime?.add(ranMs, true);
        this.router.served(task, peer);
        operation.sink.complete(operation.token, body);
        return true;
      case Answer.Redirect:
        this.router.routeTo(task, body.latin1Slice(0, body.length));
        return true;
      case Answer.None:
        this.router.absent(task, peer);
        return true;
      case Answer.Unknown:
        this.router.unknown(task);
        return true;
      case Answer.Refused:
        operation.sink.complete(operation.token, body);
        return true;
      default:
        return false;
    }
  }

  /**
   * A member was left out. What it has not answered goes elsewhere if it is a read, or a write that was still waiting for
   * a connection when the member died; the outcome of any other write is unknown.
   */
  peerLost(peer: Peer): void {
    for (const [id, sent] of [...this.#sent]) {
      if (sent.peer !== peer) continue;
      this.#sent.delete(id);
      const { task } = sent;
      const { operation } = task;
      if (!mayHaveRun(sent)) this.router.route(task);
      else {
        this.#state.statistics.outcomeUnknown++;
        operation.sink.complete(operation.token, errorReply(OUTCOME_UNKNOWN));
      }
    }
    for (const [token, { peer: from }] of [...this.#received]) {
      if (from === peer) this.#received.delete(token);
    }
  }

  /** Everything sent is failed or given back; this incarnation was left out. */
  clear(): Task[] {
    const again: Task[] = [];
    for (const sent of this.#sent.values()) {
      const { operation } = sent.task;
      if (!mayHaveRun(sent)) again.push(sent.task);
      else operation.sink.complete(operation.token, errorReply(OUTCOME_UNKNOWN));
    }
    this.#sent.clear();
    this.#received.clear();
    return again;
  }

  // --- ForwardedOrigins

  numberAt(origin: object | null, peer: Peer): number {
    return origin instanceof Received && origin.peer === peer ? origin.id : 0;
  }

  originOf(peer: Peer, number: number): object | null {
    const sent = this.#sent.get(number);
    return sent?.peer === peer ? (sent.task.operation.origin ?? null) : null;
  }

  // --- at the receiver

  receiveForward(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const count = argumentsOf(buffer, start, end);
    const proto = buffer[start + 8];
    if (count === 0 || (proto !== 2 && proto !== 3)) return false;
    const received = new Received(peer, f64At(buffer, start));
    const db = buffer[start + 9]!;
    if (count <= SHORT_ARGUMENTS_MAX && this.#runAtOnce(received, buffer, start, end, proto, db)) {
      this.#state.statistics.forwardedHere++;
      return true;
    }
    const request = new Request(count);
    const from = start + ARGUMENTS_AT;
    if (!readArguments(request, ownBytes(buffer, from, end, start), 0, end - from)) return false;
    const token = this.expect(received);
    const internal = isAcquire(request) ? ACQUIRE : isWatch(request) ? WATCH : null;
    const known =
      internal === null ? this.#executor.classify(request) : { traits: internal, keys: [1] };
    if (known === null || known.keys.length === 0) {
      this.refuse(token, 'ERR the node that owns this key does not know this command');
      return true;
    }
    const operation: Operation = {
      request,
      traits: known.traits,
      keys: known.keys,
      db,
      proto,
      sink: this,
      token,
      origin: received,
      runTime: received,
    };
    this.#state.statistics.forwardedHere++;
    this.router.route(taskOf(operation, peer, this.#state.deadline()));
    return true;
  }

  #runAtOnce(
    received: Received,
    buffer: Buffer,
    start: number,
    end: number,
    proto: 2 | 3,
    db: number,
  ): boolean {
    const request = this.#arrived;
    const isWhole = readArguments(request, buffer, start + ARGUMENTS_AT, end);
    const known = isWhole ? this.#executor.classify(request) : null;
    let hasRun = false;
    if (known !== null) {
      const { traits, keys } = known;
      hasRun = this.atOnce.run({ request, traits, keys, db, proto }, received, this);
    }
    request.release();
    return hasRun;
  }

  expect(received: Received): number {
    const token = ++this.#lastToken;
    this.#received.set(token, received);
    return token;
  }

  replied(received: Received, { buffer, length }: ReplyWriter): void {
    const isLarge = length > this.#state.config.partBytes;
    this.#send(received, kindOf(received), isLarge ? copyOf(buffer, 0, length) : buffer, length);
  }

  complete(token: number, reply: Buffer): void {
    const received = this.#received.get(token);
    if (received !== undefined) this.#answer(token, kindOf(received), reply);
  }

  acknowledged(): void {}

  fail(token: number, error: string): void {
    this.#answer(token, Answer.Reply, errorReply(error));
  }

  redirect(token: number, id: Incarnation): void {
    this.#answer(token, Answer.Redirect, Buffer.from(id, 'latin1'));
  }

  none(token: number): void {
    this.#answer(token, Answer.None, EMPTY);
  }

  notKnown(token: number): void {
    this.#answer(token, Answer.Unknown, EMPTY);
  }

  /** The command was not run, and the client is told why. */
  refuse(token: number, error: string): void {
    this.#answer(token, Answer.Refused, errorReply(error));
  }

  #answer(token: number, kind: number, body: Buffer): void {
    const received = this.#received.get(token);
    if (received === undefined) return;
    this.#received.delete(token);
    this.#send(received, kind, body, body.length);
  }

  /** `buffer[0, length)`; one that goes in parts is not copied. */
  #send(received: Received, kind: number, buffer: Buffer, length: number): void {
    // Who has asked may be gone by now: a reply in parts would wait for it for ever.
    if (!received.peer.isLive) return;
    const { log } = received.peer.stream;
    const isSlow = kind === Answer.SlowReply;
    const headBytes = isSlow ? SLOW_HEAD_BYTES : 9;
    if (length > this.#state.config.partBytes) {
      const head = Buffer.allocUnsafe(headBytes);
      head.writeDoubleLE(received.id, 0);
      head[8] = kind;
      if (isSlow) head.writeDoubleLE(received.ranMs, 9);
      const bytes = { buffer, start: 0, end: length };
      const whole: Body = { head, ...bytes, order: '', keys: [], written() {} };
      this.#large.sendBody(received.peer, FrameType.Reply, whole);
      return;
    }
    log.begin(FrameType.Reply, headBytes + length);
    log.f64(received.id);
    log.u8(kind);
    if (isSlow) log.f64(received.ranMs);
    if (length > 0) log.bytes(buffer, 0, length);
    this.#state.statistics.framesSent[FrameType.Reply]!++;
    this.#streams.appended(received.peer);
  }
}

const EMPTY = Buffer.alloc(0);

/** A FORWARD that goes in parts, straight from the memory of the request where its arguments are next to each other. */
function forwardBody(
  id: number,
  { operation, key }: Task,
  bytes: number,
  written: Body['written'],
): Body {
  const { request, proto, db } = operation;
  const head = Buffer.allocUnsafe(FORWARD_HEADER_BYTES + 4 * request.argc);
  head.writeDoubleLE(id, 0);
  head[8] = proto;
  head[9] = db;
  head.writeUInt32LE(request.argc, 10);
  const { buffer, start } = request.dense();
  for (let i = 0; i < request.argc; i++) {
    head.writeUInt32LE(request.length(i), FORWARD_HEADER_BYTES + 4 * i);
  }
  const end = start[0]! + bytes;
  return { head, buffer, start: start[0]!, end, order: key.id, keys: [], written };
}

/** How many arguments a FORWARD has; 0 when that cannot be. */
function argumentsOf(buffer: Buffer, start: number, end: number): number {
  const room = end - start - FORWARD_HEADER_BYTES;
  if (room < 0) return 0;
  const count = u32At(buffer, start + ARGUMENTS_AT);
  return count <= ARGUMENTS_MAX && count * 4 <= room ? count : 0;
}

/** Reads arguments, which begin at `from` with their number, into a request that has room for them; false when lengths do not add up. */
function readArguments(request: Request, buffer: Buffer, from: number, end: number): boolean {
  const count = u32At(buffer, from);
  request.buffer = buffer;
  request.argc = count;
  request.hashedIndex = -1;
  let at = from + 4 + 4 * count;
  for (let i = 0; i < count; i++) {
    const length = u32At(buffer, from + 4 + 4 * i);
    if (length > end - at) return false;
    request.start[i] = at;
    at += length;
    request.end[i] = at;
  }
  return at === end;
}
