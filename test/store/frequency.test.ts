import t from 'tap';
import { countUse, frequencyOf, setFrequency } from '../../lib/store/frequency.js';
import { Store } from '../../lib/store/store.js';
import { put } from './fixtures.js';
import { seededRandom } from './seeded-random.js';

const COUNTING = { logFactor: 10, decayMinutes: 1 };

/** Of `uses` in one second. */
function countedIn(uses: number, logFactor: number): number {
  const store = new Store({ seed: 1 });
  const ref = put(store, 'k');
  const random = seededRandom(uses);
  store.setUsedAt(ref, 1000);
  for (let i = 0; i < uses; i++) {
    countUse(store, ref, 1000, { ...COUNTING, logFactor }, random());
    store.setUsedAt(ref, 1000);
  }
  return frequencyOf(store, ref, 1000, COUNTING.decayMinutes);
}

// The table in Redis's redis.conf: uses, factor, about what is counted.
for (const [uses, logFactor, about] of [
  [100, 10, 10],
  [1000, 10, 18],
  [100_000, 10, 142],
  [1000, 1, 49],
  [1000, 100, 11],
  [300, 0, 255],
] as const) {
  t.test(`${uses} uses at a factor of ${logFactor} are counted as Redis does`, async (t) => {
    const counted = countedIn(uses, logFactor);
    t.ok(Math.abs(counted - about) <= Math.max(4, about / 10), `${counted}`);
  });
}

t.test('what is not used counts less and less', async (t) => {
  const store = new Store({ seed: 1 });
  const ref = put(store, 'k');
  store.setUsedAt(ref, 1000);
  t.equal(frequencyOf(store, ref, 1000, 1), 5, 'a new one is not the next to go');
  setFrequency(store, ref, 100);
  t.equal(frequencyOf(store, ref, 1059, 1), 100);
  t.equal(frequencyOf(store, ref, 1060, 1), 99);
  t.equal(frequencyOf(store, ref, 1000 + 600, 2), 95);
  t.equal(frequencyOf(store, ref, 1_000_000, 1), 0);
  t.equal(frequencyOf(store, ref, 1_000_000, 0), 100, 'never, where that is wanted');
  t.equal(frequencyOf(store, ref, 900, 1), 100, 'nor when a clock was set back');
  countUse(store, ref, 1120, COUNTING, 0);
  store.setUsedAt(ref, 1120);
  t.equal(frequencyOf(store, ref, 1120, 1), 99, 'two less, and one more');
});
