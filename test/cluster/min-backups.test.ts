import t from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

t.test('--min-backups-to-write 1: a node alone refuses writes and answers reads', async (t) => {
  const cluster = await TestCluster.prepare(t, new Array(2).fill(['--min-backups-to-write', '1']));
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  const refused = { message: 'NOREPLICAS Not enough good replicas to write.' };
  a.start();
  await cluster.settled();
  await t.rejects(a.client.set('key', 'alone'), refused);
  await t.rejects(a.client.incr('counter'), refused);
  await t.rejects(a.client.mset('one', '1', 'two', '2'), refused);
  t.equal(await a.client.get('key'), null, 'nothing was written');
  t.equal(await a.client.dbsize(), 0);

  b.start();
  await cluster.settled();
  t.equal(await a.client.set('key', 'a'), 'OK');
  t.equal(await b.client.set('other', 'b', 'EX', 1000), 'OK');
  t.equal(await b.client.incr('counter'), 1);

  await b.end('SIGKILL');
  await cluster.until(async () => (await a.facts())['members'] === '1');
  t.equal(await a.client.get('key'), 'a');
  t.equal(await a.client.get('other'), 'b', 'what the dead node was primary of');
  await t.rejects(a.client.set('key', 'alone again'), refused);
  await t.rejects(a.client.del('other'), refused);
  await t.rejects(a.client.expire('key', 10), refused);
  await t.rejects(a.client.rename('key', 'renamed'), refused);
  await t.rejects(a.client.flushall(), refused);
  t.equal(await a.client.get('key'), 'a');
  t.ok((await a.client.ttl('other')) > 900);

  await a.client.config('SET', 'min-backups-to-write', '0');
  t.equal(await a.client.set('key', 'permitted'), 'OK', 'the operator may take the risk');
  await a.client.config('SET', 'min-backups-to-write', '1');
  b.start();
  await cluster.settled();
  t.equal(await b.client.incr('counter'), 2);
  t.equal(await b.client.get('key'), 'permitted');
});
