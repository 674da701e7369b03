import t, { type Test } from 'tap';
import { KEYS_PER_TURN } from '../../lib/base/limits.js';
import { keysOf, setAll } from './scenario.js';
import { answerOf, ScriptedCluster } from './scripted-cluster.js';

t.setTimeout(240_000);

/** Slices of each command. */
const SLICES = 4;
const KEYS = keysOf(SLICES * KEYS_PER_TURN);
const SEEDS = 3;

/** Commands with so many keys that they take turns, while a member dies. */
function play(t: Test, what: string, script: (t: Test, cluster: ScriptedCluster) => void): void {
  t.test(what, (t) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const cluster = new ScriptedCluster(seed, { nodes: 3, longHistories: true });
      cluster.form();
      setAll(cluster, KEYS, 'old');
      cluster.settled();
      script(t, cluster);
      t.same(cluster.finish(), [], `seed ${seed}: the cluster is whole`);
    }
    t.end();
  });
}

/** What the keys hold, as far as that node finds them. */
const values = (cluster: ScriptedCluster): (string | null)[] => cluster.askEach(0, KEYS, 'GET');

play(t, 'MGET: every value in its place, or an error', (t, cluster) => {
  const call = cluster.send(0, 'MGET', ...KEYS);
  cluster.run(1);
  t.equal(call.outcome, 'pending', 'it has begun');
  cluster.kill(2);
  cluster.until('answered', () => call.outcome !== 'pending');
  const { reply } = call;
  if (reply === null || !('items' in reply)) {
    t.match(answerOf(call), /^-|^$/);
    return;
  }
  t.equal(reply.items.length, KEYS.length);
  t.ok(reply.items.every((item, i) => 'text' in item && item.text === `${KEYS[i]} old`));
});

play(t, 'DEL: all are gone when it says so', (t, cluster) => {
  const call = cluster.send(0, 'DEL', ...KEYS);
  cluster.run(2);
  t.equal(call.outcome, 'pending', 'it has begun');
  cluster.kill(1);
  cluster.until('answered', () => call.outcome !== 'pending');
  if (call.outcome === 'replied') t.ok(values(cluster).every((value) => value === null));
  cluster.start(1);
  cluster.settled();
  cluster.ask(0, 'DEL', ...KEYS);
  t.equal(cluster.ask(1, 'EXISTS', ...KEYS), '0');
});

play(t, 'MSET: all keys change, or none', (t, cluster) => {
  const call = cluster.send(0, 'MSET', ...KEYS.flatMap((key) => [key, `${key} new`]));
  cluster.run(5);
  t.equal(call.outcome, 'pending', 'it has begun');
  cluster.kill(2);
  cluster.until('answered', () => call.outcome !== 'pending');
  cluster.settled();
  const found = values(cluster);
  const changed = found.filter((value, i) => value === `${KEYS[i]} new`).length;
  const kept = found.filter((value, i) => value === `${KEYS[i]} old`).length;
  t.ok(changed === KEYS.length || kept === KEYS.length, `${changed} changed, ${kept} not`);
  if (call.outcome === 'replied') t.equal(changed, KEYS.length);
});
