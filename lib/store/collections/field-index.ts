import type { Attachment } from '../large-payloads.js';
import { CellTable } from './cell-table.js';
import type { KeptBytes } from './kept-bytes.js';
import { Positions } from './positions.js';

const CELLS_MIN = 1024;
/**
 * Records that a change moves from the old table to the new one, and cells in which it looks for them. So an old table of n
 * cells is empty after n / 16 changes at most, and the new one is not full before (5 of 8 cells): one of 2 n gets at most
 * the 5 / 8 n of the old one and n / 16; one of n gets n / 2 and n / 16; one of n / 4 gets n / 16 and n / 16.
 */
const RECORDS_MOVED = 16;
const CELLS_LOOKED_AT = 128;
/** With less than one record in so many cells a table is made smaller. */
const SPARSE = 16;

/**
 * Where the records of a large value are, by the hashes of their keys: a table that grows, shrinks and gets rid of records that
 * are gone in steps, each change moving some cells to a new table. Homes are the first bits of hashes: so a walk in the order
 * of homes means the same after growth, and on another node. Made from the value when it is needed.
 *
 * A record found is named by its cell, until the next change: of the table, or behind those of the old one.
 */
export class FieldIndex implements Attachment {
  /** Records. */
  size = 0;
  /** What `prefetch` has loaded: without it the compiler may leave the loads out. */
  loaded = 0;
  /** Bytes of the value that may still be cleaned for changes made before: see cleaning-pace.ts. */
  credit = 0;
  #positions = new Positions();
  #table: CellTable;
  #old: CellTable | null = null;
  /** Cells of the old table that were moved. */
  #moved = 0;

  /** `records` are expected. */
  constructor(records: number) {
    this.#table = tableFor(records);
  }

  get bytes(): number {
    return this.#table.bytes + (this.#old?.bytes ?? 0);
  }

  /** The first cell that holds a record of this hash; -1 for none. */
  first(hash: number): number {
    const table = this.#table;
    const cell = table.find(hash, hash >>> table.shift);
    return cell >= 0 || this.#old === null ? cell : this.#firstOld(hash, this.#old);
  }

  /** The next one behind `cell`. */
  next(hash: number, cell: number): number {
    const table = this.#table;
    const old = this.#old;
    if (cell < table.cells) {
      const next = table.find(hash, cell + 1);
      return next >= 0 || old === null ? next : this.#firstOld(hash, old);
    }
    const next = old!.find(hash, cell - table.cells + 1);
    return next < 0 ? -1 : table.cells + next;
  }

  #firstOld(hash: number, old: CellTable): number {
    const cell = old.find(hash, hash >>> old.shift);
    return cell < 0 ? -1 : this.#table.cells + cell;
  }

  /** The first `count` of these hashes are about to be looked up. */
  prefetch(hashes: Uint32Array, count: number): void {
    let sum = 0;
    for (let i = 0; i < count; i++) sum ^= this.#table.homeOf(hashes[i]!);
    this.loaded = sum;
  }

  /** Of the record in a cell, from the value's start. */
  offsetAt(cell: number): number {
    const { cells } = this.#table;
    const position =
      cell < cells ? this.#table.positionAt(cell) : this.#old!.positionAt(cell - cells);
    return this.#positions.offsetOf(position);
  }

  add(hash: number, offset: number): void {
    const table = this.#table;
    if (this.#old === null && table.isFull) {
      this.#begin(this.size * 2 > table.cells ? 2 * table.cells : table.cells);
    }
    this.#table.put(hash, this.#positions.of(offset));
    this.size++;
    this.#step();
  }

  removeAt(cell: number): void {
    const table = this.#table;
    if (cell < table.cells) table.removeAt(cell);
    else this.#old!.removeAt(cell - table.cells);
    this.size--;
    if (this.#old === null && table.cells > CELLS_MIN && this.#isSparse) {
      this.#begin(Math.max(table.cells / 4, CELLS_MIN));
    }
    this.#step();
  }

  /** The record in the cell is at another offset now. */
  relocate(cell: number, offset: number): void {
    const table = this.#table;
    const position = this.#positions.of(offset);
    if (cell < table.cells) table.setPosition(cell, position);
    else this.#old!.setPosition(cell - table.cells, position);
  }

  /** So many bytes at the front of the value are gone, and the records in them are none of the index any more. */
  dropFront(bytes: number): void {
    this.#positions.dropFront(bytes);
  }

  /** Of the value only these bytes stay, `records` whole records. Their hashes are in the table: no record is looked at. */
  repack(kept: KeptBytes, records: number): void {
    const before = this.#positions;
    this.#positions = new Positions();
    this.#table.repack(kept, before, this.#positions);
    this.#old?.repack(kept, before, this.#positions);
    this.size = records;
    if (this.#old !== null || this.#table.cells <= CELLS_MIN || !this.#isSparse) return;
    const table = tableFor(records);
    this.#table.moveTo(table);
    this.#table = table;
  }

  get #isSparse(): boolean {
    return this.size * SPARSE < this.#table.cells;
  }

  /** The cell of a random record, of which there is one at least; `random` is in [0, 1). */
  pick(random: () => number): number {
    const table = this.#table;
    const old = this.#old;
    // Those that were moved are empty.
    const cells = table.cells + (old === null ? 0 : old.cells - this.#moved);
    for (;;) {
      const cell = Math.floor(random() * cells);
      if (cell < table.cells) {
        if (table.isUsed(cell)) return cell;
      } else if (old!.isUsed(cell - table.cells + this.#moved)) return cell + this.#moved;
    }
  }

  /**
   * Visits the offsets of records from the hash `cursor` on, in the order of homes, until `countMax` were met; returns the hash
   * to go on from, 0 at the end. Steps are homes of the smaller table, each of which is several ones of the other.
   */
  scan(cursor: number, countMax: number, visit: (offset: number) => void): number {
    const table = this.#table;
    const old = this.#old;
    const positions = this.#positions;
    const shift = Math.max(table.shift, old?.shift ?? 0);
    const visitPosition = (position: number): void => visit(positions.offsetOf(position));
    let seen = 0;
    for (let prefix = cursor >>> shift; prefix < 2 ** (32 - shift); prefix++) {
      if (seen >= countMax) return prefix * 2 ** shift;
      seen += table.visit(prefix, shift, visitPosition);
      if (old !== null) seen += old.visit(prefix, shift, visitPosition);
    }
    return 0;
  }

  #begin(cells: number): void {
    this.#old = this.#table;
    this.#moved = 0;
    this.#table = new CellTable(cells);
  }

  #step(): void {
    const old = this.#old;
    if (old === null) return;
    const end = Math.min(this.#moved + CELLS_LOOKED_AT, old.cells);
    let cell = this.#moved;
    for (let records = 0; records < RECORDS_MOVED && cell < end; cell++) {
      if (!old.isUsed(cell)) continue;
      this.#table.put(old.hashAt(cell), old.positionAt(cell));
      // Not empty: the runs of others go on.
      old.removeAt(cell);
      records++;
    }
    this.#moved = cell;
    if (cell === old.cells) this.#old = null;
  }
}

/** Room for so many records, and half as many more. */
function tableFor(records: number): CellTable {
  let cells = CELLS_MIN;
  while (cells * 5 <= records * 8 * 1.5) cells *= 2;
  return new CellTable(cells);
}
