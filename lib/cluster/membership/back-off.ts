const FIRST_MS = 5_000;
const MAX_MS = 300_000;

/** Exclusions so far apart have nothing to do with each other. */
const FORGET_MS = 600_000;

/**
 * How long an excluded node waits before it joins again. The first time it does not wait: it was
 * frozen, or cut off for a moment. One that is left out again and again has a bad connection, and
 * each of its visits makes everybody move copies: 5 s, doubling to 5 minutes.
 */
export class BackOff {
  #pauseMs = 0;
  #excludedAt = Number.NEGATIVE_INFINITY;

  excluded(now: number): number {
    if (now - this.#excludedAt > FORGET_MS) this.#pauseMs = 0;
    else this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, FIRST_MS), MAX_MS);
    this.#excludedAt = now;
    return this.#pauseMs;
  }
}
