import { copyBytes, putU16, putU32, sameBytes, u16At, u32At } from '../../protocol/bytes.js';
import { ListBlocks } from './list-blocks.js';
import { copyElements, endOfGaps, gapBytes, gapEnd, gapStart } from './list-gaps.js';
import {
  BACK_FOUR,
  BACK_TWO,
  LIST_GAP,
  LIST_HEADER_BYTES,
  listBackBytes,
  listElementBytes,
  SHORT_BELOW,
} from './list-layout.js';
import { numberAt, numberBytes, numberBytesOf, putNumber } from './numbers.js';
import type { ValueBytes } from './value-bytes.js';

/**
 * Larger lists have room in front of the first element, so that the others need not be moved. Of those in allocations of their own
 * the store has room there.
 */
const ROOM_FROM_BYTES = 4096;
const ROOM_BYTES_MIN = 1024;
const ROOM_SHARE = 8;
/** More elements to be removed one by one: the list is packed anew. */
const SINGLE_REMOVALS_MAX = 8;
/** What has more behind it is not moved for a change of length while gaps will do. */
const MOVED_BYTES_MAX = 64 * 1024;
/** A list that is so large has gaps from the beginning: one behind every so many bytes of elements, for the first of them that gets longer. */
const SPACED_BYTES = 8 * 1024;
const SPACE_BYTES = 128;
/** Left free where there was no gap to grow into; and what an element may leave free where it gets shorter. */
const GAP_BYTES = 256;
const GAP_BYTES_MAX = 1024;
/** A block that is free to more than this share is packed anew. */
const GAP_SHARE_MAX = 1 / 4;
/** Elements nearer to an end are found without the blocks of a large list. */
const STEPS_MAX = 64;

/** What a new list begins as. */
export const EMPTY_LIST: Buffer = Buffer.from([0, 0, 0, 0, LIST_HEADER_BYTES, 0, 0, 0]);

/** Elements to be put into a list, encoded one behind the other. */
class Block {
  buffer: Buffer = Buffer.allocUnsafeSlow(1024);
  length = 0;
  count = 0;

  clear(): void {
    this.length = 0;
    this.count = 0;
    if (this.buffer.length > 64 * 1024) this.buffer = Buffer.allocUnsafeSlow(1024);
  }

  add(source: Buffer, start: number, end: number): void {
    const data = end - start;
    const forward = numberBytes(data) + data;
    this.#reserve(forward + listBackBytes(forward));
    let at = putNumber(this.buffer, this.length, data);
    copyBytes(source, start, end, this.buffer, at);
    at += data;
    if (forward < BACK_TWO) this.buffer[at++] = forward;
    else if (forward <= 0xffff) {
      putU16(this.buffer, at, forward);
      this.buffer[at + 2] = BACK_TWO;
      at += 3;
    } else {
      putU32(this.buffer, at, forward);
      this.buffer[at + 4] = BACK_FOUR;
      at += 5;
    }
    this.length = at;
    this.count++;
  }

  /** Elements that are in the list already, without the gaps between them. They are not counted. */
  addElements(source: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    this.length = copyElements(source, start, end, this.buffer, this.length);
  }

  addGap(bytes: number): void {
    this.#reserve(bytes);
    this.buffer.fill(LIST_GAP, this.length, this.length + bytes);
    this.length += bytes;
  }

  /** Leaves a gap behind every SPACED_BYTES of elements, of which there are `before` already. */
  space(before: number): void {
    let wanted = SPACED_BYTES - (before % SPACED_BYTES);
    if (this.length < wanted) return;
    const source = this.buffer;
    const end = this.length;
    this.buffer = Buffer.allocUnsafeSlow(end + SPACE_BYTES * (1 + Math.ceil(end / SPACED_BYTES)));
    this.length = 0;
    for (let at = 0; at < end; wanted = SPACED_BYTES) {
      const from = at;
      while (at < end && at - from < wanted) at += listElementBytes(source, at);
      copyBytes(source, from, at, this.buffer, this.length);
      this.length += at - from;
      if (at - from >= wanted) this.addGap(SPACE_BYTES);
    }
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.length + bytes, 2 * this.buffer.length));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}

/**
 * A list, packed: behind a header, and room that is left free in front, its elements one behind the other:
 *
 *     number: bytes | bytes | length of both, so that it can be read from behind
 *
 * Both ends are changed in place. Elsewhere what lies behind is moved; where that is much, only as far as the next gap in its block: between
 * elements there may be bytes that belong to none, which what gets shorter leaves, and what gets longer takes up. `buffer[elementStart, elementEnd)` is the element
 * that `next`, `previous` or `seek` has found, until the value changes. Beside a large list there are its ListBlocks: made when it
 * is changed, or an element in the middle is looked for, and changed with it.
 */
export class ListValue {
  count = 0;
  elementStart = 0;
  elementEnd = 0;
  readonly block = new Block();
  #value!: ValueBytes;
  /** Offset of the first element from the value's start. */
  #head = LIST_HEADER_BYTES;
  /** Offsets of the element found, and of what follows it, from the value's start. */
  #at = 0;
  #next = 0;
  #isHeaderStale = false;
  /** Null where there are none. */
  #blocks: ListBlocks | null = null;
  /** Memory of the blocks as the value has them counted. */
  #blocksBytes = 0;

  open(value: ValueBytes): this {
    this.#value = value;
    this.count = u32At(value.buffer, value.start);
    this.#head = u32At(value.buffer, value.start + 4);
    this.#isHeaderStale = false;
    const { attached } = value;
    this.#blocks = attached instanceof ListBlocks ? attached : null;
    this.#blocksBytes = this.#blocks?.bytes ?? 0;
    this.block.clear();
    return this;
  }

  get buffer(): Buffer {
    return this.#value.buffer;
  }

  close(): void {
    if (this.#isHeaderStale && this.count > 0) {
      this.#isHeaderStale = false;
      const header = Buffer.allocUnsafe(LIST_HEADER_BYTES);
      putU32(header, 0, this.count);
      putU32(header, 4, this.#head);
      this.#value.splice(0, LIST_HEADER_BYTES, header, 0, LIST_HEADER_BYTES);
      if (this.#value.isLarge && this.#blocks === null) this.#makeBlocks();
    }
    if (this.#blocks !== null && this.#blocks.bytes !== this.#blocksBytes) this.#keepBlocks();
  }

  // --- looking

  /** Before the first element. */
  rewind(): void {
    this.#next = this.#head;
  }

  /** Behind the last one, for `previous`. */
  rewindToEnd(): void {
    this.#at = this.#value.length;
  }

  next(): boolean {
    const { buffer, start, length } = this.#value;
    const at = this.#next;
    if (at >= length) return false;
    const bytes = buffer[start + at]!;
    if (bytes >= SHORT_BELOW) {
      if (bytes === LIST_GAP && !this.#skipGap()) return false;
      this.#read(this.#next);
      return true;
    }
    // Most elements are short, and have no gap before them.
    this.#at = at;
    this.#next = at + bytes + 2;
    this.elementStart = start + at + 1;
    this.elementEnd = this.elementStart + bytes;
    return true;
  }

  /** Goes behind the gap that comes next; false where that is the end. */
  #skipGap(): boolean {
    const { buffer, start, length } = this.#value;
    this.#next = gapEnd(buffer, start + this.#next, start + length) - start;
    return this.#next < length;
  }

  previous(): boolean {
    if (this.#at <= this.#head) return false;
    const { buffer, start } = this.#value;
    if (buffer[start + this.#at - 1] === LIST_GAP && !this.#skipGapBack()) return false;
    const end = start + this.#at;
    const last = buffer[end - 1]!;
    const forward =
      last < BACK_TWO ? last : last < BACK_FOUR ? u16At(buffer, end - 3) : u32At(buffer, end - 5);
    this.#read(this.#at - listBackBytes(forward) - forward);
    return true;
  }

  /** Goes before the gap that comes before; false where that is the beginning. */
  #skipGapBack(): boolean {
    const { buffer, start } = this.#value;
    this.#at = gapStart(buffer, start + this.#head, start + this.#at) - start;
    return this.#at > this.#head;
  }

  /** Finds an element by its index, which there must be. */
  seek(index: number): void {
    const fromEnd = this.count - 1 - index;
    if (Math.min(index, fromEnd) > STEPS_MAX && this.#value.isLarge) {
      const blocks = this.#blocks ?? this.#makeBlocks();
      blocks.find(index);
      this.#next = this.#head + blocks.offset;
      for (let i = blocks.index; i <= index; i++) this.next();
    } else if (index < fromEnd) {
      this.rewind();
      for (let i = 0; i <= index; i++) this.next();
    } else {
      this.rewindToEnd();
      for (let i = 0; i <= fromEnd; i++) this.previous();
    }
  }

  /** Whether the element found is these bytes. */
  isElement(source: Buffer, start: number, end: number): boolean {
    const length = end - start;
    if (this.elementEnd - this.elementStart !== length) return false;
    return sameBytes(this.#value.buffer, this.elementStart, source, start, length);
  }

  // --- changing

  /** Appends the elements of `block`, and empties it. */
  appendBlock(): void {
    this.#spaceBlock();
    this.#replace(this.#value.length, 0);
  }

  /** Puts the elements of `block` before all others. */
  prependBlock(): void {
    this.#spaceBlock();
    const { block } = this;
    const { length } = block;
    const room = this.#head - LIST_HEADER_BYTES;
    if (length <= room) {
      this.#value.splice(this.#head - length, length, block.buffer, 0, length);
      this.#head -= length;
      this.#added(this.#head, 0, 0);
      return;
    }
    if (this.#value.length < ROOM_FROM_BYTES || this.#value.isLarge) {
      this.#head = LIST_HEADER_BYTES;
      this.#value.splice(LIST_HEADER_BYTES, room, block.buffer, 0, length);
      this.#added(this.#head, 0, 0);
      return;
    }
    const left = Math.max(ROOM_BYTES_MIN, Math.floor(this.#value.length / ROOM_SHARE));
    const front = Buffer.alloc(left + length);
    block.buffer.copy(front, left, 0, length);
    this.#value.splice(LIST_HEADER_BYTES, room, front, 0, front.length);
    this.#head = LIST_HEADER_BYTES + left;
    this.#added(this.#head, 0, 0);
  }

  #spaceBlock(): void {
    const before = this.#value.length - this.#head;
    if (before + this.block.length > MOVED_BYTES_MAX) this.block.space(before);
  }

  /** Puts the elements of `block` before or behind the element found. */
  insertBlock(isBehind: boolean): void {
    this.#replace(isBehind ? this.#next : this.#at, 0);
  }

  /** Puts the one element of `block` in the place of the element found. */
  replaceByBlock(): void {
    const at = this.#at;
    const before = this.#next - at;
    const isShorter = this.block.length < before;
    this.#replace(at, before);
    if (isShorter) this.#packBlock(at);
  }

  /** Removes so many elements in front, fewer than there are. */
  removeFirst(count: number): void {
    if (count === 0) return;
    this.seek(count - 1);
    this.count -= count;
    this.#isHeaderStale = true;
    const until = this.#next;
    const bytes = until - this.#head;
    const { length, isLarge } = this.#value;
    const isKept = !isLarge && length >= ROOM_FROM_BYTES && until * 2 <= length;
    if (isKept) this.#head = until;
    else {
      this.#head = LIST_HEADER_BYTES;
      this.#value.splice(LIST_HEADER_BYTES, until - LIST_HEADER_BYTES, EMPTY_LIST, 0, 0);
      this.#dropIfSmall();
    }
    this.#blocks?.removedFirst(count, bytes);
  }

  /** Removes so many elements at the end, fewer than there are. */
  removeLast(count: number): void {
    if (count === 0) return;
    this.seek(this.count - count);
    this.count -= count;
    this.#isHeaderStale = true;
    const bytes = this.#value.length - this.#at;
    this.#value.splice(this.#at, bytes, EMPTY_LIST, 0, 0);
    this.#dropIfSmall();
    this.#blocks?.removedLast(count, bytes);
  }

  /** Removes up to `limit` elements that are these bytes, from one end on; returns how many. */
  removeEqual(source: Buffer, start: number, end: number, limit: number, fromEnd: boolean): number {
    const found: number[] = [];
    if (fromEnd) this.rewindToEnd();
    else this.rewind();
    while (found.length < limit && (fromEnd ? this.previous() : this.next())) {
      if (this.isElement(source, start, end)) found.push(this.#at);
    }
    if (found.length === 0) return 0;
    const left = this.count - found.length;
    if (left > 0 && found.length > SINGLE_REMOVALS_MAX) this.#packWithout(new Set(found));
    else if (left > 0) {
      // From behind, so that the others stay where they are.
      for (const at of found.sort((a, b) => b - a)) {
        this.#read(at);
        this.#replace(at, this.#next - at);
      }
      this.#packBlock(found.at(-1)!);
    } else {
      this.#value.splice(0, 0, EMPTY_LIST, 0, 0);
    }
    this.count = left;
    this.#isHeaderStale = true;
    return found.length;
  }

  #packWithout(removed: ReadonlySet<number>): void {
    const { buffer, start, length } = this.#value;
    const packed = Buffer.allocUnsafeSlow(length);
    let bytes = 0;
    this.rewind();
    while (this.next()) {
      if (removed.has(this.#at)) continue;
      copyBytes(buffer, start + this.#at, start + this.#next, packed, bytes);
      bytes += this.#next - this.#at;
    }
    this.#dropBlocks();
    this.#head = LIST_HEADER_BYTES;
    this.#value.splice(LIST_HEADER_BYTES, length - LIST_HEADER_BYTES, packed, 0, bytes);
  }

  /** The elements of `block`, if any, come in the place of the one element of so many bytes at `at`, or of none. */
  #replace(at: number, removedBytes: number): void {
    const { block } = this;
    const removed = removedBytes === 0 ? 0 : 1;
    const behind = at + removedBytes;
    const isMuchBehind = this.#value.isLarge && this.#value.length - behind > MOVED_BYTES_MAX;
    const isOther = block.length !== removedBytes;
    const end = isOther && isMuchBehind ? this.#useGaps(at, behind) : behind;
    this.#value.splice(at, end - at, block.buffer, 0, block.length);
    this.#added(at, removed, end - at);
  }

  /** Gives `block` the length of what it replaces, if it can; returns where that ends: further behind, where what follows goes as far as a gap. */
  #useGaps(at: number, end: number): number {
    const { block } = this;
    const grown = block.length - (end - at);
    if (grown < 0) {
      if (-grown <= GAP_BYTES_MAX) block.addGap(-grown);
      return end;
    }
    const blocks = this.#blocks ?? this.#makeBlocks();
    const { buffer, start } = this.#value;
    blocks.findOffset(at - this.#head);
    const limit = start + this.#head + blocks.offset + blocks.length;
    const until = endOfGaps(buffer, start + end, limit, grown);
    if (until === 0) {
      block.addGap(GAP_BYTES);
      return end;
    }
    block.addElements(buffer, start + end, until);
    return until - start;
  }

  /** Moves all that lies behind the block of what is at `at`, if too much of it is free. */
  #packBlock(at: number): void {
    const blocks = this.#blocks;
    if (blocks === null) return;
    const { buffer, start } = this.#value;
    blocks.findOffset(at - this.#head);
    const { length } = blocks;
    const from = this.#head + blocks.offset;
    const gaps = gapBytes(buffer, start + from, start + from + length);
    if (gaps <= length * GAP_SHARE_MAX) return;
    this.block.addElements(buffer, start + from, start + from + length);
    this.#value.splice(from, length, this.block.buffer, 0, this.block.length);
    this.#added(from, 0, length);
  }

  /** What `block` has is in the place of `removedBytes` at `at`, of which one element, or none, is not in it. */
  #added(at: number, removed: number, removedBytes: number): void {
    const { block } = this;
    const { count, length } = block;
    if (count !== removed) {
      this.count += count - removed;
      this.#isHeaderStale = true;
    }
    block.clear();
    this.#dropIfSmall();
    if (this.#blocks === null) return;
    const { buffer, start } = this.#value;
    const first = start + this.#head;
    this.#blocks.changed(at - this.#head, removed, removedBytes, count, length, buffer, first);
  }

  #makeBlocks(): ListBlocks {
    const { buffer, start, length } = this.#value;
    const blocks = new ListBlocks(buffer, start + this.#head, start + length, this.count);
    this.#blocks = blocks;
    this.#keepBlocks();
    return blocks;
  }

  #keepBlocks(): void {
    this.#blocksBytes = this.#blocks!.bytes;
    this.#value.attach(this.#blocks);
  }

  /** A value that is no longer large has lost its blocks. */
  #dropIfSmall(): void {
    if (this.#blocks !== null && !this.#value.isLarge) this.#dropBlocks();
  }

  #dropBlocks(): void {
    if (this.#blocks === null) return;
    this.#blocks = null;
    this.#value.attach(null);
  }

  #read(at: number): void {
    const { buffer, start } = this.#value;
    const absolute = start + at;
    const data = numberAt(buffer, absolute);
    const prefix = numberBytesOf(buffer[absolute]!);
    this.#at = at;
    this.elementStart = absolute + prefix;
    this.elementEnd = this.elementStart + data;
    this.#next = at + prefix + data + listBackBytes(prefix + data);
  }
}
