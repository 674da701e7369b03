import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { Statistics } from '../../commands/statistics.js';

/** Several consoles that ask within this time are told the same, milliseconds. */
const WINDOW_MS = 900;

interface Counts {
  readonly calls: number;
  readonly timed: number;
  readonly milliseconds: number;
}

export interface Load {
  readonly microsecondsPerCommand: number | null;
  readonly busy: number;
}

/** How busy a node is, over the time since it was asked last. */
export class LoadSample {
  readonly #statistics: Statistics;
  readonly #before = new Map<string, Counts>();
  #loop: EventLoopUtilization = performance.eventLoopUtilization();
  #takenAt = Number.NEGATIVE_INFINITY;
  #load: Load = { microsecondsPerCommand: null, busy: 0 };

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
  }

  /** `now`: monotonic milliseconds. */
  take(now: number): Load {
    if (now - this.#takenAt < WINDOW_MS) return this.#load;
    const loop = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(loop, this.#loop);
    this.#loop = loop;
    const isFirst = this.#takenAt === Number.NEGATIVE_INFINITY;
    this.#takenAt = now;
    const microsecondsPerCommand = this.#microsecondsPerCommand();
    // The first look is what the next one is compared with.
    this.#load = isFirst ? this.#load : { microsecondsPerCommand, busy: utilization };
    return this.#load;
  }

  /** Few calls of a command are timed: those of the window, or else all of them so far, stand for the others. */
  #microsecondsPerCommand(): number | null {
    let calls = 0;
    let milliseconds = 0;
    for (const [name, use] of this.#statistics.commands) {
      const before = this.#before.get(name);
      if (use.calls === (before?.calls ?? 0)) continue;
      const counts = { calls: use.calls, timed: use.timed, milliseconds: use.milliseconds };
      this.#before.set(name, counts);
      // CONFIG RESETSTAT begins anew.
      if (before !== undefined && before.calls > use.calls) continue;
      const grown = use.calls - (before?.calls ?? 0);
      const timed = use.timed - (before?.timed ?? 0);
      const mean =
        timed > 0
          ? (use.milliseconds - (before?.milliseconds ?? 0)) / timed
          : use.microsecondsPerCall / 1000;
      calls += grown;
      milliseconds += grown * mean;
    }
    return calls === 0 ? null : (milliseconds * 1000) / calls;
  }
}
