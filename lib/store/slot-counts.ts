import { SLOTS } from '../protocol/crc16.js';

/** Slots whose counts are added up: a walk passes over so many empty ones at a time. */
const GROUP_SHIFT = 7;
const GROUPS = SLOTS >>> GROUP_SHIFT;

/** A number for each slot. A walk meets only those above zero: most slots of a small store are empty. */
export class SlotCounts {
  /** By slot; changed by `add` alone. */
  readonly counts: Uint32Array = new Uint32Array(SLOTS);
  private readonly sums = new Uint32Array(GROUPS);

  add(slot: number, by: 1 | -1): void {
    this.counts[slot]! += by;
    this.sums[slot >>> GROUP_SHIFT]! += by;
  }

  clear(): void {
    this.counts.fill(0);
    this.sums.fill(0);
  }

  /** The first slot from `slot` on whose count is above zero; SLOTS if there is none. */
  next(slot: number): number {
    const { counts, sums } = this;
    let at = slot;
    while (at < SLOTS && counts[at] === 0) {
      const group = at >>> GROUP_SHIFT;
      at = sums[group] === 0 ? (group + 1) << GROUP_SHIFT : at + 1;
    }
    return at;
  }

  /**
   * Calls `visit` with each slot whose count is above zero, from `from` on and once around, until it returns false.
   * Returns the slot to go on from.
   */
  goAround(from: number, visit: (slot: number) => boolean): number {
    for (let slot = this.next(from); slot < SLOTS; slot = this.next(slot + 1)) {
      if (!visit(slot)) return (slot + 1) % SLOTS;
    }
    for (let slot = this.next(0); slot < from; slot = this.next(slot + 1)) {
      if (!visit(slot)) return slot + 1;
    }
    return from;
  }
}
