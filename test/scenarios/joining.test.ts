import type { Call } from '../simulation/history.js';
import { keysOf, mustNotHappen, readAll, setAll } from './scenario.js';

/** What must not happen when a node joins. */

// Tomcat users list, message 106973: a new node cannot start while the others are under load; redis 11534: a full
// synchronisation that begins again and again under load.
mustNotHappen(
  20,
  'A node cannot join, or never has its share, while the others are loaded',
  { nodes: 3, spares: 1, longHistories: true },
  (t, cluster) => {
    const keys = keysOf(150);
    setAll(cluster, keys, 'x'.repeat(2000));
    const users = keys.map((key, i) => ({
      key,
      machine: i % 3,
      call: cluster.send(i % 3, 'GET', key),
    }));
    const stop = cluster.repeat(1, (round) => {
      for (const user of users) {
        if (user.call.outcome === 'pending') continue;
        user.call = cluster.send(user.machine, 'SET', user.key, `${round}`.padEnd(2000, 'x'));
      }
    });
    cluster.run(100);
    const from = cluster.now;
    const joiner = cluster.start(3);
    cluster.until('it serves', () => joiner.serves, 2000);
    cluster.until('all is settled', () => cluster.isSettled, 5000);
    t.pass(`it had its share after ${(cluster.now - from).toFixed(0)} ms`);
    stop();
    cluster.until('all are answered', () => users.every(({ call }) => call.outcome !== 'pending'));
    const failed = cluster.calls.filter(({ outcome }) => outcome !== 'replied');
    t.same(failed, [], 'no command has failed meanwhile');
    const backups = keys.filter((key) => cluster.pair(key)[1] === 3);
    t.ok(backups.length > keys.length / 8, `${backups.length} of ${keys.length} copies are there`);
    readAll(t, cluster, keys, (key) => users[keys.indexOf(key)]!.call.args[2]!);
  },
  1,
);

// keycloak 52088: a node is sent requests before it is ready.
mustNotHappen(
  20,
  'A node that is not ready yet says that a session does not exist',
  { nodes: 3, spares: 1, delayMsMax: 10 },
  (t, cluster) => {
    const keys = keysOf(100);
    setAll(cluster, keys, 'kept');
    const joiner = cluster.start(3);
    const calls: Call[] = [];
    for (let round = 0; !cluster.isSettled; round++) {
      calls.push(cluster.send(3, 'GET', keys[round % keys.length]!));
      calls.push(cluster.send(round % 3, 'GET', keys[(round * 7) % keys.length]!));
      cluster.run(0.5);
    }
    const answers = cluster.answers(calls);
    const wrong = answers.filter((answer, i) => {
      const isLoading = calls[i]!.node === joiner.name && /^-LOADING/.test(answer ?? '');
      return answer !== `${calls[i]!.args[1]} kept` && !isLoading;
    });
    t.same(wrong, [], 'LOADING, or the session');
    t.ok(answers.some((answer) => answer?.startsWith('-LOADING')));
  },
);
