import type { VersionClock } from './version-clock.js';

type Log = (level: 'warn', event: string, facts: Record<string, unknown>) => void;

/** A clock far in the future drives all versions ahead of it: told once, until it has passed. */
export class ClockWarning {
  readonly #clock: VersionClock;
  readonly #log: Log;
  #isTold = false;

  constructor(clock: VersionClock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  tick(): void {
    const { isFarAhead, last } = this.#clock;
    if (isFarAhead === this.#isTold) return;
    this.#isTold = isFarAhead;
    if (isFarAhead) this.#log('warn', 'versions run ahead of the wall clock', { version: last });
  }
}
