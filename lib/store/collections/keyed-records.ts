import { copyBytes, putU32, u32At } from '../../protocol/bytes.js';
import { FieldIndex } from './field-index.js';
import { numberAt, numberBytes, numberBytesOf, putNumber } from './numbers.js';
import type { ValueBytes } from './value-bytes.js';

/** Records u32, bytes of dead records u32. */
export const HEADER_BYTES = 8;
const DEAD = 1;
/** Up to here bytes are compared one by one: a native call costs more. */
const COMPARE_LOOP_MAX = 64;
const SCRATCH_BYTES_KEPT = 64 * 1024;
/** Of a large value a sample is drawn one by one where so many times as many records are there. */
const SPARSE_SHARE = 4;

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
const SCORE_BYTES = 8;

/** What a new value begins as. */
export const EMPTY_RECORDS: Buffer = Buffer.alloc(HEADER_BYTES);

let scratch = Buffer.allocUnsafeSlow(4096);

function scratchOf(bytes: number): Buffer {
  if (bytes > scratch.length || scratch.length > SCRATCH_BYTES_KEPT) {
    scratch = Buffer.allocUnsafeSlow(Math.max(bytes, 4096));
  }
  return scratch;
}

export function sameBytes(
  a: Buffer,
  aStart: number,
  b: Buffer,
  bStart: number,
  length: number,
): boolean {
  if (length > COMPARE_LOOP_MAX) {
    return a.compare(b, bStart, bStart + length, aStart, aStart + length) === 0;
  }
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/**
 * A value of records with distinct keys, packed one behind the other behind a header:
 *
 *     number: bytes of the key x 2, + 1 if the record is dead | key | as RecordKind says
 *
 * In a small value records are replaced and removed where they are, and found by looking at one after the other. In a
 * large one they are found by an index (field-index.ts); what is removed is only marked dead, what changes its length is
 * appended anew: so every change is a few bytes. When half of the value is dead, it is packed anew.
 *
 * One instance serves one value after the other. `buffer[keyStart, keyEnd)` and `[valueStart, valueEnd)` are the record that
 * `find`, `next` or `at` has found, until the value changes.
 */
export class KeyedRecords {
  readonly kind: RecordKind;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  count = 0;
  protected value!: ValueBytes;
  protected dead = 0;
  /** Of the record found: where it begins, and the next one, from the start of the buffer. */
  protected recordStart = 0;
  protected recordEnd = 0;
  #isHeaderStale = false;
  #index: FieldIndex | null = null;

  constructor(kind: RecordKind) {
    this.kind = kind;
  }

  open(value: ValueBytes): this {
    this.value = value;
    this.count = u32At(value.buffer, value.start);
    this.dead = u32At(value.buffer, value.start + 4);
    this.#isHeaderStale = false;
    this.#index = null;
    return this;
  }

  get buffer(): Buffer {
    return this.value.buffer;
  }

  /** Writes what is left to be written, after the last change. */
  close(): void {
    if (!this.#isHeaderStale) return;
    this.#isHeaderStale = false;
    if (this.count === 0) return;
    const header = scratchOf(HEADER_BYTES);
    putU32(header, 0, this.count);
    putU32(header, 4, this.dead);
    this.value.splice(0, HEADER_BYTES, header, 0, HEADER_BYTES);
  }

  // --- looking

  /** Before the first record. */
  rewind(): void {
    this.recordEnd = this.value.start + HEADER_BYTES;
  }

  next(): boolean {
    const { value } = this;
    const end = value.start + value.length;
    while (this.recordEnd < end) if (this.#read(this.recordEnd)) return true;
    return false;
  }

  /** Reads the record at an offset from the value's start. */
  at(offset: number): void {
    this.#read(this.value.start + offset);
  }

  /** Where the record found begins, from the value's start. */
  get offset(): number {
    return this.recordStart - this.value.start;
  }

  find(key: Buffer, start: number, end: number): boolean {
    return this.value.isLarge ? this.findCell(key, start, end) >= 0 : this.#search(key, start, end);
  }

  /** Of a large value only: the index, made when it is not there. */
  get index(): FieldIndex {
    if (this.#index !== null) return this.#index;
    this.#index = this.attachedFields();
    if (this.#index !== null) return this.#index;
    const index = new FieldIndex(this.count);
    this.rewind();
    while (this.next()) index.add(this.#hash(), this.offset);
    this.keepIndex(index);
    this.#index = index;
    return index;
  }

  /** The index that is kept with the value; null for none. */
  protected attachedFields(): FieldIndex | null {
    const { attached } = this.value;
    return attached instanceof FieldIndex ? attached : null;
  }

  /** A random record of those that there are; `random` is in [0, 1). */
  pick(random: () => number): void {
    if (!this.value.isLarge) {
      this.rewind();
      for (let i = Math.floor(random() * this.count); i >= 0; i--) this.next();
      return;
    }
    const { index } = this;
    this.at(index.offsetAt(index.pick(random)));
  }

  /** Visits `wanted` records, fewer than there are, each at most once; all choices are equally likely. */
  sample(wanted: number, random: () => number, visit: () => void): void {
    if (this.value.isLarge && wanted * SPARSE_SHARE < this.count) {
      const { index } = this;
      const seen = new Set<number>();
      while (seen.size < wanted) {
        const cell = index.pick(random);
        if (seen.has(cell)) continue;
        seen.add(cell);
        this.at(index.offsetAt(cell));
        visit();
      }
      return;
    }
    let missing = wanted;
    let left = this.count;
    this.rewind();
    while (missing > 0 && this.next()) {
      if (random() * left-- >= missing) continue;
      missing--;
      visit();
    }
  }

  /**
   * Visits records from `cursor` on, in the order of their hashes, until `countMax` were met; returns where to go on, 0 at
   * the end. A small value is visited whole.
   */
  scan(cursor: number, countMax: number, visit: () => void): number {
    if (!this.value.isLarge) {
      this.rewind();
      while (this.next()) visit();
      return 0;
    }
    return this.index.scan(cursor, countMax, (offset) => {
      this.at(offset);
      visit();
    });
  }

  // --- changing

  /** Of a large value: the cell of the record with this key, which is then the record found; -1 for none. */
  protected findCell(key: Buffer, start: number, end: number): number {
    const { index, value } = this;
    const hash = value.hashOf(key, start, end);
    const length = end - start;
    for (let cell = index.first(hash); cell >= 0; cell = index.next(hash, cell)) {
      this.at(index.offsetAt(cell));
      if (this.keyEnd - this.keyStart !== length) continue;
      if (sameBytes(value.buffer, this.keyStart, key, start, length)) return cell;
    }
    return -1;
  }

  /** Adds a record, or gives the one that has the key another value; true when it was added. */
  put(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    if (!this.find(key, keyStart, keyEnd)) {
      this.add(key, keyStart, keyEnd, value, valueStart, valueEnd);
      return true;
    }
    if (this.kind === RecordKind.Key) return false;
    this.#replace(key, keyStart, keyEnd, value, valueStart, valueEnd);
    return false;
  }

  #replace(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
  ): void {
    const bytes = valueEnd - valueStart;
    const { start } = this.value;
    if (bytes === this.valueEnd - this.valueStart) {
      this.value.splice(this.valueStart - start, bytes, value, valueStart, valueEnd);
      return;
    }
    if (this.value.isLarge) {
      this.removeFound(key, keyStart, keyEnd);
      this.add(key, keyStart, keyEnd, value, valueStart, valueEnd);
      return;
    }
    const encoded = scratchOf(bytes + 5);
    const at = putNumber(encoded, 0, bytes);
    copyBytes(value, valueStart, valueEnd, encoded, at);
    const removed = this.valueEnd - this.keyEnd;
    this.value.splice(this.keyEnd - start, removed, encoded, 0, at + bytes);
  }

  /** Adds a record whose key is not there. */
  add(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
  ): void {
    const index = this.value.isLarge ? this.index : null;
    const record = this.#encode(key, keyStart, keyEnd, value, valueStart, valueEnd);
    const offset = this.value.length;
    this.value.splice(offset, 0, scratch, 0, record);
    this.count++;
    this.#isHeaderStale = true;
    if (index === null) return;
    index.add(this.value.hashOf(key, keyStart, keyEnd), offset);
    this.keepIndex(index);
  }

  /** Removes the record found, whose key is given once more in bytes that stay where they are. */
  removeFound(key: Buffer, keyStart: number, keyEnd: number): void {
    const { value } = this;
    const at = this.recordStart - value.start;
    const bytes = this.recordEnd - this.recordStart;
    this.count--;
    this.#isHeaderStale = true;
    if (!value.isLarge) {
      value.splice(at, bytes, value.buffer, 0, 0);
      return;
    }
    this.#bury(value.hashOf(key, keyStart, keyEnd));
    this.#packIfWorn();
  }

  /** Removes the records at these offsets of a large value, not all that there are. */
  protected removeAll(offsets: readonly number[]): void {
    this.#isHeaderStale = true;
    for (const offset of offsets) {
      this.at(offset);
      this.count--;
      this.#bury(this.#hash());
    }
    this.#packIfWorn();
  }

  /** Marks the record found, of a large value, as dead. */
  #bury(hash: number): void {
    const { value, index } = this;
    const at = this.recordStart - value.start;
    const bytes = this.recordEnd - this.recordStart;
    let cell = index.first(hash);
    while (index.offsetAt(cell) !== at) cell = index.next(hash, cell);
    index.removeAt(cell);
    const head = numberAt(value.buffer, this.recordStart);
    const marked = scratchOf(5);
    const headBytes = numberBytesOf(value.buffer[this.recordStart]!);
    putNumber(marked, 0, head | DEAD);
    value.splice(at, headBytes, marked, 0, headBytes);
    this.dead += bytes;
  }

  #packIfWorn(): void {
    if (this.dead * 2 > this.value.length && this.count > 0) this.packInOrder();
  }

  /** So many records less are in the bytes. */
  protected removed(records: number): void {
    this.count -= records;
    this.#isHeaderStale = true;
  }

  remove(key: Buffer, start: number, end: number): boolean {
    if (!this.find(key, start, end)) return false;
    this.removeFound(key, start, end);
    return true;
  }

  /** Keeps the index with the value, also again after it has changed. */
  protected keepIndex(index: FieldIndex): void {
    this.value.attach(index);
  }

  // --- inside

  /** False for a dead record. */
  #read(at: number): boolean {
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

  #search(key: Buffer, start: number, end: number): boolean {
    const length = end - start;
    const { buffer } = this.value;
    this.rewind();
    while (this.next()) {
      if (this.keyEnd - this.keyStart !== length) continue;
      if (sameBytes(buffer, this.keyStart, key, start, length)) return true;
    }
    return false;
  }

  #hash(): number {
    return this.value.hashOf(this.value.buffer, this.keyStart, this.keyEnd);
  }

  /** Into the scratch buffer; returns the bytes. */
  #encode(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
  ): number {
    const keyBytes = keyEnd - keyStart;
    const valueBytes = valueEnd - valueStart;
    const record = scratchOf(numberBytes(keyBytes * 2) + keyBytes + 5 + valueBytes);
    let at = putNumber(record, 0, keyBytes * 2);
    copyBytes(key, keyStart, keyEnd, record, at);
    at += keyBytes;
    if (this.kind === RecordKind.Key) return at;
    if (this.kind === RecordKind.KeyValue) at = putNumber(record, at, valueBytes);
    copyBytes(value, valueStart, valueEnd, record, at);
    return at + valueBytes;
  }

  /** Packs the records anew: the index is made again when it is needed. */
  protected packInOrder(): void {
    const { value } = this;
    const packed = Buffer.allocUnsafeSlow(value.length - this.dead);
    let length = HEADER_BYTES;
    for (const offset of this.packedOffsets()) {
      this.at(offset);
      copyBytes(value.buffer, this.recordStart, this.recordEnd, packed, length);
      length += this.recordEnd - this.recordStart;
    }
    putU32(packed, 0, this.count);
    putU32(packed, 4, 0);
    value.attach(null);
    this.#index = null;
    this.dead = 0;
    value.splice(0, value.length, packed, 0, length);
    this.packed();
  }

  /** Offsets of the records in the order in which they are packed. */
  protected packedOffsets(): Iterable<number> {
    const offsets: number[] = [];
    this.rewind();
    while (this.next()) offsets.push(this.offset);
    return offsets;
  }

  /** The value was packed anew. */
  protected packed(): void {}
}
