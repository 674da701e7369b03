import assert from 'node:assert';
import { SLOTS } from '../protocol/crc16.js';
import { Arena } from './arena.js';
import type { Ref } from './entry.js';
import { BATCH_KEYS_MAX, type KeyBatch } from './key-batch.js';
import { ENTRY_UNITS_MAX } from './size-classes.js';
import { SlotCounts } from './slot-counts.js';

/** Memory for tables is taken from the system in steps of this at most. */
const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/** A block in the slab is one unit for the number of its slot, and one unit for each cell. */
const BLOCK_CELLS_MAX = ENTRY_UNITS_MAX - 1;
const CELLS_FIRST = 5;
/** In place of a block: the table has an allocation of its own. */
const NO_BLOCK = 0;

/**
 * One hash table per slot, each growing on its own: no growth is long, and walks and counts by slot come for free. A
 * table is a row of cells (hash, ref), two words each; ref 0 is an empty cell:
 *
 *     | cells where entries are at home | spill |
 *
 * The home of an entry is its hash scaled to the number of home cells, so homes grow with hashes; an entry sits at its
 * home or in the run of occupied cells behind it, and the table is kept sorted by hash. Therefore
 * - a miss ends at the first greater hash: tables may be four fifths full;
 * - hashes are compared before entries are touched (a touched entry is a cache miss, a cell seldom is);
 * - a removal shifts the rest of the run back and leaves no marks;
 * - a walk in hash order needs no sorting, and goes on from a hash after the table has grown or shrunk.
 * The last cell is always empty: it ends every search without a wrap-around.
 *
 * Tables live in a slab of their own: as typed arrays each, they would cost a pointer more to follow, garbage with
 * every growth, and holes in the heap of the C library. Only slots with thousands of entries (of one hash tag) have an
 * allocation of their own; a growth of theirs is a copy in memory order, some milliseconds for a million entries.
 */
export class SlotIndex {
  /** Entries by slot. */
  readonly entries = new SlotCounts();
  readonly counts: Uint32Array = this.entries.counts;
  /** By slot, side by side as they are read together: its block, and the number of its cells. */
  private readonly tables: Uint32Array = new Uint32Array(2 * SLOTS);

  /** Of no meaning: so that the loads of `locate` have a use, and are not left out by the compiler. */
  loaded = 0;

  private readonly slab: Arena;
  private readonly chunkWords: Uint32Array[];
  private readonly chunkShift: number;
  private readonly unitMask: number;
  private readonly large = new Map<number, Uint32Array>();
  private largeBytes = 0;
  private walks = 0;
  private readonly places = new Int32Array(BATCH_KEYS_MAX);

  /** `chunkBytes` as for the entries. */
  constructor(chunkBytes: number) {
    this.slab = new Arena(Math.min(chunkBytes, CHUNK_BYTES_MAX), (_from, to) => {
      this.tables[2 * this.wordsOfBlock(to)[this.baseOfBlock(to) - 2]!] = to;
    });
    const { words, chunkShift, unitMask } = this.slab.pool;
    this.chunkWords = words;
    this.chunkShift = chunkShift;
    this.unitMask = unitMask;
  }

  /**
   * Words and base of a slot that has entries: cell i is at words[base + 2 * i] (hash) and the word behind it (ref).
   * Valid until the next insertion or removal in any slot.
   */
  wordsOf(slot: number): Uint32Array {
    const block = this.tables[2 * slot]!;
    return block === NO_BLOCK ? this.large.get(slot)! : this.wordsOfBlock(block);
  }

  /** Cells of a slot; 0 for one that never had entries. */
  cellsOf(slot: number): number {
    return this.tables[2 * slot + 1]!;
  }

  baseOf(slot: number): number {
    const block = this.tables[2 * slot]!;
    return block === NO_BLOCK ? 0 : this.baseOfBlock(block);
  }

  /**
   * Finds where the entries of keys probably are, by their slots and hashes: into `refs`, 0 for none, or for one in a table
   * of its own. One step for all keys after the other, each of loads that do not wait for one another.
   */
  locate({ count, hashes, slots, refs }: KeyBatch): void {
    const { tables, chunkShift, unitMask, chunkWords, places } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const table = 2 * slots[i]!;
      const block = tables[table]!;
      refs[i] = block;
      if (block === NO_BLOCK) continue;
      const place = (block & unitMask) * 2 + 2 + 2 * homeOf(tables[table + 1]!, hashes[i]!);
      places[i] = place;
      sum ^= chunkWords[block >>> chunkShift]![place]!;
    }
    this.loaded = sum;
    for (let i = 0; i < count; i++) {
      const block = refs[i]!;
      if (block === NO_BLOCK) continue;
      const hash = hashes[i]!;
      const words = chunkWords[block >>> chunkShift]!;
      let at = places[i]!;
      while (words[at]! < hash && words[at + 1] !== 0) at += 2;
      refs[i] = words[at] === hash ? words[at + 1]! : 0;
    }
  }

  /** 0 for an empty cell, and behind the last one. */
  refAt(slot: number, cell: number): Ref {
    return cell < this.cellsOf(slot) ? this.wordsOf(slot)[this.baseOf(slot) + 2 * cell + 1]! : 0;
  }

  hashAt(slot: number, cell: number): number {
    return this.wordsOf(slot)[this.baseOf(slot) + 2 * cell]!;
  }

  /** The first cell of an entry whose hash is `hash` or greater; the number of cells if there is none. */
  cellFrom(slot: number, hash: number): number {
    const cells = this.cellsOf(slot);
    if (cells === 0) return 0;
    let cell = homeOf(cells, hash);
    while (cell < cells && (this.refAt(slot, cell) === 0 || this.hashAt(slot, cell) < hash)) cell++;
    return cell;
  }

  insert(slot: number, hash: number, ref: Ref): void {
    const count = this.counts[slot]! + 1;
    if (count > entriesMax(this.cellsOf(slot))) this.rebuild(slot, grown(this.cellsOf(slot)));
    while (!place(this.wordsOf(slot), this.baseOf(slot), this.cellsOf(slot), hash, ref)) {
      this.rebuild(slot, grown(this.cellsOf(slot)));
    }
    this.entries.add(slot, 1);
  }

  remove(slot: number, hash: number, ref: Ref): void {
    const words = this.wordsOf(slot);
    const base = this.baseOf(slot);
    const cells = this.cellsOf(slot);
    let hole = this.positionOf(slot, hash, ref);
    let next = hole + 2;
    while (words[next + 1] !== 0 && base + 2 * homeOf(cells, words[next]!) < next) {
      words[hole] = words[next]!;
      words[hole + 1] = words[next + 1]!;
      hole = next;
      next += 2;
    }
    words[hole + 1] = 0;
    this.entries.add(slot, -1);
    if (this.walks === 0) this.shrink(slot);
  }

  /** The entry has moved. */
  move(slot: number, hash: number, from: Ref, to: Ref): void {
    this.wordsOf(slot)[this.positionOf(slot, hash, from) + 1] = to;
  }

  /** Between these, tables keep their size when entries are removed, so that a number of a cell stays meaningful. */
  beginWalk(): void {
    this.walks++;
  }

  endWalk(slot: number): void {
    this.walks--;
    if (this.walks === 0) this.shrink(slot);
  }

  /** As Arena.compact. */
  compact(pagesMax: number): number {
    return this.slab.compact(pagesMax);
  }

  clear(): void {
    this.entries.clear();
    this.tables.fill(0);
    this.slab.clear();
    this.large.clear();
    this.largeBytes = 0;
  }

  get usedBytes(): number {
    return this.slab.usedBytes + this.largeBytes;
  }

  get reservedBytes(): number {
    return this.slab.reservedBytes + this.largeBytes;
  }

  get droppedBytes(): number {
    return this.slab.droppedBytes;
  }

  private wordsOfBlock(block: Ref): Uint32Array {
    return this.chunkWords[block >>> this.chunkShift]!;
  }

  private baseOfBlock(block: Ref): number {
    return (block & this.unitMask) * 2 + 2;
  }

  /** Position among the words of the slot. */
  private positionOf(slot: number, hash: number, ref: Ref): number {
    const words = this.wordsOf(slot);
    let at = this.baseOf(slot) + 2 * homeOf(this.cellsOf(slot), hash);
    while (words[at + 1] !== ref) {
      assert(words[at + 1] !== 0, 'entry is not in the index');
      at += 2;
    }
    return at;
  }

  /** Gives memory back when a table is less than a quarter full. */
  private shrink(slot: number): void {
    const cells = this.cellsOf(slot);
    const count = this.counts[slot]!;
    if (cells > 2 * CELLS_FIRST && count < cells >>> 2) this.rebuild(slot, count * 2);
  }

  /** Gives the slot a table of at least that many cells. */
  private rebuild(slot: number, cellsMin: number): void {
    let wanted = Math.max(cellsMin, CELLS_FIRST);
    while (!this.rebuildWith(slot, wanted)) wanted = grown(wanted);
  }

  /** False when the entries do not fit: the last run would reach the last cell. */
  private rebuildWith(slot: number, wanted: number): boolean {
    const block = wanted > BLOCK_CELLS_MAX ? NO_BLOCK : this.slab.allocate(wanted + 1);
    const isLarge = block === NO_BLOCK;
    // A block is as large as its size class: all of that is used.
    const cells = isLarge ? wanted : this.slab.unitsOf(block) - 1;
    const words = isLarge ? new Uint32Array(2 * cells) : this.wordsOfBlock(block);
    const base = isLarge ? 0 : this.baseOfBlock(block);
    if (!isLarge) {
      words.fill(0, base, base + 2 * cells);
      words[base - 2] = slot;
    }
    if (this.cellsOf(slot) !== 0 && !this.copyTo(slot, words, base, cells)) {
      if (!isLarge) this.slab.free(block);
      return false;
    }
    const before = this.tables[2 * slot]!;
    this.largeBytes -= this.large.get(slot)?.byteLength ?? 0;
    this.large.delete(slot);
    this.tables[2 * slot] = block;
    this.tables[2 * slot + 1] = cells;
    if (isLarge) {
      this.large.set(slot, words);
      this.largeBytes += words.byteLength;
    }
    // Last, for it may move the new block.
    if (before !== NO_BLOCK) this.slab.free(before);
    return true;
  }

  private copyTo(slot: number, target: Uint32Array, base: number, cells: number): boolean {
    const source = this.wordsOf(slot);
    const start = this.baseOf(slot);
    const end = start + 2 * this.cellsOf(slot);
    let free = 0;
    for (let i = start; i < end; i += 2) {
      if (source[i + 1] === 0) continue;
      const cell = Math.max(homeOf(cells, source[i]!), free);
      if (cell >= cells - 1) return false;
      target[base + 2 * cell] = source[i]!;
      target[base + 2 * cell + 1] = source[i + 1]!;
      free = cell + 1;
    }
    return true;
  }
}

/** The cell where `hash` is at home in a table of `cells`. The run of entries of greater or equal hashes follows. */
export function homeOf(cells: number, hash: number): number {
  const homes = cells - (cells >>> 4) - 1;
  return (hash * (homes * 2 ** -32)) | 0;
}

function entriesMax(cells: number): number {
  return cells - (cells >>> 2) + (cells >>> 4);
}

function grown(cells: number): number {
  return cells + (cells >>> 1);
}

/** False when the run reaches the last cell: the table must grow first. */
function place(words: Uint32Array, base: number, cells: number, hash: number, ref: Ref): boolean {
  let at = base + 2 * homeOf(cells, hash);
  while (words[at + 1] !== 0 && words[at]! <= hash) at += 2;
  let end = at;
  while (words[end + 1] !== 0) end += 2;
  if (end + 2 >= base + 2 * cells) return false;
  for (let i = end; i > at; i -= 2) {
    words[i] = words[i - 2]!;
    words[i + 1] = words[i - 1]!;
  }
  words[at] = hash;
  words[at + 1] = ref;
  return true;
}
