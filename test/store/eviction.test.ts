import t from 'tap';
import { EVICTION_POLICIES, evictionCandidate } from '../../lib/store/eviction.js';
import { randomPrimary } from '../../lib/store/sampling.js';
import { Role, Store, ValueType } from '../../lib/store/store.js';
import { find, keyOf, put } from './fixtures.js';
import { seededRandom } from './seeded-random.js';

const ENTRIES = 2000;

/** Entry i was used at i; every second one is a backup; of the primaries every second one expires, at 1e6 - i. */
function filled(): Store {
  const store = new Store({ seed: 1 });
  for (let i = 0; i < ENTRIES; i++) {
    const ref = put(store, `key:${i}`, i % 700);
    store.setUsedAt(ref, i);
    if (i % 2 === 1) store.setRole(ref, Role.Backup);
    if (i % 4 === 0) store.setExpireAt(ref, 1e6 - i);
  }
  return store;
}

const numberOf = (store: Store, ref: number) => Number(keyOf(store, ref).slice(4));

t.test('what is evicted was used long ago, or expires soon', async (t) => {
  for (const policy of EVICTION_POLICIES) {
    const store = filled();
    const random = seededRandom(3);
    const evicted: number[] = [];
    for (let i = 0; i < 100; i++) {
      const ref = evictionCandidate(store, policy, random, 10, (one) => store.usedAt(one));
      evicted.push(numberOf(store, ref));
      store.remove(ref);
    }
    const step = policy.startsWith('allkeys') ? 2 : 4;
    t.ok(
      evicted.every((i) => i % step === 0),
      `${policy}: only what it may evict`,
    );
    const age = policy === 'volatile-ttl' ? evicted.map((i) => ENTRIES - i) : evicted;
    const mean = age.reduce((a, b) => a + b) / age.length;
    // The least of ten of a uniform range is at one eleventh of it, on average.
    if (policy.endsWith('random')) {
      t.ok(Math.abs(mean - ENTRIES / 2) < ENTRIES / 5, `${policy}: mean rank ${mean}`);
    } else t.ok(mean < ENTRIES / 5, `${policy}: mean rank ${mean}, of ${ENTRIES}`);
  }
});

t.test('there is no candidate where nothing may be evicted', async (t) => {
  const store = new Store({ seed: 1 });
  const random = seededRandom(1);
  for (const policy of EVICTION_POLICIES) t.equal(evictionCandidate(store, policy, random, 5), 0);
  store.setRole(put(store, 'backup'), Role.Backup);
  put(store, 'eternal');
  t.equal(evictionCandidate(store, 'volatile-lru', random, 5), 0);
  t.equal(keyOf(store, evictionCandidate(store, 'allkeys-lru', random, 5)), 'eternal');
});

t.test('the only eligible entry among many is found', async (t) => {
  const store = filled();
  for (let i = 0; i < ENTRIES; i++) store.setRole(find(store, `key:${i}`), Role.Backup);
  store.setRole(find(store, 'key:777'), Role.Primary);
  const random = seededRandom(9);
  for (let i = 0; i < 20; i++) {
    t.equal(numberOf(store, evictionCandidate(store, 'allkeys-lru', random, 5)), 777);
    t.equal(numberOf(store, randomPrimary(store, 0, random)), 777);
  }
});

t.test('random entries are spread evenly', async (t) => {
  const store = new Store({ seed: 1 });
  for (let i = 0; i < 100; i++) put(store, `key:${i}`, i * 400);
  const backup = put(store, 'key:100');
  store.setRole(backup, Role.Backup);
  const random = seededRandom(4);
  const counts = new Array<number>(100).fill(0);
  for (let i = 0; i < 20_000; i++) counts[numberOf(store, randomPrimary(store, 0, random))]!++;
  t.ok(Math.min(...counts) > 120, `the rarest came ${Math.min(...counts)} times, of 200`);
  t.ok(Math.max(...counts) < 280, `the most frequent came ${Math.max(...counts)} times`);
  t.equal(randomPrimary(store, 1, random), 0, 'an empty database has none');
  const key = Buffer.from('other');
  const other = store.create(1, key, 0, key.length, ValueType.String, 0);
  for (let i = 0; i < 20; i++) t.equal(randomPrimary(store, 1, random), other);
});
