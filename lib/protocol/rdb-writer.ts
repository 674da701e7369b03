import { copyBytes, putF64 } from './bytes.js';
import { putCrc64 } from './crc64.js';
import { parseInteger } from './numbers.js';

/** Types of values that are written; each is one that every Redis since 4.0 reads. */
export const RdbType = { String: 0, List: 1, Set: 2, Hash: 4, ZSet2: 5 } as const;
export type RdbType = (typeof RdbType)[keyof typeof RdbType];

/** Of Redis 7.0. */
export const RDB_VERSION = 10;
/** Behind a payload: the version, two bytes, and the checksum. */
export const FOOTER_BYTES = 10;

/** Longer strings are not looked at whether they are integers. */
const INTEGER_BYTES_MAX = 11;
const INT32_MAX = 2 ** 31 - 1;

/** Writes one value as DUMP gives it. */
export class RdbWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(1024);
  #length = 0;

  /** `elements` is what stands before those of collections. */
  begin(type: RdbType, elements: number): void {
    this.#length = 0;
    this.#byte(type);
    if (type !== RdbType.String) this.#size(elements);
  }

  string(source: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes <= INTEGER_BYTES_MAX && this.#integer(parseInteger(source, start, end))) return;
    this.#size(bytes);
    this.#reserve(bytes);
    copyBytes(source, start, end, this.#buffer, this.#length);
    this.#length += bytes;
  }

  double(value: number): void {
    this.#reserve(8);
    putF64(this.#buffer, this.#length, value);
    this.#length += 8;
  }

  /** The payload, valid until the next `begin`. */
  end(): Buffer {
    this.#byte(RDB_VERSION & 0xff);
    this.#byte(RDB_VERSION >>> 8);
    this.#reserve(8);
    putCrc64(this.#buffer, 0, this.#length, this.#buffer, this.#length);
    this.#length += 8;
    const payload = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.allocUnsafeSlow(1024);
    return payload;
  }

  /** False for what is no integer of 32 bits. */
  #integer(value: number): boolean {
    if (!(value >= -INT32_MAX - 1 && value <= INT32_MAX)) return false;
    const bytes = value >= -128 && value <= 127 ? 1 : value >= -32768 && value <= 32767 ? 2 : 4;
    this.#byte(0xc0 | (bytes >>> 1));
    this.#reserve(bytes);
    this.#length = this.#buffer.writeIntLE(value, this.#length, bytes);
    return true;
  }

  #size(value: number): void {
    if (value < 64) this.#byte(value);
    else if (value < 16384) {
      this.#byte(0x40 | (value >>> 8));
      this.#byte(value);
    } else {
      this.#byte(0x80);
      this.#reserve(4);
      this.#length = this.#buffer.writeUInt32BE(value, this.#length);
    }
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
