import t from 'tap';
import { Request } from '../../lib/protocol/request.js';
import { Role, Store, ValueType } from '../../lib/store/store.js';
import { contentOf, find, keyOf, put } from './fixtures.js';

const KIB = 1024;

t.test('keys of equal bytes in two databases are two entries', async (t) => {
  const store = new Store({ seed: 1 });
  const key = Buffer.from('xkeyx');
  store.create(0, key, 1, 4, ValueType.String, 3);
  t.equal(store.find(255, key, 1, 4), 0);
  const other = store.create(255, key, 1, 4, ValueType.Hash, 7);
  t.equal(store.db(other), 255);
  t.equal(store.valueLength(store.find(0, key, 1, 4)), 3);
  t.equal(store.valueLength(store.find(255, key, 1, 4)), 7);
  t.equal(find(store, 'ke'), 0, 'a prefix is another key');
});

t.test('a key is found by whichever argument of a request names it', async (t) => {
  const store = new Store({ seed: 1 });
  const ref = put(store, 'key', 3);
  t.equal(store.findArgument(0, Request.of('key'), 0), ref);
  t.equal(store.findArgument(0, Request.of('GET', 'key'), 1), ref);
});

t.test('empty keys and values are keys and values', async (t) => {
  const store = new Store({ seed: 1 });
  t.equal(find(store, ''), 0);
  put(store, '', 0);
  t.not(find(store, ''), 0);
  t.equal(store.valueLength(find(store, '')), 0);
});

t.test('long keys are told apart by their last byte', async (t) => {
  const store = new Store({ seed: 1 });
  const lengths = [127, 128, 129, 1000, 100 * KIB];
  for (const length of lengths) put(store, `${'k'.repeat(length - 1)}a`, 20, length & 255);
  for (const length of lengths) {
    const ref = find(store, `${'k'.repeat(length - 1)}a`);
    t.equal(store.keyLength(ref), length);
    t.ok(contentOf(store, ref).equals(Buffer.alloc(20, length & 255)), `value of ${length}`);
    t.equal(find(store, `${'k'.repeat(length - 1)}b`), 0);
  }
  const tooLong = Buffer.alloc(2 ** 24);
  t.throws(() => store.create(0, tooLong, 0, tooLong.length, ValueType.String, 0), RangeError);
  t.equal(store.size, lengths.length, 'a refused key leaves nothing behind');
});

t.test('a value keeps its prefix while it grows out of the slab and back into it', async (t) => {
  const store = new Store({ seed: 1 });
  let ref = put(store, 'big', 100, 5);
  for (let i = 0; i < 50; i++) put(store, `neighbour:${i}`, 100, 9);
  const before = store.usedBytes;
  for (const length of [40 * KIB, 10 * KIB * KIB, 11 * KIB * KIB, 50 * KIB, 33 * KIB, 100]) {
    ref = store.resize(ref, length);
    t.equal(ref, find(store, 'big'));
    t.equal(store.valueLength(ref), length);
    t.equal(keyOf(store, ref), 'big');
    t.ok(contentOf(store, ref).subarray(0, 100).equals(Buffer.alloc(100, 5)), `at ${length} bytes`);
    t.ok(store.usedBytes < before + 1.5 * length + KIB, 'large memory does not outlive its use');
  }
  t.equal(store.usedBytes, before);
  t.ok(contentOf(store, find(store, 'neighbour:49')).equals(Buffer.alloc(100, 9)));
});

t.test('an entry whose size class stays when it becomes large is found again', async (t) => {
  // In the slab a large entry is as small as a tiny one: the old record's place is taken by the new one.
  const store = new Store({ seed: 1 });
  let ref = put(store, 'k', 3, 8);
  ref = store.resize(ref, 50 * KIB);
  t.equal(ref, find(store, 'k'));
  t.ok(contentOf(store, ref).subarray(0, 3).equals(Buffer.alloc(3, 8)));
  ref = store.resize(ref, 3);
  t.equal(ref, find(store, 'k'));
  t.ok(contentOf(store, ref).equals(Buffer.alloc(3, 8)));
});

t.test('many small appends to a large value copy it seldom', async (t) => {
  const store = new Store({ seed: 1 });
  let ref = put(store, 'log', 200 * KIB);
  const buffers = new Set<Buffer>();
  for (let i = 0; i < 1000; i++) {
    ref = store.resize(ref, store.valueLength(ref) + 100);
    buffers.add(store.valueBuffer(ref));
  }
  t.ok(buffers.size < 10, `${buffers.size} allocations`);
});

t.test('a store that was cleared is empty and usable, and gives its memory back', async (t) => {
  const store = new Store({ seed: 1, chunkBytes: 1 << 20 });
  for (let i = 0; i < 5000; i++) {
    const ref = put(store, `key:${i}`, i % 100 === 0 ? 50 * KIB : 500);
    if (i % 2 === 0) store.setExpireAt(ref, 1);
    if (i % 3 === 0) store.setRole(ref, Role.Backup);
  }
  t.ok(store.reservedBytes > 2_000_000);
  store.clear();
  t.equal(store.size, 0);
  t.equal(store.reservedBytes, 0);
  t.equal(store.usedBytes, 0);
  t.equal(store.allWithExpiry, 0);
  t.equal(store.countOfRole(Role.Backup), 0);
  t.equal(find(store, 'key:1'), 0);
  put(store, 'key:1');
  t.equal(keyOf(store, find(store, 'key:1')), 'key:1');
});

t.test('only primaries with an expiry count as expiring', async (t) => {
  const store = new Store({ seed: 1 });
  const ref = put(store, 'a');
  const seen: number[] = [];
  const note = () => seen.push(store.countWithExpiry(0));
  store.setExpireAt(ref, 10);
  note();
  store.setExpireAt(ref, 20);
  note();
  store.setRole(ref, Role.Backup);
  note();
  store.setExpireAt(ref, 0);
  store.setRole(ref, Role.Primary);
  note();
  store.setRole(ref, Role.Backup);
  store.setExpireAt(ref, 30);
  store.setRole(ref, Role.Primary);
  note();
  store.remove(ref);
  note();
  t.same(seen, [1, 1, 0, 0, 1, 0]);
});

t.test('two large values change places, and nothing is copied', async (t) => {
  const store = new Store({ seed: 1 });
  const one = put(store, 'one', 100 * KIB, 1);
  const two = put(store, 'a longer key', 300 * KIB, 2);
  const attached = { bytes: 500 };
  store.attach(one, attached);
  const before = store.usedBytes;
  const buffer = store.valueBuffer(one);
  store.exchangeLarge(one, two);
  t.equal(store.valueBuffer(two), buffer);
  t.equal(store.attached(two), attached);
  t.equal(store.attached(one), null);
  t.equal(store.usedBytes, before);
  t.ok(contentOf(store, one).equals(Buffer.alloc(300 * KIB, 2)));
  t.ok(contentOf(store, two).equals(Buffer.alloc(100 * KIB, 1)));
  t.same([keyOf(store, one), keyOf(store, two)], ['one', 'a longer key']);
  t.equal(store.valueBytes(Role.Primary), 400 * KIB);
  store.remove(one);
  t.equal(store.valueBytes(Role.Primary), 100 * KIB);
  store.remove(find(store, 'a longer key'));
  t.ok(store.usedBytes <= before - 400 * KIB, 'all of it is free');
});
