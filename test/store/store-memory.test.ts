import t from 'tap';
import { Role, Store } from '../../lib/store/store.js';
import { contentOf, find, put } from './fixtures.js';
import { seededRandom } from './seeded-random.js';

const ENTRIES = 40_000;
const KEY_BYTES = 9;
const key = (i: number) => `key:${String(i).padStart(5, '0')}`;

const ratio = (store: Store, bytes: number) =>
  bytes / (store.valueBytes(Role.Primary) + ENTRIES * KEY_BYTES);

function filled(length: number): Store {
  const store = new Store({ seed: 1, chunkBytes: 1 << 20 });
  for (let i = 0; i < ENTRIES; i++) put(store, key(i), length, i & 255);
  return store;
}

function resizeAll(store: Store, length: () => number): void {
  for (let i = 0; i < ENTRIES; i++) store.resize(find(store, key(i)), length());
}

function compactAll(store: Store): number {
  let steps = 0;
  while (store.compact(1) > 0) steps++;
  return steps;
}

t.test('overhead is bounded, however often sizes change', async (t) => {
  const seed = 6;
  const random = seededRandom(seed);
  const store = filled(500);
  t.ok(ratio(store, store.usedBytes) < 1.2, `fresh: ${ratio(store, store.usedBytes)}`);
  for (let round = 0; round < 5; round++) {
    resizeAll(store, () => 200 + Math.floor(random() * 1800));
  }
  const used = ratio(store, store.usedBytes);
  const reserved = ratio(store, store.reservedBytes);
  t.ok(used < 1.12, `used after updates: ${used}, seed ${seed}`);
  t.ok(reserved < 1.35, `reserved after updates: ${reserved}, seed ${seed}`);
});

t.test('memory that is not needed goes back, a page at a time, and values stay', async (t) => {
  const store = filled(2000);
  const before = store.reservedBytes;
  resizeAll(store, () => 100);
  for (let i = 0; i < ENTRIES; i += 2) store.remove(find(store, key(i)));
  const steps = compactAll(store);
  t.ok(steps > 0, 'pages were moved');
  t.ok(store.reservedBytes < before / 8, `${store.reservedBytes} of ${before} bytes are left`);
  t.ok(store.droppedBytes >= before - store.reservedBytes, 'and what was let go is counted');
  for (let i = 1; i < ENTRIES; i += 2) {
    const value = contentOf(store, find(store, key(i)));
    if (!value.equals(Buffer.alloc(100, i & 255))) t.fail(`${key(i)} after compaction`);
  }
  t.equal(store.size, ENTRIES / 2);
});

t.test('compaction that is overtaken by growth gives up its chunk', async (t) => {
  const store = filled(2000);
  resizeAll(store, () => 100);
  t.equal(store.compact(2), 2);
  resizeAll(store, () => 2000);
  compactAll(store);
  for (let i = 0; i < ENTRIES; i++) {
    const value = contentOf(store, find(store, key(i)));
    if (!value.subarray(0, 100).equals(Buffer.alloc(100, i & 255))) t.fail(`${key(i)}`);
  }
  t.ok(ratio(store, store.reservedBytes) < 1.3);
});

t.test('a store that was emptied keeps a small reserve at most', async (t) => {
  const store = filled(500);
  for (let i = 0; i < ENTRIES; i++) store.remove(find(store, key(i)));
  t.ok(store.reservedBytes <= 12 << 20, `${store.reservedBytes} bytes without compaction`);
  compactAll(store);
  // At most two chunks each of the index and the entries.
  t.ok(store.reservedBytes <= 4 << 20, `${store.reservedBytes} bytes`);
  t.equal(store.size, 0);
});

t.test('of the room that many deleted keys leave little is kept', async (t) => {
  const store = filled(4000);
  for (let i = 0; i < ENTRIES; i += 2) store.remove(find(store, key(i)));
  compactAll(store);
  const share = store.reservedBytes / store.usedBytes;
  t.ok(share < 1.1, `reserved to used: ${share}`);
});
