import { FrameLog, FrameReader } from '../protocol/bus-frames.js';
import { AckQueue } from './ack-queue.js';
import type { ReplySink } from './operation.js';
import { isTicket, Tickets } from './tickets.js';

/** Written early, before the end of the turn, when this much waits: the peer can start while the turn goes on. */
export const EARLY_FLUSH_BYTES = 48 * 1024;

/** Commands that need this peer are held back while more than this is unacked. */
export const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;

/** Longest frame: a value of 512 MB, its key and its header. */
export const FRAME_BYTES_MAX = 545 * 1024 * 1024;

/** The same while more than this waits to be sent in parts, besides values of the store. */
export const BODIES_BYTES_MAX = FRAME_BYTES_MAX;

/**
 * One end of the stream pair that two members share: what was appended here and is not yet acked, what of the other's
 * stream was processed, and the replies that wait for acks. It knows offsets, not sockets; a link is a number of the host.
 *
 * A connection begins with a RESUME frame each way, naming the bytes processed so far; sending goes on from there. The
 * offset in RESUME releases no reply: a REJECT that was written before the ack of its claim may have to be sent again
 * first. Only ACK releases, and it is written after everything that was appended before it.
 */
export class Stream {
  readonly log: FrameLog = new FrameLog();
  reader: FrameReader = new FrameReader(FRAME_BYTES_MAX);
  readonly acks: AckQueue = new AckQueue();
  /** Offsets-to-be of frames that travel in parts. */
  readonly tickets: Tickets = new Tickets();
  /** Of frames that travel in parts, bytes that are kept for that alone. */
  bodyBytes = 0;
  /** The data connection in use, 0 when there is none. */
  link = 0;
  /** Connections dialled since the last tick. */
  dials = 0;
  /** The peer's RESUME has come on this link: sending may go on. */
  resumed = false;
  /** The peer was told where to go on, on this link: more may be said. */
  isGreeted = false;
  /** Offset up to which the log was handed to the link. */
  sent = 0;
  /** The same, of all links that there were. */
  #sentMost = 0;
  /** Bytes of the peer's stream that were processed. */
  received = 0;
  /** Where the frame that is being processed ends in the peer's stream. */
  frameEnd = 0;
  /** Something was processed since the last ACK. */
  ackDue = false;
  /** Ended for good: one of the two was left out. */
  closed = false;
  /** Monotonic time since which nothing was acked although something is outstanding; 0 when nothing is. */
  stuckSince = 0;
  /** Resets in a row without progress. */
  resets = 0;

  get acked(): number {
    return this.log.ackedOffset;
  }

  get hasUnsent(): boolean {
    return this.log.endOffset > this.sent;
  }

  /** Whether the peer may have what ends at `offset`. */
  wasSent(offset: number): boolean {
    return offset <= this.#sentMost;
  }

  get isFull(): boolean {
    return this.log.pendingBytes > BACKLOG_BYTES_MAX || this.bodyBytes > BODIES_BYTES_MAX;
  }

  /** The reply `token` of `sink` waits for everything that was appended up to `offset`, which may be a ticket. */
  awaitAck(offset: number, sink: ReplySink, token: number): void {
    if (!isTicket(offset)) this.acks.push(offset, sink, token);
    else if (!this.tickets.add(offset, sink, token)) this.awaitAll(sink, token);
  }

  /** The reply waits for all that is appended now, be it nothing: a ticket that is closed stood for some of that. */
  awaitAll(sink: ReplySink, token: number): void {
    if (this.log.pendingBytes === 0) sink.acknowledged(token);
    else this.acks.push(this.log.endOffset, sink, token);
  }

  /** Everybody who waits for an ack or a ticket. */
  drain(visit: (offset: number, sink: ReplySink, token: number) => void): void {
    this.acks.drain(visit);
    this.tickets.drain(visit);
  }

  /** The peer has processed everything up to `offset`. False when that cannot be. */
  acknowledged(offset: number, now: number): boolean {
    if (!this.#mayBe(offset)) return false;
    if (offset > this.acked) {
      this.log.acknowledge(offset);
      this.sent = Math.max(this.sent, offset);
      this.stuckSince = offset === this.log.endOffset ? 0 : now;
      this.resets = 0;
      this.acks.release(offset);
    }
    return true;
  }

  /** Whether the peer may say so of that offset: numbers that are none come from a member that has gone wrong. */
  #mayBe(offset: number): boolean {
    return Number.isInteger(offset) && offset >= this.acked && offset <= this.log.endOffset;
  }

  /** Everything that was appended has been handed to the link. */
  sentAll(): void {
    this.sent = this.log.endOffset;
    this.#sentMost = this.sent;
  }

  /**
   * A new connection: nothing is sent until the peer has said where to go on. Then the ack is said again:
   *
   *   1. the last ack is lost with the old connection
   *   2. RESUME names what was processed, and releases nothing
   *   3. a peer that has nothing more to say, as while sides merge, would find its stream stuck, and leave this node out
   */
  attach(link: number): void {
    this.link = link;
    this.ackDue = this.received > 0;
    this.isGreeted = false;
    this.resumed = false;
    this.reader = new FrameReader(FRAME_BYTES_MAX);
  }

  detach(): void {
    this.link = 0;
    this.isGreeted = false;
    this.resumed = false;
  }

  /** The peer's RESUME. False when it names what was never sent, or was acked and forgotten. */
  resumeFrom(offset: number): boolean {
    if (!this.#mayBe(offset)) return false;
    this.sent = offset;
    this.resumed = true;
    return true;
  }
}
