import { copyBytes } from '../protocol/bytes.js';
import { Request } from '../protocol/request.js';
import { KeyHash } from '../store/key-hash.js';

const HASH = new KeyHash(0);
const BYTES_MIN = 64;
const KEYS_MIN = 8;

/** Keys that a step declares, collected as its commands come; the same key may come again. */
export class KeyList {
  #buffer: Buffer = Buffer.allocUnsafeSlow(BYTES_MIN);
  #bytes = 0;
  #ends = new Int32Array(KEYS_MIN);
  /** By place in the list. */
  readonly databases: number[] = [];
  count = 0;

  add(db: number, buffer: Buffer, start: number, end: number): void {
    if (this.count === this.#ends.length) this.#grow();
    const needed = this.#bytes + end - start;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
      this.#buffer.copy(grown, 0, 0, this.#bytes);
      this.#buffer = grown;
    }
    copyBytes(buffer, start, end, this.#buffer, this.#bytes);
    this.#bytes = needed;
    this.#ends[this.count++] = needed;
    this.databases.push(db);
  }

  /** For the operation of the step: an empty name, and all keys. */
  request(): Request {
    const request = new Request();
    request.buffer = this.#buffer;
    request.reserve(this.count + 1);
    request.argc = this.count + 1;
    request.end.set(this.#ends.subarray(0, this.count), 1);
    request.start.set(request.end.subarray(0, this.count), 1);
    return request;
  }

  get indexes(): readonly number[] {
    return Array.from({ length: this.count }, (_, position) => position + 1);
  }

  /** Of all keys, as CommandOrder takes them. */
  hashes(): number[] {
    let start = 0;
    return Array.from(this.#ends.subarray(0, this.count), (end) => {
      const hash = HASH.of(this.#buffer, start, end);
      start = end;
      return hash;
    });
  }

  #grow(): void {
    const ends = new Int32Array(2 * this.#ends.length);
    ends.set(this.#ends);
    this.#ends = ends;
  }
}
