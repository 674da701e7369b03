import t from 'tap';
import { clientOf, TestCluster } from '../support/test-cluster.js';

/** Enough that a walk over the keyspace takes many steps. */
const KEYS = Array.from({ length: 15_000 }, (_, i) => `k${i}`);

for (const count of [1, 2]) {
  t.test(`one keyspace on ${count} node${count > 1 ? 's' : ''}: walks of many steps`, async (t) => {
    const cluster = await TestCluster.start(t, count);
    const client = cluster.nodes[0]!.client;
    const other = clientOf(cluster.nodes.at(-1)!.port);
    t.teardown(() => other.disconnect());
    const batches = Array.from({ length: 15 }, (_, i) => KEYS.slice(i * 1000, (i + 1) * 1000));
    for (const batch of batches) {
      const pipeline = client.pipeline();
      for (const key of batch) pipeline.set(key, 'v');
      await pipeline.exec();
    }
    await client.select(1);
    await client.set('lonely', 'v');

    t.equal(await client.randomkey(), 'lonely', 'the one key of a database is found');
    await client.select(2);
    t.equal(await client.randomkey(), null, 'in an empty one there is none');
    t.same((await other.keys('*')).sort(), [...KEYS].sort());
    t.same((await other.keys('k1499?')).sort(), KEYS.slice(-10));

    await client.select(0);
    t.same(await Promise.all([client.flushdb(), client.set('after', 'v')]), ['OK', 'OK']);
    t.same(await other.keys('*'), ['after'], 'what comes after a flush stays');
    await client.select(1);
    await other.select(1);
    t.equal(await other.get('lonely'), 'v', 'the other databases stay');
    t.same(await Promise.all([client.flushdb(), other.flushall()]), ['OK', 'OK'], 'two at once');
    t.equal(await other.dbsize(), 0);
    t.equal(await client.set('again', 'v'), 'OK', 'writes go on');
  });
}
