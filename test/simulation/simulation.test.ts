import t, { type Test } from 'tap';
import { PROFILES, type Profile } from './profiles.js';
import { Simulation } from './simulation.js';

/** Seeds of every profile that are run here; `npm run simulate` runs as many as one likes. */
const SEEDS = [1001];

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
];

/** All of it runs in half a minute on an idle machine. */
t.setTimeout(240_000);

function holds(t: Test, name: string, seed: number): void {
  const profile = PROFILES[name]!;
  const { failure } = new Simulation(seed, profile).run();
  const hint = `npm run simulate -- --profile ${name} --seed ${seed}`;
  t.equal(failure === null ? '' : failure.what, '', `${name}, seed ${seed} (${hint})`);
}

for (const name of Object.keys(PROFILES)) {
  t.test(`profile ${name}`, (t) => {
    for (const seed of SEEDS) holds(t, name, seed);
    t.end();
  });
}

t.test('seeds that failed once', (t) => {
  for (const [name, seed] of MENDED) holds(t, name, seed);
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
  t.equal(new Simulation(7, profile, 'r0').run().hash, first.hash, 'watching changes nothing');
  t.end();
});
