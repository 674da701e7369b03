import { copyBytes, putU32, sameBytes, u32At } from '../../protocol/bytes.js';
import { allocateWithRoom } from '../large-value.js';
import { FieldIndex } from './field-index.js';
import { FrontCleaner } from './front-cleaner.js';
import { KeptBytes } from './kept-bytes.js';
import { numberAt, numberBytes, numberBytesOf, putNumber } from './numbers.js';
import { DEAD, HEADER_BYTES, RecordCursor, RecordKind } from './record-cursor.js';
import type { ValueBytes } from './value-bytes.js';

const SCRATCH_BYTES_KEPT = 64 * 1024;
/** Of a large value a sample is drawn one by one where so many times as many records are there. */
const SPARSE_SHARE = 4;
/** To mark a record of a large value as dead, or to copy one to a packed value, takes as long as to copy so many bytes. */
const BURY_COST_BYTES = 4000;
const PACK_COST_BYTES = 600;

/** Records that go at once, and are looked up together. */
const SOUGHT_TOGETHER = 64;
const hashes = new Uint32Array(SOUGHT_TOGETHER);

/** What a new value begins as. */
export const EMPTY_RECORDS: Buffer = Buffer.alloc(HEADER_BYTES);

let scratch = Buffer.allocUnsafeSlow(4096);

function scratchOf(bytes: number): Buffer {
  if (bytes > scratch.length || scratch.length > SCRATCH_BYTES_KEPT) {
    scratch = Buffer.allocUnsafeSlow(Math.max(bytes, 4096));
  }
  return scratch;
}

/**
 * A value of records: record-cursor.ts says how they lie. In a small value they are replaced and removed where they are, and
 * found by looking at one after the other. In a large one they are found by an index (field-index.ts); what is removed is
 * only marked dead, what changes its length is appended anew: so every change is a few bytes. When half of the value is
 * dead, each change cleans some of its front (front-cleaner.ts), in `close`: until then offsets of records stay what they
 * are. Only where most records are removed at once the others are packed anew.
 *
 * `find` reads the record that it has found.
 */
export class KeyedRecords extends RecordCursor {
  count = 0;
  protected dead = 0;
  readonly #cleaner: FrontCleaner;
  #isHeaderStale = false;
  #index: FieldIndex | null = null;
  /** Of the record that `find` has found in a large value. */
  #cell = 0;

  constructor(kind: RecordKind) {
    super(kind);
    this.#cleaner = new FrontCleaner(kind);
  }

  open(value: ValueBytes): this {
    this.value = value;
    this.count = u32At(value.buffer, value.start);
    this.dead = u32At(value.buffer, value.start + 4);
    this.#isHeaderStale = false;
    this.#index = null;
    this.#cleaner.reset();
    return this;
  }

  /** Writes what is left to be written, after the last change. */
  close(): void {
    if (!this.#isHeaderStale) return;
    this.#isHeaderStale = false;
    if (this.count === 0) return;
    const { value } = this;
    const index = value.isLarge ? this.#index : null;
    const cleaned = index === null ? 0 : this.#clean(index);
    if (cleaned > 0) this.dropFront(cleaned);
    const header = scratchOf(HEADER_BYTES);
    putU32(header, 0, this.count);
    putU32(header, 4, this.dead);
    value.splice(0, HEADER_BYTES + cleaned, header, 0, HEADER_BYTES);
    // In a small value nothing is cleaned.
    if (cleaned > 0 && !value.isLarge) this.packInOrder(this.packedOffsets());
    else if (this.#index !== null) this.keepIndex(this.#index);
  }

  // --- looking

  find(key: Buffer, start: number, end: number): boolean {
    return this.value.isLarge ? this.#findCell(key, start, end) : this.#search(key, start, end);
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

  /** `find` in a large value. */
  #findCell(key: Buffer, start: number, end: number): boolean {
    const { index, value } = this;
    const hash = value.hashOf(key, start, end);
    const length = end - start;
    for (let cell = index.first(hash); cell >= 0; cell = index.next(hash, cell)) {
      this.at(index.offsetAt(cell));
      if (this.keyEnd - this.keyStart !== length) continue;
      if (!sameBytes(value.buffer, this.keyStart, key, start, length)) continue;
      this.#cell = cell;
      return true;
    }
    return false;
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
      this.#bury();
      const offset = this.#append(key, keyStart, keyEnd, value, valueStart, valueEnd);
      this.index.relocate(this.#cell, offset);
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
    const offset = this.#append(key, keyStart, keyEnd, value, valueStart, valueEnd);
    this.count++;
    index?.add(this.value.hashOf(key, keyStart, keyEnd), offset);
  }

  /** Returns the offset of the record. */
  #append(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
  ): number {
    const bytes = this.#encode(key, keyStart, keyEnd, value, valueStart, valueEnd);
    const offset = this.value.length;
    this.value.splice(offset, 0, scratch, 0, bytes);
    this.#isHeaderStale = true;
    return offset;
  }

  /** Removes the record found, whose key is given once more in bytes that stay where they are. */
  removeFound(key: Buffer, keyStart: number, keyEnd: number): void {
    const { value } = this;
    const at = this.recordStart - value.start;
    const bytes = this.recordBytes;
    this.count--;
    this.#isHeaderStale = true;
    if (!value.isLarge) {
      value.splice(at, bytes, value.buffer, 0, 0);
      return;
    }
    this.index.removeAt(this.#cellOf(value.hashOf(key, keyStart, keyEnd), at));
    this.#bury();
  }

  /** Removes the records at these offsets, which come in their order in a small value; not all that there are. */
  removeAll(offsets: Uint32Array): void {
    if (offsets.length === 0) return;
    const { value } = this;
    this.removed(offsets.length);
    if (!value.isLarge) return this.#cutOut(offsets);
    const live = value.length - this.dead;
    if (offsets.length * BURY_COST_BYTES > this.count * PACK_COST_BYTES + live) {
      return this.#packWithout(offsets);
    }
    for (let from = 0; from < offsets.length; from += SOUGHT_TOGETHER) {
      this.#buryTogether(offsets.subarray(from, from + SOUGHT_TOGETHER));
    }
  }

  /** Where a load misses the caches it takes as long as many that are under way at once. */
  #buryTogether(offsets: Uint32Array): void {
    const { index } = this;
    for (let i = 0; i < offsets.length; i++) {
      this.at(offsets[i]!);
      hashes[i] = this.#hash();
    }
    index.prefetch(hashes, offsets.length);
    for (let i = 0; i < offsets.length; i++) {
      this.at(offsets[i]!);
      index.removeAt(this.#cellOf(hashes[i]!, offsets[i]!));
      this.#bury();
    }
  }

  #cutOut(offsets: Uint32Array): void {
    const { value } = this;
    for (const offset of offsets.toReversed()) {
      this.at(offset);
      value.splice(offset, this.recordBytes, value.buffer, 0, 0);
    }
  }

  /**
   * Packs a large value without these records. The others stay in the order of their bytes, in which memory is read and
   * written, and what is kept with the value learns where they are now: nothing is hashed or compared.
   */
  #packWithout(removed: Uint32Array): void {
    const { value } = this;
    // Made where there is none.
    void this.index;
    const { attached } = value;
    const kept = new KeptBytes(value.length);
    for (const offset of removed) kept.drop(offset, offset + 1);
    this.#dropRest(kept);
    const packed = allocateWithRoom(kept.count());
    kept.copy(value.buffer, value.start, packed);
    putU32(packed, 0, this.count);
    putU32(packed, 4, 0);
    this.dead = 0;
    this.repack(kept);
    value.replace(packed);
    // Of a small value, which has lost its index, the order may be another one.
    if (value.isLarge) value.attach(attached);
    else this.packInOrder(this.packedOffsets());
  }

  /** Dead records are not kept, nor the rest of those whose first byte is not. */
  #dropRest(kept: KeptBytes): void {
    const { start, length } = this.value;
    const end = start + length;
    for (let at = start + HEADER_BYTES; at < end; at = this.recordEnd) {
      const isLive = this.read(at);
      if (!isLive || !kept.isKept(at - start)) kept.drop(at - start, this.recordEnd - start);
    }
  }

  /** The cell of the record at an offset. */
  #cellOf(hash: number, offset: number): number {
    const { index } = this;
    let cell = index.first(hash);
    while (index.offsetAt(cell) !== offset) cell = index.next(hash, cell);
    return cell;
  }

  /** Marks the record found, of a large value, as dead. */
  #bury(): void {
    const { value } = this;
    const bytes = this.recordBytes;
    const head = numberAt(value.buffer, this.recordStart);
    const marked = scratchOf(5);
    const headBytes = numberBytesOf(value.buffer[this.recordStart]!);
    putNumber(marked, 0, head | DEAD);
    value.splice(this.offset, headBytes, marked, 0, headBytes);
    this.dead += bytes;
    this.#cleaner.buried(bytes);
    this.#isHeaderStale = true;
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

  // --- cleaning

  /** Cleans the front of a large value; returns the bytes behind the header that can be dropped then. */
  #clean(index: FieldIndex): number {
    const front = this.#cleaner.measure(this.value, index, this.count, this.dead);
    if (front === null) {
      this.packInOrder(this.packedOffsets());
      return 0;
    }
    const { bytes, live } = front;
    this.dead -= bytes - live;
    if (live > 0) this.#cleaner.move(front, (from, to) => this.relocate(from, to));
    return bytes;
  }

  /** Of a large value: a record has a copy at another offset, which is the record from now on. */
  protected relocate(from: number, to: number): void {
    this.at(from);
    this.index.relocate(this.#cellOf(this.#hash(), from), to);
  }

  /** So many bytes behind the header of a large value are about to go. */
  protected dropFront(bytes: number): void {
    this.index.dropFront(bytes);
  }

  /** A large value is about to be packed: only these of its bytes stay. */
  protected repack(kept: KeptBytes): void {
    this.index.repack(kept, this.count);
  }

  /** Packs the records at these offsets, `count` ones. A value that is large still has its index at once. */
  protected packInOrder(offsets: readonly number[] | Uint32Array): void {
    const { value } = this;
    const packed = allocateWithRoom(value.length - this.dead);
    let length = HEADER_BYTES;
    for (const offset of offsets) {
      this.at(offset);
      copyBytes(value.buffer, this.recordStart, this.recordEnd, packed, length);
      length += this.recordBytes;
    }
    putU32(packed, 0, this.count);
    putU32(packed, 4, 0);
    value.attach(null);
    this.#index = null;
    this.dead = 0;
    value.replace(packed);
    this.packed();
    // Now, in the order of the bytes: what is at hand.
    if (value.isLarge) void this.index;
  }

  /** Offsets of the records in the order in which they are packed. */
  protected packedOffsets(): readonly number[] | Uint32Array {
    const offsets = new Uint32Array(this.count);
    let at = 0;
    this.rewind();
    while (this.next()) offsets[at++] = this.offset;
    return offsets;
  }

  /** The value was packed anew. */
  protected packed(): void {}
}
