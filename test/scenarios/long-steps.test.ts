import t from 'tap';
import { keysOf, setAll } from './scenario.js';
import { ScriptedCluster } from './scripted-cluster.js';

t.setTimeout(240_000);

const NODES = 3;
const SEEDS = 24;
/** Keys that are there, and as many that are not. */
const OLD = 40;
/** All is handled in slices of so many. */
const STEP_KEYS = 7;

const KEYS = keysOf(2 * OLD);
const PRESENT = KEYS.slice(0, OLD);
const pairs = (value: string): string[] => KEYS.flatMap((key) => [key, value]);

function loaded(seed: number): ScriptedCluster {
  const cluster = new ScriptedCluster(seed, {
    nodes: NODES,
    delayMsMax: 2,
    partBytes: 300,
    stepKeys: STEP_KEYS,
    longHistories: true,
  });
  cluster.form();
  setAll(cluster, PRESENT, 'old');
  return cluster;
}

/** How many keys have the value, as found through the node. */
const countOf = (cluster: ScriptedCluster, node: number, value: string): number =>
  cluster.askEach(node, KEYS, 'GET').filter((found) => found === value).length;

t.test('MSET in slices: a member dies at any moment, and all keys change or none', async (t) => {
  const seen = { changed: 0, unchanged: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = loaded(seed);
    const call = cluster.send(0, 'MSET', ...pairs('new'));
    // Some 80 ms are what it takes, between the first key and the last one that is let go.
    cluster.run(1 + (seed * 80) / SEEDS);
    const victim = seed % NODES;
    cluster.kill(victim);
    cluster.until('answered', () => call.outcome !== 'pending' || victim === 0);
    cluster.settled();
    const changed = countOf(cluster, (victim + 1) % NODES, 'new');
    t.ok(changed === KEYS.length || changed === 0, `seed ${seed}: ${changed} keys changed`);
    if (call.outcome === 'replied' && changed === 0) t.match(call.reply, { text: /^TRYAGAIN/ });
    seen[changed === 0 ? 'unchanged' : 'changed']++;
    cluster.start(victim);
    t.same(cluster.finish(), [], `seed ${seed}: the cluster is whole`);
  }
  t.ok(
    seen.changed > 0 && seen.unchanged > 0,
    `deaths come before and after: ${JSON.stringify(seen)}`,
  );
});

t.test('MSET in slices: once a new value was seen no old one is, through any node', async (t) => {
  let both = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = loaded(seed);
    const call = cluster.send(seed % NODES, 'MSET', ...pairs('new'));
    let isNew = false;
    for (let i = 0; call.outcome === 'pending' || i < NODES; i++) {
      const value = cluster.ask(i % NODES, 'GET', PRESENT[(i * 17) % OLD]!);
      if (!isNew && value !== 'new') both++;
      t.ok(value === 'new' || !isNew, `seed ${seed}: read ${i}`);
      isNew ||= value === 'new';
    }
    t.equal(countOf(cluster, 0, 'new'), KEYS.length);
    t.same(cluster.finish(), []);
  }
  t.ok(both > 0, 'some reads came before the change');
});

t.test('MSETNX in slices: all keys, or none where one exists', async (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const cluster = loaded(seed);
    t.equal(cluster.ask(1, 'MSETNX', ...pairs('new')), '0');
    t.equal(countOf(cluster, 2, 'new'), 0);
    t.equal(cluster.ask(2, 'DBSIZE'), String(OLD));
    const others = KEYS.flatMap((key) => [`${key}:other`, 'x']);
    t.equal(cluster.ask(2, 'MSETNX', ...others), '1');
    t.same(cluster.finish(), []);
  }
});

t.test(
  'two commands in slices on the same keys, sent to two nodes, run one after the other',
  async (t) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const cluster = loaded(seed);
      const calls = [
        cluster.send(0, 'MSET', ...pairs('one')),
        cluster.send(1, 'MSET', ...pairs('two')),
        cluster.send(1, 'MSET', ...[...KEYS].reverse().flatMap((key) => [key, 'three'])),
      ];
      if (seed % 3 === 0) cluster.run(seed);
      cluster.answers(calls);
      const [first] = cluster.askEach(2, KEYS, 'GET');
      t.equal(
        countOf(cluster, 2, String(first)),
        KEYS.length,
        `seed ${seed}: all are of one command`,
      );
      t.same(cluster.finish(), []);
    }
  },
);

t.test('FLUSHALL while MSET runs in slices: all keys are there afterwards, or none', async (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = loaded(seed);
    const call = cluster.send(0, 'MSET', ...pairs('new'));
    cluster.run((seed * 80) / SEEDS);
    t.equal(cluster.ask(1, 'FLUSHALL'), 'OK');
    cluster.answers([call]);
    const found = Number(cluster.ask(2, 'DBSIZE'));
    t.ok(found === 0 || found === KEYS.length, `seed ${seed}: ${found} keys`);
    t.same(cluster.finish(), []);
  }
});

t.test('MSETNX in slices: entries of its keys move meanwhile, and all are set', async (t) => {
  const count = 2 * STEP_KEYS + 1;
  // The first argument is each of them in turn: one of them is the last one of its size, which is what moves.
  for (let first = 0; first < count; first++) {
    const cluster = loaded(1 + first);
    const names = keysOf(count).map((key) => `new:${key}`);
    const keys = [...names.slice(first), ...names.slice(0, first)];
    // Backups as long as its keys, and without a value: they share their pages.
    const others = keysOf(2 * OLD).map((key) => `big:${key}`);
    for (const key of others) cluster.ask(1, 'SET', key, '');
    const call = cluster.send(0, 'MSETNX', ...keys.flatMap((key) => [key, 'new']));
    for (const key of others) {
      // The backup's entry goes elsewhere, and the last one of that size into its place.
      cluster.send(1, 'SET', key, 'x'.repeat(200));
      cluster.run(0.3);
    }
    cluster.until('answered', () => call.outcome !== 'pending');
    t.match(call.reply, { text: '1' });
    const found = cluster.askEach(1, keys, 'GET').filter((value) => value === 'new').length;
    t.equal(found, keys.length, `first argument ${first}`);
    t.same(cluster.finish(), []);
  }
});
