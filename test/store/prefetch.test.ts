import t from 'tap';
import { keySlot } from '../../lib/protocol/crc16.js';
import { BATCH_KEYS_MAX, KeyBatch } from '../../lib/store/key-batch.js';
import { Store } from '../../lib/store/store.js';
import { contentOf, find, put, tagged } from './fixtures.js';

t.test('keys that are looked up together are found as one by one', async (t) => {
  const store = new Store({ seed: 7 });
  const small = Array.from({ length: 500 }, (_, i) => `key:${i}`);
  // So many keys in one slot have a table of their own; large entries are not in the slab.
  const crowd = tagged(6000);
  for (const key of [...small, ...crowd]) put(store, key, key.length, key.length);
  put(store, 'large', 1024 * 1024);
  const names = [...small.slice(0, 40), ...crowd.slice(0, 10), 'large', 'absent', '', '{tag}:no'];
  const keys = new KeyBatch();
  const bytes = Buffer.from(names.join(''));
  let at = 0;
  for (const name of names) {
    keys.add(bytes, at, at + name.length);
    at += name.length;
  }
  store.prefetch(keys);
  names.forEach((name, i) => {
    const [start, end] = [keys.starts[i]!, keys.ends[i]!];
    t.equal(keys.hashes[i], store.hashOf(bytes, start, end), name);
    t.equal(keys.slots[i], keySlot(bytes, start, end), name);
    const ref = store.findHashed(0, bytes, start, end, keys.hashes[i]!, keys.slots[i]!);
    t.equal(ref, find(store, name), name);
    if (name.startsWith('key:')) t.equal(keys.refs[i], ref, `${name} was fetched`);
  });
  t.equal(find(store, 'absent'), 0);
  t.same(contentOf(store, find(store, 'key:7')), Buffer.alloc(5, 5));
  keys.clear();
  for (let i = 0; i < BATCH_KEYS_MAX; i++) keys.add(bytes, 0, 5);
  t.ok(keys.isFull);
});

t.test('nothing is fetched from an empty store, and from one that was emptied', async (t) => {
  const store = new Store({ seed: 7 });
  const keys = new KeyBatch();
  const bytes = Buffer.from('key:1');
  keys.add(bytes, 0, 5);
  store.prefetch(keys);
  t.equal(keys.refs[0], 0);
  put(store, 'key:1');
  store.prefetch(keys);
  t.equal(keys.refs[0], find(store, 'key:1'));
  store.clear();
  store.prefetch(keys);
  t.equal(keys.refs[0], 0);
});
