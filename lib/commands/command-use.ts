/** Of the calls of a command that nobody wants timed, one in this many is: to read the clock costs a tenth of a GET. */
const TIMED_CALLS = 64;

/** How often a command was used since the counters were reset, for INFO commandstats. */
export class CommandUse {
  /** Those that ran. */
  calls = 0;
  /** Refused before they ran. */
  rejected = 0;
  /** Of those that ran, those that answered with an error. */
  failed = 0;
  /** Of those that ran, those that were timed, and how long they took. */
  timed = 0;
  milliseconds = 0;

  /** Counts a call that is about to run; whether to time it. */
  begin(): boolean {
    return this.calls++ % TIMED_CALLS === 0;
  }

  took(milliseconds: number): void {
    this.timed++;
    this.milliseconds += milliseconds;
  }

  /** Of one call on average: those that were timed stand for all. */
  get microsecondsPerCall(): number {
    return this.timed === 0 ? 0 : (this.milliseconds * 1000) / this.timed;
  }

  reset(): void {
    this.calls = 0;
    this.rejected = 0;
    this.failed = 0;
    this.timed = 0;
    this.milliseconds = 0;
  }
}
