/** Bytes at the front that are walked over for each byte that a change leaves dead; and records for each record. */
const WALKED_PER_BURIED = 4;
/** For fewer bytes a step is not begun: it is two splices. */
const STEP_BYTES_MIN = 256;
/** A long dead record counts as so many bytes. */
const DEAD_BYTES_MAX = 64;
/** Records that a change walks over besides, some tenths of a millisecond. */
const STEP_RECORDS_MAX = 512;
/** The same while more than three quarters of the bytes are dead. */
const STEP_RECORDS_MAX_WORN = 16 * 1024;

/**
 * How fast a large value is cleaned of dead records, so that no change copies all of it. While more of its bytes are dead than
 * live, a change that leaves b bytes dead walks over the first 4 b: live records go to the end, dead ones go. What is not
 * used of that (the next record is longer, or records enough were met) is for the next change.
 *
 * How much is dead at most: cleaning begins when L bytes are live, and as many dead. At worst all live ones are in front, and
 * changes only remove: L / 4 are removed until the walk has passed the live ones, then 5 / 4 L are dead of 2 L in all, 5 of
 * 8. From there on four bytes are dropped for each that dies: the walk has passed all when L / 2 were removed, so that L / 2 are
 * live, and no more are dead. So cleaning ends before it comes round, and what is moved twice was moved for other dead bytes.
 *
 * A record is moved when all of it was earned: one of R bytes delays the walk while R / 4 bytes die. So up to 3 of 4 bytes are
 * dead where one record is nearly all of the value. Where long records are removed among many short ones, the bound on
 * records delays the walk: then up to 3 of 4, and what dies in as many changes as there are 16,384 live records.
 */
export class CleaningPace {
  /** What the changes since `reset` have left dead. */
  #bytes = 0;
  #records = 0;

  reset(): void {
    this.#bytes = 0;
    this.#records = 0;
  }

  buried(bytes: number): void {
    this.#bytes += bytes;
    this.#records++;
  }

  /** Bytes that may be walked over in a value of `length` bytes, of which `dead` are dead; `saved` were not used before. */
  credit(saved: number, dead: number, length: number): number {
    if (dead * 2 <= length) return 0;
    return Math.min(saved + WALKED_PER_BURIED * this.#bytes, length);
  }

  /** Records that may be walked over. */
  recordsMax(dead: number, length: number): number {
    const most = dead * 4 > length * 3 ? STEP_RECORDS_MAX_WORN : STEP_RECORDS_MAX;
    return most + WALKED_PER_BURIED * this.#records;
  }
}

export const isWorthAStep = (credit: number): boolean => credit >= STEP_BYTES_MIN;

/** What it costs to walk over a record. */
export const costOf = (bytes: number, isLive: boolean): number =>
  isLive ? bytes : Math.min(bytes, DEAD_BYTES_MAX);
