import t from 'tap';
import { clientOf, TestCluster } from '../support/test-cluster.js';

t.test('SORT by and with the values of other keys, on a node that is alone', async (t) => {
  const { nodes } = await TestCluster.start(t, 1);
  const client = clientOf(nodes[0]!.port);
  t.teardown(() => client.disconnect());
  await client.mset('weight:a', 3, 'weight:b', 1, 'weight:c', 2, 'name:b', 'Ben');
  for (const id of ['a', 'b', 'c']) await client.hset(`user:${id}`, 'age', id.charCodeAt(0));
  await client.sadd('ids', 'a', 'b', 'c');
  t.same(await client.sort('ids', 'BY', 'weight:*'), ['b', 'c', 'a']);
  t.same(await client.sort('ids', 'BY', 'user:*->age', 'DESC'), ['c', 'b', 'a']);
  const withNames = await client.sort('ids', 'BY', 'weight:*', 'GET', '#', 'GET', 'name:*');
  t.same(withNames, ['b', 'Ben', 'c', null, 'a', null]);
});
