import t from 'tap';
import { keySlot } from '../../lib/protocol/crc16.js';
import { Store } from '../../lib/store/store.js';
import { find, keyOf, put, tagged } from './fixtures.js';
import { seededRandom } from './seeded-random.js';

const TAG = Buffer.from('tag');
const SLOT = keySlot(TAG, 0, TAG.length);

function filled(count: number): Store {
  const store = new Store({ seed: 7, chunkBytes: 1 << 20 });
  for (const key of tagged(count)) put(store, key);
  return store;
}

t.test('a walk that removes sees every entry once', async (t) => {
  const seed = 5;
  for (const share of [0.1, 0.5, 0.9, 1]) {
    const store = filled(3000);
    const random = seededRandom(seed);
    const seen = new Set<string>();
    const kept = new Set<string>();
    let visits = 0;
    store.eachInSlot(SLOT, (ref) => {
      visits++;
      seen.add(keyOf(store, ref));
      if (random() < share) return true;
      kept.add(keyOf(store, ref));
      return false;
    });
    t.equal(visits, 3000, `seed ${seed}, share ${share}: visits`);
    t.equal(seen.size, 3000, 'all entries');
    t.equal(store.countInSlot(SLOT), kept.size, 'what was not removed is left');
    for (const key of tagged(3000)) {
      if ((find(store, key) !== 0) !== kept.has(key)) t.fail(`${key} after the walk`);
    }
  }
});

t.test('a visitor may remove or resize the entry it was given itself', async (t) => {
  const store = filled(1000);
  let visits = 0;
  store.eachInSlot(SLOT, (ref) => {
    visits++;
    if (visits % 3 === 0) store.remove(ref);
    else store.resize(ref, visits % 2 === 0 ? 5000 : 0);
    return visits % 3 === 0;
  });
  t.equal(visits, 1000);
  t.equal(store.countInSlot(SLOT), 1000 - 333);
});

t.test('a visitor that adds to the slot is found out', async (t) => {
  const store = filled(10);
  t.throws(() => store.eachInSlot(SLOT, () => put(store, `{tag}:new${store.size}`) === 0), /grew/);
});

t.test('a scan goes on from its hash after growth and shrinkage', async (t) => {
  const store = filled(500);
  const seen = new Map<string, number>();
  let cursor = 0;
  let call = 0;
  for (; cursor < 2 ** 32; call++) {
    cursor = store.scanSlot(
      SLOT,
      cursor,
      2 ** 32,
      (ref) => seen.set(keyOf(store, ref), (seen.get(keyOf(store, ref)) ?? 0) + 1),
      10,
    );
    // Grows the table sixfold in the first half, then empties it of the newcomers.
    for (let i = 0; i < 100; i++) {
      if (call < 25) put(store, `{tag}:new${call}:${i}`);
      else if (call < 50) store.remove(find(store, `{tag}:new${call - 25}:${i}`));
    }
  }
  t.ok(call >= 50, `ten at a time: ${call} calls`);
  const missing = tagged(500).filter((key) => seen.get(key) !== 1);
  t.same(missing, [], 'what was there all along is seen exactly once');
});

t.test('a scan keeps to its range of hashes', async (t) => {
  const store = filled(500);
  const all: number[] = [];
  store.scanSlot(SLOT, 0, 2 ** 32, (ref) => all.push(store.hash(ref)));
  t.equal(all.length, 500);
  t.same(
    all,
    [...all].sort((a, b) => a - b),
    'in the order of hashes',
  );
  const from = all[100]!;
  const to = all[200]!;
  const part: number[] = [];
  t.equal(
    store.scanSlot(SLOT, from, to, (ref) => part.push(store.hash(ref))),
    to,
    'at its end',
  );
  t.same(part, all.slice(100, 200), 'the first hash belongs to the range, the last does not');
  t.equal(
    store.scanSlot(SLOT + 1, 0, 2 ** 32, () => t.fail('an empty slot has entries')),
    2 ** 32,
  );
});

t.test('a scan never parts entries of equal hash', async (t) => {
  const store = filled(0);
  const firstOf = new Map<number, string>();
  let twins: string[] = [];
  for (let i = 0; twins.length === 0; i++) {
    // Of equal length, so that only their bytes tell them apart.
    const bytes = Buffer.from(`{tag}${1_000_000 + i}`);
    const hash = store.hashOf(bytes, 0, bytes.length);
    const first = firstOf.get(hash);
    if (first !== undefined) twins = [first, bytes.toString()];
    firstOf.set(hash, bytes.toString());
  }
  for (const key of twins) put(store, key);
  const seen: string[] = [];
  const next = store.scanSlot(SLOT, 0, 2 ** 32, (ref) => seen.push(keyOf(store, ref)), 1);
  t.same(seen.sort(), twins.sort());
  t.equal(next, 2 ** 32);
  store.remove(find(store, twins[0]!));
  t.equal(find(store, twins[0]!), 0, 'they are told apart by their bytes');
  t.not(find(store, twins[1]!), 0);
});

t.test('the table of a slot shrinks with its entries, in a walk too', async (t) => {
  const inWalk = filled(3000);
  const full = inWalk.usedBytes;
  let visits = 0;
  inWalk.eachInSlot(SLOT, () => visits++ % 100 !== 0);
  const oneByOne = filled(3000);
  for (const key of tagged(3000).slice(30)) oneByOne.remove(find(oneByOne, key));
  for (const store of [inWalk, oneByOne]) {
    t.equal(store.countInSlot(SLOT), 30);
    t.ok(store.usedBytes < full / 50, `${store.usedBytes} of ${full} bytes`);
  }
});

t.test('two stores of one seed agree on hashes, of two seeds they do not', async (t) => {
  const key = Buffer.from('session:1');
  const hash = (seed: number) => new Store({ seed }).hashOf(key, 0, key.length);
  t.equal(hash(3), hash(3));
  t.not(hash(3), hash(4));
  t.not(hash(3), hash(3 + 2 ** 32), 'also by the upper bits of the seed');
  const store = new Store({ seed: 3 });
  store.reseed(4);
  t.equal(store.hashOf(key, 0, key.length), hash(4), 'an empty store can be reseeded');
  put(store, 'session:1');
  t.throws(() => store.reseed(5), /empty/);
});
