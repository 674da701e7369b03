import t from 'tap';
import { BusProxy, PROXY_HOST } from '../support/bus-proxy.js';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

/** `--partition-policy majority` with real processes: who is cut off from more than half of the others serves nothing. */

const MAJORITY = ['--partition-policy', 'majority', '--node-timeout', '1000'];
const KEYS = Array.from({ length: 90 }, (_, i) => `key:${i}`);

async function fill(cluster: TestCluster): Promise<void> {
  await Promise.all(KEYS.map((key, i) => cluster.nodes[i % 3]!.client.set(key, `${key} 0`)));
}

/** Resolves when the node answers both reads and writes with CLUSTERDOWN. */
async function isDown(cluster: TestCluster, node: NodeProcess): Promise<void> {
  const answer = (promise: Promise<unknown>) => promise.then(String, (error) => error.message);
  await cluster.until(async () => {
    const answers = [answer(node.client.set('probe', 'x')), answer(node.client.mget(KEYS))];
    return (await Promise.all(answers)).every((text) => text.startsWith('CLUSTERDOWN'));
  });
}

t.test('two of three are killed at one moment: the third serves nothing', async (t) => {
  const cluster = await TestCluster.start(t, 3, ...MAJORITY);
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  await fill(cluster);
  const where = await Promise.all(KEYS.map((key) => a.locate(key)));
  const kept = KEYS.filter((_, i) => [where[i]!.primary, where[i]!.backup].includes(a.port));
  await Promise.all([b.end('SIGKILL'), c.end('SIGKILL')]);

  await isDown(cluster, a);
  await t.rejects(a.client.get(kept[0]!), /^CLUSTERDOWN /, 'a key that it holds');
  await t.rejects(a.client.get('absent'), /^CLUSTERDOWN /);
  await t.rejects(a.client.set('new', 'x'), /^CLUSTERDOWN /);
  await t.rejects(a.client.dbsize(), /^CLUSTERDOWN /);
  t.equal(await a.client.ping(), 'PONG');
  t.equal((await a.facts())['serving'], '0');

  await t.test('and goes on with what it has when others came in their places', async (t) => {
    b.start();
    c.start();
    await cluster.settled();
    for (const node of cluster.nodes) {
      t.same(
        await node.client.mget(kept),
        kept.map((key) => `${key} 0`),
      );
    }
  });
});

t.test('one of three is cut off: it serves nothing, the others everything', async (t) => {
  const options = ['--cluster-announce-ip', PROXY_HOST, ...MAJORITY];
  const cluster = await TestCluster.prepare(t, new Array(3).fill(options), PROXY_HOST);
  const proxy = BusProxy.start(cluster.nodes);
  t.teardown(() => proxy.close());
  for (const node of cluster.nodes) node.start();
  await cluster.settled();
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  await fill(cluster);
  const { node_id: before } = await c.facts();

  await proxy.cutOff(c);
  await isDown(cluster, c);
  await cluster.until(async () => (await a.facts())['members'] === '2');
  await Promise.all(KEYS.map((key, i) => [a, b][i % 2]!.client.set(key, `${key} 1`)));
  await a.client.del(KEYS[1]!);
  await t.rejects(c.client.mget(KEYS), /^CLUSTERDOWN /, 'nothing old is to be had');
  await t.rejects(c.client.incr('counter'), /^CLUSTERDOWN /);

  proxy.mend();
  await cluster.settled();
  t.not((await c.facts())['node_id'], before, 'it is back as another, empty incarnation');
  const expected = KEYS.map((key, i) => (i === 1 ? null : `${key} 1`));
  for (const node of cluster.nodes) {
    t.same(await node.client.mget(KEYS), expected);
    t.equal(await node.client.get('counter'), null, 'what was refused was not run');
  }
});
