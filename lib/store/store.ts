import assert from 'node:assert';
import { copyBytes } from '../protocol/bytes.js';
import { keySlot, SLOTS } from '../protocol/crc16.js';
import type { Request } from '../protocol/request.js';
import {
  BYTE_IS_LARGE,
  BYTE_KIND,
  DOUBLE_EXPIRE_AT,
  HEADER_UNITS,
  inlineUnits,
  KEY_LENGTH_MAX,
  LARGE_UNITS,
  type Ref,
  Role,
  VALUE_LENGTH_MAX,
  ValueType,
  WORD_DATABASE_KEY_LENGTH,
  WORD_HASH,
  WORD_LARGE_NUMBER,
  WORD_SLOT_PEER,
  WORD_VALUE_LENGTH,
} from './entry.js';
import { EntryFields } from './entry-fields.js';
import type { KeyBatch } from './key-batch.js';
import { KeyHash } from './key-hash.js';
import { allocateWithRoom } from './large-value.js';
import { CHUNK_BYTES } from './page-pool.js';
import { ENTRY_UNITS_MAX, isLargePayload, PAGE_BYTES } from './size-classes.js';
import type { SlotCounts } from './slot-counts.js';
import { homeOf, SlotIndex } from './slot-index.js';
import { StoreCounts } from './store-counts.js';

export { type Ref, Role, VALUE_TYPES, ValueType } from './entry.js';
export type { Attachment } from './large-payloads.js';

/** Keys up to here are copied and compared byte by byte: a native call costs more. */
const BYTE_LOOP_MAX = 128;

export interface StoreOptions {
  /** Seed of the key hash: an integer, the same on all members of a cluster. */
  readonly seed: number;
  /** Memory is taken from the system in steps of this: a power of two, 256 KB or more; 32 MB unless given. */
  readonly chunkBytes?: number;
}

/**
 * All entries of a node, off the JavaScript heap: records in a dense slab (arena.ts), found through one small hash
 * table per slot (slot-index.ts). An entry is handled by its Ref, see there for how long it is valid. Callers keep to
 * `0 <= db < 256`; buffers are copied from, never kept.
 */
export class Store extends EntryFields {
  /** By slot: no primary entry expires before this (Unix ms). It may be too early, never too late. */
  readonly earliestExpiry: Float64Array = new Float64Array(SLOTS).fill(Number.POSITIVE_INFINITY);
  private readonly index: SlotIndex;
  private readonly counts: StoreCounts = new StoreCounts();
  private keyHash: KeyHash;

  constructor(options: StoreOptions) {
    super(options.chunkBytes ?? CHUNK_BYTES, (from, to) => {
      this.index.move(this.slot(to), this.hash(to), from, to);
    });
    this.index = new SlotIndex(this.arena.pool.chunkBytes);
    this.keyHash = new KeyHash(options.seed);
  }

  /** Changes the seed of the key hash; only while the store is empty. */
  reseed(seed: number): void {
    assert(this.size === 0, 'only an empty store can change its seed');
    this.keyHash = new KeyHash(seed);
  }

  /** The hash that an entry with this key has, in whichever database: uint32. */
  hashOf(buffer: Buffer, start: number, end: number): number {
    return this.keyHash.of(buffer, start, end);
  }

  /** All keys of one database change places with those of another one. No entry is touched. */
  swapDatabases(first: number, second: number): void {
    this.databases.swap(first, second);
  }

  /** The entry with this key, whatever its role, expired or not; 0 when there is none. */
  find(db: number, buffer: Buffer, start: number, end: number): Ref {
    const hash = this.keyHash.of(buffer, start, end);
    return this.findHashed(db, buffer, start, end, hash, keySlot(buffer, start, end));
  }

  /** The same, of argument `index` of a request. */
  findArgument(db: number, request: Request, index: number): Ref {
    const { buffer } = request;
    const start = request.start[index]!;
    const end = request.end[index]!;
    if (request.hashedIndex !== index) return this.find(db, buffer, start, end);
    return this.findHashed(db, buffer, start, end, request.hash, request.slot);
  }

  /**
   * Brings what will be read of these keys into the processor's caches, and fills in their hashes and slots. Looked up
   * one after the other, each key waits for memory two or three times (its cell of the index, its header, its value),
   * up to 150 ns each; here the loads of many keys are under way at the same time. (Measured, 64 keys of 100,000 with
   * 500 bytes: 690 ns per key to find and copy, 500 with this.)
   */
  prefetch(keys: KeyBatch): void {
    const { keyHash } = this;
    const { count, buffers, starts, ends, hashes, slots, refs } = keys;
    for (let i = 0; i < count; i++) {
      hashes[i] = keyHash.of(buffers[i]!, starts[i]!, ends[i]!);
      slots[i] = keySlot(buffers[i]!, starts[i]!, ends[i]!);
    }
    this.index.locate(keys);
    this.touchHeaders(refs, count);
    for (let i = 0; i < count; i++) if (refs[i] !== 0) this.touchValue(refs[i]!);
  }

  /** As `find`, of a key whose hash and slot are known. */
  findHashed(
    db: number,
    buffer: Buffer,
    start: number,
    end: number,
    hash: number,
    slot: number,
  ): Ref {
    const number = this.databases.numbers[db]!;
    const { index } = this;
    const cells = index.cellsOf(slot);
    if (cells === 0) return 0;
    const words = index.wordsOf(slot);
    for (let at = index.baseOf(slot) + 2 * homeOf(cells, hash); ; at += 2) {
      const ref = words[at + 1]!;
      if (ref === 0) return 0;
      const other = words[at]!;
      if (other < hash) continue;
      if (other > hash) return 0;
      if (this.hasKey(ref, number, buffer, start, end)) return ref;
    }
  }

  /**
   * A new entry, for a key that `find` does not find. The role is Primary, all other fields are 0, the bytes of the
   * value are undefined.
   * @throws RangeError when the key or value is too long, or memory is used up; nothing is changed then.
   */
  create(
    db: number,
    buffer: Buffer,
    start: number,
    end: number,
    type: ValueType,
    valueLength: number,
  ): Ref {
    const keyLength = end - start;
    if (keyLength > KEY_LENGTH_MAX) throw new RangeError('key is too long');
    const hash = this.keyHash.of(buffer, start, end);
    const slot = keySlot(buffer, start, end);
    const number = this.databases.numbers[db]!;
    const ref = this.allocate(keyLength, type, valueLength);
    this.setByte(ref, BYTE_KIND, type << 2);
    this.setWord(ref, WORD_HASH, hash);
    this.setWord(ref, WORD_VALUE_LENGTH, valueLength);
    this.setWord(ref, WORD_DATABASE_KEY_LENGTH, number | (keyLength << 8));
    this.setWord(ref, WORD_SLOT_PEER, slot);
    const target = this.keyBuffer(ref);
    const targetStart = this.keyStart(ref);
    if (keyLength > BYTE_LOOP_MAX) buffer.copy(target, targetStart, start, end);
    else for (let i = 0; i < keyLength; i++) target[targetStart + i] = buffer[start + i]!;
    this.index.insert(slot, hash, ref);
    this.counts.entry(1, Role.Primary, number, slot, 0, valueLength);
    return ref;
  }

  /**
   * Gives the value another length; the bytes that both lengths have in common stay, others are undefined. All else
   * stays as it is. Returns the entry's ref from now on.
   * @throws RangeError as `create`.
   */
  resize(ref: Ref, valueLength: number): Ref {
    const units = inlineUnits(this.keyLength(ref) + valueLength);
    const isLarge = units > ENTRY_UNITS_MAX;
    const wasLarge = this.isLarge(ref);
    const lengthBefore = this.valueLength(ref);
    let result = ref;
    if (isLarge && wasLarge) this.large.resize(this.word(ref, WORD_LARGE_NUMBER), valueLength);
    else if (isLarge || wasLarge || !this.arena.fits(ref, units)) {
      result = this.move(ref, valueLength);
    }
    this.setWord(result, WORD_VALUE_LENGTH, valueLength);
    this.counts.value(this.role(result), valueLength - lengthBefore);
    return result;
  }

  /**
   * The value becomes `value`, so long that the entry is large; the allocation that it is a part of is the store's from now on. Nothing is
   * copied. All else stays as it is, but for what was attached. Returns the entry's ref from now on.
   */
  keep(ref: Ref, value: Buffer): Ref {
    const { length } = value;
    assert(isLargePayload(this.keyLength(ref) + length), 'only large values are kept');
    if (!this.isLarge(ref)) {
      const large = this.move(this.resize(ref, 0), length, value);
      this.setWord(large, WORD_VALUE_LENGTH, length);
      this.counts.value(this.role(large), length);
      return large;
    }
    const lengthBefore = this.valueLength(ref);
    this.large.replace(this.word(ref, WORD_LARGE_NUMBER), value);
    this.setWord(ref, WORD_VALUE_LENGTH, length);
    this.counts.value(this.role(ref), length - lengthBefore);
    return ref;
  }

  /**
   * Replaces `removed` bytes of the value from `at` on by `source[start, end)`, which is not the store's own memory.
   * Returns the entry's ref from now on.
   * @throws RangeError as `create`.
   */
  splice(ref: Ref, at: number, removed: number, source: Buffer, start: number, end: number): Ref {
    const length = this.valueLength(ref);
    const inserted = end - start;
    if (this.staysLarge(ref, length + inserted - removed)) {
      this.large.splice(this.word(ref, WORD_LARGE_NUMBER), at, removed, source, start, end);
      this.setWord(ref, WORD_VALUE_LENGTH, length + inserted - removed);
      this.counts.value(this.role(ref), inserted - removed);
      return ref;
    }
    const result = inserted > removed ? this.resize(ref, length + inserted - removed) : ref;
    const buffer = this.valueBuffer(result);
    const base = this.valueStart(result);
    if (inserted !== removed && at + removed < length) {
      buffer.copyWithin(base + at + inserted, base + at + removed, base + length);
    }
    copyBytes(source, start, end, buffer, base + at);
    return inserted < removed ? this.resize(result, length + inserted - removed) : result;
  }

  /** The values of two large entries change places, with what is attached to them: nothing is copied. All else stays as it is. */
  exchangeLarge(first: Ref, second: Ref): void {
    assert(this.isLarge(first) && this.isLarge(second), 'only large values change places');
    const [firstLength, secondLength] = [this.valueLength(first), this.valueLength(second)];
    this.large.exchange(this.word(first, WORD_LARGE_NUMBER), this.word(second, WORD_LARGE_NUMBER));
    this.setWord(first, WORD_VALUE_LENGTH, secondLength);
    this.setWord(second, WORD_VALUE_LENGTH, firstLength);
    this.counts.value(this.role(first), secondLength - firstLength);
    this.counts.value(this.role(second), firstLength - secondLength);
  }

  remove(ref: Ref): void {
    this.tally(ref, -1);
    this.index.remove(this.slot(ref), this.hash(ref), ref);
    this.release(ref);
  }

  setRole(ref: Ref, role: Role): void {
    this.tally(ref, -1);
    this.setByte(ref, BYTE_KIND, (this.byte(ref, BYTE_KIND) & ~3) | role);
    this.tally(ref, 1);
    if (role === Role.Primary) this.noteExpiry(ref);
  }

  /** Number of the other holder, uint16. */
  setPeer(ref: Ref, peer: number): void {
    const word = this.word(ref, WORD_SLOT_PEER);
    const role = this.role(ref);
    this.counts.peer(-1, role, word >>> 16);
    this.counts.peer(1, role, peer);
    this.setWord(ref, WORD_SLOT_PEER, (word & 0xffff) | (peer << 16));
  }

  /** Unix milliseconds, 0 for never. */
  setExpireAt(ref: Ref, expireAt: number): void {
    const before = this.expireAt(ref);
    this.setDouble(ref, DOUBLE_EXPIRE_AT, expireAt);
    if (this.role(ref) !== Role.Primary) return;
    if ((before === 0) !== (expireAt === 0)) {
      this.counts.expiry(expireAt === 0 ? -1 : 1, this.databaseNumber(ref));
    }
    this.noteExpiry(ref);
  }

  /** Entries of all roles in the slot. */
  countInSlot(slot: number): number {
    return this.index.counts[slot]!;
  }

  /** Copies of that role whose other holder has this number: Primary and Backup. */
  countWithPeer(role: Role, peer: number): number {
    return this.counts.withPeer(role, peer);
  }

  /** Slots that hold entries of any role. */
  get slots(): SlotCounts {
    return this.index.entries;
  }

  /**
   * Calls `visit` with each entry of the slot, in the order of their hashes; an entry for which it returns true is
   * removed. `visit` may change, resize or remove the entry it is given, and entries of other slots; it creates and
   * removes no other entry of this slot.
   */
  eachInSlot(slot: number, visit: (ref: Ref) => boolean): void {
    const { index } = this;
    const { counts } = index;
    index.beginWalk();
    try {
      for (let cell = 0; cell < index.cellsOf(slot); ) {
        const ref = index.refAt(slot, cell);
        const before = counts[slot]!;
        // Looked up again after the visit, which may have moved the entry.
        if (ref !== 0 && visit(ref) && counts[slot] === before) {
          this.remove(index.refAt(slot, cell));
        }
        assert(counts[slot]! <= before, 'a slot grew while it was walked');
        // After a removal the next entry, if any, has been shifted to this cell.
        if (counts[slot] === before) cell++;
      }
    } finally {
      index.endWalk(slot);
    }
  }

  /**
   * Calls `visit` with the entries of the slot whose hash is in hashFrom <= hash < hashTo (at most 2 ** 32), in the
   * order of their hashes, until `entriesMax` are exceeded; entries of equal hash are never parted. Returns the hash
   * to go on from, `hashTo` at the end: a cursor that means the same after growth, and on another node of the same
   * seed. `visit` neither creates nor removes entries.
   */
  scanSlot(
    slot: number,
    hashFrom: number,
    hashTo: number,
    visit: (ref: Ref) => void,
    entriesMax = Number.POSITIVE_INFINITY,
  ): number {
    const { index } = this;
    let visited = 0;
    let last = -1;
    for (let cell = index.cellFrom(slot, hashFrom); cell < index.cellsOf(slot); cell++) {
      const ref = index.refAt(slot, cell);
      if (ref === 0) continue;
      const hash = index.hashAt(slot, cell);
      if (hash >= hashTo) break;
      if (visited >= entriesMax && hash !== last) return hash;
      visit(ref);
      visited++;
      last = hash;
    }
    return hashTo;
  }

  /** Entries of all roles and databases. */
  get size(): number {
    return this.arena.records;
  }

  /** Entries of a role in one database. */
  count(db: number, role: Role): number {
    return this.counts.of(this.databases.numbers[db]!, role);
  }

  /** Entries of a role in all databases. */
  countOfRole(role: Role): number {
    return this.counts.ofRole(role);
  }

  /** Primary entries of the database that have an expiry. */
  countWithExpiry(db: number): number {
    return this.counts.withExpiry(this.databases.numbers[db]!);
  }

  /** The same in all databases. */
  get allWithExpiry(): number {
    return this.counts.allWithExpiry;
  }

  /** Slots that hold tombstones. */
  get tombstoneSlots(): SlotCounts {
    return this.counts.tombstones;
  }

  /** Bytes of the values of all entries of a role. */
  valueBytes(role: Role): number {
    return this.counts.valueBytes(role);
  }

  /** Bytes that entries and index occupy. */
  get usedBytes(): number {
    return this.arena.usedBytes + this.large.bytes + this.index.usedBytes;
  }

  /** Bytes taken from the system, in use or not; chunks that nothing was written to yet are not resident. */
  get reservedBytes(): number {
    const { arena, large, index } = this;
    return arena.reservedBytes + large.bytes + large.targetBytes + index.reservedBytes;
  }

  /** Bytes let go, ever. The system has them when the garbage collector has seen it. */
  get droppedBytes(): number {
    return this.arena.droppedBytes + this.index.droppedBytes;
  }

  /** Entry number `index` of `size`, in no order that means anything: for uniform sampling. */
  entryAt(index: number): Ref {
    return this.arena.at(index);
  }

  /**
   * Calls `visit` with up to `entriesMax` entries from number `from` on, in the order of `entryAt`, until it returns
   * true; returns that entry, or 0. Neighbours in memory: the fastest way to see many. `visit` changes nothing.
   */
  search(from: number, entriesMax: number, visit: (ref: Ref) => boolean): Ref {
    return this.arena.search(from, entriesMax, visit);
  }

  /** Gives free memory back to the system, moving at most `pagesMax` pages of 256 KB; 0 when nothing is to be done. */
  compact(pagesMax: number): number {
    let moved = this.arena.compact(pagesMax);
    moved += this.index.compact(pagesMax - moved);
    while (moved < pagesMax && this.large.move(PAGE_BYTES)) moved++;
    return moved;
  }

  /** Drops all entries at once, and their memory with them. */
  clear(): void {
    this.arena.clear();
    this.large.clear();
    this.counts.clear();
    this.index.clear();
    this.earliestExpiry.fill(Number.POSITIVE_INFINITY);
  }

  private hasKey(ref: Ref, number: number, buffer: Buffer, start: number, end: number): boolean {
    const length = end - start;
    if (this.word(ref, WORD_DATABASE_KEY_LENGTH) !== (number | (length << 8)) >>> 0) return false;
    const key = this.keyBuffer(ref);
    const keyStart = this.keyStart(ref);
    if (length > BYTE_LOOP_MAX) {
      return buffer.compare(key, keyStart, keyStart + length, start, end) === 0;
    }
    for (let i = 0; i < length; i++) {
      if (key[keyStart + i] !== buffer[start + i]) return false;
    }
    return true;
  }

  /** Whether the parts of a large collection may come to lie elsewhere: who writes to a string does so in its bytes. */
  private staysLarge(ref: Ref, valueLength: number): boolean {
    if (!this.isLarge(ref) || this.type(ref) === ValueType.String) return false;
    return isLargePayload(this.keyLength(ref) + valueLength);
  }

  /** Adds the entry to the counts (sign 1), or takes it out of them (sign -1). */
  private tally(ref: Ref, sign: 1 | -1): void {
    const role = this.role(ref);
    const number = this.databaseNumber(ref);
    this.counts.entry(sign, role, number, this.slot(ref), this.peer(ref), this.valueLength(ref));
    if (role === Role.Primary && this.expireAt(ref) !== 0) this.counts.expiry(sign, number);
  }

  private noteExpiry(ref: Ref): void {
    const expireAt = this.expireAt(ref);
    const slot = this.slot(ref);
    if (expireAt !== 0 && expireAt < this.earliestExpiry[slot]!) {
      this.earliestExpiry[slot] = expireAt;
    }
  }

  /** A record with room for key and value, its header zero but for where they are; of a large one the value may be there already. */
  private allocate(
    keyLength: number,
    type: ValueType,
    valueLength: number,
    value: Buffer | null = null,
  ): Ref {
    const payloadBytes = keyLength + valueLength;
    if (payloadBytes > KEY_LENGTH_MAX + VALUE_LENGTH_MAX) throw new RangeError('value is too long');
    const units = inlineUnits(payloadBytes);
    const isLarge = units > ENTRY_UNITS_MAX;
    const ref = this.arena.allocate(isLarge ? LARGE_UNITS : units);
    for (let i = 0; i < HEADER_UNITS * 2; i++) this.setWord(ref, i, 0);
    if (!isLarge) return ref;
    try {
      const isString = type === ValueType.String;
      const allocate = isString ? Buffer.allocUnsafeSlow : allocateWithRoom;
      const number = this.large.allocate(keyLength, value ?? allocate(valueLength));
      this.setWord(ref, WORD_LARGE_NUMBER, number);
    } catch (error) {
      this.arena.free(ref);
      throw error;
    }
    this.setByte(ref, BYTE_IS_LARGE, 1);
    return ref;
  }

  private release(ref: Ref): void {
    if (this.isLarge(ref)) this.large.free(this.word(ref, WORD_LARGE_NUMBER));
    this.arena.free(ref);
  }

  /** Moves the entry to a record with room for a value of `valueLength` bytes, in `value` if given. */
  private move(ref: Ref, valueLength: number, value: Buffer | null = null): Ref {
    const target = this.allocate(this.keyLength(ref), this.type(ref), valueLength, value);
    if (this.isLarge(ref) || this.isLarge(target)) {
      const isLarge = this.byte(target, BYTE_IS_LARGE);
      this.arena.copy(ref, target, HEADER_UNITS);
      this.setByte(target, BYTE_IS_LARGE, isLarge);
      const [keyStart, valueStart] = [this.keyStart(ref), this.valueStart(ref)];
      const keyEnd = keyStart + this.keyLength(ref);
      this.keyBuffer(ref).copy(this.keyBuffer(target), this.keyStart(target), keyStart, keyEnd);
      const valueEnd = valueStart + Math.min(this.valueLength(ref), valueLength);
      const [from, to] = [this.valueBuffer(ref), this.valueBuffer(target)];
      from.copy(to, this.valueStart(target), valueStart, valueEnd);
    } else {
      this.arena.copy(ref, target, Math.min(this.arena.unitsOf(ref), this.arena.unitsOf(target)));
    }
    this.index.move(this.slot(ref), this.hash(ref), ref, target);
    this.release(ref);
    // Was the new record the last of the old one's class? Then it now is where the old one was.
    return this.arena.movedFrom === target ? ref : target;
  }
}
