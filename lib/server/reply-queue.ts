import assert from 'node:assert';
import { REPLY_BUFFER_KEEP_BYTES } from '../base/limits.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';

/** Where due replies go. */
export interface ReplyOutput {
  /** Sends `buffer[start, end)`. True when those bytes may be overwritten at once, false when they are still needed. */
  write(buffer: Buffer, start: number, end: number): boolean;
}

const EMPTY = Buffer.alloc(0);
const RING_ENTRIES_MIN = 16;
/** Ring entries kept when the queue is empty; what a burst needed beyond is given back. */
const RING_ENTRIES_KEPT = 4096;
/** Sent bytes at the front of the buffer past which the held rest is moved down. */
const TRIM_BYTES = 16 * 1024;
/** What the acks of an entry say while its reply has not come yet. */
const DEFERRED = -1;

/**
 * The replies of one connection, in the order of its commands. They lie one after the other in the buffer of one
 * ReplyWriter; only those that must wait have an entry, a number in a few rings, so that a reply which waits for
 * nothing costs no more than its bytes:
 *
 *     writer.buffer   | sent | due      | held reply, what follows it   | held | in progress |
 *                            ^sent      ^start of the oldest entry             ^ended         ^writer.length
 *
 * An entry is *held* until its count of acks is zero, or *deferred* until its bytes come; a deferred entry has no
 * bytes in the writer, only a place. Everything before the oldest entry that still waits is due. A reply that failed
 * while it waited is skipped in the writer, and other bytes go out in its place.
 */
export class ReplyQueue {
  readonly #writer: ReplyWriter;
  /** Token of the oldest entry and of the next one; entry `token` is in slot `token & mask`. */
  #oldest = 1;
  #next = 1;
  #mask = RING_ENTRIES_MIN - 1;
  /** Where an entry's place is, counted from the first byte ever written: `#base` is that of writer.buffer[0]. */
  #start = new Float64Array(RING_ENTRIES_MIN);
  /** Bytes that an entry has in the writer, 0 for a deferred one. */
  #length = new Float64Array(RING_ENTRIES_MIN);
  #acks = new Int32Array(RING_ENTRIES_MIN);
  /** The bytes of a deferred entry whose reply has come, or what replaces a failed one; else null. */
  #bytes: (Buffer | null)[] = new Array(RING_ENTRIES_MIN).fill(null);
  #base = 0;
  #sent = 0;
  #ended = 0;
  #completedBytes = 0;
  /** Of the entries before this token, none waits any more: all that did have failed at one moment. */
  #failedBefore = 0;

  constructor(writer: ReplyWriter) {
    this.#writer = writer;
  }

  /** Bytes that wait here to be sent. */
  get bytes(): number {
    return this.#ended - this.#sent + this.#completedBytes;
  }

  /** Bytes of deferred replies that have come. */
  get completedBytes(): number {
    return this.#completedBytes;
  }

  /** Replies that wait for acks or for their bytes, with those that wait behind them released already. */
  get entries(): number {
    return this.#next - this.#oldest;
  }

  /** Tokens up to this one, it included, are out, or behind nothing that waits. */
  get released(): number {
    return this.#oldest - 1;
  }

  /** Token of the newest entry. */
  get newest(): number {
    return this.#next - 1;
  }

  /** What was appended behind a deferred entry goes out before it, if that is the newest one. */
  moveBehind(token: number): void {
    if (token !== this.newest || token < this.#oldest) return;
    const slot = token & this.#mask;
    if (this.#acks[slot] === DEFERRED) this.#start[slot] = this.#base + this.#ended;
  }

  /** True when everything was handed to the output. */
  get isEmpty(): boolean {
    return this.#oldest === this.#next && this.#ended === this.#sent;
  }

  /** Whether something was appended to the writer since the last end. */
  get isInProgress(): boolean {
    return this.#writer.length !== this.#ended;
  }

  /** Ends the reply appended to the writer since the last end; returns its token, 0 when it waits for no acks. */
  endReply(acks: number): number {
    const start = this.#ended;
    this.#ended = this.#writer.length;
    return acks === 0 ? 0 : this.#enter(start, acks);
  }

  /** Takes back what was appended since the last end. */
  dropReply(): void {
    this.#writer.length = this.#ended;
  }

  deferReply(): number {
    assert(this.#writer.length === this.#ended, 'a reply is in progress');
    return this.#enter(this.#ended, DEFERRED);
  }

  /** Returns whether replies became due by it. Ignored for one that `failAll` has failed. */
  acknowledged(token: number): boolean {
    const slot = token & this.#mask;
    if (token < this.#failedBefore) return false;
    assert(token >= this.#oldest && token < this.#next && this.#acks[slot]! > 0, 'not held');
    this.#acks[slot]! -= 1;
    return this.#acks[slot] === 0 && token === this.#oldest;
  }

  /**
   * Gives a deferred entry its bytes, which must not change any more. Returns whether replies became due by it. Ignored
   * for an entry that `failAll` has failed.
   */
  complete(token: number, bytes: Buffer): boolean {
    const slot = token & this.#mask;
    if (token < this.#failedBefore) return false;
    assert(token >= this.#oldest && token < this.#next, 'no such entry');
    assert(this.#acks[slot] === DEFERRED, 'not deferred');
    return this.#replace(token, bytes);
  }

  /**
   * Puts `bytes` in the place of a reply that still waits; one that waits for several acks may fail for each of them, and
   * the first counts. Returns whether replies became due by it.
   */
  fail(token: number, bytes: Buffer): boolean {
    assert(token < this.#next, 'no such entry');
    if (token < this.#oldest || this.#acks[token & this.#mask] === 0) return false;
    return this.#replace(token, bytes);
  }

  /** Puts `bytes` in the place of every reply that still waits. Returns whether there was one. */
  failAll(bytes: Buffer): boolean {
    let hasFailed = false;
    this.#failedBefore = this.#next;
    for (let token = this.#oldest; token < this.#next; token++) {
      if (this.#acks[token & this.#mask] === 0) continue;
      this.#replace(token, bytes);
      hasFailed = true;
    }
    return hasFailed;
  }

  #replace(token: number, bytes: Buffer): boolean {
    const slot = token & this.#mask;
    this.#acks[slot] = 0;
    this.#bytes[slot] = bytes;
    this.#completedBytes += bytes.length;
    return token === this.#oldest;
  }

  /** Hands all replies that are due to `output`, in order. */
  drain(output: ReplyOutput): void {
    let reusable = true;
    while (this.#oldest < this.#next) {
      const slot = this.#oldest & this.#mask;
      if (this.#acks[slot] !== 0) break;
      const bytes = this.#bytes[slot]!;
      if (bytes !== null) {
        reusable = this.#sendUpTo(this.#start[slot]! - this.#base, output) && reusable;
        if (bytes.length > 0) output.write(bytes, 0, bytes.length);
        this.#sent += this.#length[slot]!;
        this.#completedBytes -= bytes.length;
        this.#bytes[slot] = null;
      }
      this.#oldest += 1;
    }
    const waits = this.#oldest < this.#next;
    const due = waits ? this.#start[this.#oldest & this.#mask]! - this.#base : this.#ended;
    reusable = this.#sendUpTo(due, output) && reusable;
    this.#trim(reusable);
  }

  #sendUpTo(end: number, output: ReplyOutput): boolean {
    const start = this.#sent;
    if (start === end) return true;
    this.#sent = end;
    return output.write(this.#writer.buffer, start, end);
  }

  /** Makes the room of sent bytes usable again. */
  #trim(reusable: boolean): void {
    const writer = this.#writer;
    const sent = this.#sent;
    if (sent === 0) return;
    const rest = writer.length - sent;
    if (!reusable) {
      // The socket still reads the old buffer: what is left moves to a new one.
      writer.buffer = rest === 0 ? EMPTY : Buffer.from(writer.buffer.subarray(sent, writer.length));
    } else if (rest === 0) {
      if (writer.buffer.length > REPLY_BUFFER_KEEP_BYTES) writer.buffer = EMPTY;
    } else if (sent >= TRIM_BYTES) {
      writer.buffer.copyWithin(0, sent, writer.length);
    } else {
      return;
    }
    writer.length = rest;
    this.#base += sent;
    this.#ended -= sent;
    this.#sent = 0;
    if (this.#oldest === this.#next && this.#mask >= RING_ENTRIES_KEPT)
      this.#resize(RING_ENTRIES_MIN);
  }

  #enter(start: number, acks: number): number {
    if (this.#next - this.#oldest > this.#mask) this.#resize((this.#mask + 1) * 2);
    const token = this.#next++;
    const slot = token & this.#mask;
    this.#start[slot] = this.#base + start;
    this.#length[slot] = this.#ended - start;
    this.#acks[slot] = acks;
    return token;
  }

  #resize(capacity: number): void {
    const start = new Float64Array(capacity);
    const length = new Float64Array(capacity);
    const acks = new Int32Array(capacity);
    const bytes: (Buffer | null)[] = new Array(capacity).fill(null);
    for (let token = this.#oldest; token < this.#next; token++) {
      const from = token & this.#mask;
      const to = token & (capacity - 1);
      start[to] = this.#start[from]!;
      length[to] = this.#length[from]!;
      acks[to] = this.#acks[from]!;
      bytes[to] = this.#bytes[from]!;
    }
    this.#start = start;
    this.#length = length;
    this.#acks = acks;
    this.#bytes = bytes;
    this.#mask = capacity - 1;
  }
}
