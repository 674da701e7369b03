import t from 'tap';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { TestCluster } from '../support/test-cluster.js';

t.setTimeout(60_000);

/** What a client is told of two keys that expire during a pause, and of a third one; and what INFO has counted. */
async function play(port: number): Promise<string[]> {
  const client = await RespConnection.open(port);
  const heard: string[] = [];
  const ask = async (...args: string[]): Promise<string> => (await client.ask(...args)).bytes;
  const say = async (...args: string[]): Promise<void> => {
    heard.push(`${args.join(' ')}: ${await ask(...args)}`);
  };
  const count = async (): Promise<void> => {
    heard.push(/expired_keys:\d+/.exec(await ask('INFO', 'stats'))![0]);
  };
  for (const kind of ['WRITE', 'ALL']) {
    await say('FLUSHALL');
    await say('CONFIG', 'RESETSTAT');
    await say('SET', 'stays', 'x');
    await ask('SET', 'first', 'x', 'PX', '100');
    await ask('RPUSH', 'second', 'x');
    await ask('PEXPIRE', 'second', '100');
    await say('CLIENT', 'PAUSE', '300', kind);
    if (kind === 'WRITE') {
      while ((await ask('EXISTS', 'first', 'second')) !== ':0\r\n');
      await say('GET', 'first');
      await say('LRANGE', 'second', '0', '-1');
      await say('PTTL', 'first');
      await say('KEYS', '*');
      await say('DBSIZE');
      await count();
    }
    // Held until the pause is over.
    await say('SET', 'stays', 'y');
    await say('EXISTS', 'first', 'second');
    await say('DBSIZE');
    await count();
  }
  client.close();
  return heard;
}

t.test(
  'what expires while clients are paused stays until that is over, as in Redis, and is shown to nobody',
  { skip: missingRedis() ?? false },
  async (t) => {
    const redis = await RedisServer.start();
    t.teardown(() => redis.stop());
    const { nodes } = await TestCluster.start(t, 1);
    const theirs = await play(redis.port);
    t.same(await play(nodes[0]!.port), theirs);
    t.match(theirs, ['FLUSHALL: +OK\r\n']);
  },
);
