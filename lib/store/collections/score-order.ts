/** Records of a block; a full one is cut in two. */
const BLOCK_MAX = 512;

interface Block {
  readonly scores: Float64Array;
  readonly offsets: Uint32Array;
  count: number;
}

const newBlock = (): Block => ({
  scores: new Float64Array(BLOCK_MAX),
  offsets: new Uint32Array(BLOCK_MAX),
  count: 0,
});

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
  offsets(): number[] {
    const all: number[] = [];
    for (const { offsets, count } of this.#blocks) {
      for (let i = 0; i < count; i++) all.push(offsets[i]!);
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
    last.offsets[last.count++] = offset;
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
      other.offsets.set(block.offsets.subarray(half));
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
    block.offsets.copyWithin(at + 1, at, block.count);
    block.scores[at] = score;
    block.offsets[at] = offset;
    block.count++;
    this.#size++;
  }

  /** Removes the record that the place is right before. */
  remove(isBefore: IsBefore): void {
    this.#find(isBefore);
    this.#settle();
    const block = this.#blocks[this.#block]!;
    const at = this.#at;
    block.scores.copyWithin(at, at + 1, block.count);
    block.offsets.copyWithin(at, at + 1, block.count);
    block.count--;
    this.#size--;
    if (block.count === 0 && this.#blocks.length > 1) this.#blocks.splice(this.#block, 1);
  }

  /** Removes `count` records from that rank on, not all that there are; returns their offsets. */
  removeRanks(first: number, count: number): number[] {
    const removed: number[] = [];
    this.seek(first);
    let from = this.#at;
    for (let i = this.#block; removed.length < count; i++) {
      const block = this.#blocks[i]!;
      const to = Math.min(from + count - removed.length, block.count);
      for (let at = from; at < to; at++) removed.push(block.offsets[at]!);
      block.scores.copyWithin(from, to, block.count);
      block.offsets.copyWithin(from, to, block.count);
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
    this.offset = block.offsets[this.#at]!;
    this.score = block.scores[this.#at]!;
  }

  /** The last block whose first record comes before the place, and where it is in there: perhaps behind all of it. */
  #find(isBefore: IsBefore): void {
    const blocks = this.#blocks;
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const block = blocks[middle]!;
      if (isBefore(block.scores[0]!, block.offsets[0]!)) low = middle;
      else high = middle - 1;
    }
    const block = blocks[low]!;
    let from = 0;
    let to = block.count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (isBefore(block.scores[middle]!, block.offsets[middle]!)) from = middle + 1;
      else to = middle;
    }
    this.#block = low;
    this.#at = from;
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
