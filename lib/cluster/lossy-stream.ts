import { FrameLog, FrameReader } from '../protocol/bus-frames.js';
import { FRAME_BYTES_MAX } from './stream.js';

/**
 * Bytes for one member that wait to be sent, or to be taken by it: as many as Redis lets wait for a subscriber. What comes
 * beyond is dropped; a single message has room, if it fits into a frame.
 */
export const MESSAGES_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes on their way: the member's mirror frames and acks wait behind no more of them. */
const WINDOW_BYTES = 256 * 1024;
/** Bytes that go out as one frame. */
const PIECE_BYTES = 64 * 1024;

/** Takes a frame: its payload is `buffer[start, end)`. False: malformed, the link is dropped. */
export type FrameTaker = (type: number, buffer: Buffer, start: number, end: number) => boolean;

/**
 * What is said to a member at most once: frames that share the connection with the stream, but have no place in it. They
 * come in the order in which they were appended. Pieces of this stream are frames of the connection, so that a large
 * message lets others in between; the member says how many bytes it has taken. With the first word on a new connection
 * that says where to go on: a connection that breaks loses nothing, and nothing comes twice.
 */
export class LossyStream {
  readonly #log = new FrameLog();
  readonly #reader = new FrameReader(FRAME_BYTES_MAX);
  /** Offset up to which the log was handed to the link, and the same of all links that there were. */
  #sent = 0;
  #sentMost = 0;
  /** The member has said where to go on, on this link. */
  #resumed = false;
  /** Bytes taken on all links, and whether the member is to be told. */
  taken = 0;
  isTakenDue = false;
  /** Frames that found the backlog full, or were too large. */
  dropped = 0;

  get hasUnsent(): boolean {
    return this.#log.endOffset > this.#sent;
  }

  /** Bytes that wait to be sent, or to be taken. */
  get pendingBytes(): number {
    return this.#log.pendingBytes;
  }

  /** Begins a frame in the log returned; null where it is dropped. */
  begin(type: number, payloadLength: number): FrameLog | null {
    const waiting = this.#log.pendingBytes;
    const isFull = waiting > 0 && waiting + payloadLength > MESSAGES_BYTES_MAX;
    if (isFull || payloadLength >= FRAME_BYTES_MAX) {
      this.dropped++;
      return null;
    }
    this.#log.begin(type, payloadLength);
    return this.#log;
  }

  /** A new connection: nothing is sent until the member has said what it has. */
  attach(): void {
    this.#resumed = false;
  }

  /** Hands over the pieces that fit into the window; their bytes stay as they are until they are taken. */
  pump(send: (buffer: Buffer, start: number, end: number) => void): void {
    const limit = this.#log.ackedOffset + WINDOW_BYTES;
    if (!this.#resumed || !this.hasUnsent || this.#sent >= limit) return;
    this.#log.eachUnsent(this.#sent, (buffer, start, end) => {
      for (let at = start; at < end && this.#sent < limit; ) {
        const pieceEnd = Math.min(end, at + PIECE_BYTES, at + limit - this.#sent);
        send(buffer, at, pieceEnd);
        this.#sent += pieceEnd - at;
        at = pieceEnd;
      }
    });
    this.#sentMost = Math.max(this.#sentMost, this.#sent);
  }

  /**
   * The member has taken so many bytes. False when that cannot be. The first word on a link may be an old one, if the link
   * came late; on the next one it has more than was handed to that.
   */
  acknowledged(bytes: number): boolean {
    const most = this.#resumed ? this.#sent : this.#sentMost;
    if (!(Number.isInteger(bytes) && bytes >= this.#log.ackedOffset && bytes <= most)) return false;
    // What else was handed to the link before is lost with it.
    if (!this.#resumed) this.#sent = bytes;
    this.#resumed = true;
    return this.#log.acknowledge(bytes);
  }

  /**
   * A piece has come. False when something in it is malformed; the other messages are taken. Where a length was wrong nobody
   * knows where the next one begins: what comes from then on is passed over, and costs the two no further link.
   */
  receive(piece: Buffer, take: FrameTaker): boolean {
    this.taken += piece.length;
    this.isTakenDue = true;
    const reader = this.#reader;
    if (reader.error !== '') return true;
    let isSound = true;
    reader.feed(piece, piece.length);
    while (reader.next()) {
      isSound = take(reader.type, reader.buffer, reader.start, reader.end) && isSound;
    }
    reader.finish();
    return isSound && reader.error === '';
  }
}
