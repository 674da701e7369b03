import type { Attachment } from '../large-payloads.js';

const CELLS_MIN = 1024;
/** A record that was there; offsets of records are larger. */
const GONE = 1;
/** Cells in use of 8, those of records that are gone included. */
const FILLED_MAX = 5;

/**
 * Where the records of a large value are: open addressing, with the first bits of the hash as home, so that a walk in the
 * order of homes means the same after growth, and on another node. Made from the value when it is needed.
 */
export class FieldIndex implements Attachment {
  offsets: Uint32Array;
  hashes: Uint32Array;
  /** Records, and cells that are not empty. */
  size = 0;
  #filled = 0;
  #shift: number;

  /** `records` are expected. */
  constructor(records: number) {
    let cells = CELLS_MIN;
    while (cells * FILLED_MAX <= records * 8 * 1.5) cells *= 2;
    this.offsets = new Uint32Array(cells);
    this.hashes = new Uint32Array(cells);
    this.#shift = 32 - Math.log2(cells);
  }

  get bytes(): number {
    return this.offsets.length * 8;
  }

  get cells(): number {
    return this.offsets.length;
  }

  home(hash: number): number {
    return hash >>> this.#shift;
  }

  /** The smallest hash that has this home; 2 ** 32 behind the last one. */
  firstHash(home: number): number {
    return home * 2 ** this.#shift;
  }

  /** Whether a record is in the cell. */
  isUsed(cell: number): boolean {
    return this.offsets[cell]! > GONE;
  }

  /** The first cell from `cell` on that holds a record of this hash, -1 for none. The next one is looked for behind it. */
  find(hash: number, cell: number): number {
    const { offsets, hashes } = this;
    const mask = offsets.length - 1;
    for (let at = cell & mask; ; at = (at + 1) & mask) {
      const offset = offsets[at]!;
      if (offset === 0) return -1;
      if (offset !== GONE && hashes[at] === hash) return at;
    }
  }

  add(hash: number, offset: number): void {
    if ((this.#filled + 1) * 8 > this.offsets.length * FILLED_MAX) this.#grow();
    this.#put(hash, offset);
    this.size++;
  }

  removeAt(cell: number): void {
    this.offsets[cell] = GONE;
    this.size--;
  }

  #put(hash: number, offset: number): void {
    const { offsets } = this;
    const mask = offsets.length - 1;
    let at = hash >>> this.#shift;
    while (offsets[at]! !== 0) at = (at + 1) & mask;
    offsets[at] = offset;
    this.hashes[at] = hash;
    this.#filled++;
  }

  #grow(): void {
    const { offsets, hashes } = this;
    const cells = this.size * 4 > offsets.length ? offsets.length * 2 : offsets.length;
    this.offsets = new Uint32Array(cells);
    this.hashes = new Uint32Array(cells);
    this.#shift = 32 - Math.log2(cells);
    this.#filled = 0;
    for (let i = 0; i < offsets.length; i++) {
      if (offsets[i]! > GONE) this.#put(hashes[i]!, offsets[i]!);
    }
  }
}
