import type { Timing } from './timing.js';

/** Share of the time passed by which the wall clock may be adjusted. */
const SLEW_MAX = 0.01;

/**
 * Notices that this process did not run for a while. A process that was stopped sees a late tick:
 * its monotonic clock went on. A virtual machine that was stopped sees none, as its monotonic
 * clock stood still; but its wall clock is set right sooner or later, and then the two disagree.
 */
export class ClockWatch {
  readonly #timing: Timing;
  #tickedAt: number;
  #readAt: number;
  /** Wall minus monotonic time, as it should be now. */
  #offset: number;

  constructor(timing: Timing, now: number, wall: number) {
    this.#timing = timing;
    this.#tickedAt = now;
    this.#readAt = now;
    this.#offset = wall - now;
  }

  ticked(now: number): void {
    this.#tickedAt = now;
  }

  /**
   * Whether the process slept, or a clock was set, since the last reading. The offset expected moves
   * with the one read, but slowly: a wall clock that is adjusted is no step, a machine that is
   * stopped for a moment again and again adds up to one.
   */
  slept(now: number, wall: number): boolean {
    const late = now - this.#tickedAt > this.#timing.lateTickMs;
    if (late) this.#tickedAt = now;
    const change = wall - now - this.#offset;
    const stepped = Math.abs(change) > this.#timing.clockStepMs;
    const slewMsMax = stepped ? Number.POSITIVE_INFINITY : (now - this.#readAt) * SLEW_MAX;
    this.#offset += Math.max(-slewMsMax, Math.min(slewMsMax, change));
    this.#readAt = now;
    return late || stepped;
  }
}
