import { performance } from 'node:perf_hooks';

/** The two clocks of a node. Leases are judged by the monotonic one, expiries by the wall clock. */
export interface Clock {
  /** Milliseconds since some fixed moment of this process; never steps back. */
  monotonicMs(): number;
  /** Unix milliseconds. */
  wallMs(): number;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};
