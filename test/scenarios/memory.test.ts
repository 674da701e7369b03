import t from 'tap';
import { keysOf, mustNotHappen } from './scenario.js';
import { ScriptedCluster } from './scripted-cluster.js';

/** What must not happen to memory that has a limit. */

/** The node that all is written through has room for all of it; those that hold the copies have not. */
const LIMITS = [4_000_000, 200_000, 400_000];
/** What is on its way when a member says that it is full. */
const OVER_BYTES_MAX = 60_000;
const VALUE_BYTES = 500;

/** Writes far more than there is room for through one node. Returns the answers. */
function overfill(cluster: ScriptedCluster): (string | null)[] {
  const keys = keysOf(2500);
  const answers: (string | null)[] = [];
  for (let at = 0; at < keys.length; at += 50) {
    answers.push(...cluster.askEach(0, keys.slice(at, at + 50), 'SET', 'x'.repeat(VALUE_BYTES)));
    for (const { machine, name, store } of cluster.running) {
      if (store.usedBytes <= LIMITS[machine]! + OVER_BYTES_MAX) continue;
      throw new Error(`${name} takes ${store.usedBytes} bytes of ${LIMITS[machine]}`);
    }
  }
  return answers;
}

// KeyDB 164: maxmemory is ignored with replication on.
mustNotHappen(
  27,
  'Memory grows past its limit by copies for others: noeviction',
  { nodes: 3, memoryLimits: LIMITS, maxMemoryPolicy: 'noeviction' },
  (t, cluster) => {
    const answers = overfill(cluster);
    const refused = answers.filter((answer) => answer?.startsWith('-OOM')).length;
    t.ok(refused > 500, `${refused} writes were refused`);
    const kept = keysOf(2500).filter((_, i) => answers[i] === 'OK');
    t.ok(kept.length > 200, `${kept.length} were taken`);
    cluster.settled();
    const lengths = cluster.askEach(1, kept, 'STRLEN');
    t.ok(
      lengths.every((length) => length === String(VALUE_BYTES)),
      'what was taken is there',
    );
  },
);

mustNotHappen(
  27,
  'Memory grows past its limit by copies for others: allkeys-lru',
  { nodes: 3, memoryLimits: LIMITS, maxMemoryPolicy: 'allkeys-lru', loses: true },
  (t, cluster) => {
    const answers = overfill(cluster);
    const refused = answers.filter((answer) => answer !== 'OK').length;
    t.equal(refused, 0, 'room was made for each');
    cluster.settled();
    const kept = Number(cluster.ask(2, 'DBSIZE'));
    t.ok(kept > 200, `${kept} keys are there`);
  },
);

const MIB = 1024 * 1024;
/** Comes in by parts, at most 512 KB between two acks: it takes a while. */
const LARGE_BYTES = 8 * MIB;
const FILLED_BYTES = 2 * MIB;

for (const [policy, outcome] of [
  ['noeviction', 'refuses more'],
  ['allkeys-lru', 'makes room'],
] as const) {
  t.test(
    `a large value that is coming in counts where it comes in, which ${outcome}`,
    async (t) => {
      const cluster = new ScriptedCluster(1, {
        nodes: 2,
        memoryLimits: [0, LARGE_BYTES + MIB],
        maxMemoryPolicy: policy,
        longHistories: true,
        loses: true,
      });
      cluster.form();
      const { node, store } = cluster.process(1);
      cluster.askEach(1, keysOf(20), 'SET', 'x'.repeat(FILLED_BYTES / 20));
      const filled = store.usedBytes;
      t.ok(filled > FILLED_BYTES);
      t.equal(
        cluster.ask(1, 'SET', 'small', 'v'),
        'OK',
        'there is room as long as it is not there',
      );
      const large = cluster.send(0, 'SET', 'large', 'x'.repeat(LARGE_BYTES));
      cluster.until('it is coming in', () => node.state.statistics.assemblyBytes > LARGE_BYTES);
      const answer = cluster.ask(1, 'SET', 'small', 'w');
      t.equal(large.outcome, 'pending', 'it is still coming in');
      t.ok(store.usedBytes <= filled + MIB, 'the store has it not');
      if (policy === 'noeviction') {
        t.match(answer, /^-OOM /);
        t.equal(node.headroomBytes, 0, 'and the other is told so');
      } else {
        t.equal(answer, 'OK');
        t.ok(store.usedBytes < filled, 'keys were evicted for it');
      }
      cluster.until('it is there', () => large.outcome === 'replied');
      t.equal(node.state.statistics.assemblyBytes, 0);
      t.equal(cluster.ask(1, 'STRLEN', 'large'), String(LARGE_BYTES));
      t.equal(cluster.ask(0, 'DEL', 'large'), '1');
      t.equal(cluster.ask(1, 'SET', 'small', 'w'), 'OK', 'when it has gone all is as before');
    },
  );
}

t.test(
  'room for something large is made by several commands, and none of them is refused',
  async (t) => {
    const limit = 8 * MIB;
    const cluster = new ScriptedCluster(1, {
      nodes: 2,
      memoryLimits: [limit, 4 * limit],
      maxMemoryPolicy: 'allkeys-lru',
      longHistories: true,
      loses: true,
    });
    cluster.form();
    const { store } = cluster.process(0);
    cluster.askEach(0, keysOf(25_000), 'SET', 'x'.repeat(300));
    t.ok(store.usedBytes > 0.99 * limit, 'it is full');
    t.equal(cluster.ask(0, 'SET', 'large', 'x'.repeat(limit / 20)), 'OK');
    const answers = cluster.askEach(0, keysOf(20), 'SET', 'small');
    t.same(new Set(answers), new Set(['OK']));
    t.ok(store.usedBytes <= limit, `${store.usedBytes} bytes`);
  },
);

t.test('what is only written to is not idle, so that it is not the first to be evicted', (t) => {
  const cluster = new ScriptedCluster(1, { nodes: 2, longHistories: true });
  cluster.form();
  for (const key of keysOf(4)) {
    cluster.ask(0, 'SET', key, 'v');
    for (const change of [
      ['SET', key, 'w'],
      ['SETRANGE', key, '0', 'x'],
      ['APPEND', key, 'y'],
      ['PEXPIRE', key, '1000000'],
    ]) {
      cluster.run(5000);
      cluster.ask(0, ...change);
      const idle = Number(cluster.ask(0, 'OBJECT', 'IDLETIME', key));
      t.ok(idle <= 1, `${change[0]}: idle for ${idle} s`);
    }
    cluster.run(5000);
    t.ok(Number(cluster.ask(0, 'OBJECT', 'IDLETIME', key)) >= 4, 'to look at it is no use');
  }
  t.same(cluster.finish(), []);
  t.end();
});

t.test('of an LFU policy, what is used often stays, and how often is known', (t) => {
  const cluster = new ScriptedCluster(1, {
    nodes: 2,
    memoryLimits: [600_000, 4_000_000],
    maxMemoryPolicy: 'allkeys-lfu',
    longHistories: true,
    loses: true,
  });
  cluster.form();
  const often = keysOf(20).map((key) => `often:${key}`);
  cluster.askEach(0, often, 'SET', 'x'.repeat(VALUE_BYTES));
  for (let i = 0; i < 50; i++) cluster.askEach(0, often, 'GET');
  const frequency = Number(cluster.ask(0, 'OBJECT', 'FREQ', often[0]!));
  t.ok(frequency > 6, `${frequency}`);
  t.match(cluster.ask(0, 'OBJECT', 'IDLETIME', often[0]!), /^-ERR An LFU maxmemory policy is/);
  cluster.askEach(0, keysOf(2000), 'SET', 'x'.repeat(VALUE_BYTES));
  t.same(
    cluster.askEach(0, often, 'EXISTS'),
    often.map(() => '1'),
    'none was evicted',
  );
  const left = Number(cluster.ask(0, 'DBSIZE'));
  t.ok(left < 1200, `${left} keys are left`);
  t.same(cluster.finish(), []);
  t.end();
});
