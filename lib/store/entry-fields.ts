import { Arena, type Relocated } from './arena.js';
import { DatabaseNumbers } from './database-numbers.js';
import {
  BYTE_FLAGS,
  BYTE_FREQUENCY,
  BYTE_IS_LARGE,
  BYTE_KIND,
  DOUBLE_CHANGE_OFFSET,
  DOUBLE_EXPIRE_AT,
  DOUBLE_VERSION,
  HEADER_BYTES,
  HEADER_UNITS,
  type Ref,
  type Role,
  UNIT_BYTES,
  type ValueType,
  WORD_DATABASE_KEY_LENGTH,
  WORD_HASH,
  WORD_LARGE_NUMBER,
  WORD_SLOT_PEER,
  WORD_USED_AT,
  WORD_VALUE_LENGTH,
} from './entry.js';
import { type Attachment, LargePayloads } from './large-payloads.js';
import type { LargeValue } from './large-value.js';

/** Of longer values the processor sees for itself that they are read one line after the other. */
const VALUE_BYTES_TOUCHED = 1024;
/** Words of a line of the processor's caches. */
const LINE_WORDS = 16;

/**
 * The fields of entries, read and written in place: no object stands for an entry. Fields that counters depend on
 * (role, other holder, expiry, value length) are set by Store.
 */
export class EntryFields {
  protected readonly arena: Arena;
  protected readonly large: LargePayloads = new LargePayloads();
  protected readonly databases = new DatabaseNumbers();
  /** Of no meaning: so that loads ahead have a use, and are not left out by the compiler. */
  protected loaded = 0;
  private readonly chunkShift: number;
  private readonly unitMask: number;
  private readonly chunkBytes: Buffer[];
  private readonly chunkWords: Uint32Array[];
  private readonly chunkDoubles: Float64Array[];

  constructor(chunkBytes: number, relocated: Relocated) {
    this.arena = new Arena(chunkBytes, relocated);
    // Copied here: one load less on each access.
    this.chunkShift = this.arena.pool.chunkShift;
    this.unitMask = this.arena.pool.unitMask;
    this.chunkBytes = this.arena.pool.bytes;
    this.chunkWords = this.arena.pool.words;
    this.chunkDoubles = this.arena.pool.doubles;
  }

  role(ref: Ref): Role {
    return (this.byte(ref, BYTE_KIND) & 3) as Role;
  }

  type(ref: Ref): ValueType {
    return ((this.byte(ref, BYTE_KIND) >>> 2) & 7) as ValueType;
  }

  setType(ref: Ref, type: ValueType): void {
    this.setByte(ref, BYTE_KIND, (this.byte(ref, BYTE_KIND) & ~0x1c) | (type << 2));
  }

  /** Three bits that tell how the value is encoded. */
  encodingFlags(ref: Ref): number {
    return this.byte(ref, BYTE_KIND) >>> 5;
  }

  setEncodingFlags(ref: Ref, flags: number): void {
    this.setByte(ref, BYTE_KIND, (this.byte(ref, BYTE_KIND) & 0x1f) | ((flags & 7) << 5));
  }

  /** Eight bits that mean what the cluster wants them to. */
  flags(ref: Ref): number {
    return this.byte(ref, BYTE_FLAGS);
  }

  setFlags(ref: Ref, flags: number): void {
    this.setByte(ref, BYTE_FLAGS, flags);
  }

  /** Number of the other holder, uint16. */
  peer(ref: Ref): number {
    return this.word(ref, WORD_SLOT_PEER) >>> 16;
  }

  version(ref: Ref): number {
    return this.double(ref, DOUBLE_VERSION);
  }

  setVersion(ref: Ref, version: number): void {
    this.setDouble(ref, DOUBLE_VERSION, version);
  }

  /** Unix milliseconds, 0 when the entry does not expire. */
  expireAt(ref: Ref): number {
    return this.double(ref, DOUBLE_EXPIRE_AT);
  }

  changeOffset(ref: Ref): number {
    return this.double(ref, DOUBLE_CHANGE_OFFSET);
  }

  setChangeOffset(ref: Ref, offset: number): void {
    this.setDouble(ref, DOUBLE_CHANGE_OFFSET, offset);
  }

  /** Seconds, uint32. */
  usedAt(ref: Ref): number {
    return this.word(ref, WORD_USED_AT);
  }

  setUsedAt(ref: Ref, seconds: number): void {
    this.setWord(ref, WORD_USED_AT, seconds);
  }

  /** Logarithmic count of uses, uint8. */
  frequency(ref: Ref): number {
    return this.byte(ref, BYTE_FREQUENCY);
  }

  setFrequency(ref: Ref, frequency: number): void {
    this.setByte(ref, BYTE_FREQUENCY, frequency);
  }

  db(ref: Ref): number {
    return this.databases.byNumber[this.databaseNumber(ref)]!;
  }

  /** Seeded hash of the key, uint32. */
  hash(ref: Ref): number {
    return this.word(ref, WORD_HASH);
  }

  slot(ref: Ref): number {
    return this.word(ref, WORD_SLOT_PEER) & 0xffff;
  }

  /** The bytes of the key are keyBuffer(ref)[keyStart(ref)] and on, keyLength(ref) of them. */
  keyBuffer(ref: Ref): Buffer {
    if (this.isLarge(ref)) return this.large.keys[this.word(ref, WORD_LARGE_NUMBER)]!;
    return this.chunkBytes[ref >>> this.chunkShift]!;
  }

  keyStart(ref: Ref): number {
    return this.isLarge(ref) ? 0 : (ref & this.unitMask) * UNIT_BYTES + HEADER_BYTES;
  }

  keyLength(ref: Ref): number {
    return this.word(ref, WORD_DATABASE_KEY_LENGTH) >>> 8;
  }

  /** The bytes of the value are valueBuffer(ref)[valueStart(ref)] and on, valueLength(ref) of them. */
  valueBuffer(ref: Ref): Buffer {
    return this.isLarge(ref)
      ? this.largeValue(ref).buffer
      : this.chunkBytes[ref >>> this.chunkShift]!;
  }

  valueStart(ref: Ref): number {
    if (this.isLarge(ref)) return this.largeValue(ref).start;
    return this.keyStart(ref) + this.keyLength(ref);
  }

  valueLength(ref: Ref): number {
    return this.word(ref, WORD_VALUE_LENGTH);
  }

  /** Loads the headers, and the beginnings of the keys, of the first `count` of `refs`; 0 is none. */
  protected touchHeaders(refs: Uint32Array, count: number): void {
    const { chunkShift, unitMask, chunkWords } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!;
      if (ref === 0) continue;
      const words = chunkWords[ref >>> chunkShift]!;
      const at = (ref & unitMask) * 2;
      sum ^= words[at]! ^ words[at + HEADER_UNITS * 2]!;
    }
    this.loaded = sum;
  }

  /** Loads the value, as far as VALUE_BYTES_TOUCHED. */
  protected touchValue(ref: Ref): void {
    const words = this.chunkWords[ref >>> this.chunkShift]!;
    const from = (ref & this.unitMask) * 2;
    if (this.isLarge(ref)) return;
    const bytes = HEADER_BYTES + this.keyLength(ref) + this.valueLength(ref);
    const to = from + (Math.min(bytes, VALUE_BYTES_TOUCHED) >>> 2);
    let sum = 0;
    for (let at = from + LINE_WORDS; at < to; at += LINE_WORDS) sum ^= words[at]!;
    this.loaded ^= sum;
  }

  /** Whether key and value have allocations of their own; to the value's something can be attached. */
  isLarge(ref: Ref): boolean {
    return this.byte(ref, BYTE_IS_LARGE) !== 0;
  }

  /** What is attached to a large value; null for none. It goes when the entry does, or is no longer large. */
  attached(ref: Ref): Attachment | null {
    return this.isLarge(ref) ? this.large.attached(this.word(ref, WORD_LARGE_NUMBER)) : null;
  }

  /** Nothing can be attached to a value that is not large. */
  attach(ref: Ref, attached: Attachment | null): void {
    if (this.isLarge(ref)) this.large.attach(this.word(ref, WORD_LARGE_NUMBER), attached);
  }

  /** What the entry carries for its database: see DatabaseNumbers. */
  protected databaseNumber(ref: Ref): number {
    return this.word(ref, WORD_DATABASE_KEY_LENGTH) & 0xff;
  }

  protected largeValue(ref: Ref): LargeValue {
    return this.large.values[this.word(ref, WORD_LARGE_NUMBER)]!;
  }

  protected byte(ref: Ref, offset: number): number {
    return this.chunkBytes[ref >>> this.chunkShift]![(ref & this.unitMask) * 8 + offset]!;
  }

  protected setByte(ref: Ref, offset: number, value: number): void {
    this.chunkBytes[ref >>> this.chunkShift]![(ref & this.unitMask) * 8 + offset] = value;
  }

  protected word(ref: Ref, offset: number): number {
    return this.chunkWords[ref >>> this.chunkShift]![(ref & this.unitMask) * 2 + offset]!;
  }

  protected setWord(ref: Ref, offset: number, value: number): void {
    this.chunkWords[ref >>> this.chunkShift]![(ref & this.unitMask) * 2 + offset] = value;
  }

  protected double(ref: Ref, offset: number): number {
    return this.chunkDoubles[ref >>> this.chunkShift]![(ref & this.unitMask) + offset]!;
  }

  protected setDouble(ref: Ref, offset: number, value: number): void {
    this.chunkDoubles[ref >>> this.chunkShift]![(ref & this.unitMask) + offset] = value;
  }
}
