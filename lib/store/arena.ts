import assert from 'node:assert';
import { type Ref, UNIT_BYTES } from './entry.js';
import { PagePool } from './page-pool.js';
import {
  classOfUnits,
  classPerPage,
  classUnits,
  PAGE_UNITS,
  PAGE_UNITS_SHIFT,
} from './size-classes.js';

/** Up to here words are moved one by one: the typed array views that a block move needs cost more than the move. */
const MOVE_BY_WORDS_MAX = 256;

/** Told after the record at `from` has been copied to `to`. */
export type Relocated = (from: Ref, to: Ref) => void;

/**
 * A dense slab. Each size class keeps its records side by side in pages of its own:
 *
 *     class 40:  | page 7: full | page 3: full | page 9: a b c . . . |
 *
 * Freeing a record moves the class's last one into the hole, so all pages of a class but its last are always full;
 * a last page that became empty goes back to the pool, for any class. So nothing fragments, and no cleaner is needed.
 */
export class Arena {
  readonly pool: PagePool;
  records = 0;
  /** What the last `free` moved into the hole: its former ref, or 0. */
  movedFrom: Ref = 0;

  private readonly relocated: Relocated;
  /** Units of all records, as large as their classes. */
  private usedUnits = 0;
  /** Pages by class, in order. */
  private readonly pages: number[][] = Array.from(classUnits, () => []);
  /** Records in the last page of each class. */
  private readonly inLastPage = new Uint16Array(classUnits.length);

  constructor(chunkBytes: number, relocated: Relocated) {
    this.pool = new PagePool(chunkBytes);
    this.relocated = relocated;
  }

  /** A record of at least `units` units (at most ENTRY_UNITS_MAX); its content is undefined. */
  allocate(units: number): Ref {
    const sizeClass = classOfUnits[units]!;
    const pages = this.pages[sizeClass]!;
    let used = this.inLastPage[sizeClass]!;
    if (pages.length === 0 || used === classPerPage[sizeClass]!) {
      const page = this.pool.take();
      this.pool.setOwner(page, sizeClass, pages.length);
      pages.push(page);
      used = 0;
    }
    this.inLastPage[sizeClass] = used + 1;
    const size = classUnits[sizeClass]!;
    this.usedUnits += size;
    this.records++;
    return pages[pages.length - 1]! * PAGE_UNITS + used * size;
  }

  free(ref: Ref): void {
    const sizeClass = this.pool.classOf(ref >>> PAGE_UNITS_SHIFT);
    const size = classUnits[sizeClass]!;
    const pages = this.pages[sizeClass]!;
    const last = this.inLastPage[sizeClass]! - 1;
    const lastPage = pages[pages.length - 1]!;
    const lastRef = lastPage * PAGE_UNITS + last * size;
    this.usedUnits -= size;
    this.records--;
    this.movedFrom = 0;
    if (lastRef !== ref) {
      this.copy(lastRef, ref, size);
      this.relocated(lastRef, ref);
      this.movedFrom = lastRef;
    }
    this.inLastPage[sizeClass] = last;
    if (last === 0) {
      pages.pop();
      this.pool.giveBack(lastPage);
      if (pages.length > 0) this.inLastPage[sizeClass] = classPerPage[sizeClass]!;
    }
  }

  get usedBytes(): number {
    return this.usedUnits * UNIT_BYTES;
  }

  get reservedBytes(): number {
    return this.pool.chunks * this.pool.chunkBytes;
  }

  /** Bytes of chunks that were let go, ever. */
  get droppedBytes(): number {
    return this.pool.dropped * this.pool.chunkBytes;
  }

  /** Units that the record occupies, at least what was asked for. */
  unitsOf(ref: Ref): number {
    return classUnits[this.pool.classOf(ref >>> PAGE_UNITS_SHIFT)]!;
  }

  /** Whether a record of `units` units would be of the same class. */
  fits(ref: Ref, units: number): boolean {
    return this.pool.classOf(ref >>> PAGE_UNITS_SHIFT) === classOfUnits[units]!;
  }

  /** The record number `index` of `records`, in an order that only frees and allocations change. */
  at(index: number): Ref {
    let rest = index;
    for (let sizeClass = 0; sizeClass < this.pages.length; sizeClass++) {
      const count = this.countOfClass(sizeClass);
      if (rest < count) {
        const perPage = classPerPage[sizeClass]!;
        const page = this.pages[sizeClass]![Math.floor(rest / perPage)]!;
        return page * PAGE_UNITS + (rest % perPage) * classUnits[sizeClass]!;
      }
      rest -= count;
    }
    assert.fail(`record ${index} of ${this.records}`);
  }

  /** Calls `visit` with up to `recordsMax` records from number `from` on, until it returns true; that record, or 0. */
  search(from: number, recordsMax: number, visit: (ref: Ref) => boolean): Ref {
    let skip = from;
    let rest = recordsMax;
    for (let sizeClass = 0; sizeClass < this.pages.length; sizeClass++) {
      const count = this.countOfClass(sizeClass);
      const perPage = classPerPage[sizeClass]!;
      const size = classUnits[sizeClass]!;
      for (let i = skip; i < count; i++) {
        if (rest-- <= 0) return 0;
        const page = this.pages[sizeClass]![Math.floor(i / perPage)]!;
        const ref = page * PAGE_UNITS + (i % perPage) * size;
        if (visit(ref)) return ref;
      }
      skip = Math.max(0, skip - count);
    }
    return 0;
  }

  /**
   * Gives memory back to the system, a bounded step at a time: moves at most `pagesMax` pages out of a sparse chunk,
   * and lets the chunk go when it is empty. Returns the pages moved; 0 when there is nothing to gain.
   */
  compact(pagesMax: number): number {
    let moved = 0;
    while (moved < pagesMax) {
      const page = this.pool.pageToMove();
      if (page < 0) break;
      this.movePage(page);
      moved++;
    }
    return moved;
  }

  clear(): void {
    this.pool.clear();
    for (const pages of this.pages) pages.length = 0;
    this.inLastPage.fill(0);
    this.usedUnits = 0;
    this.records = 0;
  }

  private countOfClass(sizeClass: number): number {
    const pages = this.pages[sizeClass]!.length;
    return pages === 0 ? 0 : (pages - 1) * classPerPage[sizeClass]! + this.inLastPage[sizeClass]!;
  }

  private movePage(source: number): void {
    const sizeClass = this.pool.classOf(source);
    const position = this.pool.positionOf(source);
    const pages = this.pages[sizeClass]!;
    const target = this.pool.take();
    this.pool.setOwner(target, sizeClass, position);
    pages[position] = target;
    const full = position < pages.length - 1;
    const records = full ? classPerPage[sizeClass]! : this.inLastPage[sizeClass]!;
    const size = classUnits[sizeClass]!;
    this.copy(source * PAGE_UNITS, target * PAGE_UNITS, records * size);
    for (let i = 0; i < records; i++) {
      this.relocated(source * PAGE_UNITS + i * size, target * PAGE_UNITS + i * size);
    }
    this.pool.giveBack(source);
  }

  /** Copies the first `units` units of one record over those of another. */
  copy(from: Ref, to: Ref, units: number): void {
    const { chunkShift, unitMask } = this.pool;
    const source = this.pool.words[from >>> chunkShift]!;
    const target = this.pool.words[to >>> chunkShift]!;
    // Words, not float64: copying those as numbers may change the bits of a NaN.
    const sourceAt = (from & unitMask) * 2;
    const targetAt = (to & unitMask) * 2;
    const count = (units * UNIT_BYTES) / 4;
    if (count > MOVE_BY_WORDS_MAX) {
      target.set(source.subarray(sourceAt, sourceAt + count), targetAt);
    } else {
      for (let i = 0; i < count; i++) target[targetAt + i] = source[sourceAt + i]!;
    }
  }
}
