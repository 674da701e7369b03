import { numberAt, numberBytesOf } from './numbers.js';
import type { ValueBytes } from './value-bytes.js';

/** Records u32, bytes of dead records u32. */
export const HEADER_BYTES = 8;
/** In the number that a record begins with. */
export const DEAD = 1;
const SCORE_BYTES = 8;

/** What follows the key of a record. */
export const RecordKind = {
  /** Nothing: members of sets. */
  Key: 0,
  /** Its length and a value: fields of hashes. */
  KeyValue: 1,
  /** Eight bytes: scores of sorted sets. */
  KeyScore: 2,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/**
 * Reads values of records with distinct keys, packed one behind the other behind a header:
 *
 *     number: bytes of the key x 2, + 1 if the record is dead | key | as RecordKind says
 *
 * One instance reads one value after the other. `buffer[keyStart, keyEnd)` and `[valueStart, valueEnd)` are the record read
 * last, until the value changes.
 */
export class RecordCursor {
  readonly kind: RecordKind;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  protected value!: ValueBytes;
  /** Where that record begins, and the next one, from the start of the buffer. */
  protected recordStart = 0;
  protected recordEnd = 0;

  constructor(kind: RecordKind) {
    this.kind = kind;
  }

  get buffer(): Buffer {
    return this.value.buffer;
  }

  /** Before the first record. */
  rewind(): void {
    this.recordEnd = this.value.start + HEADER_BYTES;
  }

  /** Reads the next record that is not dead; false at the end. */
  next(): boolean {
    const { value } = this;
    const end = value.start + value.length;
    while (this.recordEnd < end) if (this.read(this.recordEnd)) return true;
    return false;
  }

  /** Reads the record at an offset from the value's start. */
  at(offset: number): void {
    this.read(this.value.start + offset);
  }

  /** Where the record begins, from the value's start. */
  get offset(): number {
    return this.recordStart - this.value.start;
  }

  /** Bytes of the record. */
  protected get recordBytes(): number {
    return this.recordEnd - this.recordStart;
  }

  /** From the start of the buffer. False for a dead record. */
  protected read(at: number): boolean {
    const { buffer } = this.value;
    const first = buffer[at]!;
    const head = first < 0x80 ? first : numberAt(buffer, at);
    this.recordStart = at;
    this.keyStart = at + (first < 0x80 ? 1 : numberBytesOf(first));
    this.keyEnd = this.keyStart + (head >>> 1);
    this.valueStart = this.keyEnd;
    if (this.kind === RecordKind.KeyValue) {
      const second = buffer[this.keyEnd]!;
      const bytes = second < 0x80 ? second : numberAt(buffer, this.keyEnd);
      this.valueStart += second < 0x80 ? 1 : numberBytesOf(second);
      this.valueEnd = this.valueStart + bytes;
    } else {
      this.valueEnd = this.keyEnd + (this.kind === RecordKind.KeyScore ? SCORE_BYTES : 0);
    }
    this.recordEnd = this.valueEnd;
    return (head & DEAD) === 0;
  }
}
