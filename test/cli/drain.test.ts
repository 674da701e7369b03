import t from 'tap';
import { TestCluster } from '../support/test-cluster.js';
import { clientOf, serves, startNode, tandis } from './processes.js';

const KEYS = 200;

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
