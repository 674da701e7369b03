/** Versions per millisecond: the low 11 bits of a version count changes within one millisecond. */
const VERSIONS_PER_MS = 2048;

/** How far a version may run ahead of this node's wall clock before it is reported. */
const AHEAD_MS_MAX = 10_000;

/**
 * Hybrid logical clock (Kulkarni et al., 2014). A version is Unix milliseconds x 2048 + counter: an integer below 2^53
 * until the year 2109. Versions issued here grow strictly, and are above every version observed.
 */
export class VersionClock {
  /** Wall clock of the running turn, Unix milliseconds. */
  wall = 0;
  #last = 0;

  /** Highest version issued or observed. */
  get last(): number {
    return this.#last;
  }

  /** A new version. */
  next(): number {
    const physical = this.wall * VERSIONS_PER_MS;
    this.#last = physical > this.#last ? physical : this.#last + 1;
    return this.#last;
  }

  /** Raises the clock to a version received. */
  observe(version: number): void {
    if (version > this.#last) this.#last = version;
  }

  /** Whether the clock runs further ahead of the wall clock than messages between healthy clocks explain. */
  get isFarAhead(): boolean {
    return this.#last > (this.wall + AHEAD_MS_MAX) * VERSIONS_PER_MS;
  }
}

/** The wall-clock milliseconds in a version. */
export const versionMs = (version: number): number => Math.floor(version / VERSIONS_PER_MS);
