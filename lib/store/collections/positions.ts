/** Positions below this mean something else to who keeps them. */
export const POSITION_MIN = 2;
const POSITION_END = 2 ** 32;
const RING = POSITION_END - POSITION_MIN;

/**
 * Where records are, as what is kept beside a value says it: places on a ring of nearly 2 ** 32, on which the value's start
 * moves on when bytes are dropped at its front. So the places of all other records stay what they are, and a uint32 holds
 * one; a value has at most 512 MB, an eighth of the ring.
 */
export class Positions {
  #start = POSITION_MIN;

  /** Of a record at this offset from the value's start. */
  of(offset: number): number {
    const position = this.#start + offset;
    return position < POSITION_END ? position : position - RING;
  }

  offsetOf(position: number): number {
    const offset = position - this.#start;
    // A small integer for V8, too: others are objects wherever they are passed on.
    return (offset >= 0 ? offset : offset + RING) | 0;
  }

  /** So many bytes of the value's front are gone. */
  dropFront(bytes: number): void {
    this.#start = this.of(bytes);
  }
}
