import { keysOf, mustNotHappen, setAll } from './scenario.js';
import type { ScriptedCluster } from './scripted-cluster.js';

/** What must not happen by looking. */

const LOOKS = [
  (key: string) => ['TTL', key],
  (key: string) => ['PTTL', key],
  (key: string) => ['EXPIRETIME', key],
  (key: string) => ['TYPE', key],
  (key: string) => ['EXISTS', key],
  (key: string) => ['OBJECT', 'ENCODING', key],
  (key: string) => ['OBJECT', 'IDLETIME', key],
  (key: string) => ['OBJECT', 'REFCOUNT', key],
  (key: string) => ['SCAN', '0', 'MATCH', `${key}*`, 'COUNT', '1000'],
  () => ['KEYS', '*'],
  () => ['DBSIZE'],
  () => ['RANDOMKEY'],
];

/** Who holds each key, what it is, and when it was used last. */
function facts(cluster: ScriptedCluster, keys: readonly string[]): unknown[] {
  return keys.map((key) =>
    cluster.running.map((process) => {
      const ref = cluster.refOf(process, key);
      if (ref === 0) return null;
      const { store } = process;
      return [store.role(ref), store.version(ref), store.expireAt(ref), store.usedAt(ref)];
    }),
  );
}

// Tomcat 51447: an administrator looks at a session, and it becomes primary where he looks. Also right after a failover,
// when the first who uses a session takes it over.
for (const when of ['at rest', 'after a failover'] as const) {
  mustNotHappen(
    28,
    `A session moves, or counts as used, because a monitor has looked at it (${when})`,
    { nodes: 4 },
    (t, cluster) => {
      const keys = keysOf(6);
      setAll(cluster, keys, 'v', 'PX', '3600000');
      if (when === 'after a failover') cluster.kill(3);
      cluster.settled();
      const before = facts(cluster, keys);
      cluster.run(5000);
      for (const look of LOOKS) {
        for (let round = 0; round < 3; round++) {
          for (const { machine } of cluster.running) {
            cluster.answers(keys.map((key) => cluster.send(machine, ...look(key))));
          }
        }
      }
      // The same monitor looks again and again, through one node.
      for (const { machine } of cluster.running) {
        for (let round = 0; round < 6; round++) cluster.askEach(machine, keys, 'TTL');
        for (let round = 0; round < 6; round++) cluster.askEach(machine, keys, 'TYPE');
      }
      cluster.settled();
      t.same(facts(cluster, keys), before);
    },
  );
}
