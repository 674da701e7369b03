import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { delay, type NodeProcess, TestCluster } from '../support/test-cluster.js';

t.setTimeout(180_000);

/** Counts the messages of a subscriber by "channel message". */
async function listen(t: Test, node: NodeProcess, ...channels: string[]) {
  const client = new Redis({ port: node.port, host: '127.0.0.1', protocol: 2 });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  const counts = new Map<string, number>();
  client.on('message', (channel, message) => {
    const event = `${channel} ${message}`;
    counts.set(event, (counts.get(event) ?? 0) + 1);
  });
  await client.subscribe(...channels);
  return counts;
}

const KEYS = Array.from({ length: 100 }, (_, i) => `sess:${i}`);

t.test(
  'what one node is told to publish all nodes publish, also those that join later',
  async (t) => {
    const cluster = await TestCluster.start(t, 3);
    const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
    const shown = async ({ client }: NodeProcess) =>
      ((await client.config('GET', 'notify-keyspace-events')) as string[])[1];
    t.equal(await a.client.config('SET', 'notify-keyspace-events', 'Egx'), 'OK');
    t.equal(await shown(b), 'gxE');
    t.equal(await shown(c), 'gxE');
    await c.end('SIGKILL');
    await cluster.settled();
    await b.client.config('SET', 'notify-keyspace-events', 'KEA');
    c.start();
    await cluster.settled();
    await cluster.until(async () => (await shown(c)) === 'AKE');
    await c.client.config('SET', 'notify-keyspace-events', '');
    t.equal(await shown(a), '');
    await t.rejects(a.client.config('SET', 'notify-keyspace-events', 'Q'), /Invalid event class/);
  },
);

t.test('each subscriber gets each event once, wherever the key is and moves to', async (t) => {
  const cluster = await TestCluster.start(t, 3, '--notify-keyspace-events', 'KEA');
  const { nodes } = cluster;
  const counts = await Promise.all(
    nodes.map((node) => listen(t, node, '__keyevent@0__:set', '__keyevent@0__:append')),
  );
  const commands = KEYS.map((key, i) => nodes[i % 3]!.client.set(key, 'x'));
  await Promise.all(commands);
  // Used through another node until they have moved there.
  for (let round = 0; round < 5; round++) {
    await Promise.all(KEYS.map((key, i) => nodes[(i + 1) % 3]!.client.append(key, 'y')));
  }
  const moved = Number((await nodes[0]!.facts())['take_overs']);
  t.ok(moved > 0, 'keys have moved');
  const expected = new Map<string, number>();
  for (const key of KEYS) {
    expected.set(`__keyevent@0__:set ${key}`, 1);
    expected.set(`__keyevent@0__:append ${key}`, 5);
  }
  const total = KEYS.length * 6;
  const sum = (events: Map<string, number>) => [...events.values()].reduce((a, b) => a + b, 0);
  for (const events of counts) {
    await cluster.until(async () => sum(events) >= total);
    t.same(events, expected);
  }
  const [, second, third] = nodes;
  await third!.end('SIGKILL');
  await cluster.settled();
  t.equal(await second!.client.exists(...KEYS), KEYS.length);
  await delay(100);
  for (const events of counts.slice(0, 2)) t.equal(sum(events), total, 'promotion is no event');
});

t.test('sessions whose primary has died expire, and their event comes, once', async (t) => {
  const cluster = await TestCluster.start(t, 3, '--notify-keyspace-events', 'Ex');
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  const counts = [
    await listen(t, a, '__keyevent@0__:expired'),
    await listen(t, b, '__keyevent@0__:expired'),
  ];
  await Promise.all(KEYS.map((key, i) => cluster.nodes[i % 3]!.client.set(key, 'x', 'PX', 1500)));
  t.ok(Number((await c.facts())['primaries']) > 0);
  await c.end('SIGKILL');
  const expected = new Map(KEYS.map((key) => [`__keyevent@0__:expired ${key}`, 1]));
  for (const events of counts) {
    await cluster.until(async () => events.size === KEYS.length);
    t.same(events, expected);
  }
});

t.test('a dead key that is asked for is gone, and its event comes', async (t) => {
  const cluster = await TestCluster.start(t, 2, '--notify-keyspace-events', 'Ex');
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  const events = await listen(t, a, '__keyevent@0__:expired');
  for (let i = 0; i < 5; i++) {
    await a.client.set(`k${i}`, 'x', 'PX', 10);
    await cluster.until(async () => (await b.client.exists(`k${i}`)) === 0);
    await cluster.until(async () => events.has(`__keyevent@0__:expired k${i}`));
  }
  t.ok([...events.values()].every((count) => count === 1));
});
