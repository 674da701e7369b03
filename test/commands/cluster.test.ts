import t from 'tap';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import { Request } from '../../lib/protocol/request.js';
import { self, TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';

const third = { ...self, id: 'd'.repeat(40), port: 7003, busPort: 17003 };
const other = { ...self, id: 'c'.repeat(40), port: 7002, busPort: 17002, leaving: true };

t.test('CLUSTER shows members as masters of the slots they anchor', async (t) => {
  const node = new TestNode();
  node.members = [self, other, third];
  node.slotRanges = [
    { first: 0, last: 99, anchor: self, backup: other },
    { first: 100, last: 100, anchor: other, backup: self },
    { first: 101, last: 200, anchor: self, backup: other },
    { first: 201, last: 16383, anchor: self, backup: third },
  ];
  const client = node.connect();
  const text = node.run(client, 'CLUSTER', 'NODES').split('\r\n')[1]!;
  t.same(text.trim().split('\n'), [
    `${self.id} 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-99 101-16383`,
    `${other.id} 127.0.0.1:7002@17002 master,leaving - 0 0 1 connected 100`,
    `${third.id} 127.0.0.1:7003@17003 master - 0 0 1 connected`,
  ]);
  const slots = node.run(client, 'CLUSTER', 'SLOTS');
  t.match(slots, /^\*4\r\n\*4\r\n:0\r\n:99\r\n\*4\r\n\$9\r\n127\.0\.0\.1\r\n:7001\r\n/);
  t.match(
    node.run(client, 'CLUSTER', 'SHARDS'),
    /^\*3\r\n\*4\r\n\$5\r\nslots\r\n\*4\r\n:0\r\n:99\r\n/,
  );
  t.match(node.run(client, 'CLUSTER', 'INFO'), /cluster_state:ok\r\ncluster_slots_assigned:16384/);
  t.equal(node.run(client, 'CLUSTER', 'MYID'), `$40\r\n${self.id}\r\n`);
});

t.test('CLUSTER LOCATE names the holders of a key', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'CLUSTER', 'LOCATE', 'foo');
  // A command of another member may be the last that has run when the answer comes.
  node.dispatcher.execute(Request.of('GET', 'foo'), 0, new ReplyWriter());
  node.advance(1);
  const reply = client.replies();
  t.match(
    reply,
    /^\*12\r\n\$4\r\nslot\r\n:12182\r\n\$6\r\nanchor\r\n\$14\r\n127\.0\.0\.1:7001\r\n/,
  );
  t.match(reply, /backup\r\n\$-1\r\n/);
});

const missing = missingRedis();

t.test('slots are those of Redis Cluster', { skip: missing ?? false }, async (t) => {
  const redis = await RedisServer.start('--cluster-enabled', 'yes');
  const connection = await RespConnection.open(redis.port);
  t.teardown(async () => {
    connection.close();
    await redis.stop();
  });
  const node = new TestNode();
  const client = node.connect();
  const keys = ['', 'foo', '{user}1', 'a{b}c', '{}x', '{', 'a{}{b}', '\xff\0', 'x'.repeat(300)];
  for (const command of [
    ...keys.map((key) => ['KEYSLOT', key]),
    ['KEYSLOT'],
    ['COUNTKEYSINSLOT', '0'],
    ['COUNTKEYSINSLOT', '16384'],
    ['COUNTKEYSINSLOT', '-1'],
    ['COUNTKEYSINSLOT', 'x'],
    ['foo'],
  ]) {
    const { bytes } = await connection.ask('CLUSTER', ...command);
    t.equal(node.run(client, 'CLUSTER', ...command), bytes, command.join(' '));
  }
});
