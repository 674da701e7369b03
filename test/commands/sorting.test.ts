import t from 'tap';
import { TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { TestCluster } from '../support/test-cluster.js';

const missing = missingRedis();

/** Weights and names of other keys: looked at by one node that has them all. */
const COMMANDS = [
  'RPUSH l 3 1 2 10 20',
  'SADD s 3 1 2',
  'ZADD z 3 a 1 b 2 c',
  'MSET w_1 30 w_2 20 w_3 10 w_10 x o_1 one o_2 two o_3 three',
  'HSET h_1 w 5 name eins',
  'HSET h_2 w 4 name zwei',
  'HSET h_3 w 6',
  'SORT l',
  'SORT l DESC LIMIT 1 2',
  'SORT l BY w_* ALPHA LIMIT 2 2',
  'SORT l BY w_*',
  'SORT s BY w_*',
  'SORT s BY w_* DESC GET o_* GET # GET nothing_* GET constant',
  'SORT s BY h_*->w GET h_*->name',
  'SORT s BY h_*->w ALPHA DESC GET h_*->',
  'SORT s BY o_* ALPHA GET h_1->name',
  'SORT l BY nosort',
  'SORT l BY nosort DESC LIMIT 1 2',
  'SORT z BY nosort DESC LIMIT 0 2',
  'SORT z BY nosort GET #',
  'SORT z',
  'SORT z ALPHA DESC',
  'SORT s BY nosort STORE out',
  'LRANGE out 0 -1',
  'SORT s BY w_* GET o_* GET missing_* STORE out',
  'LRANGE out 0 -1',
  'SORT missing STORE out',
  'EXISTS out',
  'SORT w_1',
  'SORT_RO l STORE out',
  'SORT_RO l LIMIT 0 2',
  'SORT l LIMIT 1',
  'SORT l LIMIT a b',
  'SORT l BY',
  'COMMAND GETKEYS SORT l BY w_* STORE a LIMIT 0 STORE STORE b',
];

t.test('SORT by other keys', { skip: missing ?? false }, async (t) => {
  const server = await RedisServer.start();
  const redis = await RespConnection.open(server.port);
  t.teardown(async () => {
    redis.close();
    await server.stop();
  });
  const node = new TestNode();
  const client = node.connect();
  for (const command of COMMANDS) {
    const args = command.split(' ');
    t.equal(node.run(client, ...args), (await redis.ask(...args)).bytes, command);
  }
});

t.test('several nodes refuse what Redis Cluster refuses, and sort all else', async (t) => {
  const { nodes } = await TestCluster.start(t, 2);
  const [a, b] = nodes.map((node) => node.client);
  await a!.rpush('list', '3', '1', '2');
  t.same(await b!.call('SORT', 'list', 'DESC', 'GET', '#'), ['3', '2', '1']);
  t.equal(await b!.call('SORT', 'list', 'STORE', 'sorted'), 3);
  t.same(await a!.call('LRANGE', 'sorted', '0', '-1'), ['1', '2', '3']);
  await t.rejects(b!.call('SORT', 'list', 'BY', 'w_*'), {
    message: 'ERR BY option of SORT denied in cluster mode.',
  });
  await t.rejects(b!.call('SORT', 'list', 'GET', 'w_*'), {
    message: 'ERR GET option of SORT denied in cluster mode.',
  });
});
