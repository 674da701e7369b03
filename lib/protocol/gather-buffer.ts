import { copyBytes } from './bytes.js';

const EMPTY = Buffer.alloc(0);
/** Smallest buffer made, bytes. */
const CAPACITY_BYTES_MIN = 512;
/** Largest buffer that is kept for the next message, bytes: what an idle connection may cost. */
const CAPACITY_BYTES_KEPT = 16 * 1024;

/**
 * Collects a message that arrives in several chunks. It grows with the bytes that have arrived, never on the word
 * of a length that a peer has announced, and by doubling, so that many small chunks cost no more than one large one.
 */
export class GatherBuffer {
  buffer: Buffer = EMPTY;
  length = 0;

  /**
   * Appends `chunk[start, end)`. `totalBytes` is the length of the whole message where it is known: the last growth
   * then stops there instead of doubling past it. 0 where it is not known.
   */
  append(chunk: Buffer, start: number, end: number, totalBytes: number): void {
    const needed = this.length + end - start;
    if (needed > this.buffer.length) this.grow(needed, totalBytes);
    copyBytes(chunk, start, end, this.buffer, this.length);
    this.length = needed;
  }

  /** Forgets the message; its bytes stay readable by who still holds `buffer`, until the next append. */
  clear(): void {
    this.length = 0;
    if (this.buffer.length > CAPACITY_BYTES_KEPT) this.buffer = EMPTY;
  }

  private grow(needed: number, totalBytes: number): void {
    let capacity = Math.max(needed, this.buffer.length * 2, CAPACITY_BYTES_MIN);
    if (totalBytes >= needed) capacity = Math.min(capacity, totalBytes);
    const grown = Buffer.allocUnsafe(capacity);
    copyBytes(this.buffer, 0, this.length, grown, 0);
    this.buffer = grown;
  }
}
