import { FrameLog } from '../protocol/bus-frames.js';
import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType, KEY_HEADER_BYTES, valueFlags } from './frames.js';
import { type Key, keyOf } from './key.js';
import {
  type Body,
  Lane,
  type LargeFrame,
  PART_HEADER_BYTES,
  WHOLE_HEADER_BYTES,
} from './large-frame.js';
import type { Waiter } from './move.js';
import type { ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';
import { TICKETS_FROM } from './tickets.js';

/** Parts are sent while less than this of a stream is not acked, so that small frames wait behind no more. */
const WINDOW_BYTES = 512 * 1024;
/** Parts to one member in one turn. */
const PARTS_PER_TURN = 4;

const NO_HEAD = Buffer.alloc(0);

/** Who keeps offsets of frames about keys: a ticket is replaced when its frame is written. */
export interface TicketKeeper {
  ticketClosed(key: Key, ticket: number, offset: number): void;
}

/** A frame of several keys that was written, and is not acked. */
interface Unacked {
  readonly peer: Peer;
  readonly offset: number;
  readonly keys: () => readonly Key[];
}

/**
 * Sends frames that are too large to be sent at once, part by part. Of an entry they go straight from the store: what
 * changes of it meanwhile is in the last part, a new value begins anew. So there is at most one frame per key and member
 * on its way, and it stands for all that came before it. What is no entry goes as it was when it was appended.
 */
export class LargeSender implements ReplySink {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #keepers: readonly TicketKeeper[];
  readonly #lanes = new Map<Peer, LargeFrame[][]>();
  readonly #byKey = new Map<string, LargeFrame[]>();
  /** End of the last part in each stream. */
  readonly #lastPart = new Map<Peer, number>();
  /** What a backlog does not tell: parts of it may be acked, and gone. Bounded by the parts that fit into a window. */
  readonly #unacked = new Map<number, Unacked>();
  /** Of all streams: a change-over keeps tickets of two of them, and must not take one for the other. */
  #lastTicket = TICKETS_FROM;
  #lastNumber = 0;
  #lastToken = 0;

  /** `keepers` is filled later by those who are made of this. */
  constructor(state: ClusterState, streams: Streams, keepers: readonly TicketKeeper[]) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
    this.#keepers = keepers;
  }

  /** Frames on their way. */
  get open(): number {
    let count = 0;
    for (const lanes of this.#lanes.values()) for (const lane of lanes) count += lane.length;
    return count;
  }

  /** The frame of this entry that is on its way to the peer. */
  find(peer: Peer, ref: Ref): LargeFrame | undefined {
    return this.#byKey.get(this.#keyOf(ref).id)?.find((frame) => frame.peer === peer);
  }

  /** Whether a frame of this order is on its way, so that the next one has to queue behind it. */
  isOrdered(peer: Peer, order: string): boolean {
    const lane = this.#lanes.get(peer)?.[Lane.Front] ?? [];
    return lane.some((frame) => frame.body?.order === order);
  }

  /** The value of the entry goes to the peer; returns the ticket that stands for the end of it. */
  sendEntry(peer: Peer, type: number, ref: Ref, flags: number): number {
    const open = this.find(peer, ref);
    // The frame that is open may be of an entry that was flushed, and this one made anew.
    this.#store.setFlags(ref, this.#store.flags(ref) | Flag.Sending);
    if (open !== undefined) {
      // COPY replaces whatever is there: what it is followed by must not do less.
      if (open.type !== FrameType.Copy) open.type = type;
      open.flags = flags;
      this.#restart(open, this.#store.valueLength(ref));
      return open.ticket;
    }
    const key = this.#keyOf(ref);
    const lane = type === FrameType.Copy ? Lane.Paced : Lane.Front;
    const frame = this.#begin(peer, lane, type, key, null, this.#store.valueLength(ref));
    frame.flags = flags;
    const others = this.#byKey.get(key.id);
    if (others === undefined) this.#byKey.set(key.id, [frame]);
    else others.push(frame);
    return frame.ticket;
  }

  /**
   * A frame of `length` bytes, written by `put`: at once where it is small, else in parts. What is appended later may
   * overtake it then. `refs` are the entries whose changes it carries. Returns where it ends, or its ticket.
   */
  append(
    peer: Peer,
    type: number,
    length: number,
    put: (log: FrameLog) => void,
    refs: Iterable<Ref> = [],
  ): number {
    const isLarge = length > this.#state.config.partBytes;
    const log = isLarge ? new FrameLog() : peer.stream.log;
    log.begin(type, length);
    put(log);
    if (!isLarge) {
      this.#appended(peer, type);
      return log.endOffset;
    }
    const keys = [...refs].map((ref) => this.#keyOf(ref));
    let ticket = 0;
    log.eachFrame(0, (_type, buffer, start, end) => {
      const body = { head: NO_HEAD, buffer, start, end, order: '', keys, written() {} };
      ticket = this.sendBody(peer, type, body);
    });
    return ticket;
  }

  /**
   * A frame of `head` and a value of the store, which nobody changes before the frame is written, unless a view is prepared:
   * see `keepLent`. `refs` as in `append`.
   */
  sendLent(
    peer: Peer,
    type: number,
    head: Buffer,
    buffer: Buffer,
    start: number,
    end: number,
    refs: Iterable<Ref>,
  ): number {
    const keys = [...refs].map((ref) => this.#keyOf(ref));
    const body = { head, buffer, start, end, order: '', keys, isLent: true, written() {} };
    return this.sendBody(peer, type, body);
  }

  /** From here on values may be changed that are on their way: in the next view others may be their primaries. */
  keepLent(): void {
    for (const frame of [...this.#lanes.values()].flat(2)) {
      const { body } = frame;
      if (body === null || body.isLent !== true) continue;
      const buffer = Buffer.from(body.buffer.subarray(body.start, body.end));
      frame.body = { ...body, buffer, start: 0, end: buffer.length, isLent: false };
    }
  }

  /** Bytes that are not of the store. */
  sendBody(peer: Peer, type: number, body: Body): number {
    const bytes = body.end - body.start;
    peer.stream.bodyBytes += bytes;
    return this.#begin(peer, Lane.Front, type, null, body, bytes).ticket;
  }

  /** Another frame, which ends at `offset`, takes the place of this one: who waited for it waits for that. */
  replace(frame: LargeFrame, ref: Ref, offset: number): void {
    const waiters = this.#cancel(frame, ref);
    for (const { sink, token } of waiters) frame.peer.stream.awaitAck(offset, sink, token);
    this.#closed([frame.key!], frame.ticket, offset);
  }

  #cancel(frame: LargeFrame, ref: Ref): readonly Waiter[] {
    const { peer, lane, key } = frame;
    if (frame.isBegun && peer.isLive) this.#appendPart(frame, null, 0, 0);
    const queue = this.#lanes.get(peer)?.[lane] ?? [];
    queue.splice(queue.indexOf(frame), 1);
    if (key !== null) this.#forget(frame, key, ref);
    return peer.stream.tickets.close(frame.ticket);
  }

  /** All frames of an entry that is about to be deleted. */
  cancelAll(ref: Ref): readonly Waiter[] {
    const frames = this.#byKey.get(this.#keyOf(ref).id) ?? [];
    return [...frames].flatMap((frame) => this.#cancel(frame, ref));
  }

  /** Sends what may be sent in this turn; true when there is more. */
  pump(): boolean {
    let goesOn = false;
    for (const [peer, lanes] of this.#lanes) {
      if (!peer.isLive || !peer.stream.resumed) continue;
      let parts = 0;
      for (; parts < PARTS_PER_TURN && this.#mayAppend(peer); parts++) {
        // In turn, so that neither lane waits for the other one.
        const [front, paced] = [lanes[Lane.Front]![0], lanes[Lane.Paced]![0]];
        const frame = parts % 2 === 0 ? (front ?? paced) : (paced ?? front);
        if (frame === undefined) break;
        this.#sendPart(frame);
      }
      goesOn ||= parts === PARTS_PER_TURN;
    }
    return goesOn;
  }

  /** A member was left out: the keys by the tickets, or offsets, of what was on its way to it and not acked. */
  peerLost(peer: Peer): ReadonlyMap<number, readonly Key[]> {
    const keys = new Map<number, readonly Key[]>();
    for (const { ticket, key, body } of (this.#lanes.get(peer) ?? []).flat()) {
      keys.set(ticket, key === null ? keysOf(body!) : [key]);
    }
    for (const frame of (this.#lanes.get(peer) ?? []).flat()) {
      if (frame.key !== null) this.#forget(frame, frame.key, this.#find(frame.key));
    }
    for (const [token, unacked] of this.#unacked) {
      if (unacked.peer !== peer) continue;
      keys.set(unacked.offset, unacked.keys());
      this.#unacked.delete(token);
    }
    this.#lanes.delete(peer);
    this.#lastPart.delete(peer);
    return keys;
  }

  /** Forgets everything: this incarnation was left out. */
  clear(): void {
    this.#lanes.clear();
    this.#byKey.clear();
    this.#lastPart.clear();
    this.#unacked.clear();
  }

  // --- ReplySink: acks of frames of several keys

  acknowledged(token: number): void {
    this.#unacked.delete(token);
  }

  complete(): void {}

  fail(): void {}

  // --- inside

  #begin(
    peer: Peer,
    lane: Lane,
    type: number,
    key: Key | null,
    body: Body | null,
    bytes: number,
  ): LargeFrame {
    const ticket = ++this.#lastTicket;
    peer.stream.tickets.open(ticket);
    const frame: LargeFrame = {
      peer,
      lane,
      ticket,
      key,
      body,
      type,
      flags: 0,
      number: this.#nextNumber(),
      isBegun: false,
      sent: 0,
      bytes,
    };
    let lanes = this.#lanes.get(peer);
    if (lanes === undefined) {
      lanes = [[], []];
      this.#lanes.set(peer, lanes);
    }
    lanes[lane]!.push(frame);
    this.#streams.wantFlush();
    return frame;
  }

  #restart(frame: LargeFrame, bytes: number): void {
    frame.number = this.#nextNumber();
    frame.sent = 0;
    frame.bytes = bytes;
  }

  #nextNumber(): number {
    this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    return this.#lastNumber;
  }

  /** One part may always be on its way, however much else is. */
  #mayAppend(peer: Peer): boolean {
    const { log, acked } = peer.stream;
    return log.pendingBytes < WINDOW_BYTES || (this.#lastPart.get(peer) ?? 0) <= acked;
  }

  #sendPart(frame: LargeFrame): void {
    const { body, key, sent } = frame;
    const ref = key === null ? 0 : this.#find(key);
    if (key !== null && !this.#isThere(frame, ref)) {
      // Flushed, or another one's by now: what waited for it waits for all that was sent so far.
      const { stream } = frame.peer;
      for (const { sink, token } of this.#cancel(frame, ref)) stream.awaitAll(sink, token);
      return this.#closed([key], frame.ticket, stream.log.endOffset);
    }
    const until = Math.min(frame.bytes, sent + this.#state.config.partBytes);
    const source = body === null ? this.#store.valueBuffer(ref) : body.buffer;
    const start = body === null ? this.#store.valueStart(ref) : body.start;
    this.#appendPart(frame, source, start + sent, start + until);
    frame.sent = until;
    frame.isBegun = true;
    if (until < frame.bytes) return;
    this.#lanes.get(frame.peer)![frame.lane]!.shift();
    if (body === null) this.#appendEntryEnd(frame, ref);
    else this.#appendBodyEnd(frame, body);
  }

  #isThere(frame: LargeFrame, ref: Ref): boolean {
    const store = this.#store;
    if (ref === 0 || store.role(ref) !== Role.Primary) return false;
    // A claim is of a provisional entry: another one's copy may have taken its place, and been given away to this node.
    if (frame.type === FrameType.Claim && (store.flags(ref) & Flag.Busy) === 0) return false;
    return store.valueLength(ref) === frame.bytes;
  }

  #headBytes({ key, body }: LargeFrame): number {
    return body === null ? KEY_HEADER_BYTES + key!.bytes.length : body.head.length;
  }

  /** Without a source: what was sent of the frame is to be dropped. */
  #appendPart(frame: LargeFrame, source: Buffer | null, start: number, end: number): void {
    const { log } = frame.peer.stream;
    const head = this.#headBytes(frame);
    log.begin(FrameType.Part, PART_HEADER_BYTES + end - start);
    log.u8(frame.lane);
    log.u32(source === null ? 0 : frame.number);
    log.u32(source === null ? 0 : head);
    log.u32(source === null ? 0 : head + frame.bytes);
    if (source !== null && end > start) log.bytes(source, start, end);
    this.#lastPart.set(frame.peer, log.endOffset);
    this.#appended(frame.peer, FrameType.Part);
  }

  #appendEntryEnd(frame: LargeFrame, ref: Ref): void {
    const key = frame.key!;
    const store = this.#store;
    const { log } = frame.peer.stream;
    this.#beginWhole(frame);
    log.u8(frame.flags | valueFlags(store, ref));
    log.u8(key.db);
    log.u32(key.bytes.length);
    log.f64(store.version(ref));
    log.f64(store.expireAt(ref));
    log.bytes(key.bytes, 0, key.bytes.length);
    this.#forget(frame, key, ref);
    this.#ended(frame, [key]);
  }

  #appendBodyEnd(frame: LargeFrame, body: Body): void {
    const { peer, bytes } = frame;
    const { head, keys, written } = body;
    const { stream } = peer;
    this.#beginWhole(frame);
    stream.log.bytes(head, 0, head.length);
    stream.bodyBytes -= bytes;
    const offset = stream.log.endOffset;
    if (keys.length > 0 || body.lateKeys !== undefined) {
      const token = ++this.#lastToken;
      this.#unacked.set(token, { peer, offset, keys: () => keysOf(body) });
      stream.awaitAck(offset, this, token);
    }
    written(offset);
    this.#ended(frame, keys);
  }

  /** The frame is written: its ack is what was waited for. */
  #ended({ peer, ticket }: LargeFrame, keys: readonly Key[]): void {
    const { stream } = peer;
    const offset = stream.log.endOffset;
    this.#appended(peer, FrameType.Whole);
    for (const { sink, token } of stream.tickets.close(ticket)) {
      stream.awaitAck(offset, sink, token);
    }
    this.#closed(keys, ticket, offset);
  }

  /** Nobody is to keep the ticket in the place of an offset. What the keepers set off comes last. */
  #closed(keys: readonly Key[], ticket: number, offset: number): void {
    const store = this.#store;
    for (const key of keys) {
      const ref = this.#find(key);
      if (ref !== 0 && store.changeOffset(ref) === ticket) store.setChangeOffset(ref, offset);
    }
    for (const key of keys) {
      for (const keeper of this.#keepers) keeper.ticketClosed(key, ticket, offset);
    }
  }

  #beginWhole(frame: LargeFrame): void {
    const { log } = frame.peer.stream;
    log.begin(FrameType.Whole, WHOLE_HEADER_BYTES + this.#headBytes(frame));
    log.u8(frame.lane);
    log.u32(frame.number);
    log.u8(frame.type);
  }

  #appended(peer: Peer, type: number): void {
    this.#state.statistics.framesSent[type]!++;
    this.#streams.appended(peer);
  }

  #forget(frame: LargeFrame, key: Key, ref: Ref): void {
    const rest = (this.#byKey.get(key.id) ?? []).filter((each) => each !== frame);
    if (rest.length > 0) this.#byKey.set(key.id, rest);
    else {
      this.#byKey.delete(key.id);
      if (ref !== 0 && this.#store.role(ref) === Role.Primary) {
        this.#store.setFlags(ref, this.#store.flags(ref) & ~Flag.Sending);
      }
    }
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }

  #keyOf(ref: Ref): Key {
    const start = this.#store.keyStart(ref);
    const end = start + this.#store.keyLength(ref);
    return keyOf(this.#store.db(ref), this.#store.keyBuffer(ref), start, end);
  }
}

const keysOf = ({ keys, lateKeys }: Body): readonly Key[] => lateKeys?.() ?? keys;
