import assert from 'node:assert';
import { SLOTS } from '../protocol/crc16.js';
import type { Ref } from './entry.js';

const CAPACITY_FIRST = 4;
/** Shared by all slots without entries: one cell, the last, so always empty. */
const EMPTY = new Uint32Array(2);

/**
 * One hash table per slot, each growing on its own: no growth is long, and walks and counts by slot come for free. A
 * table is a Uint32Array of cells (hash, ref), ref 0 is an empty cell:
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
 */
export class SlotIndex {
  /** Tables by slot. Read by Store.find, changed only here. */
  readonly tables: Uint32Array[] = new Array<Uint32Array>(SLOTS).fill(EMPTY);
  /** Entries by slot. */
  readonly counts: Uint32Array = new Uint32Array(SLOTS);
  /** Bytes of all tables. */
  bytes = 0;
  private walks = 0;

  insert(slot: number, hash: number, ref: Ref): void {
    let table = this.tables[slot]!;
    const count = this.counts[slot]! + 1;
    if (count > entriesMax(table.length >>> 1)) table = this.rebuild(slot, grown(table));
    while (!place(table, hash, ref)) table = this.rebuild(slot, grown(table));
    this.counts[slot] = count;
  }

  remove(slot: number, hash: number, ref: Ref): void {
    const table = this.tables[slot]!;
    let hole = positionOf(table, hash, ref);
    let next = hole + 2;
    while (table[next + 1] !== 0 && homePosition(table, table[next]!) < next) {
      table[hole] = table[next]!;
      table[hole + 1] = table[next + 1]!;
      hole = next;
      next += 2;
    }
    table[hole + 1] = 0;
    this.counts[slot]!--;
    if (this.walks === 0) this.shrink(slot);
  }

  /** The entry has moved. */
  move(slot: number, hash: number, from: Ref, to: Ref): void {
    const table = this.tables[slot]!;
    table[positionOf(table, hash, from) + 1] = to;
  }

  /** Between these, tables keep their size when entries are removed, so that positions stay meaningful. */
  beginWalk(): void {
    this.walks++;
  }

  endWalk(slot: number): void {
    this.walks--;
    if (this.walks === 0) this.shrink(slot);
  }

  /** Gives memory back when a table is less than a quarter full. */
  private shrink(slot: number): void {
    const capacity = this.tables[slot]!.length >>> 1;
    const count = this.counts[slot]!;
    if (count === 0) {
      if (capacity > CAPACITY_FIRST) this.replace(slot, EMPTY);
    } else if (capacity > 2 * CAPACITY_FIRST && count < capacity >>> 2) {
      this.rebuild(slot, count * 2);
    }
  }

  private rebuild(slot: number, capacity: number): Uint32Array {
    let size = Math.max(capacity, CAPACITY_FIRST);
    let table = new Uint32Array(size * 2);
    while (!copySorted(this.tables[slot]!, table)) {
      size += (size >>> 1) + 1;
      table = new Uint32Array(size * 2);
    }
    this.replace(slot, table);
    return table;
  }

  private replace(slot: number, table: Uint32Array): void {
    const old = this.tables[slot]!;
    if (old !== EMPTY) this.bytes -= old.byteLength;
    if (table !== EMPTY) this.bytes += table.byteLength;
    this.tables[slot] = table;
  }
}

/** Position (element of the table) of the cell where `hash` is at home. The rest of the run follows, in steps of 2. */
export function homePosition(table: Uint32Array, hash: number): number {
  const capacity = table.length >>> 1;
  const homes = capacity - (capacity >>> 4) - 1;
  return ((hash * (homes * 2 ** -32)) | 0) << 1;
}

/** Position of the first cell whose hash is `hash` or greater; of the empty last cell if there is none. */
export function firstPositionFrom(table: Uint32Array, hash: number): number {
  let at = homePosition(table, hash);
  const end = table.length - 2;
  while (at < end && (table[at + 1] === 0 || table[at]! < hash)) at += 2;
  return at;
}

function entriesMax(capacity: number): number {
  return capacity - (capacity >>> 2) + (capacity >>> 4);
}

function grown(table: Uint32Array): number {
  const capacity = table.length >>> 1;
  return capacity < CAPACITY_FIRST ? CAPACITY_FIRST : capacity + (capacity >>> 1);
}

function positionOf(table: Uint32Array, hash: number, ref: Ref): number {
  let at = homePosition(table, hash);
  while (table[at + 1] !== ref) {
    assert(table[at + 1] !== 0, 'entry is not in the index');
    at += 2;
  }
  return at;
}

/** False when the run reaches the last cell: the table must grow first. */
function place(table: Uint32Array, hash: number, ref: Ref): boolean {
  let at = homePosition(table, hash);
  while (table[at + 1] !== 0 && table[at]! <= hash) at += 2;
  let end = at;
  while (table[end + 1] !== 0) end += 2;
  if (end + 2 >= table.length) return false;
  for (let i = end; i > at; i -= 2) {
    table[i] = table[i - 2]!;
    table[i + 1] = table[i - 1]!;
  }
  table[at] = hash;
  table[at + 1] = ref;
  return true;
}

function copySorted(source: Uint32Array, target: Uint32Array): boolean {
  let free = 0;
  const end = target.length - 2;
  for (let i = 0; i < source.length; i += 2) {
    if (source[i + 1] === 0) continue;
    const at = Math.max(homePosition(target, source[i]!), free);
    if (at >= end) return false;
    target[at] = source[i]!;
    target[at + 1] = source[i + 1]!;
    free = at + 2;
  }
  return true;
}
