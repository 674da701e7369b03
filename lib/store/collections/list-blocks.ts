import type { Attachment } from '../large-payloads.js';
import { LIST_GAP, listElementBytes } from './list-layout.js';

/** Two neighbours that are no larger together are joined. */
const BLOCK_BYTES = 8 * 1024;
/** A block that has grown beyond this is cut: behind a gap, where there is one, as what gets longer looks for it in its block. */
const BLOCK_BYTES_MAX = 2 * BLOCK_BYTES;
const CUT_BEHIND_GAP_BYTES = 3 * 1024;
const CUT_BYTES = 12 * 1024;
const CAPACITY_MIN = 16;

/** Cuts neighbours into blocks while they are walked over, one element or byte of a gap after the other. */
export class BlockCuts {
  /** Of each block its elements and bytes. */
  readonly #pieces: number[] = [];
  #count = 0;
  #bytes = 0;
  #isBehindGap = false;

  /** Memory that they will take as blocks. */
  get blockBytes(): number {
    return this.#pieces.length * 4;
  }

  element(bytes: number): void {
    const wanted = this.#isBehindGap ? CUT_BEHIND_GAP_BYTES : CUT_BYTES;
    if (this.#bytes >= wanted && this.#count > 0) this.#cut();
    this.#isBehindGap = false;
    this.#count++;
    this.#bytes += bytes;
  }

  gap(): void {
    this.#isBehindGap = true;
    this.#bytes++;
  }

  /** All of them; after the last one. */
  end(): readonly number[] {
    if (this.#bytes > 0) this.#cut();
    return this.#pieces;
  }

  #cut(): void {
    this.#pieces.push(this.#count, this.#bytes);
    this.#count = 0;
    this.#bytes = 0;
  }
}

/**
 * Where the elements of a large list are: the list seen as blocks of neighbours, of each how many elements it has and in how
 * many bytes. A place is found by adding these up from the nearer end, some thousand for a million elements: microseconds.
 * All offsets are from the first element on, so that the room in front of it does not matter. Gaps are bytes of the block that they are in.
 */
export class ListBlocks implements Attachment {
  /** Index and offset of the first element of the block found. */
  index = 0;
  offset = 0;
  #block = 0;
  #blocks = 1;
  #counts = new Uint32Array(CAPACITY_MIN);
  #lengths = new Uint32Array(CAPACITY_MIN);
  #count: number;
  #length: number;

  /** Of the `count` elements in `buffer[start, end)`. */
  constructor(buffer: Buffer, start: number, end: number, count: number) {
    this.#count = count;
    this.#length = end - start;
    this.#counts[0] = count;
    this.#lengths[0] = end - start;
    if (end - start > BLOCK_BYTES_MAX) this.#cut(0, buffer, start);
  }

  /** Bytes of the block found. */
  get length(): number {
    return this.#lengths[this.#block]!;
  }

  get bytes(): number {
    return this.#counts.length * 8;
  }

  /** Of `count` elements in so many bytes that were walked over already. */
  static of(cuts: BlockCuts, count: number, length: number): ListBlocks {
    const blocks = new ListBlocks(NOTHING, 0, 0, 0);
    blocks.#replace(0, 1, cuts.end());
    blocks.#count = count;
    blocks.#length = length;
    return blocks;
  }

  /** Of the same elements elsewhere. */
  copy(): ListBlocks {
    const copy = new ListBlocks(NOTHING, 0, 0, 0);
    copy.#blocks = this.#blocks;
    copy.#counts = this.#counts.slice();
    copy.#lengths = this.#lengths.slice();
    copy.#count = this.#count;
    copy.#length = this.#length;
    return copy;
  }

  /** Finds the block of the element with this index, which there must be. */
  find(index: number): void {
    this.#find(index, this.#counts, this.#count);
  }

  /** Finds the block of what is at this offset. */
  findOffset(offset: number): void {
    this.#find(offset, this.#lengths, this.#length);
  }

  /**
   * At this offset elements were replaced by others: there were none, or all of them were in one block. `start` is where the
   * first element of the list is in `buffer` now.
   */
  changed(
    offset: number,
    removed: number,
    removedBytes: number,
    added: number,
    addedBytes: number,
    buffer: Buffer,
    start: number,
  ): void {
    this.#find(offset, this.#lengths, this.#length);
    const block = this.#block;
    this.#count += added - removed;
    this.#length += addedBytes - removedBytes;
    this.#counts[block]! += added - removed;
    this.#lengths[block]! += addedBytes - removedBytes;
    if (this.#lengths[block]! > BLOCK_BYTES_MAX) this.#cut(block, buffer, start + this.offset);
    else if (removed > added) this.#shrunk(block);
  }

  /** So many elements, fewer than there are, were removed in front. */
  removedFirst(count: number, bytes: number): void {
    let left = count;
    let block = 0;
    while (left >= this.#counts[block]!) left -= this.#counts[block++]!;
    let rest = bytes;
    for (let i = 0; i < block; i++) rest -= this.#lengths[i]!;
    this.#counts[block]! -= left;
    this.#lengths[block]! -= rest;
    this.#replace(0, block, []);
    this.#count -= count;
    this.#length -= bytes;
  }

  /** So many elements, fewer than there are, were removed at the end. */
  removedLast(count: number, bytes: number): void {
    let left = count;
    let rest = bytes;
    let block = this.#blocks - 1;
    while (left >= this.#counts[block]!) {
      left -= this.#counts[block]!;
      rest -= this.#lengths[block--]!;
    }
    this.#counts[block]! -= left;
    this.#lengths[block]! -= rest;
    this.#replace(block + 1, this.#blocks - block - 1, []);
    this.#count -= count;
    this.#length -= bytes;
  }

  // --- inside

  /** Finds the block by a place among all elements, or all bytes: `sizes` of the blocks add up to `total`. */
  #find(place: number, sizes: Uint32Array, total: number): void {
    const counts = this.#counts;
    const lengths = this.#lengths;
    if (place * 2 < total) {
      let left = place;
      let index = 0;
      let offset = 0;
      let i = 0;
      for (; left >= sizes[i]!; i++) {
        left -= sizes[i]!;
        index += counts[i]!;
        offset += lengths[i]!;
      }
      this.#found(i, index, offset);
    } else {
      let left = total - place;
      let i = this.#blocks - 1;
      let index = this.#count - counts[i]!;
      let offset = this.#length - lengths[i]!;
      while (left > sizes[i]!) {
        left -= sizes[i--]!;
        index -= counts[i]!;
        offset -= lengths[i]!;
      }
      this.#found(i, index, offset);
    }
  }

  #found(block: number, index: number, offset: number): void {
    this.#block = block;
    this.index = index;
    this.offset = offset;
  }

  /** Cuts a block that begins at `start`. */
  #cut(block: number, buffer: Buffer, start: number): void {
    const end = start + this.#lengths[block]!;
    const cuts = new BlockCuts();
    for (let at = start; at < end; ) {
      const bytes = buffer[at] === LIST_GAP ? 1 : listElementBytes(buffer, at);
      if (buffer[at] === LIST_GAP) cuts.gap();
      else cuts.element(bytes);
      at += bytes;
    }
    this.#replace(block, 1, cuts.end());
  }

  #shrunk(block: number): void {
    if (this.#counts[block] === 0 && this.#blocks > 1) return this.#giveUp(block);
    this.#join(block);
    if (block > 0) this.#join(block - 1);
  }

  /** A block without elements; what gaps it has are another one's from now on. */
  #giveUp(block: number): void {
    const first = Math.max(0, block - 1);
    const bytes = this.#lengths[first]! + this.#lengths[first + 1]!;
    this.#replace(first, 2, [this.#counts[first]! + this.#counts[first + 1]!, bytes]);
  }

  /** A block and the next one become one where they are small. */
  #join(block: number): void {
    if (block + 1 >= this.#blocks) return;
    const bytes = this.#lengths[block]! + this.#lengths[block + 1]!;
    if (bytes > BLOCK_BYTES) return;
    this.#replace(block, 2, [this.#counts[block]! + this.#counts[block + 1]!, bytes]);
  }

  /** `pieces` has of each new block elements and bytes. */
  #replace(block: number, removed: number, pieces: readonly number[]): void {
    const added = pieces.length / 2;
    const before = this.#blocks;
    const blocks = before + added - removed;
    const { length } = this.#counts;
    if (blocks > length) this.#reserve(Math.max(blocks, length * 2));
    if (added !== removed) {
      this.#counts.copyWithin(block + added, block + removed, before);
      this.#lengths.copyWithin(block + added, block + removed, before);
    }
    for (let i = 0; i < added; i++) {
      this.#counts[block + i] = pieces[2 * i]!;
      this.#lengths[block + i] = pieces[2 * i + 1]!;
    }
    this.#blocks = blocks;
    if (blocks < length / 4 && length > CAPACITY_MIN) {
      this.#reserve(Math.max(blocks * 2, CAPACITY_MIN));
    }
  }

  #reserve(capacity: number): void {
    const counts = new Uint32Array(capacity);
    const lengths = new Uint32Array(capacity);
    const kept = Math.min(this.#blocks, capacity);
    counts.set(this.#counts.subarray(0, kept));
    lengths.set(this.#lengths.subarray(0, kept));
    this.#counts = counts;
    this.#lengths = lengths;
  }
}

const NOTHING = Buffer.alloc(0);
