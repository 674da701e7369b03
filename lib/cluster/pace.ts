/** Keys that may be on their way at a time: so many are worked at in one turn, and a client waits for one or two. */
export const PACED_MOVES_MAX = 64;
/** Keys that set out in a millisecond, on average. */
const KEYS_PER_MS = 60;
/** What was missed of late is made up for: timers are late. */
const CATCH_UP_MS = 2;

/**
 * How fast keys that have both copies go to better places, as when a node joins: a few at a time and with rests in between,
 * so that clients are served. Whoever is slow, for want of processor time, acknowledges later, and is sent less.
 */
export class Pace {
  #restsUntil = 0;

  /** Milliseconds until the next keys may set out; 0 where they may now. */
  restMs(now: number): number {
    return Math.max(0, this.#restsUntil - now);
  }

  /** So many keys have set out. */
  spend(keys: number, now: number): void {
    this.#restsUntil = Math.max(this.#restsUntil, now - CATCH_UP_MS) + keys / KEYS_PER_MS;
  }
}
