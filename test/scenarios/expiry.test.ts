import { Role } from '../../lib/store/store.js';
import { keysOf, mustNotHappen, readAll, setAll } from './scenario.js';
import type { ScriptedCluster } from './scripted-cluster.js';

/** What must not happen to sessions that end by their time to live, and to those that do not end. */

const DAY_MS = 86_400_000;
/** A time to live is counted from when its command is run, and shown when it is asked for. */
const SHOWN_MS = 50;

/** The index of a store that has grown does not shrink; the values were ten times that. */
const INDEX_BYTES_MAX = 40_000;

const copiesAt = (cluster: ScriptedCluster): number =>
  cluster.running.reduce(
    (sum, { store }) => sum + store.countOfRole(Role.Primary) + store.countOfRole(Role.Backup),
    0,
  );

/** When each key is to expire, as shown by that node, in true milliseconds; NaN where it is not to. */
function expiriesAt(cluster: ScriptedCluster, machine: number, keys: readonly string[]): number[] {
  return cluster
    .askEach(machine, keys, 'PTTL')
    .map((ttl) => (Number(ttl) < 0 ? Number.NaN : cluster.now + Number(ttl)));
}

// Tomcat 53087, hazelcast 9153: the backup expires a session that is in use, since its reads were not replicated.
mustNotHappen(
  6,
  'The backup has a session expire that is kept alive on the primary',
  { nodes: 3 },
  (t, cluster) => {
    const keys = keysOf(12);
    setAll(cluster, keys, 'alive', 'PX', '3000');
    const touches = [
      (key: string) => ['PEXPIRE', key, '3000'],
      (key: string) => ['EXPIRE', key, '3'],
      (key: string) => ['GETEX', key, 'PX', '3000'],
      (key: string) => ['SET', key, `${key} alive`, 'PX', '3000'],
    ];
    for (let second = 0; second < 10; second++) {
      cluster.run(1000);
      const calls = keys.map((key, i) => cluster.send(i % 3, ...touches[i % 4]!(key)));
      t.notOk(cluster.answers(calls).includes('0'), 'each was there to be touched');
    }
    cluster.settled();
    cluster.kill(0);
    readAll(t, cluster, keys, (key) => `${key} alive`);
    for (const [i, at] of expiriesAt(cluster, 1, keys).entries()) {
      t.ok(at > cluster.now + 1500, `${keys[i]} has ${(at - cluster.now).toFixed(0)} ms to live`);
    }
    cluster.settled();
  },
);

// hazelcast 2902 and 14979: backups never expire; 13581: after a promotion nobody sweeps; valkey 2952: what a promoted
// replica had is never freed.
mustNotHappen(
  7,
  'What has expired stays in memory, at the backup or after a promotion',
  { nodes: 3 },
  (t, cluster) => {
    setAll(cluster, keysOf(300), 'x'.repeat(500), 'PX', '2000');
    t.ok(copiesAt(cluster) >= 600, 'there are two of each');
    cluster.run(4000);
    t.equal(copiesAt(cluster), 0, 'nobody has asked for them, and all are gone');
    setAll(cluster, keysOf(300, 'promoted'), 'x'.repeat(500), 'PX', '4000');
    cluster.kill(0);
    cluster.until('it is noticed', () =>
      cluster.running.every(({ node }) => node.state.view?.members.length === 2),
    );
    t.ok(copiesAt(cluster) >= 300, 'they were promoted before their time was over');
    cluster.run(6000);
    t.equal(copiesAt(cluster), 0);
    cluster.start(0);
    cluster.settled();
    const isEmpty = (): boolean => cluster.running.every(({ store }) => store.size === 0);
    cluster.until('no tombstone is left', isEmpty, 120_000);
    for (const { store, name } of cluster.running) {
      t.ok(store.usedBytes < INDEX_BYTES_MAX, `${name} takes ${store.usedBytes} bytes for no keys`);
    }
  },
);

// hazelcast 1712, 2859 and 13664, ISPN-4075: the time to live is lost, or begins anew, when a session moves.
mustNotHappen(
  8,
  'The time to live of a session is lost or begins anew when it moves',
  { nodes: 3, spares: 1 },
  (t, cluster) => {
    const keys = keysOf(24);
    for (const [i, key] of keys.entries()) {
      cluster.ask(i % 3, 'SET', key, 'v', ...(i % 2 ? ['PX', String(60_000 + 1000 * i)] : []));
      if (i % 4 === 0) cluster.ask(i % 3, 'PEXPIRE', key, String(90_000 + 1000 * i));
    }
    const expected = expiriesAt(cluster, 0, keys);
    const isKept = (what: string): void => {
      for (const { machine, name } of cluster.running) {
        const wrong = expiriesAt(cluster, machine, keys).filter((at, i) => {
          const due = expected[i]!;
          return Number.isNaN(due) ? !Number.isNaN(at) : !(Math.abs(at - due) <= SHOWN_MS);
        });
        t.same(wrong, [], `${what}, through ${name}`);
      }
    };
    cluster.start(3);
    cluster.settled();
    isKept('a node has joined');
    const taken = keys.filter((key) => cluster.pair(key)[0] !== 3);
    for (let i = 0; i < 4; i++) cluster.askEach(3, taken, 'STRLEN');
    cluster.settled();
    isKept('it was used, and has taken over what it did not hold');
    cluster.kill(0);
    cluster.settled();
    isKept('a node has died');
    const leaver = cluster.process(1);
    leaver.leave();
    cluster.until('it has left', () => leaver.hasEnded);
    cluster.settled();
    isKept('another one has left');
  },
);

// The same where two sides of a partition meet.
mustNotHappen(
  8,
  'The time to live of a session is lost or begins anew when two sides merge',
  { nodes: 4, sides: true },
  (t, cluster) => {
    const keys = keysOf(20);
    setAll(cluster, keys, 'v', 'PX', '120000');
    cluster.settled();
    cluster.split([0, 1], [2, 3]);
    cluster.until('two sides', () =>
      cluster.running.every(({ node }) => node.state.view?.members.length === 2),
    );
    const touched = keys.filter((_, i) => i % 2 === 0);
    const persisted = keys.filter((_, i) => i % 4 === 1);
    const held = (key: string): boolean => cluster.ask(2, 'EXISTS', key) === '1';
    const extended = touched.filter(held);
    cluster.askEach(2, extended, 'PEXPIRE', '300000');
    const extendedUntil = expiriesAt(cluster, 2, extended);
    const freed = persisted.filter(held);
    cluster.askEach(2, freed, 'PERSIST');
    const before = expiriesAt(cluster, 0, keys);
    cluster.run(2000);
    cluster.network.heal();
    cluster.settled();
    for (const { machine, name } of cluster.running) {
      const wrong = keys.filter((key, i) => {
        const at = expiriesAt(cluster, machine, [key])[0]!;
        if (freed.includes(key)) return !Number.isNaN(at);
        const until = extendedUntil[extended.indexOf(key)];
        if (until !== undefined) return !(Math.abs(at - until) <= SHOWN_MS);
        // What only the other side has kept is not looked at.
        return !Number.isNaN(before[i]!) && !(Math.abs(at - before[i]!) <= SHOWN_MS);
      });
      t.same(wrong, [], `through ${name}`);
    }
    t.ok(extended.length > 0 && freed.length > 0, 'both kinds were met');
  },
);

// memcached-session-manager 163: "does not expire" is read as "has expired" from the backup.
mustNotHappen(
  9,
  'A session without an expiry counts as expired at the backup',
  { nodes: 3 },
  (t, cluster) => {
    const keys = keysOf(20);
    setAll(cluster, keys.slice(0, 10), 'kept');
    setAll(cluster, keys.slice(10), 'kept', 'PX', '60000');
    cluster.askEach(0, keys.slice(10), 'PERSIST');
    cluster.settled();
    for (const victim of [0, 1]) {
      cluster.kill(victim);
      readAll(t, cluster, keys, (key) => `${key} kept`);
      cluster.settled();
      // All clocks are set: whatever can expire has expired now.
      for (const machine of cluster.machines) machine.wallOffset += DAY_MS;
      cluster.run(3000);
      readAll(t, cluster, keys, (key) => `${key} kept`);
      t.same(cluster.askEach(2, keys, 'PTTL'), new Array(keys.length).fill('-1'));
      cluster.start(victim);
      cluster.settled();
    }
  },
);
