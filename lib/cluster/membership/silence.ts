import type { Timing } from './timing.js';

/**
 * How long one peer has not answered. Only answers count, on connections that this node dialled: a
 * peer whose pings arrive but whose answers do not cannot give us a lease either.
 *
 *     heard --(quiet)--> probing: a fresh connection is tried --(node-timeout)--> lost
 */
export class SilenceClock {
  readonly #timing: Timing;
  #heardAt: number;
  #probingSince = Number.POSITIVE_INFINITY;

  constructor(timing: Timing, now: number) {
    this.#timing = timing;
    this.#heardAt = now;
  }

  heard(now: number): void {
    this.#heardAt = now;
    this.#probingSince = Number.POSITIVE_INFINITY;
  }

  /** This node slept: what it did not hear meanwhile says nothing about the peer. */
  restart(now: number): void {
    this.heard(now);
  }

  /** A fresh connection is being tried. */
  probing(now: number): void {
    this.#probingSince = Math.min(this.#probingSince, now);
  }

  isQuiet(now: number): boolean {
    return now - this.#heardAt > this.#timing.quietMs;
  }

  /** A probe is under way. */
  get isSilent(): boolean {
    return this.#probingSince !== Number.POSITIVE_INFINITY;
  }

  /** The probe has gone unanswered for `node-timeout`. */
  isLost(now: number): boolean {
    return now - this.#probingSince >= this.#timing.nodeTimeoutMs;
  }
}
