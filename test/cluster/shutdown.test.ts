import t from 'tap';
import { clientOf, type NodeProcess, TestCluster } from '../support/test-cluster.js';

const KEYS = 300;

t.test('SHUTDOWN is aborted, and the node is a member as before', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  const keys = Array.from({ length: KEYS }, (_, i) => `key:${i}`);
  await Promise.all(keys.map((key, i) => cluster.nodes[i % 3]!.client.set(key, key)));
  const admin = clientOf(a.port);
  t.teardown(() => admin.disconnect());
  await t.rejects(admin.call('SHUTDOWN', 'ABORT'), { message: 'ERR No shutdown in progress.' });
  await t.rejects(admin.call('SHUTDOWN', 'ABORT', 'NOW'), { message: 'ERR syntax error' });
  await t.rejects(admin.call('SHUTDOWN', 'SAVE', 'NOSAVE'), { message: 'ERR syntax error' });

  // As long as one of those who stay is silent there is no view in which this node leaves.
  c.freeze();
  const shutdown = t.rejects(a.client.call('SHUTDOWN'), {
    message: 'ERR Errors trying to SHUTDOWN. Check logs.',
  });
  t.equal(await admin.call('PING'), 'PONG');
  t.equal(await admin.call('SHUTDOWN', 'ABORT'), 'OK');
  await shutdown;
  c.thaw();
  await cluster.settled();

  t.match((await a.facts())['members'], '3');
  for (const node of cluster.nodes) t.same(await node.client.mget(keys), keys);
  const facts = await a.facts();
  t.ok(Number(facts['primaries']) > 0 && Number(facts['backups']) > 0, 'it holds its share');

  const ended = a.exit();
  await t.rejects(a.client.call('SHUTDOWN', 'NOSAVE'), 'the connection ends without a reply');
  t.equal(await ended, 0);
  await cluster.settled();
  t.same(await b.client.mget(keys), keys);

  const killed = b.exit();
  await t.rejects(b.client.call('SHUTDOWN', 'NOW', 'FORCE'));
  t.equal(await killed, 0, 'at once: nothing was handed over');
});
