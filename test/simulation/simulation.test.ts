import t, { type Test } from 'tap';
import { isOwn } from '../support/own-share.js';
import { CI_RUNS_MIN, ciRuns, ownRuns } from './ci-seeds.js';
import { PROFILES, type Profile } from './profiles.js';
import { type Run, runAll } from './runs.js';
import { shorten } from './shrink.js';
import { NO_LIMITS, Simulation } from './simulation.js';

/** Seeds that once failed, each by another fault of the cluster (see the messages of the commits that mended them). */
const MENDED: readonly (readonly [profile: string, seed: number])[] = [
  ['crash', 21],
  ['crash', 23],
  ['slow', 16],
  ['links', 1],
  ['links', 21],
  ['skew', 6],
  ['pause', 11],
  ['mixed', 5],
  ['mixed', 6],
  ['mixed', 7],
  ['joins', 12],
  ['majority', 2],
  ['mixed', 2],
  ['mixed', 28],
  ['mixed', 113],
  ['skew', 3004],
  ['alone', 1001],
  ['keyspace', 11],
  ['jump', 1],
  ['jump', 501],
  ['busy', 8],
  ['merge-crash', 124],
  ['merge-crash', 229],
  ['deaf', 1],
  ['deaf', 22],
  ['links', 50007],
  ['busy', 3104],
  ['large', 3206],
  ['drain', 50024],
  ['merge-crash', 105],
  ['memory', 90009],
  ['skew', 300014],
  ['mixed', 310018],
  ['keyspace', 310014],
  ['three-sides', 310053],
  ['locks', 330001],
  ['mixed', 340009],
  ['memory', 360005],
  ['collections-roam', 18],
  ['operations', 5],
  ['operations-majority', 8],
  ['forgotten', 5000021],
  ['collections-roam', 5000053],
  ['large', 6000019],
  ['messages', 8000021],
  ['operations-majority', 9000005],
  ['operations-majority', 138],
  ['operations', 131],
  ['operations', 213],
];

/** All of it runs in half a minute on an idle machine. */
t.setTimeout(240_000);

function holds(t: Test, name: string, seed: number): void {
  const profile = PROFILES[name]!;
  const { failure } = new Simulation(seed, profile).run();
  const hint = `npm run simulate -- --profile ${name} --seed ${seed}`;
  t.equal(failure === null ? '' : failure.what, '', `${name}, seed ${seed} (${hint})`);
}

t.test('every run of the tests makes so many runs', (t) => {
  t.ok(ciRuns().length >= CI_RUNS_MIN);
  t.strictSame(new Set(ownRuns().map(({ profile }) => profile)), new Set(Object.keys(PROFILES)));
  t.end();
});

t.test('seeds that failed once', (t) => {
  for (const [name, seed] of MENDED.filter((_, i) => isOwn(i))) holds(t, name, seed);
  t.end();
});

t.test('one seed is one run', (t) => {
  const profile: Profile = { ...PROFILES['crash']!, durationMs: 4000 };
  const first = new Simulation(7, profile).run();
  const again = new Simulation(7, profile).run();
  const other = new Simulation(8, profile).run();
  t.equal(again.hash, first.hash);
  t.equal(again.events, first.events);
  t.not(other.hash, first.hash);
  const watched = new Simulation(7, profile, 'r0').run();
  t.equal(watched.hash, first.hash, 'watching changes nothing');
  t.ok(watched.lines.length > 100);
  t.strictSame(new Simulation(7, profile, 'r0').run().lines, watched.lines, 'the same trace');
  t.end();
});

t.test('how fast the machine is changes nothing', (t) => {
  const slow: Profile = { ...PROFILES['slow-commands']!, durationMs: 4000 };
  const fast: Profile = { ...slow, slowShare: 0 };
  const hashOf = (profile: Profile): string => new Simulation(9, profile).run().hash;
  const [slowly, fastly] = [hashOf(slow), hashOf(fast)];
  t.not(slowly, fastly, 'nodes tell each other what was slow');
  let now = 0;
  t.intercept(performance, 'now', {
    value: () => {
      now += 50;
      return now;
    },
  });
  t.equal(hashOf(slow), slowly);
  t.equal(hashOf(fast), fastly);
  t.end();
});

t.test('the number of jobs changes nothing', async (t) => {
  const changes = { durationMs: 1500 };
  const runs: Run[] = ['crash', 'calm', 'pair', 'resets', 'crash'].map((profile, i) => ({
    profile,
    seed: 5 + i,
    changes,
  }));
  const hashes = async (jobs: number): Promise<string[]> => {
    const found: string[] = [];
    await runAll(runs, jobs, ({ seed }, { hash, faults }) => {
      found.push(`${seed} ${hash} ${JSON.stringify(faults)}`);
      // The one after is not looked at.
      return found.length < 4;
    });
    return found;
  };
  const alone = await hashes(1);
  t.equal(alone.length, 4);
  t.strictSame(await hashes(2), alone);
});

t.test('a failing run is made as short as it still fails', (t) => {
  // Clocks are further apart than the checks are told: some key expires too early or too late.
  const profile: Profile = { ...PROFILES['skew']!, clockJumpMs: -700, durationMs: 4000 };
  const failing = [1, 2, 3, 4, 5]
    .map((seed) => new Simulation(seed, profile).run())
    .find(({ failure }) => failure !== null)!;
  const { limits, result } = shorten(failing.seed, profile, failing, NO_LIMITS);
  t.ok(limits.untilMs < 4000, `until ${limits.untilMs} ms`);
  t.ok(result.calls < failing.calls, `${result.calls} of ${failing.calls} commands`);
  t.not(result.failure, null);
  const again = new Simulation(failing.seed, profile, 'e0', limits).run();
  t.equal(again.hash, result.hash, 'the shorter run is one run, too');
  t.ok(again.lines.length > 0, 'with a trace');
  t.end();
});
