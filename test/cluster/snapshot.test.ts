import { copyFileSync, existsSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { putCrc64 } from '../../lib/protocol/crc64.js';
import { SnapshotWriter } from '../../lib/server/snapshot-file.js';
import { type Facts, type NodeProcess, TestCluster } from '../support/test-cluster.js';

const HOUR_MS = 3_600_000;
const KEYS = 60;

interface Stopped {
  readonly cluster: TestCluster;
  readonly directory: string;
  readonly files: readonly string[];
}

async function startCluster(t: Test, count: number, ...options: string[]): Promise<Stopped> {
  const directory = t.testdir({});
  const files = Array.from({ length: count }, (_, i) => join(directory, `snapshot-${i}`));
  const expect = ['--expect', String(count)];
  const each = files.map((file) => ['--snapshot-file', file, ...expect, ...options]);
  const cluster = await TestCluster.prepare(t, each);
  for (const node of cluster.nodes) node.start();
  await cluster.settled();
  return { cluster, directory, files };
}

async function stopAll(t: Test, { cluster }: Stopped): Promise<void> {
  const ends = await Promise.all(cluster.nodes.map((node) => node.end('SIGTERM')));
  t.ok(ends.every((end) => end === 0));
}

async function startAll({ cluster }: Stopped): Promise<void> {
  for (const node of cluster.nodes) node.start();
  await cluster.settled();
  await loaded(cluster);
}

async function loaded(cluster: TestCluster): Promise<void> {
  for (const { client } of cluster.nodes) {
    await cluster.until(() => client.get('key:0').then(() => true, isLoading));
  }
}

const isLoading = ({ message }: Error): boolean => {
  if (message.startsWith('LOADING')) return false;
  throw new Error(message);
};

async function fill(node: NodeProcess, expireAt: number): Promise<void> {
  const { client } = node;
  for (let i = 0; i < KEYS; i++) await client.set(`key:${i}`, `value ${i}`, 'PXAT', expireAt + i);
  await client.hset('hash', 'field', 'one', 'other', '2');
  await client.rpush('list', 'a', 'b', 'c');
  await client.sadd('set', 'x', 'y');
  await client.zadd('zset', 1.5, 'low', 3, 'high');
  await client.set('large', 'L'.repeat(300_000));
  await client.set('binary', Buffer.from([0, 255, 13, 10]));
  await client.set('gone', 'x', 'PX', 100);
  await client.select(3);
  await client.set('elsewhere', 'three');
  await client.select(0);
}

async function isAllThere(t: Test, client: Redis, expireAt: number): Promise<void> {
  for (let i = 0; i < KEYS; i++) {
    t.equal(await client.get(`key:${i}`), `value ${i}`);
    t.equal(await client.pexpiretime(`key:${i}`), expireAt + i);
  }
  t.same(await client.hgetall('hash'), { field: 'one', other: '2' });
  t.same(await client.lrange('list', 0, -1), ['a', 'b', 'c']);
  t.same((await client.smembers('set')).sort(), ['x', 'y']);
  t.same(await client.zrange('zset', '0', '-1', 'WITHSCORES'), ['low', '1.5', 'high', '3']);
  t.equal((await client.get('large'))?.length, 300_000);
  t.equal(await client.pttl('large'), -1);
  t.same(await client.getBuffer('binary'), Buffer.from([0, 255, 13, 10]));
  t.equal(await client.get('gone'), null);
  await client.select(3);
  t.equal(await client.get('elsewhere'), 'three');
  await client.select(0);
  t.equal(await client.dbsize(), KEYS + 6);
}

t.test(
  'a cluster is stopped as a whole, and all is there again; but never what is old',
  async (t) => {
    const stopped = await startCluster(t, 3);
    const { cluster, directory, files } = stopped;
    const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
    const old = join(directory, 'old');
    const expireAt = Date.now() + HOUR_MS;

    await t.test('at one moment', async (t) => {
      await fill(a, expireAt);
      await stopAll(t, stopped);
      t.ok(files.every(existsSync), 'each has written its part');
      copyFileSync(files[0]!, old);
      await startAll(stopped);
      for (const node of cluster.nodes) await isAllThere(t, node.client, expireAt);
      await cluster.until(async () => files.every((file) => existsSync(`${file}.loaded`)));
      t.notOk(files.some(existsSync), 'none is loaded twice');
      t.equal(await b.client.del('key:1'), 1);
      await b.client.set('key:2', 'newer');
    });

    await t.test('one comes to those that serve, with an old part', async (t) => {
      t.equal(await a.end('SIGTERM'), 0);
      t.notOk(existsSync(files[0]!), 'who hands everything over has nothing to write');
      copyFileSync(old, files[0]!);
      a.start();
      await cluster.settled();
      await cluster.until(async () => existsSync(`${files[0]}.not-loaded`));
      t.equal(await a.client.get('key:1'), null, 'what was deleted since is not back');
      t.equal(await a.client.get('key:3'), 'value 3');
    });

    await t.test('one by one, and the first of them has an old part', async (t) => {
      for (const node of cluster.nodes) t.equal(await node.end('SIGTERM'), 0);
      t.same(files.filter(existsSync), [files[2]], 'the last one has all');
      copyFileSync(old, files[0]!);
      await startAll(stopped);
      t.equal(await c.client.get('key:1'), null);
      t.equal(await b.client.get('key:2'), 'newer');
      t.equal(await a.client.get('key:3'), 'value 3');
      t.equal(await a.client.dbsize(), KEYS + 5);
      t.match(a.log, /snapshot not loaded reason="(a later|another) snapshot/);
    });
  },
);

t.test('a part is lost: the others wait for it, and then load what they have', async (t) => {
  const stopped = await startCluster(t, 2, '--snapshot-timeout', '2');
  const { cluster, files } = stopped;
  await cluster.nodes[0]!.client.set('key:0', 'x');
  await stopAll(t, stopped);
  rmSync(files[1]!);
  for (const node of cluster.nodes) node.start();
  await cluster.settled();
  await t.rejects(cluster.nodes[1]!.client.get('key:0'), /^LOADING /, 'others wait, too');
  t.equal((await cluster.nodes[1]!.facts())['serving'], '0');
  t.match(await cluster.nodes[1]!.client.info('persistence'), /^loading:1\r$/m);
  await loaded(cluster);
  t.equal(await cluster.nodes[1]!.client.get('key:0'), 'x', 'each key is in two parts');
  t.match(cluster.nodes[0]!.log, /snapshot is loaded without some of its parts/);

  const exits = cluster.nodes.map((node) => node.exit());
  for (const { client } of cluster.nodes) client.shutdown('NOSAVE').catch(() => undefined);
  t.same(await Promise.all(exits), [0, 0]);
  t.notOk(files.some(existsSync), 'NOSAVE writes nothing');
});

t.test('one of three dies as all are told to stop', async (t) => {
  const stopped = await startCluster(t, 3);
  const { cluster, files } = stopped;
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  for (let i = 0; i < KEYS; i++) await b.client.set(`key:${i}`, 'x');
  await cluster.settled();
  const ends = [a.end('SIGKILL'), b.end('SIGTERM'), c.end('SIGTERM')];
  t.same(await Promise.all(ends), ['SIGKILL', 0, 0]);
  t.same(files.map(existsSync), [false, true, true]);
  await startAll(stopped);
  t.equal(await a.client.dbsize(), KEYS);
});

t.test('the only one that is left waits for another one, then keeps what it has', async (t) => {
  const stopped = await startCluster(t, 2, '--leave-timeout', '1');
  const { cluster, files } = stopped;
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  await a.client.set('key:0', 'x');
  await cluster.settled();
  await a.end('SIGKILL');
  await cluster.until(async () => (await b.facts())['members'] === '1');
  t.equal(await b.end('SIGTERM'), 0, 'nothing is lost');
  t.match(b.log, /left without handing over everything/);
  t.same(files.map(existsSync), [false, true]);
  await startAll(stopped);
  t.equal(await a.client.get('key:0'), 'x');
});

const PART = 'a'.repeat(40);

/** A file as a cluster would have left it: `count` keys, `parts` parts of which this is one. */
function writePart(path: string, count: number, parts = [PART]): void {
  const at = Date.now();
  const header = { set: `7-3-${PART}`, seed: 7, number: 3, at, part: PART, parts };
  const writer = new SnapshotWriter(path, header);
  const payload = Buffer.from([0, 1, 0x78, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  putCrc64(payload, 0, payload.length - 8, payload, payload.length - 8);
  const record = { isPrimary: true, db: 0, expireAt: 0, payload };
  writer.write(Array.from({ length: count }, (_, i) => ({ ...record, key: keyOf(i) })));
  writer.finish({ stopped: [], dead: [] });
}

const keyOf = (i: number): Buffer => Buffer.from(`key:${i}`);

t.test('nobody knows what became of a part: nothing is loaded', async (t) => {
  const file = join(t.testdir({}), 'snapshot');
  writePart(file, 1, [PART, 'b'.repeat(40)]);
  const options = ['--snapshot-file', file, '--snapshot-timeout', '1'];
  const cluster = await TestCluster.prepare(t, [options]);
  cluster.nodes[0]!.start();
  await cluster.settled();
  await loaded(cluster);
  t.equal(await cluster.nodes[0]!.client.dbsize(), 0);
  t.ok(existsSync(`${file}.not-loaded`));
});

t.test('a file that cannot be moved away: nothing is served', async (t) => {
  const directory = t.testdir({ 'snapshot.loaded': {} });
  const file = join(directory, 'snapshot');
  writePart(file, 1);
  const cluster = await TestCluster.prepare(t, [['--snapshot-file', file]]);
  const [node] = cluster.nodes as [NodeProcess];
  node.start();
  await node.logged(/snapshot cannot be moved away/);
  await t.rejects(node.client.get('key:0'), /^LOADING /);
  rmdirSync(`${file}.loaded`);
  await loaded(cluster);
  t.equal(await node.client.get('key:0'), 'x');
  t.notOk(existsSync(file));
  rmSync(directory, { recursive: true });
  t.equal(await node.end('SIGTERM'), 1, 'it could not be written');
  t.match(node.log, /snapshot not written path=.* error="?ENOENT/);
});

t.test('who loads stands still, and the others go on without it', async (t) => {
  const file = join(t.testdir({}), 'snapshot');
  writePart(file, 100_000);
  const common = ['--expect', '2', '--snapshot-timeout', '2'];
  const cluster = await TestCluster.prepare(t, [[...common, '--snapshot-file', file], common]);
  const [loader, other] = cluster.nodes as [NodeProcess, NodeProcess];
  for (const node of cluster.nodes) node.start();
  const hasSome = ({ backups }: Facts): boolean => Number(backups) > 500;
  await cluster.until(() => other.facts().then(hasSome, () => false));
  loader.freeze();
  t.notOk(existsSync(`${file}.loaded`), 'it was still loading');
  await cluster.until(() => other.client.del('key:0').then(() => true, isLoading));
  loader.thaw();
  await cluster.until(async () => existsSync(`${file}.not-loaded`));
  await cluster.settled();
  t.equal(await loader.client.get('key:0'), null, 'what was deleted meanwhile is not back');
});

t.test('a node does not start with a file that is none', async (t) => {
  const file = join(t.testdir({}), 'snapshot');
  writeFileSync(file, 'something else');
  const cluster = await TestCluster.prepare(t, [['--snapshot-file', file]]);
  const [node] = cluster.nodes as [NodeProcess];
  node.start();
  t.equal(await node.exit(), 1);
  t.match(
    node.log,
    /^tandis: snapshot-file .* is no snapshot that this release knows; it was left/m,
  );
});
