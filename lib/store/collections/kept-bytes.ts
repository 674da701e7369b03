import { copyBytes } from '../../protocol/bytes.js';

const ALL = 0xffffffff;
const WORD_BITS = 32;

/**
 * Which bytes of a value stay when it is packed, and so where they are afterwards: as many lie before them. A bit for each
 * byte, and beside every 32 of them how many stay before: a quarter of the value, of which a look reads one place.
 */
export class KeptBytes {
  /** By turns 32 bits, and what stays before these. */
  readonly #words: Uint32Array;

  /** All bytes of a value of this length. */
  constructor(length: number) {
    this.#words = new Uint32Array(2 * Math.ceil(length / WORD_BITS)).fill(ALL);
    if (length % WORD_BITS !== 0) this.drop(length, Math.ceil(length / WORD_BITS) * WORD_BITS);
  }

  isKept(offset: number): boolean {
    return (this.#words[2 * (offset >>> 5)]! & (1 << (offset & 31))) !== 0;
  }

  /** The bytes `[from, to)`, one at least, do not stay. */
  drop(from: number, to: number): void {
    const words = this.#words;
    const last = (to - 1) >>> 5;
    // Bits from `from` on, and those up to the last byte.
    let bits = ALL << (from & 31);
    for (let at = from >>> 5; at < last; at++) {
      words[2 * at]! &= ~bits;
      bits = ALL;
    }
    words[2 * last]! &= ~(bits & (ALL >>> (31 - ((to - 1) & 31))));
  }

  /** Returns how many bytes stay. After the last `drop`, and before what follows. */
  count(): number {
    const words = this.#words;
    let kept = 0;
    for (let at = 0; at < words.length; at += 2) {
      words[at + 1] = kept;
      kept += bitsOf(words[at]!);
    }
    return kept;
  }

  /** Copies the bytes of the value `source[start, ...)` that stay to `target`, a run of them at a time. */
  copy(source: Buffer, start: number, target: Buffer): void {
    const bits = this.#words.length * (WORD_BITS / 2);
    let to = 0;
    for (let from = this.#next(0, 0); from < bits; ) {
      const end = this.#next(from, ALL);
      copyBytes(source, start + from, start + end, target, to);
      to += end - from;
      from = this.#next(end, 0);
    }
  }

  /** The first byte from `from` on that stays, or with `flipped` bits that does not; behind all bits where there is none. */
  #next(from: number, flipped: number): number {
    const words = this.#words;
    let mask = ALL << (from & 31);
    let at = 2 * (from >>> 5);
    for (; at < words.length; at += 2) {
      const bits = (words[at]! ^ flipped) & mask;
      if (bits !== 0) return (WORD_BITS / 2) * at + 31 - Math.clz32(bits & -bits);
      mask = ALL;
    }
    return (WORD_BITS / 2) * at;
  }

  /**
   * Where a byte is afterwards, -1 if it does not stay. Without a branch, which the processor could only guess: so the looks of
   * many records wait for memory at the same time.
   */
  offsetOf(offset: number): number {
    const words = this.#words;
    const at = 2 * (offset >>> 5);
    const bits = words[at]!;
    const isKept = -((bits >>> (offset & 31)) & 1);
    const before = words[at + 1]! + bitsOf(bits & ~(ALL << (offset & 31)));
    return (before & isKept) | ~isKept;
  }
}

/** Bits of a word that are set. */
function bitsOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
