import { freshMemory } from '../fresh-memory.js';
import type { KeptBytes } from './kept-bytes.js';
import { POSITION_MIN, type Positions } from './positions.js';

const EMPTY = 0;
/** A record that was there; positions of records are larger. */
const GONE = POSITION_MIN - 1;
/** Cells of 8 that may be in use, those of records that are gone included. */
const FILLED_MAX = 5;

/**
 * Hashes of records with their positions: open addressing, with the first bits of the hash as home. A cell is two words, side
 * by side as they are read together: position and hash.
 */
export class CellTable {
  readonly cells: number;
  /** The home of a hash is the hash shifted by so many bits. */
  readonly shift: number;
  readonly #words: Uint32Array;
  /** Cells that are not empty. */
  #filled = 0;

  /** `cells` is a power of two. */
  constructor(cells: number) {
    this.cells = cells;
    this.shift = 32 - Math.log2(cells);
    const words = 2 * cells;
    this.#words = new Uint32Array(freshMemory(4 * words), 0, words);
  }

  get bytes(): number {
    return this.#words.length * 4;
  }

  get isFull(): boolean {
    return (this.#filled + 1) * 8 > this.cells * FILLED_MAX;
  }

  /** Whether a record is in the cell. */
  isUsed(cell: number): boolean {
    return this.#words[2 * cell]! > GONE;
  }

  /** What is in the cell where a search for the hash begins. */
  homeOf(hash: number): number {
    return this.#words[2 * (hash >>> this.shift)]!;
  }

  positionAt(cell: number): number {
    return this.#words[2 * cell]!;
  }

  setPosition(cell: number, position: number): void {
    this.#words[2 * cell] = position;
  }

  hashAt(cell: number): number {
    return this.#words[2 * cell + 1]!;
  }

  /** The first cell from `cell` on that holds a record of this hash, -1 for none. The next one is looked for behind it. */
  find(hash: number, cell: number): number {
    const words = this.#words;
    const mask = this.cells - 1;
    for (let at = cell & mask; ; at = (at + 1) & mask) {
      const position = words[2 * at]!;
      if (position === EMPTY) return -1;
      if (words[2 * at + 1] === hash && position !== GONE) return at;
    }
  }

  put(hash: number, position: number): void {
    const words = this.#words;
    const mask = this.cells - 1;
    let at = hash >>> this.shift;
    while (words[2 * at]! > GONE) at = (at + 1) & mask;
    if (words[2 * at] === EMPTY) this.#filled++;
    words[2 * at] = position;
    words[2 * at + 1] = hash;
  }

  removeAt(cell: number): void {
    this.#words[2 * cell] = GONE;
  }

  /** Of the value only these bytes stay, and positions begin anew: the one before the first, where -1 is, is GONE. */
  repack(kept: KeptBytes, before: Positions, after: Positions): void {
    const words = this.#words;
    for (let at = 0; at < words.length; at += 2) {
      const position = words[at]!;
      if (position <= GONE) continue;
      words[at] = after.of(kept.offsetOf(before.offsetOf(position)));
    }
  }

  /** Puts all records into another table: in the order of their homes, so that both are gone through once. */
  moveTo(table: CellTable): void {
    const words = this.#words;
    for (let at = 0; at < words.length; at += 2) {
      if (words[at]! > GONE) table.put(words[at + 1]!, words[at]!);
    }
  }

  /** Visits the records whose hashes, shifted by `shift` bits, are `prefix`; returns how many. `shift` is at least the table's own. */
  visit(prefix: number, shift: number, visit: (position: number) => void): number {
    const words = this.#words;
    const mask = this.cells - 1;
    const homes = 2 ** (shift - this.shift);
    let visited = 0;
    for (let home = prefix * homes; home < (prefix + 1) * homes; home++) {
      for (let at = home; words[2 * at] !== EMPTY; at = (at + 1) & mask) {
        if (words[2 * at] === GONE || words[2 * at + 1]! >>> this.shift !== home) continue;
        visit(words[2 * at]!);
        visited++;
      }
    }
    return visited;
  }
}
