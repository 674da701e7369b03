import assert from 'node:assert';
import { UNIT_BYTES } from './entry.js';
import { PAGE_UNITS } from './size-classes.js';

/**
 * 32 MB and its bookkeeping are above the largest size that the C library ever serves from its heap: a chunk is mapped
 * on its own, so it costs no memory before it is touched, and goes back to the system as soon as it is collected.
 */
export const CHUNK_BYTES = 32 * 1024 * 1024;

/** A ref has 32 bits. */
const UNITS_MAX = 2 ** 32;

/** Free pages that stay when memory is given back, as a share of the pages in use, and at least in parts of a chunk. */
const RESERVE_SHARE = 1 / 32;
const RESERVE_CHUNKS = 1 / 4;

const NO_CLASS = 255;
const NONE = new ArrayBuffer(0);

/**
 * Pages, cut from chunks: large ArrayBuffers, each seen as bytes, words and doubles. Chunks are allocated when no page
 * is free, and let go when all their pages are. Chunk 0 does not exist, so that no page holds address 0.
 */
export class PagePool {
  /** The chunks, by number, as views of the same memory. */
  readonly bytes: Buffer[] = [];
  readonly words: Uint32Array[] = [];
  readonly doubles: Float64Array[] = [];
  /** A ref is in chunk `ref >>> chunkShift`, at unit `ref & unitMask`. */
  readonly chunkShift: number;
  readonly unitMask: number;

  chunks = 0;
  /** Chunks that were let go, ever: each is memory that the system gets back with the next garbage collection. */
  dropped = 0;
  pagesFree = 0;
  readonly chunkBytes: number;
  readonly pagesPerChunk: number;

  /** By chunk: pages that were given back, and how many at its end were never used. */
  private readonly returned: number[][] = [];
  private readonly fresh: number[] = [];
  /** By page: size class, and position among the pages of that class. */
  private classes = new Uint8Array(0);
  private positions = new Uint32Array(0);
  /** The chunk that is being emptied, 0 for none: it gives no pages unless there are no others. */
  private draining = 0;

  /** `chunkBytes` is a power of two of at least one page. */
  constructor(chunkBytes: number) {
    const units = chunkBytes / UNIT_BYTES;
    assert(units >= PAGE_UNITS && Number.isInteger(Math.log2(units)), 'chunkBytes');
    this.chunkBytes = chunkBytes;
    this.pagesPerChunk = units / PAGE_UNITS;
    this.chunkShift = Math.log2(units);
    this.unitMask = units - 1;
    this.clear();
  }

  /**
   * A free page; from a chunk in use if there is one.
   * @throws RangeError when the system has no memory left, or the address space of refs is used up.
   */
  take(): number {
    let chunk = this.fullestWithFreePage();
    if (chunk === 0) {
      if (this.draining !== 0 && this.freeIn(this.draining) > 0) {
        chunk = this.draining;
        this.draining = 0;
      } else {
        chunk = this.addChunk();
      }
    }
    this.pagesFree--;
    const returned = this.returned[chunk]!;
    if (returned.length > 0) return returned.pop()!;
    this.fresh[chunk]!--;
    return (chunk + 1) * this.pagesPerChunk - 1 - this.fresh[chunk]!;
  }

  setOwner(page: number, sizeClass: number, position: number): void {
    this.classes[page] = sizeClass;
    this.positions[page] = position;
  }

  classOf(page: number): number {
    return this.classes[page]!;
  }

  positionOf(page: number): number {
    return this.positions[page]!;
  }

  giveBack(page: number): void {
    const chunk = Math.floor(page / this.pagesPerChunk);
    this.classes[page] = NO_CLASS;
    this.returned[chunk]!.push(page);
    this.pagesFree++;
    if (this.freeIn(chunk) === this.pagesPerChunk && this.hasSpareChunk()) this.dropChunk(chunk);
  }

  /** A page in use whose move helps to empty a chunk; -1 when no chunk can be spared. */
  pageToMove(): number {
    if (!this.hasSpareChunk()) {
      this.draining = 0;
      return -1;
    }
    if (this.draining === 0) this.draining = this.sparsest();
    const first = this.draining * this.pagesPerChunk;
    for (let page = first; page < first + this.pagesPerChunk; page++) {
      if (this.classes[page] !== NO_CLASS) return page;
    }
    this.dropChunk(this.draining);
    return this.pageToMove();
  }

  clear(): void {
    this.dropped += this.chunks;
    this.bytes.length = 0;
    this.words.length = 0;
    this.doubles.length = 0;
    this.returned.length = 0;
    this.fresh.length = 0;
    this.chunks = 0;
    this.pagesFree = 0;
    this.draining = 0;
    this.setMemory(0, NONE);
  }

  private fullestWithFreePage(): number {
    let best = 0;
    let bestFree = 0;
    for (let chunk = 1; chunk < this.bytes.length; chunk++) {
      const free = this.freeIn(chunk);
      if (free === 0 || chunk === this.draining) continue;
      // Pages that were used before are resident already.
      const used = this.returned[chunk]!.length > 0;
      const bestUsed = best !== 0 && this.returned[best]!.length > 0;
      if (best === 0 || (used && !bestUsed) || (used === bestUsed && free < bestFree)) {
        best = chunk;
        bestFree = free;
      }
    }
    return best;
  }

  private sparsest(): number {
    let best = 0;
    for (let chunk = 1; chunk < this.bytes.length; chunk++) {
      if (this.bytes[chunk]!.length === 0) continue;
      if (best === 0 || this.freeIn(chunk) > this.freeIn(best)) best = chunk;
    }
    return best;
  }

  private freeIn(chunk: number): number {
    return this.returned[chunk]!.length + this.fresh[chunk]!;
  }

  private hasSpareChunk(): boolean {
    const used = this.chunks * this.pagesPerChunk - this.pagesFree;
    const reserve = Math.max(used * RESERVE_SHARE, this.pagesPerChunk * RESERVE_CHUNKS);
    return this.pagesFree >= this.pagesPerChunk + reserve;
  }

  private addChunk(): number {
    let chunk = 1;
    while (chunk < this.bytes.length && this.bytes[chunk]!.length > 0) chunk++;
    if ((chunk + 1) * (this.unitMask + 1) > UNITS_MAX) throw new RangeError('store is full');
    this.setMemory(chunk, new ArrayBuffer(this.chunkBytes));
    this.fresh[chunk] = this.pagesPerChunk;
    this.chunks++;
    this.pagesFree += this.pagesPerChunk;
    const pages = (chunk + 1) * this.pagesPerChunk;
    if (pages > this.classes.length) this.growPageTables(pages);
    this.classes.fill(NO_CLASS, chunk * this.pagesPerChunk, pages);
    return chunk;
  }

  private dropChunk(chunk: number): void {
    this.setMemory(chunk, NONE);
    this.dropped++;
    this.chunks--;
    this.pagesFree -= this.pagesPerChunk;
    if (this.draining === chunk) this.draining = 0;
  }

  private setMemory(chunk: number, memory: ArrayBuffer): void {
    this.bytes[chunk] = Buffer.from(memory);
    this.words[chunk] = new Uint32Array(memory);
    this.doubles[chunk] = new Float64Array(memory);
    this.returned[chunk] = [];
    this.fresh[chunk] = 0;
  }

  private growPageTables(pages: number): void {
    const size = Math.max(pages, this.classes.length * 2);
    const classes = new Uint8Array(size).fill(NO_CLASS);
    const positions = new Uint32Array(size);
    classes.set(this.classes);
    positions.set(this.positions);
    this.classes = classes;
    this.positions = positions;
  }
}
