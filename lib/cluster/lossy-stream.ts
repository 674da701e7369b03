import { FRAME_HEADER_BYTES, FrameLog, FrameReader } from '../protocol/bus-frames.js';
import { FRAME_BYTES_MAX } from './stream.js';

/**
 * Bytes for one member that wait to be sent, or to be taken by it: as many as Redis lets wait for a subscriber. What comes
 * beyond is dropped; a single message of any size has room.
 */
const BACKLOG_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes on their way: the member's mirror frames and acks wait behind no more of them. */
const WINDOW_BYTES = 256 * 1024;
/** Bytes that go out as one frame. */
const PIECE_BYTES = 64 * 1024;

/** Takes a frame: its payload is `buffer[start, end)`. False: malformed, the link is dropped. */
export type FrameTaker = (type: number, buffer: Buffer, start: number, end: number) => boolean;

/**
 * What is said to a member at most once: frames that share the connection with the stream, but have no place in it. They
 * come in the order in which they were appended. What is on its way when the connection breaks is lost; what waits goes on
 * with the next one. Pieces of this stream are frames of the connection, so that a large message lets others in between;
 * the member says how many bytes it has taken.
 */
export class LossyStream {
  #log = new FrameLog();
  #reader = new FrameReader(FRAME_BYTES_MAX);
  /** Offset up to which the log, which begins with the link, was handed to it. */
  #sent = 0;
  /** Bytes taken on this link, and whether the member is to be told. */
  taken = 0;
  isTakenDue = false;
  /** Frames that found the backlog full. */
  dropped = 0;

  get hasUnsent(): boolean {
    return this.#log.endOffset > this.#sent;
  }

  /** Begins a frame in the log returned; null where it is dropped. */
  begin(type: number, payloadLength: number): FrameLog | null {
    const waiting = this.#log.pendingBytes;
    if (waiting > 0 && waiting + payloadLength > BACKLOG_BYTES_MAX) {
      this.dropped++;
      return null;
    }
    this.#log.begin(type, payloadLength);
    return this.#log;
  }

  /**
   * A new connection: frames that were sent, in part or in full, are not sent again. What the old connection was handed
   * stays as it is, as that may still read it.
   */
  attach(): void {
    const old = this.#log;
    this.#log = new FrameLog();
    old.eachFrame(this.#sent, (type, buffer, start, end, endOffset) => {
      if (endOffset - (end - start) - FRAME_HEADER_BYTES < this.#sent) return;
      this.#log.begin(type, end - start);
      this.#log.bytes(buffer, start, end);
    });
    this.#sent = 0;
    this.#reader = new FrameReader(FRAME_BYTES_MAX);
    this.taken = 0;
    this.isTakenDue = false;
  }

  /** Hands over the pieces that fit into the window; their bytes stay as they are until they are taken. */
  pump(send: (buffer: Buffer, start: number, end: number) => void): void {
    const limit = this.#log.ackedOffset + WINDOW_BYTES;
    if (!this.hasUnsent || this.#sent >= limit) return;
    this.#log.eachUnsent(this.#sent, (buffer, start, end) => {
      for (let at = start; at < end && this.#sent < limit; ) {
        const pieceEnd = Math.min(end, at + PIECE_BYTES, at + limit - this.#sent);
        send(buffer, at, pieceEnd);
        this.#sent += pieceEnd - at;
        at = pieceEnd;
      }
    });
  }

  /** The member has taken so many bytes on this link. False when that cannot be. */
  acknowledged(bytes: number): boolean {
    if (!(bytes >= this.#log.ackedOffset && bytes <= this.#sent)) return false;
    return this.#log.acknowledge(bytes);
  }

  /** A piece has come. False when what it brings is malformed. */
  receive(piece: Buffer, take: FrameTaker): boolean {
    this.taken += piece.length;
    this.isTakenDue = true;
    const reader = this.#reader;
    reader.feed(piece, piece.length);
    while (reader.next()) {
      if (!take(reader.type, reader.buffer, reader.start, reader.end)) return false;
    }
    reader.finish();
    return reader.error === '';
  }
}
