import t, { type Test } from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

const KEYS = Array.from({ length: 60 }, (_, i) => `sess:${i}`);

t.test('--location-list all: everybody knows where a session is', async (t) => {
  const cluster = await TestCluster.start(t, 4, '--location-list', 'all');
  const values = new Map<string, string>();
  const write = async (t: Test, node: NodeProcess, key: string, value: string): Promise<void> => {
    t.equal(await node.client.set(key, value, 'EX', 3600), 'OK');
    values.set(key, value);
  };
  const allThere = async (t: Test): Promise<void> => {
    for (const node of cluster.running) {
      const expected = KEYS.map((key) => values.get(key) ?? null);
      t.same(await node.client.mget(KEYS), expected);
    }
  };
  for (const [i, key] of KEYS.entries())
    await write(t, cluster.nodes[i % 4]!, key, `${key} created`);
  await cluster.settled();
  await allThere(t);

  await t.test('reads and writes go through any node, without asking the anchor', async (t) => {
    const lookups = async (): Promise<number[]> =>
      Promise.all(cluster.nodes.map(async (node) => Number((await node.facts())['lookups'])));
    const before = await lookups();
    for (const [i, key] of KEYS.entries()) {
      await write(t, cluster.nodes[(i + 1) % 4]!, key, `${key} changed`);
      t.equal(await cluster.nodes[(i + 2) % 4]!.client.get(key), `${key} changed`);
    }
    t.same(await lookups(), before);
    await allThere(t);
  });

  await t.test('a deleted session is gone everywhere, and can be made anew', async (t) => {
    for (const [i, key] of KEYS.slice(0, 20).entries()) {
      t.equal(await cluster.nodes[(i + 3) % 4]!.client.del(key), 1);
      values.delete(key);
    }
    await allThere(t);
    for (const [i, key] of KEYS.slice(0, 10).entries()) {
      await write(t, cluster.nodes[(i + 2) % 4]!, key, `${key} anew`);
    }
    await allThere(t);
  });

  await t.test('the primary of a session is killed: the session is on all that live', async (t) => {
    const key = KEYS[30]!;
    const { primary, backup } = await cluster.nodes[0]!.locate(key);
    const victim = cluster.byPort(primary);
    await victim.end('SIGKILL');
    for (const node of cluster.running) t.equal(await node.client.get(key), values.get(key));
    const other = cluster.running.find(({ port }) => port !== backup)!;
    await write(t, other, key, 'after the death');
    await cluster.settled();
    await allThere(t);
    victim.start();
    await cluster.settled();
    await allThere(t);
    await write(t, victim, KEYS[31]!, 'through the one that came back');
    await allThere(t);
  });
});
