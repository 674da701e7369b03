import t from 'tap';
import { TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import type { Reply } from '../support/resp.js';

const missing = missingRedis();
const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');

t.test('HyperLogLogs of one are those of the other', { skip: missing ?? false }, async (t) => {
  const server = await RedisServer.start();
  const redis = await RespConnection.open(server.port);
  t.teardown(async () => {
    redis.close();
    await server.stop();
  });
  const node = new TestNode();
  const client = node.connect();
  for (const count of [0, 1, 10, 1000, 20_000]) {
    const elements = Array.from({ length: count }, (_, i) => `element ${i}`);
    const own = `own ${count}`;
    for (let i = 0; i === 0 || i < count; i += 1000) {
      const some = elements.slice(i, i + 1000);
      t.equal(
        node.run(client, 'PFADD', own, ...some),
        (await redis.ask('PFADD', own, ...some)).bytes,
      );
    }
    const theirs = textOf((await redis.ask('GET', own)).reply);
    const ours = node
      .run(client, 'GET', own)
      .replace(/^\$\d+\r\n/, '')
      .slice(0, -2);
    if (count <= 1 || count >= 20_000) t.equal(ours, theirs, `the same bytes of ${count} elements`);
    // The bytes of each go on at the other.
    node.run(client, 'SET', 'x', Buffer.from(theirs, 'latin1'));
    await redis.ask('SET', 'x', Buffer.from(ours, 'latin1'));
    for (const command of [
      ['PFADD', 'x', 'one more'],
      ['PFCOUNT', 'x'],
      ['PFCOUNT', 'x', own],
    ]) {
      t.equal(node.run(client, ...command), (await redis.ask(...command)).bytes, command.join(' '));
    }
  }
});

t.test('what is none is refused', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const header = `HYLL\x01${'\0'.repeat(11)}`;
  const runs = ['', '\x7f', '\x7f\xff\x00', '\xff\xff', '\x7f\xfe'];
  for (const bytes of runs.map((run) => header + run)) {
    node.run(client, 'SET', 'x', Buffer.from(bytes, 'latin1'));
    for (const command of [
      ['PFCOUNT', 'x'],
      ['PFADD', 'x', 'a'],
      ['PFMERGE', 'x'],
    ]) {
      t.equal(node.run(client, ...command), '-INVALIDOBJ Corrupted HLL object detected\r\n');
    }
  }
  node.run(client, 'SET', 'x', 'HYLL');
  t.match(node.run(client, 'PFCOUNT', 'x'), /^-WRONGTYPE Key is not a valid HyperLogLog/);
});
