import t, { type Test } from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

const KEYS = Array.from({ length: 100 }, (_, i) => `zoned:${i}`);

t.test('the copies of a key are in two zones, and one zone may be lost whole', async (t) => {
  const zones = ['east', 'west', 'east', 'west'];
  const cluster = await TestCluster.prepare(
    t,
    zones.map((zone) => ['--zone', zone]),
  );
  for (const node of cluster.nodes) node.start();
  await cluster.settled();
  const zoneOf = (port: number | null): string =>
    zones[cluster.nodes.findIndex((node) => node.port === port)] ?? 'nowhere';
  const values = (round: number): string[] => KEYS.map((key) => `${key} ${round}`);
  const write = (nodes: readonly NodeProcess[], round: number): Promise<unknown> =>
    Promise.all(KEYS.map((key, i) => nodes[i % nodes.length]!.client.set(key, `${key} ${round}`)));
  const inTwoZones = async (t: Test): Promise<void> => {
    const node = cluster.running[0]!;
    const same: string[] = [];
    for (const [i, where] of (await Promise.all(KEYS.map((key) => node.locate(key)))).entries()) {
      const pair = [zoneOf(where.primary), zoneOf(where.backup)].sort();
      if (pair.join() !== 'east,west') same.push(`${KEYS[i]}: ${pair}`);
    }
    t.same(same, [], 'no key has both copies in one zone');
  };
  await write(cluster.nodes, 0);
  await cluster.settled();
  await inTwoZones(t);

  // A write is acknowledged only when it is in two zones, so it must not matter that nothing has settled since.
  await write(cluster.nodes, 1);
  const east = cluster.nodes.filter((_, i) => zones[i] === 'east');
  const west = cluster.nodes.filter((_, i) => zones[i] === 'west');
  await Promise.all(east.map((node) => node.end('SIGKILL')));
  for (const node of west) t.same(await node.client.mget(KEYS), values(1), 'nothing was lost');
  await cluster.settled();
  for (const where of await Promise.all(KEYS.map((key) => west[0]!.locate(key)))) {
    t.not(where.backup, null, 'with one zone alive both copies are in it');
  }
  await write(west, 2);

  for (const node of east) node.start();
  await cluster.settled();
  await inTwoZones(t);
  for (const node of cluster.nodes) t.same(await node.client.mget(KEYS), values(2));
});
