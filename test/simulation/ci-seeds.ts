import type { Test } from 'tap';
import { isOwn } from '../support/own-share.js';
import { PROFILES } from './profiles.js';
import { type Run, simulate } from './runs.js';

/** Share of a profile's time that these runs last, so that there can be so many. */
const LASTS_SHARE = 0.25;

/** Seeds of each profile that CI runs: more where a run takes little time. */
const SEEDS: Readonly<Record<string, number>> = {
  calm: 20,
  prompt: 16,
  graceful: 6,
  crash: 18,
  slow: 18,
  silent: 16,
  pair: 24,
  pause: 20,
  links: 20,
  resets: 20,
  joins: 10,
  rolling: 12,
  skew: 20,
  large: 16,
  memory: 12,
  evict: 12,
  mixed: 12,
  partition: 10,
  roam: 16,
  keyspace: 12,
  alone: 12,
  late: 12,
  stop: 12,
  forgotten: 8,
  majority: 10,
  sessions: 12,
  races: 10,
  locks: 16,
  transfers: 6,
  queues: 4,
  messages: 4,
  wide: 10,
  frozen: 12,
  drain: 12,
  jump: 14,
  busy: 10,
  'merge-crash': 6,
  'three-sides': 6,
  'collections-split': 6,
  operations: 4,
  'operations-majority': 2,
  'forget-split': 2,
};
const OTHER_SEEDS = 10;
export const CI_RUNS_MIN = 500;

/** The files that share the runs: several run at a time, and each has to end in time. */
export const SHARES = 6;

/** All runs that CI makes, shorter than the profile says. */
export function ciRuns(): Run[] {
  return Object.entries(PROFILES).flatMap(([profile, { durationMs, splits }]) => {
    const changes = {
      durationMs: LASTS_SHARE * durationMs,
      splits: Math.ceil(LASTS_SHARE * splits),
    };
    const seeds = SEEDS[profile] ?? OTHER_SEEDS;
    return Array.from({ length: seeds }, (_, i) => ({ profile, seed: i + 1, changes }));
  });
}

/** Those of this version of Node. */
export const ownRuns = (): Run[] => ciRuns().filter(({ seed }) => isOwn(seed));

/** Every SHARES-th run, from number `share` on: of each profile about as many in each share. */
export function testShare(t: Test, share: number): void {
  const runs = ownRuns().filter((_, i) => i % SHARES === share);
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
