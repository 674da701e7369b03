import type { Profile } from './profiles.js';
import { type Limits, type Result, Simulation } from './simulation.js';

/** Runs that are made to find a shorter one. */
const RUNS_MAX = 60;

export interface Shortest {
  readonly limits: Limits;
  readonly result: Result;
  /** Runs that it took. */
  readonly runs: number;
}

/**
 * The shortest beginning of a failing run that still fails. A run with limits is the same run up to the first of them; then
 * it calms down and is checked as always. Each limit in turn is made as low as halving finds it, the others kept.
 */
export function shorten(seed: number, profile: Profile, failing: Result, given: Limits): Shortest {
  let runs = 0;
  let best: Shortest = { limits: given, result: failing, runs };
  const fails = (limits: Limits): boolean => {
    if (runs >= RUNS_MAX) return false;
    runs++;
    const result = new Simulation(seed, profile, null, limits).run();
    if (result.failure === null) return false;
    best = { limits, result, runs };
    return true;
  };
  /** Of a failing run and one that does nothing the limit is brought together by halves. */
  const lower = (name: keyof Limits, from: number, step: number): void => {
    let low = 0;
    let high = from;
    if (!fails({ ...best.limits, [name]: high })) return;
    while (high - low > step) {
      const middle = Math.ceil((low + high) / 2);
      if (middle >= high) return;
      if (fails({ ...best.limits, [name]: middle })) high = middle;
      else low = middle;
    }
  };
  if (profile.splits > 0) lower('splits', profile.splits, 1);
  else lower('untilMs', Math.ceil(Math.min(profile.durationMs, failing.endedAt)), 10);
  lower(
    'faults',
    Object.values(best.result.faults).reduce((sum, count) => sum + count, 0),
    1,
  );
  lower('commands', best.result.calls, 1);
  return { ...best, runs };
}
