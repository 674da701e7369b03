import t from 'tap';
import { ExpiryCycle } from '../../lib/store/expiry.js';
import { Role, Store } from '../../lib/store/store.js';
import { TombstoneReaper } from '../../lib/store/tombstones.js';
import { find, keyOf, put } from './fixtures.js';

const ENTRIES = 5000;

/** Entry i expires at 1000 + i. */
function filled(): Store {
  const store = new Store({ seed: 11 });
  for (let i = 0; i < ENTRIES; i++) store.setExpireAt(put(store, `key:${i}`), 1000 + i);
  return store;
}

t.test('all that has expired is reclaimed, and nothing else', async (t) => {
  const store = filled();
  store.setRole(find(store, 'key:1'), Role.Backup);
  put(store, 'eternal');
  const cycle = new ExpiryCycle(store);
  const gone: string[] = [];
  const remove = (ref: number) => {
    gone.push(keyOf(store, ref));
    store.remove(ref);
    return true;
  };
  t.equal(cycle.run(999, 1e9, remove), 0);
  // Four fifths are expired: the share never falls below the one at which a cycle stops.
  t.equal(cycle.run(1000 + 4000, 1e9, remove), 4000);
  t.equal(new Set(gone).size, 4000);
  t.notOk(gone.includes('key:1'), 'a backup never judges');
  t.not(find(store, 'eternal'), 0);
  t.not(find(store, 'key:4001'), 0, 'not before its time');
  t.equal(find(store, 'key:4000'), 0, 'at its time');
  t.equal(store.countWithExpiry(0), 999);
  t.equal(
    cycle.run(5000, 1e9, () => t.fail('expired twice')),
    0,
  );
});

t.test('one call looks at no more than it may, the next goes on from there', async (t) => {
  const store = filled();
  const cycle = new ExpiryCycle(store);
  const counts: number[] = [];
  while (store.size > 0) {
    counts.push(
      cycle.run(1e6, 500, (ref) => {
        store.remove(ref);
        return true;
      }),
    );
  }
  t.ok(Math.max(...counts) < 520, `most in one call: ${Math.max(...counts)}`);
  t.equal(counts.length, 10, 'calls');
});

t.test('it stops early where little has expired', async (t) => {
  const store = new Store({ seed: 1 });
  for (let i = 0; i < ENTRIES; i++) {
    // One in twenty is expired, all slots are due.
    store.setExpireAt(put(store, `{${i % 50}}:${i}`), i % 1000 < 50 ? 10 : 1e9);
  }
  const first = new ExpiryCycle(store).run(10, 1e9, (ref) => {
    store.remove(ref);
    return true;
  });
  t.ok(first > 0 && first < 50, `${first} of 250 in one call`);
});

t.test('what the callback leaves alone is offered again; tombstones are not', async (t) => {
  const store = filled();
  const cycle = new ExpiryCycle(store);
  t.equal(
    cycle.run(1000, 1e9, () => false),
    1,
  );
  t.equal(
    cycle.run(1000, 1e9, (ref) => {
      store.setRole(store.resize(ref, 0), Role.Tombstone);
      return true;
    }),
    1,
  );
  t.equal(
    cycle.run(1000, 1e9, () => t.fail('a tombstone does not expire')),
    0,
  );
  t.equal(store.countOfRole(Role.Tombstone), 1);
});

t.test('an expiry that was moved forward counts, one that was moved back does too', async (t) => {
  const store = new Store({ seed: 1 });
  const cycle = new ExpiryCycle(store);
  const ref = put(store, 'a');
  store.setExpireAt(ref, 100);
  store.setExpireAt(ref, 200);
  t.equal(
    cycle.run(150, 1e9, () => t.fail('too early')),
    0,
  );
  store.setExpireAt(ref, 120);
  t.equal(
    cycle.run(150, 1e9, () => false),
    1,
  );
  store.setExpireAt(ref, 0);
  t.equal(
    cycle.run(1e15, 1e9, () => t.fail('never')),
    0,
  );
});

t.test('tombstones are reaped when they are over, in bounded steps', async (t) => {
  const store = filled();
  for (let i = 0; i < 3000; i++) {
    const ref = store.resize(find(store, `key:${i}`), 0);
    store.setRole(ref, Role.Tombstone);
    store.setVersion(ref, i);
  }
  const reaper = new TombstoneReaper(store);
  const isOver = (ref: number) => store.version(ref) < 1000;
  const counts: number[] = [];
  for (let i = 0; i < 20; i++) counts.push(reaper.run(500, isOver));
  t.equal(
    counts.reduce((a, b) => a + b),
    1000,
  );
  t.ok(Math.max(...counts) < 520, `most in one call: ${Math.max(...counts)}`);
  t.equal(store.countOfRole(Role.Tombstone), 2000);
  t.not(find(store, 'key:1000'), 0);
  t.equal(find(store, 'key:999'), 0);
  t.equal(store.count(0, Role.Primary), 2000, 'entries are untouched');
});
