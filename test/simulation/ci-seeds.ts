import type { Test } from 'tap';
import { PROFILES } from './profiles.js';
import { type Run, simulate } from './runs.js';

/** Share of a profile's time that these runs last, so that there can be so many. */
const LASTS_SHARE = 0.35;

/** Seeds of each profile that every run of the tests makes: more where a run takes little time. */
const SEEDS: Readonly<Record<string, number>> = {
  calm: 30,
  prompt: 16,
  graceful: 6,
  crash: 24,
  slow: 24,
  silent: 16,
  pair: 36,
  pause: 20,
  links: 20,
  resets: 30,
  joins: 10,
  rolling: 16,
  skew: 28,
  large: 20,
  memory: 12,
  evict: 12,
  mixed: 14,
  partition: 10,
  roam: 24,
  keyspace: 12,
  alone: 16,
  late: 16,
  stop: 18,
  forgotten: 8,
  majority: 9,
  sessions: 12,
  races: 10,
  locks: 16,
  transfers: 6,
  queues: 4,
  messages: 4,
  wide: 10,
  frozen: 12,
  drain: 16,
  jump: 20,
  busy: 10,
  'merge-crash': 6,
  'three-sides': 6,
  'collections-split': 6,
};
const OTHER_SEEDS = 10;
export const CI_RUNS_MIN = 500;

/** The files that share the runs: tap runs two at a time, and each has to end in time. */
export const SHARES = 6;

/** All runs, shorter than the profile says; with `run-tests.js --sample` only one of each profile. */
export function ciRuns(): Run[] {
  const isSample = process.env['TEST_SAMPLE'] === '1';
  return Object.entries(PROFILES).flatMap(([profile, { durationMs, splits }]) => {
    const changes = {
      durationMs: LASTS_SHARE * durationMs,
      splits: Math.ceil(LASTS_SHARE * splits),
    };
    const seeds = isSample ? 1 : (SEEDS[profile] ?? OTHER_SEEDS);
    return Array.from({ length: seeds }, (_, i) => ({ profile, seed: i + 1, changes }));
  });
}

/** Every SHARES-th run, from number `share` on: of each profile about as many in each share. */
export function testShare(t: Test, share: number): void {
  const runs = ciRuns().filter((_, i) => i % SHARES === share);
  for (const name of Object.keys(PROFILES)) {
    const own = runs.filter(({ profile }) => profile === name);
    if (own.length === 0) continue;
    t.test(`profile ${name}`, (t) => {
      for (const run of own) {
        const { failure } = simulate(run);
        const { durationMs, splits } = run.changes;
        const end = splits === 0 ? `--until ${durationMs}` : `--splits ${splits}`;
        const hint = `npm run simulate -- --profile ${name} --seed ${run.seed} ${end}`;
        t.equal(failure?.what ?? '', '', `seed ${run.seed} (${hint})`);
      }
      t.end();
    });
  }
}
