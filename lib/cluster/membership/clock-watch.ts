import type { Timing } from './timing.js';

/**
 * Notices that this process did not run for a while. A process that was stopped sees a late tick:
 * its monotonic clock went on. A virtual machine that was stopped sees none, as its monotonic
 * clock stood still; but its wall clock is set right sooner or later, and then the two disagree.
 */
export class ClockWatch {
  readonly #timing: Timing;
  #tickedAt: number;
  /** Wall minus monotonic time at the last reading. */
  #offset: number;

  constructor(timing: Timing, now: number, wall: number) {
    this.#timing = timing;
    this.#tickedAt = now;
    this.#offset = wall - now;
  }

  ticked(now: number): void {
    this.#tickedAt = now;
  }

  /**
   * Whether the process slept, or a clock was set, since the last reading. Each reading is compared
   * with the one before: slow adjustment of the wall clock is no step.
   */
  slept(now: number, wall: number): boolean {
    const late = now - this.#tickedAt > this.#timing.lateTickMs;
    const offset = wall - now;
    const stepped = Math.abs(offset - this.#offset) > this.#timing.clockStepMs;
    this.#offset = offset;
    if (late) this.#tickedAt = now;
    return late || stepped;
  }
}
