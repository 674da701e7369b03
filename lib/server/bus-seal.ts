/**
 * What is sent on a bus connection after its handshake, where there is a cluster-secret:
 *
 *     u32 length of the payload, little-endian | payload | 16 bytes: HMAC-SHA256 of number, length and payload
 *
 * Records are numbered from 0 in each direction; the number is not sent. So none can be changed, left out, repeated
 * or put elsewhere; it can be read by who listens.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
const NUMBER_BYTES = 8;
/** Of one record: longer writes go in several. */
export const SEALED_BYTES_MAX = 64 * 1024;

/** Numbers the records of one direction, and makes their tags. */
class Tags {
  readonly #key: Buffer;
  /** u64 number | u32 length */
  readonly #prefix = Buffer.alloc(NUMBER_BYTES + LENGTH_BYTES);
  #number = 0n;

  constructor(key: Buffer) {
    this.#key = key;
  }

  next(payload: Buffer): Buffer {
    this.#prefix.writeBigUInt64LE(this.#number++, 0);
    this.#prefix.writeUInt32LE(payload.length, NUMBER_BYTES);
    const hmac = createHmac('sha256', this.#key).update(this.#prefix).update(payload);
    return hmac.digest().subarray(0, TAG_BYTES);
  }
}

export class Sealer {
  readonly #tags: Tags;

  constructor(key: Buffer) {
    this.#tags = new Tags(key);
  }

  /** Hands to `write` what stands for `bytes`, in order; parts of `bytes` itself among it, which is not copied. */
  seal(bytes: Buffer, write: (part: Buffer) => void): void {
    for (let at = 0; at < bytes.length; at += SEALED_BYTES_MAX) {
      const payload = bytes.subarray(at, at + SEALED_BYTES_MAX);
      const length = Buffer.allocUnsafe(LENGTH_BYTES);
      length.writeUInt32LE(payload.length, 0);
      write(length);
      write(payload);
      write(this.#tags.next(payload));
    }
  }
}

export class SealOpener {
  readonly #tags: Tags;
  /** The beginning of a record whose end has not come yet. */
  #pending: Buffer = Buffer.alloc(0);

  constructor(key: Buffer) {
    this.#tags = new Tags(key);
  }

  /**
   * Hands the payload of each whole record to `receive`, which it must have used when it returns. False when a record
   * is not what was sent: nothing may be read from the connection any more.
   */
  open(chunk: Buffer, receive: (payload: Buffer) => void): boolean {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32LE(0);
      if (length === 0 || length > SEALED_BYTES_MAX) return false;
      const end = LENGTH_BYTES + length + TAG_BYTES;
      if (bytes.length < end) break;
      const payload = bytes.subarray(LENGTH_BYTES, end - TAG_BYTES);
      const tag = this.#tags.next(payload);
      if (!timingSafeEqual(tag, bytes.subarray(end - TAG_BYTES, end))) return false;
      receive(payload);
      bytes = bytes.subarray(end);
    }
    // The chunk will be overwritten by the next one.
    this.#pending = bytes.length === 0 ? bytes.subarray(0, 0) : Buffer.from(bytes);
    return true;
  }
}
