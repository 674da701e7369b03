import t, { type Test } from 'tap';
import { clientOf, delay, type NodeProcess, TestCluster } from '../support/test-cluster.js';

const MOVE = `
  local amount = redis.call('GET', KEYS[1])
  redis.call('DECRBY', KEYS[1], ARGV[1])
  redis.call('INCRBY', KEYS[2], ARGV[1])
  return {amount, redis.call('GET', KEYS[2])}`;
const ENDLESS = 'while true do end';

async function threeNodes(t: Test) {
  const cluster = await TestCluster.start(t, 3);
  const clients = cluster.nodes.map(({ port }: NodeProcess) => clientOf(port));
  t.teardown(() => {
    for (const client of clients) client.disconnect();
  });
  return { cluster, clients };
}

t.test('a script runs on keys of several nodes as one step', async (t) => {
  const { clients } = await threeNodes(t);
  const [a, b, c] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
  for (let i = 0; i < 10; i++) {
    await a.set(`from:${i}`, 100);
    await b.set(`to:${i}`, 0);
  }
  for (let round = 0; round < 20; round++) {
    const moves = clients.map((client, i) => {
      const at = 3 * round + i;
      return client.eval(MOVE, 2, `from:${at % 10}`, `to:${(at * 7) % 10}`, 5);
    });
    await Promise.all(moves);
  }
  const keys = Array.from({ length: 10 }, (_, i) => [`from:${i}`, `to:${i}`]).flat();
  const values = await c.mget(...keys);
  t.equal(
    values.reduce((sum, value) => sum + Number(value), 0),
    1000,
  );
  t.same(await a.mget(...Array.from({ length: 10 }, (_, i) => `from:${i}`)), Array(10).fill('70'));
  await t.rejects(b.eval("return redis.call('get', 'from:1')", 0), /not among its KEYS/);
  t.equal(await b.eval("return redis.call('get', KEYS[1])", 1, 'from:1'), '70');
});

t.test('an endless script is killed while others are served, and no member is lost', async (t) => {
  const { clients } = await threeNodes(t);
  const [a, b] = clients as [(typeof clients)[0], (typeof clients)[0]];
  const other = clientOf(a.options.port!);
  t.teardown(() => other.disconnect());
  await a.set('held', 'x');
  for (const keys of [['held'], []]) {
    const running = a.eval(ENDLESS, keys.length, ...keys);
    const failed = t.rejects(running, /Script killed by user/);
    await delay(1200);
    for (let i = 0; i < 20; i++) {
      const begun = performance.now();
      await other.set(`served:${i}`, 'y');
      t.ok(performance.now() - begun < 1000, 'served at once');
    }
    t.equal(await b.get('served:3'), 'y');
    t.equal(await other.script('KILL'), 'OK');
    await failed;
  }
  t.equal(await b.get('held'), 'x');
  t.match(await b.cluster('INFO'), 'cluster_known_nodes:3');
  await t.rejects(other.script('KILL'), /NOTBUSY/);
});

t.test('a script that one node has seen serves EVALSHA on all, until it is flushed', async (t) => {
  const { clients } = await threeNodes(t);
  const [a, b, c] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
  const sha = (await a.script('LOAD', 'return KEYS[1]')) as string;
  t.equal(await b.evalsha(sha, 1, 'key'), 'key');
  await b.eval('return 42', 0);
  const seen = '1fa00e76656cc152ad327c13fe365858fd7be306';
  t.same(await c.script('EXISTS', seen, sha, 'f'.repeat(40)), [1, 1, 0]);
  t.equal(await a.evalsha(seen, 0), 42);
  await t.rejects(c.evalsha('f'.repeat(40), 0), /^NOSCRIPT|NOSCRIPT No matching script/);
  t.equal(await c.script('FLUSH'), 'OK');
  for (const client of clients) await t.rejects(client.evalsha(sha, 1, 'key'), /NOSCRIPT/);
});
