import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { ReplyReader } from '../support/resp.js';
import { TestCluster } from '../support/test-cluster.js';
import { clientOf, serves, startNode, tandis } from './processes.js';

const KEYS = 200;
/** A frozen node stays a member for as long as a test takes, also on a busy machine. */
const SLOW_TO_JUDGE = ['--node-timeout', '20000'];

t.test(
  'drain: the node goes when others have all it held, and says what it holds meanwhile',
  async (t) => {
    const { nodes } = await TestCluster.start(t, 3);
    const [first, second] = nodes;
    const client = clientOf(t, first!.port);
    for (let i = 0; i < KEYS; i++) await client.set(`key:${i}`, String(i));
    const run = tandis(t, 'drain', '-p', String(first!.port));
    t.equal(await run.ended, 0, run.err);
    t.match(run.out, /^primaries \d+, backups \d+\n/);
    t.match(run.out, new RegExp(`\n127.0.0.1:${first!.port} has left\n`));
    t.match(run.out, /\n127\.0\.0\.1:\d+ says: members 2, keys without backup 0\n$/);
    const other = clientOf(t, second!.port);
    for (let i = 0; i < KEYS; i++) t.equal(await other.get(`key:${i}`), String(i));
  },
);

t.test('drain of one of two: it goes, and the other one is said to be alone', async (t) => {
  const { nodes } = await TestCluster.start(t, 2);
  const [first, second] = nodes;
  await first!.client.set('key', 'value');
  const run = tandis(t, 'drain', '-p', String(first!.port));
  t.equal(await run.ended, 0, run.err);
  t.match(run.out, /\n127\.0\.0\.1:\d+ is alone now: its keys have one copy each\n$/);
  t.equal(await second!.client.get('key'), 'value');
});

t.test('drain: the other one is believed when it knows that the node has gone', async (t) => {
  let asked = 0;
  const lines = { leaves: '', stays: '' };
  const leaves = await pretender(t, (command) => {
    if (command === 'shutdown') return null;
    return command === 'info' ? 'primaries:1\r\nbackups:0\r\n' : lines.leaves + lines.stays;
  });
  const stays = await pretender(t, (command) => {
    // What it says until it is in a view of its own is of a cluster of two, in which all is well.
    const knows = ++asked > 4;
    if (command !== 'info') return knows ? lines.stays : lines.leaves + lines.stays;
    return knows
      ? 'members:1\r\nkeys_without_backup:1\r\n'
      : 'members:2\r\nkeys_without_backup:0\r\n';
  });
  const member = (id: string, port: number, flags: string) =>
    `${id.repeat(40)} 127.0.0.1:${port}@1 ${flags} - 0 0 2 connected\n`;
  lines.leaves = member('a', leaves, 'myself,master');
  lines.stays = member('b', stays, 'master');
  const run = tandis(t, 'drain', '-p', String(leaves));
  t.equal(await run.ended, 0, run.err);
  t.match(run.out, /\n127\.0\.0\.1:\d+ is alone now: its keys have one copy each\n$/);
  t.notMatch(run.out, /without backup 0/);
});

t.test('drain for longer than leave-timeout: it stays, and says why', async (t) => {
  const { nodes } = await TestCluster.start(t, 3, ...SLOW_TO_JUDGE, '--leave-timeout', '1');
  const [first, second, third] = nodes;
  await first!.client.set('key', 'value');
  // As long as one of those who stay is silent there is no view in which this node leaves.
  third!.freeze();
  const run = tandis(t, 'drain', '-p', String(first!.port));
  t.equal(await run.ended, 1);
  third!.thaw();
  t.match(run.err, /^tandis: 127\.0\.0\.1:\d+: it stays: leave-timeout was over before .*\n$/);
  t.match(first!.log, /leaving aborted reason=leave-timeout/);
  t.equal(await second!.client.get('key'), 'value');
});

t.test('drain of the only member: refused, and it stays', async (t) => {
  const { port } = await startNode(t);
  const client = await serves(t, port);
  await client.set('key', 'value');
  const run = tandis(t, 'drain', '-p', String(port));
  t.equal(await run.ended, 1);
  t.match(run.err, /^tandis: 127\.0\.0\.1:\d+: there is no other member that could take its keys/);
  t.equal(await client.get('key'), 'value');
});

t.test('drain of nobody: one line, exit status 1', async (t) => {
  const run = tandis(t, 'drain', '-p', '1');
  t.equal(await run.ended, 1);
  t.match(run.err, /^tandis: 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/);
});

/** A node that answers `CLUSTER`, `INFO` and `SHUTDOWN` as it is told to; null: it closes. Resolves to its port. */
async function pretender(t: Test, answer: (command: string) => string | null): Promise<number> {
  const server = createServer((socket) => {
    const reader = new ReplyReader();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      reader.feed(chunk);
      for (let next = reader.next(); next !== null; next = reader.next()) {
        const command = /\r\n(\w+)/.exec(next.bytes)![1]!.toLowerCase();
        if (command === 'client') socket.write('+OK\r\n');
        else {
          const text = answer(command);
          if (text === null) socket.end();
          else socket.write(`$${text.length}\r\n${text}\r\n`);
        }
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
