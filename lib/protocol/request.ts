import { copyOf } from './bytes.js';

const EMPTY = Buffer.alloc(0);

/**
 * One command as it was received: `argc` arguments, each a range of `buffer`. The parser fills one Request again and
 * again, so its ranges are valid only until the parser is fed the next chunk; `copy` gives one that owns its bytes.
 */
export class Request {
  buffer: Buffer = EMPTY;
  argc = 0;
  start: Int32Array;
  end: Int32Array;
  /** Where the command begins in the chunk that it was parsed from. */
  origin = 0;
  /** The argument of which `hash` and `slot` are known, as a key's; -1 for none. */
  hashedIndex = -1;
  hash = 0;
  slot = 0;

  /** With room for so many arguments. */
  constructor(capacity = 16) {
    this.start = new Int32Array(capacity);
    this.end = new Int32Array(capacity);
  }

  /** Keeps the memory of what it was parsed from alive no longer. */
  release(): void {
    this.buffer = EMPTY;
  }

  /** Makes room for at least `count` arguments. */
  reserve(count: number): void {
    if (count <= this.start.length) return;
    const size = Math.max(count, this.start.length * 2);
    const start = new Int32Array(size);
    const end = new Int32Array(size);
    start.set(this.start);
    end.set(this.end);
    this.start = start;
    this.end = end;
  }

  /** Bytes of argument `index`. */
  length(index: number): number {
    return this.end[index]! - this.start[index]!;
  }

  /** Argument `index` as a latin1 string: one character per byte. */
  latin1(index: number): string {
    return this.buffer.latin1Slice(this.start[index]!, this.end[index]!);
  }

  /** Argument `index` as a Buffer of its own (copied). */
  bytes(index: number): Buffer {
    return copyOf(this.buffer, this.start[index]!, this.end[index]!);
  }

  /** Whether argument `index` equals `upper` (ASCII capitals), in any case. */
  is(index: number, upper: string): boolean {
    const start = this.start[index]!;
    if (this.end[index]! - start !== upper.length) return false;
    for (let i = 0; i < upper.length; i++) {
      const byte = this.buffer[start + i]!;
      const capital = byte >= 97 && byte <= 122 ? byte - 32 : byte;
      if (capital !== upper.charCodeAt(i)) return false;
    }
    return true;
  }

  /** Whether two arguments have the same bytes. */
  sameArguments(one: number, other: number): boolean {
    const { buffer, start, end } = this;
    if (this.length(one) !== this.length(other)) return false;
    return buffer.compare(buffer, start[other]!, end[other]!, start[one]!, end[one]!) === 0;
  }

  /** A request with the same arguments that owns its bytes. */
  copy(): Request {
    // Arguments lie one behind the other: all of them are copied at once, with what is in between.
    const { argc } = this;
    const from = argc === 0 ? 0 : this.start[0]!;
    const to = argc === 0 ? 0 : this.end[argc - 1]!;
    const copy = new Request(argc);
    copy.argc = argc;
    copy.buffer = copyOf(this.buffer, from, to);
    for (let i = 0; i < argc; i++) {
      copy.start[i] = this.start[i]! - from;
      copy.end[i] = this.end[i]! - from;
    }
    return copy;
  }

  /** Its arguments with nothing in between: this request itself where they lie so. */
  dense(): Request {
    const { argc, start, end } = this;
    for (let i = 1; i < argc; i++) {
      if (start[i] === end[i - 1]) continue;
      return Request.of(...Array.from({ length: argc }, (_, index) => this.bytes(index)));
    }
    return this;
  }

  /** A request of argument 0 and those at `indexes`; it has the bytes in common with this one. */
  pick(indexes: readonly number[]): Request {
    const picked = new Request();
    picked.buffer = this.buffer;
    picked.reserve(indexes.length + 1);
    picked.argc = indexes.length + 1;
    picked.start[0] = this.start[0]!;
    picked.end[0] = this.end[0]!;
    indexes.forEach((index, i) => {
      picked.start[i + 1] = this.start[index]!;
      picked.end[i + 1] = this.end[index]!;
    });
    return picked;
  }

  /** A request that owns its bytes, from arguments given as strings (latin1) or Buffers. */
  static of(...args: (string | Buffer)[]): Request {
    const parts = args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg, 'latin1') : arg));
    const request = new Request();
    request.buffer = Buffer.concat(parts);
    request.reserve(parts.length);
    request.argc = parts.length;
    let at = 0;
    parts.forEach((part, i) => {
      request.start[i] = at;
      at += part.length;
      request.end[i] = at;
    });
    return request;
  }
}
