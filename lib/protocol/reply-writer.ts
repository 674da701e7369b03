import { copyBytes, putLatin1 } from './bytes.js';
import { formatDouble } from './numbers.js';

/** Bytes of a new writer's buffer, and what `reset` shrinks to after a reply larger than `CAPACITY_BYTES_KEPT`. */
const CAPACITY_BYTES_MIN = 4 * 1024;
const CAPACITY_BYTES_KEPT = 256 * 1024;
/** Longest header: a type byte, 20 digits of a 64-bit integer with its sign, CR LF. */
const HEADER_BYTES_MAX = 24;
const CR = 13;
const LF = 10;
const ZERO = 48;
const MINUS = 45;

/** The first byte of every kind of reply. */
const Type = {
  Simple: 43,
  Error: 45,
  Integer: 58,
  Bulk: 36,
  Array: 42,
  Map: 37,
  Set: 126,
  Push: 62,
  Double: 44,
  Boolean: 35,
  BigNumber: 40,
  Verbatim: 61,
} as const;

const LINE_ENDS = /[\r\n]/g;
const isLineEnd = (code: number) => code === CR || code === LF;

const bytesOf = (text: string) => Buffer.from(text, 'latin1');
const OK = bytesOf('+OK\r\n');
const PONG = bytesOf('+PONG\r\n');
const QUEUED = bytesOf('+QUEUED\r\n');
const NULL_BULK = bytesOf('$-1\r\n');
const NULL_ARRAY = bytesOf('*-1\r\n');
const NULL = bytesOf('_\r\n');

/**
 * A growing buffer to which replies are appended in RESP2 or RESP3, as `proto` says; what RESP2 has no type for takes
 * the form that Redis gives it there. `buffer[0, length)` is what has been written. `buffer` is replaced when it grows.
 */
export class ReplyWriter {
  proto: 2 | 3 = 2;
  buffer: Buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES_MIN);
  length = 0;

  /** Forgets everything written, and gives back the memory of a huge reply. */
  reset(): void {
    this.length = 0;
    if (this.buffer.length > CAPACITY_BYTES_KEPT)
      this.buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES_MIN);
  }

  /** Forgets what was written behind the first `length` bytes. */
  truncate(length: number): void {
    this.length = length;
  }

  ok(): void {
    this.fixed(OK);
  }

  pong(): void {
    this.fixed(PONG);
  }

  queued(): void {
    this.fixed(QUEUED);
  }

  /** A status; `text` is latin1 without line ends. */
  simple(text: string): void {
    this.line(Type.Simple, text);
  }

  /**
   * An error; `text` is latin1 and begins with its code ("ERR no such key"). As in Redis, line ends at its end are cut,
   * and others become spaces.
   */
  error(text: string): void {
    let length = text.length;
    while (length > 0 && isLineEnd(text.charCodeAt(length - 1))) length--;
    this.line(Type.Error, text.slice(0, length).replace(LINE_ENDS, ' '));
  }

  /** `value` is a safe integer, or a bigint of the 64-bit range. */
  integer(value: number | bigint): void {
    if (typeof value === 'bigint') this.line(Type.Integer, value.toString());
    else this.header(Type.Integer, value);
  }

  /** The bytes `source[start, end)`. */
  bulk(source: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    this.ensure(bytes + HEADER_BYTES_MAX + 2);
    this.header(Type.Bulk, bytes);
    copyBytes(source, start, end, this.buffer, this.length);
    this.length += bytes;
    this.lineEnd();
  }

  /** A bulk of one byte per character. */
  bulkLatin1(text: string): void {
    this.ensure(text.length + HEADER_BYTES_MAX + 2);
    this.header(Type.Bulk, text.length);
    this.latin1(text);
    this.lineEnd();
  }

  bulkUtf8(text: string): void {
    const bytes = Buffer.byteLength(text, 'utf8');
    this.ensure(bytes + HEADER_BYTES_MAX + 2);
    this.header(Type.Bulk, bytes);
    this.length += this.buffer.utf8Write(text, this.length, bytes);
    this.lineEnd();
  }

  /** The number as a bulk string. */
  bulkInteger(value: number | bigint): void {
    this.bulkLatin1(value.toString());
  }

  nil(): void {
    this.fixed(this.proto === 3 ? NULL : NULL_BULK);
  }

  nilArray(): void {
    this.fixed(this.proto === 3 ? NULL : NULL_ARRAY);
  }

  /** The header of an array; its `count` elements follow. */
  array(count: number): void {
    this.header(Type.Array, count);
  }

  /** The header of a map; `count` times a key and a value follow. */
  map(count: number): void {
    if (this.proto === 3) this.header(Type.Map, count);
    else this.header(Type.Array, count * 2);
  }

  set(count: number): void {
    this.header(this.proto === 3 ? Type.Set : Type.Array, count);
  }

  push(count: number): void {
    this.header(this.proto === 3 ? Type.Push : Type.Array, count);
  }

  double(value: number): void {
    this.doubleText(formatDouble(value));
  }

  /** A double that is spelt already. */
  doubleText(text: string): void {
    if (this.proto === 3) this.line(Type.Double, text);
    else this.bulkLatin1(text);
  }

  boolean(value: boolean): void {
    if (this.proto === 3) this.line(Type.Boolean, value ? 't' : 'f');
    else this.header(Type.Integer, value ? 1 : 0);
  }

  /** `digits` is a decimal integer of any length. */
  bigNumber(digits: string): void {
    if (this.proto === 3) this.line(Type.BigNumber, digits);
    else this.bulkLatin1(digits);
  }

  /** UTF-8 text for people; `format` has three characters: `txt`, `mkd`. */
  verbatim(format: string, text: string): void {
    if (this.proto !== 3) {
      this.bulkUtf8(text);
      return;
    }
    const bytes = Buffer.byteLength(text, 'utf8');
    this.ensure(bytes + HEADER_BYTES_MAX + 6);
    this.header(Type.Verbatim, bytes + 4);
    this.latin1(`${format}:`);
    this.length += this.buffer.utf8Write(text, this.length, bytes);
    this.lineEnd();
  }

  /** Bytes that are a reply, or a part of one, already. */
  raw(source: Uint8Array, start: number, end: number): void {
    this.ensure(end - start);
    copyBytes(source, start, end, this.buffer, this.length);
    this.length += end - start;
  }

  private fixed(reply: Buffer): void {
    this.ensure(reply.length);
    const { buffer } = this;
    let at = this.length;
    for (let i = 0; i < reply.length; i++) buffer[at++] = reply[i]!;
    this.length = at;
  }

  /** A type byte, an integer written digit by digit (no string is made), CR LF. */
  private header(type: number, value: number): void {
    this.ensure(HEADER_BYTES_MAX);
    const { buffer } = this;
    let at = this.length;
    buffer[at++] = type;
    if (value >= 0 && value < 10) {
      buffer[at++] = ZERO + value;
    } else if (value >= 0 && value <= 0x7fffffff) {
      at = writeDigits(buffer, at, value);
    } else if (value < 0 && value >= -0x7fffffff) {
      buffer[at++] = MINUS;
      at = writeDigits(buffer, at, -value);
    } else {
      at += buffer.latin1Write(value.toString(), at);
    }
    buffer[at++] = CR;
    buffer[at++] = LF;
    this.length = at;
  }

  private line(type: number, text: string): void {
    this.ensure(text.length + 3);
    this.buffer[this.length++] = type;
    this.latin1(text);
    this.lineEnd();
  }

  private latin1(text: string): void {
    putLatin1(this.buffer, this.length, text);
    this.length += text.length;
  }

  private lineEnd(): void {
    this.buffer[this.length++] = CR;
    this.buffer[this.length++] = LF;
  }

  private ensure(bytes: number): void {
    const needed = this.length + bytes;
    if (needed > this.buffer.length) this.grow(needed);
  }

  private grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}

/** Writes the decimal digits of an integer in [0, 2^31) at `at`; returns the offset behind them. */
function writeDigits(buffer: Buffer, at: number, value: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end++;
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    const tens = (rest / 10) | 0;
    buffer[i] = ZERO + rest - tens * 10;
    rest = tens;
  }
  return end;
}
