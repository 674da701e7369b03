import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { readSource } from '../../lib/server/cli/import/source-address.js';
import { Browser } from '../support/browser.js';
import { certificatePath } from '../support/certificates.js';
import { freePort, missingRedis, RedisServer } from '../support/redis-server.js';
import { run as runNode } from '../support/test-cluster.js';
import { clientOf, startNode, tandis } from './processes.js';

/** `tandis import`: from a real Redis into a cluster. */

/** An expiry is counted on while a batch is on its way, and read from the two servers one after the other. */
const LATE_MS = 1000;
const EARLY_MS = 20_000;

const skip = missingRedis() ?? false;

async function startRedis(t: Test, ...options: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(...options);
  t.teardown(() => server.stop());
  return server;
}

async function startTarget(t: Test, ...options: string[]) {
  const { port } = await startNode(t, ...options);
  const password = options[options.indexOf('--requirepass') + 1];
  const client = clientOf(t, port, options.includes('--requirepass') ? password : undefined);
  // Answered as soon as it serves keys.
  await client.ttl('none');
  return { port, client };
}

/** A client of one of the databases. */
function databaseOf(t: Test, port: number, db: number): Redis {
  const client = new Redis({ port, db, host: '127.0.0.1' });
  t.teardown(() => client.disconnect());
  return client;
}

async function importing(t: Test, source: string, port: number, ...options: string[]) {
  const run = tandis(t, 'import', source, '-p', String(port), ...options);
  const status = await run.ended;
  const count = (name: string) => Number(new RegExp(`^${name} +(\\d+)`, 'm').exec(run.out)?.[1]);
  const names = ['copied', 'present', 'gone', 'failed'];
  return { status, counts: names.map(count), out: run.out, err: run.err };
}

const APPLICATION = fileURLToPath(new URL('../support/express-app.js', import.meta.url));

/** What the application answers. */
interface Page {
  readonly user: string;
  readonly views: number;
}

/** An application whose sessions are in the store at this port; resolves to its URL. */
async function startApplication(t: Test, storePort: number): Promise<string> {
  const child = runNode([APPLICATION, 'redis', String(storePort)], () => undefined);
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return `http://127.0.0.1:${/listening on (\d+)/.exec(line.toString())![1]}/`;
}

/** A value in full, whatever its type; what has no order of its own is sorted. */
async function contentOf(client: Redis, key: string): Promise<unknown> {
  const hex = (items: Buffer[]) => items.map((item) => item.toString('hex'));
  const type = await client.type(key);
  switch (type) {
    case 'string':
      return (await client.getBuffer(key))!.toString('base64');
    case 'list':
      return hex(await client.lrangeBuffer(key, 0, -1));
    case 'set':
      return hex(await client.smembersBuffer(key)).sort();
    case 'zset':
      return client.call('ZRANGE', key, '0', '-1', 'WITHSCORES');
    case 'hash': {
      const fields = Object.entries(await client.hgetallBuffer(key));
      return fields.map(([field, value]) => [field, value.toString('hex')]).sort();
    }
    default:
      return type;
  }
}

/** Values of each type, small and large, with every kind of expiry. */
async function fill(redis: Redis): Promise<void> {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const many = Array.from({ length: 1000 }, (_, i) => `item-${i}`);
  const batch = redis.pipeline();
  for (let i = 0; i < 500; i++) batch.set(`sess:${i}`, `{"user":${i}}`, 'EX', 3600 + i);
  for (let i = 0; i < 20; i++)
    batch.hset(`spring:${i}`, { created: String(i), name: `n${i}`, bytes });
  batch.set('empty', '').set('integer', '-12345').set('binary', bytes);
  batch.set('large', 'compressible '.repeat(100_000)).set(bytes, 'a key of all bytes');
  batch.rpush('list', ...many, bytes).rpush('short', '1', 'two', '-3000000000');
  batch
    .sadd('integers', 1, 2, 70_000, 5_000_000_000)
    .sadd('set', ...many)
    .sadd('few', 'a', '1');
  batch.zadd('scores', 'inf', 'a', '-inf', 'b', 0.1, 'c', 5, 'd');
  batch.zadd('many scores', ...many.flatMap((item, i) => [String(i / 3), item]));
  batch.hset('fields', Object.fromEntries(many.map((item) => [item, item])));
  batch.pfadd('estimate', ...many).geoadd('places', 13.4, 52.5, 'Berlin');
  batch.set('soon', 'x', 'PX', 60_000).set('late', 'x', 'PXAT', 4_102_444_800_000);
  await batch.exec();
}

t.test('keys of every type, with their expiry, and no key twice', { skip }, async (t) => {
  const redis = await startRedis(t);
  const source = databaseOf(t, redis.port, 3);
  await fill(source);
  const { port } = await startTarget(t);
  const target = databaseOf(t, port, 3);
  const url = `redis://127.0.0.1:${redis.port}/3`;
  await target.set('sess:7', 'newer');
  const total = await source.dbsize();
  const first = await importing(t, url, port);
  t.same([first.status, first.counts], [0, [total - 1, 1, 0, 0]], first.err);
  t.equal(await target.get('sess:7'), 'newer', 'what is there stays');
  t.equal(await target.dbsize(), total);
  const keys = (await source.keys('*')).filter((key) => !/^sess:\d{2,}$/.test(key));
  for (const key of keys.filter((key) => key !== 'sess:7')) {
    const [there, here] = [await source.pttl(key), await target.pttl(key)];
    t.ok(
      there < 0 ? here === there : here < there + LATE_MS && here > there - EARLY_MS,
      `${key}: ${here}`,
    );
    t.same(await contentOf(target, key), await contentOf(source, key), key);
  }
  await source.set('sess:new', 'x');
  const second = await importing(t, url, port);
  t.same([second.status, second.counts], [0, [1, total, 0, 0]]);
  const third = await importing(t, url, port, '--replace', '--match', 'sess:[78]');
  t.same([third.status, third.counts], [0, [2, 0, 0, 0]]);
  t.equal(await target.get('sess:7'), '{"user":7}');
});

t.test('while an application writes on, at a bounded rate', { skip }, async (t) => {
  const redis = await startRedis(t);
  const source = databaseOf(t, redis.port, 0);
  const { port, client } = await startTarget(t);
  const all = Array.from({ length: 600 }, (_, i) => `sess:${i}`);
  await source.mset(Object.fromEntries(all.map((key) => [key, 'old'])));
  const begin = performance.now();
  const run = importing(t, `redis://127.0.0.1:${redis.port}`, port, '--rate', '600');
  for (let i = 0; (await client.dbsize()) < 600; i++) {
    // Users log out, sessions of a moment come and go, and those of all others are written again.
    await source.del(`short:${i - 1}`);
    await source.set(`short:${i}`, 'x', 'PX', 1);
    await source.set(`sess:${i % 600}`, 'newer');
  }
  const { status, counts, err } = await run;
  t.equal(status, 0, err);
  t.ok(performance.now() - begin > 700, 'no faster than it was told');
  const [copied, present, , failed] = counts as [number, number, number, number];
  t.ok(copied >= 600 && present === 0 && failed === 0, `${counts}`);
  const values = new Set(await client.mget(...all));
  t.strictSame(
    [...values].filter((value) => value !== 'old' && value !== 'newer'),
    [],
  );
});

t.test('passwords, by TLS too, and what cannot be copied', { skip }, async (t) => {
  const secret = 'p@ss/wörd:1';
  const tlsPort = await freePort();
  const tls = ['--tls-port', `${tlsPort}`, '--tls-auth-clients', 'no'];
  const files = ['cert-file', 'key-file', 'ca-cert-file'].flatMap((name, index) => [
    `--tls-${name}`,
    certificatePath(['node.crt', 'node.key', 'ca.crt'][index]!),
  ]);
  const redis = await startRedis(t, '--requirepass', secret, ...tls, ...files);
  const source = clientOf(t, redis.port, secret);
  await source.set('k', 'v');
  await source.xadd('stream', '*', 'field', 'value');
  const { port, client } = await startTarget(t, '--requirepass', 'target');
  const url = `rediss://:${encodeURIComponent(secret)}@127.0.0.1:${tlsPort}/0`;
  const options = ['--source-cacert', certificatePath('ca.crt'), '-a', 'target'];
  const run = await importing(t, url, port, ...options);
  t.same([run.status, run.counts], [1, [1, 0, 0, 1]], run.err);
  t.match(run.out, /^ +1 by: type stream: there is none such in Tandis$/m);
  t.equal(await client.get('k'), 'v');
  const untrusted = await importing(t, url, port, '-a', 'target');
  t.match(untrusted.err, /certificate/, 'of nobody known');
  t.same([untrusted.status, untrusted.out], [1, '']);
  const wrong = await importing(t, `redis://:wrong@127.0.0.1:${redis.port}`, port);
  t.same([wrong.status, wrong.out], [1, '']);
  t.match(wrong.err, /^tandis: stopped: 127\.0\.0\.1:\d+: WRONGPASS /);
  const refused = await importing(t, url, port, '--source-cacert', certificatePath('ca.crt'));
  t.match(refused.err, /^tandis: stopped: 127\.0\.0\.1:\d+: NOAUTH /);
  for (const { out, err } of [run, untrusted, wrong, refused]) {
    t.notMatch(out + err, /w(ö|%C3%B6)rd|wrong@|\btarget\b/);
  }
});

t.test('a target without room', { skip }, async (t) => {
  const redis = await startRedis(t);
  const source = databaseOf(t, redis.port, 0);
  const value = 'x'.repeat(1000);
  const batch = source.pipeline();
  for (let i = 0; i < 5000; i++) batch.set(`k${i}`, value);
  await batch.exec();
  const { port, client } = await startTarget(t, '--maxmemory', '3mb');
  const run = await importing(t, `redis://127.0.0.1:${redis.port}`, port);
  t.equal(run.status, 1);
  t.match(run.err, /stopped: OOM /, 'it does not go on in vain');
  t.equal(run.counts[0], await client.dbsize(), 'what was copied until then is told');
  t.ok(run.counts[0]! > 200 && run.counts[0]! < 4800, `${run.counts}`);
});

t.test(
  'a server that dies midway: what was done is told, and the next run does the rest',
  { skip },
  async (t) => {
    const redis = await startRedis(t);
    const source = databaseOf(t, redis.port, 0);
    await source.mset(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 'v'])));
    const { port, client } = await startTarget(t);
    const url = `redis://127.0.0.1:${redis.port}`;
    const dying = await startNode(t);
    const run = importing(t, url, dying.port, '--rate', '100');
    const other = clientOf(t, dying.port);
    while ((await other.dbsize()) < 50);
    dying.run.child.kill('SIGKILL');
    const { status, err, counts } = await run;
    t.equal(status, 1);
    t.match(err, new RegExp(`^tandis: stopped: 127.0.0.1:${dying.port}: `, 'm'));
    t.ok(counts[0]! >= 50 && counts[0]! < 300 && counts[3] === 0, `${counts}`);
    await client.mset({ k1: 'here', k2: 'here' });
    t.same((await importing(t, url, port)).counts, [298, 2, 0, 0]);
  },
);

t.test('URLs that are none: one line, exit status 2', async (t) => {
  const run = tandis(t, 'import', 'http://127.0.0.1');
  t.equal(await run.ended, 2);
  t.match(run.err, /^tandis: give the source as redis:[^\n]*\n$/);
  const cases: [string, string | undefined, RegExp][] = [
    ['127.0.0.1:6379', undefined, /give the source as redis:/],
    ['redis://127.0.0.1/sessions', undefined, /the number of a database/],
    ['redis://:a%zz@127.0.0.1', undefined, /^[^%]*percent-encoded[^%]*$/],
    ['redis://h', '/x', /--source-cacert is of no use/],
    ['rediss://h', '/none', /--source-cacert: ENOENT/],
  ];
  for (const [url, cacert, message] of cases) {
    t.throws(() => readSource(url, cacert), { name: 'OptionError', message });
  }
  const { shown, address } = readSource('rediss://ada:p%40ss@[::1]:7000/3', undefined);
  const known = { host: '::1', port: 7000, db: 3, username: 'ada', password: 'p@ss' };
  t.strictSame([shown, address], ['[::1]:7000', { ...known, tls: {} }]);
  const host = readSource('rediss://sessions.example', undefined).address;
  t.strictSame(host.tls, { servername: 'sessions.example' });
});

/** The commands of a section of docs/migration.md, in order, with the ports of this run. */
function commandsOf(section: string, from: number, to: number): string[][] {
  const page = readFileSync(new URL('../../../docs/migration.md', import.meta.url), 'utf8');
  const [, text = ''] = page.split(`## ${section}\n`);
  const lines = text.split('\n## ')[0]!.matchAll(/^ {4,}tandis (.*)$/gm);
  return [...lines].map(([, words]) =>
    words!.replace('6379', String(from)).replace('7001', String(to)).split(' '),
  );
}

t.test(
  'docs/migration.md: an application moves, and its users stay logged in',
  { skip },
  async (t) => {
    const redis = await startRedis(t);
    const { port } = await startTarget(t);
    const follow = async (words: string[] | undefined) =>
      t.equal(await tandis(t, ...words!).ended, 0);
    const [ada, bob] = [new Browser<Page>(), new Browser<Page>()];
    const old = await startApplication(t, redis.port);
    t.same((await ada.fetch('POST', `${old}login/ada`)).body.views, 0);
    t.same((await ada.fetch('GET', old)).body.views, 1);
    const withoutPause = commandsOf('Without a pause', redis.port, port);
    t.equal(withoutPause.length, 2);
    await follow(withoutPause[0]);
    const moved = await startApplication(t, port);
    t.same((await ada.fetch('GET', moved)).body, { user: 'ada', views: 2 });
    await bob.fetch('POST', `${old}login/bob`);
    await follow(withoutPause[1]);
    t.same((await bob.fetch('GET', moved)).body, { user: 'bob', views: 1 });
    t.same((await ada.fetch('GET', moved)).body, { user: 'ada', views: 3 }, 'made no older');
    const client = clientOf(t, port);
    await client.flushall();
    const [copy, ...more] = commandsOf('With a pause of seconds', redis.port, port);
    t.same(more, []);
    await follow(copy);
    t.same((await ada.fetch('GET', moved)).body, { user: 'ada', views: 2 });
  },
);
