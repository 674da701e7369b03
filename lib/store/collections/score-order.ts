import assert from 'node:assert';
import type { KeptBytes } from './kept-bytes.js';
import { Positions } from './positions.js';

/** Records of a block; a full one is cut in two. */
const BLOCK_MAX = 512;

interface Block {
  readonly scores: Float64Array;
  readonly positions: Uint32Array;
  count: number;
}

const newBlock = (): Block => ({
  scores: new Float64Array(BLOCK_MAX),
  positions: new Uint32Array(BLOCK_MAX),
  count: 0,
});

/** A block of fewer records becomes one with a neighbour, where both leave room for as many. */
const MERGED_BELOW = BLOCK_MAX / 4;

/** Whether a record comes before a place that is looked for; true for none behind one for which it is false. */
export type IsBefore = (score: number, offset: number) => boolean;

/**
 * Records of a large sorted set in the order of their scores: blocks of at most 512, found by halving; a rank is a sum over
 * the blocks before it. So a million members are two thousand blocks, and a rank takes some microseconds.
 */
export class ScoreOrder {
  /** Offset and score of the record at the cursor. */
  offset = 0;
  score = 0;
  #positions = new Positions();
  #blocks: Block[] = [newBlock()];
  #size = 0;
  #block = 0;
  #at = 0;

  get bytes(): number {
    return this.#blocks.length * BLOCK_MAX * 12;
  }

  get size(): number {
    return this.#size;
  }

  /** Of all records, in their order. */
  offsets(): Uint32Array {
    const all = new Uint32Array(this.#size);
    let at = 0;
    for (const { positions, count } of this.#blocks) {
      for (let i = 0; i < count; i++) all[at++] = this.#positions.offsetOf(positions[i]!);
    }
    return all;
  }

  /** Behind all others: for records that come in order. */
  append(score: number, offset: number): void {
    let last = this.#blocks[this.#blocks.length - 1]!;
    // Some room is left, so that the next records do not cut every block in two.
    if (last.count >= (BLOCK_MAX * 3) / 4) {
      last = newBlock();
      this.#blocks.push(last);
    }
    last.scores[last.count] = score;
    last.positions[last.count++] = this.#positions.of(offset);
    this.#size++;
  }

  /** Records that come before the place; the cursor is set on what is there. */
  rank(isBefore: IsBefore): number {
    this.#find(isBefore);
    let rank = this.#at;
    for (let i = 0; i < this.#block; i++) rank += this.#blocks[i]!.count;
    this.#settle();
    return rank;
  }

  insert(score: number, offset: number, isBefore: IsBefore): void {
    this.#find(isBefore);
    let block = this.#blocks[this.#block]!;
    if (block.count === BLOCK_MAX) {
      const half = BLOCK_MAX / 2;
      const other = newBlock();
      other.scores.set(block.scores.subarray(half));
      other.positions.set(block.positions.subarray(half));
      other.count = BLOCK_MAX - half;
      block.count = half;
      this.#blocks.splice(this.#block + 1, 0, other);
      if (this.#at > half) {
        this.#at -= half;
        block = other;
      }
    }
    const at = this.#at;
    block.scores.copyWithin(at + 1, at, block.count);
    block.positions.copyWithin(at + 1, at, block.count);
    block.scores[at] = score;
    block.positions[at] = this.#positions.of(offset);
    block.count++;
    this.#size++;
  }

  /** Removes the record at an offset, which the place is right before. */
  remove(offset: number, isBefore: IsBefore): void {
    this.#findExactly(offset, isBefore);
    const block = this.#blocks[this.#block]!;
    const at = this.#at;
    block.scores.copyWithin(at, at + 1, block.count);
    block.positions.copyWithin(at, at + 1, block.count);
    block.count--;
    this.#size--;
    if (block.count < MERGED_BELOW) this.#merge(this.#block);
  }

  /** The record at the offset `from`, which the place is right before, is at `to` now. */
  relocate(from: number, to: number, isBefore: IsBefore): void {
    this.#findExactly(from, isBefore);
    this.#blocks[this.#block]!.positions[this.#at] = this.#positions.of(to);
  }

  /** So many bytes at the front of the value are gone, and the records in them are not in the order any more. */
  dropFront(bytes: number): void {
    this.#positions.dropFront(bytes);
  }

  /** Of the value only these bytes stay, all those of the records in the order among them. */
  repack(kept: KeptBytes): void {
    const [before, after] = [this.#positions, new Positions()];
    for (const { positions, count } of this.#blocks) {
      for (let i = 0; i < count; i++) {
        positions[i] = after.of(kept.offsetOf(before.offsetOf(positions[i]!)));
      }
    }
    this.#positions = after;
  }

  /** Removes `count` records from that rank on, not all that there are; returns their offsets. */
  removeRanks(first: number, count: number): Uint32Array {
    const removed = new Uint32Array(count);
    let done = 0;
    this.seek(first);
    let from = this.#at;
    for (let i = this.#block; done < count; i++) {
      const block = this.#blocks[i]!;
      const to = Math.min(from + count - done, block.count);
      for (let at = from; at < to; at++) {
        removed[done++] = this.#positions.offsetOf(block.positions[at]!);
      }
      block.scores.copyWithin(from, to, block.count);
      block.positions.copyWithin(from, to, block.count);
      block.count -= to - from;
      from = 0;
    }
    this.#size -= count;
    this.#blocks = this.#blocks.filter((block) => block.count > 0);
    return removed;
  }

  /** Sets the cursor on the record of that rank, which there must be. */
  seek(rank: number): void {
    let left = rank;
    let i = 0;
    while (left >= this.#blocks[i]!.count) left -= this.#blocks[i++]!.count;
    this.#block = i;
    this.#at = left;
    this.#load();
  }

  /** Moves the cursor by one; at either end it stays. */
  step(direction: 1 | -1): void {
    this.#at += direction;
    const block = this.#blocks[this.#block]!;
    if (this.#at >= block.count && this.#block + 1 < this.#blocks.length) {
      this.#block++;
      this.#at = 0;
    } else if (this.#at < 0 && this.#block > 0) {
      this.#block--;
      this.#at = this.#blocks[this.#block]!.count - 1;
    }
    this.#load();
  }

  #load(): void {
    const block = this.#blocks[this.#block]!;
    if (this.#at < 0 || this.#at >= block.count) return;
    this.offset = this.#positions.offsetOf(block.positions[this.#at]!);
    this.score = block.scores[this.#at]!;
  }

  /** The last block whose first record comes before the place, and where it is in there: perhaps behind all of it. */
  #find(isBefore: IsBefore): void {
    const blocks = this.#blocks;
    const positions = this.#positions;
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const block = blocks[middle]!;
      if (isBefore(block.scores[0]!, positions.offsetOf(block.positions[0]!))) low = middle;
      else high = middle - 1;
    }
    const block = blocks[low]!;
    let from = 0;
    let to = block.count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const offset = positions.offsetOf(block.positions[middle]!);
      if (isBefore(block.scores[middle]!, offset)) from = middle + 1;
      else to = middle;
    }
    this.#block = low;
    this.#at = from;
  }

  /** The record at the offset: the one that the place is right before, or one of its equals in bytes that came damaged. */
  #findExactly(offset: number, isBefore: IsBefore): void {
    this.#find(isBefore);
    this.#settle();
    while (this.offset !== offset) {
      const { offset: before } = this;
      this.step(1);
      assert(this.offset !== before, 'the record is not in the order');
    }
  }

  #merge(at: number): void {
    const blocks = this.#blocks;
    const first = Math.max(at - 1, 0);
    for (let i = first; i <= at && i + 1 < blocks.length; i++) {
      const block = blocks[i]!;
      const other = blocks[i + 1]!;
      if (block.count + other.count > BLOCK_MAX - MERGED_BELOW) continue;
      block.scores.set(other.scores.subarray(0, other.count), block.count);
      block.positions.set(other.positions.subarray(0, other.count), block.count);
      block.count += other.count;
      blocks.splice(i + 1, 1);
      return;
    }
  }

  /** A place behind the end of a block is before the next one. */
  #settle(): void {
    const block = this.#blocks[this.#block]!;
    if (this.#at < block.count || this.#block + 1 >= this.#blocks.length) return this.#load();
    this.#block++;
    this.#at = 0;
    this.#load();
  }
}
