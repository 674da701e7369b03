import { readFileSync } from 'node:fs';
import t from 'tap';
import { changeConfigText, parseConfigText } from '../../lib/admin/config-text.js';
import { busPortOf, Config } from '../../lib/base/config.js';
import { OPTION_NAMES } from '../../lib/base/options.js';
import { optionsPage } from '../../lib/base/options-page.js';
import { TestNode } from '../support/local-services.js';

/** Message of the error that `run` throws. */
function errorOf(run: () => unknown): string {
  try {
    run();
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
}

t.test('memory sizes have the units of Redis', async (t) => {
  const sizes = { '100': 100, '1k': 1000, '1kb': 1024, '2M': 2e6, '2mb': 2 * 1024 ** 2, '1g': 1e9 };
  for (const [text, bytes] of Object.entries({ ...sizes, '1GB': 1024 ** 3, '7b': 7 })) {
    t.equal(new Config({ maxmemory: text }).get('maxmemory'), bytes, text);
  }
});

t.test('every default is shown as a text that means the default', async (t) => {
  const config = new Config();
  for (const name of OPTION_NAMES) {
    t.same(config.read(name, config.show(name)), config.get(name), name);
  }
});

t.test('bad values are refused with the texts of Redis', async (t) => {
  const config = new Config();
  const change = (name: Parameters<Config['read']>[0], text: string) =>
    errorOf(() => config.change([[name, text]]));
  const prefix = (name: string) => `CONFIG SET failed (possibly related to argument '${name}') - `;
  t.equal(
    change('timeout', '-1'),
    `${prefix('timeout')}argument must be between 0 and 2147483647 inclusive`,
  );
  t.equal(
    change('maxclients', 'many'),
    `${prefix('maxclients')}argument couldn't be parsed into an integer`,
  );
  t.equal(change('maxmemory', '10qb'), `${prefix('maxmemory')}argument must be a memory value`);
  t.equal(
    change('maxmemory-policy', 'random'),
    `${prefix('maxmemory-policy')}argument(s) must be one of the following: ` +
      'volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction',
  );
  t.equal(change('port', '7002'), `${prefix('port')}can't set immutable config`);
  t.equal(
    errorOf(() =>
      config.change([
        ['maxmemory', '1'],
        ['maxmemory', '2'],
      ]),
    ),
    `${prefix('maxmemory')}duplicate parameter`,
  );
  t.equal(config.get('maxmemory'), 0, 'nothing was changed');
});

t.test('several options change together or not at all', async (t) => {
  const config = new Config();
  let told = 0;
  config.watch(['maxmemory', 'timeout'], () => told++);
  t.equal(told, 1, 'told at once');
  t.throws(() =>
    config.change([
      ['maxmemory', '1mb'],
      ['timeout', 'x'],
    ]),
  );
  t.equal(config.get('maxmemory'), 0);
  t.equal(told, 1);
  config.change([
    ['maxmemory', '1mb'],
    ['timeout', '5'],
  ]);
  t.equal(config.get('maxmemory'), 1024 ** 2);
  t.equal(told, 2, 'told once for both');
});

t.test('an answer for clients may be set to what it is', async (t) => {
  const config = new Config();
  t.doesNotThrow(() => config.change([['save', '']]));
  t.throws(() => config.change([['save', '3600 1']]));
});

t.test('options of Redis that mean nothing here are kept, or are only what they are', (t) => {
  const node = new TestNode();
  const client = node.connect();
  t.equal(
    node.run(client, 'CONFIG', 'SET', 'list-compress-depth', '2', 'lazyfree-lazy-expire', 'yes'),
    '+OK\r\n',
  );
  t.equal(
    node.run(client, 'CONFIG', 'GET', 'list-compress-depth'),
    '*2\r\n$19\r\nlist-compress-depth\r\n$1\r\n2\r\n',
  );
  t.match(
    node.run(client, 'CONFIG', 'SET', 'list-compress-depth', '-1'),
    /^-ERR .*must be between/,
  );
  t.equal(node.run(client, 'CONFIG', 'SET', 'min-slaves-to-write', '0'), '+OK\r\n');
  t.equal(
    node.run(client, 'CONFIG', 'SET', 'min-replicas-to-write', '1'),
    "-ERR CONFIG SET failed (possibly related to argument 'min-replicas-to-write') - can't set immutable config\r\n",
  );
  t.equal(node.run(client, 'CONFIG', 'GET', 'daemonize'), '*2\r\n$9\r\ndaemonize\r\n$2\r\nno\r\n');
  t.end();
});

t.test('options have the older names of Redis, too', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  t.equal(node.run(client, 'CONFIG', 'SET', 'hash-max-ziplist-entries', '7'), '+OK\r\n');
  t.equal(
    node.run(client, 'CONFIG', 'GET', 'HASH-max-ziplist-entries', 'hash-max-l*s'),
    [
      ...['*4', '$24', 'HASH-max-ziplist-entries', '$1', '7'],
      ...['$25', 'hash-max-listpack-entries', '$1', '7', ''],
    ].join('\r\n'),
  );
  t.match(node.run(client, 'CONFIG', 'GET', 'zset-max-*'), /^\*8\r\n.*zset-max-ziplist-value/s);
  t.match(
    node.run(
      client,
      'CONFIG',
      'SET',
      'hash-max-ziplist-value',
      '1',
      'hash-max-listpack-value',
      '2',
    ),
    /duplicate parameter/,
  );
  const [directive] = parseConfigText('List-Max-Ziplist-Size 3', 'file');
  t.same(directive, { name: 'list-max-listpack-size', value: '3', line: 1 });
  t.equal(
    changeConfigText('zset-max-ziplist-value 1\n', 'file', { 'zset-max-listpack-value': '2' }),
    'zset-max-listpack-value 2\n',
  );
});

t.test('output limits are set by class', async (t) => {
  const config = new Config();
  config.change([['client-output-buffer-limit', 'normal 2mb 1mb 5 replica 0 0 0']]);
  t.equal(
    config.show('client-output-buffer-limit'),
    'normal 2097152 1048576 5 slave 0 0 0 pubsub 33554432 8388608 60',
  );
  for (const bad of ['normal 1 2', 'other 1 2 3', 'normal x 2 3', '']) {
    t.throws(() => config.change([['client-output-buffer-limit', bad]]), bad);
  }
});

t.test('names that others are told are no longer than a message has room for', async (t) => {
  t.equal(new Config({ zone: 'z'.repeat(64) }).get('zone').length, 64);
  t.throws(() => new Config({ zone: 'z'.repeat(65) }), /longer than 64/);
});

t.test('join addresses are bus addresses', async (t) => {
  const config = new Config({ join: 'a.example:17001 [::1]:17002' });
  t.same(config.get('join'), ['a.example:17001', '[::1]:17002']);
  for (const bad of ['a.example', 'a:0', 'a:70000', '::1:17002']) {
    t.throws(() => new Config({ join: bad }), bad);
  }
});

t.test('the bus port is 10000 above, unless set', async (t) => {
  t.equal(busPortOf(new Config({ port: '7001' })), 17_001);
  t.equal(busPortOf(new Config({ port: '60000', 'cluster-port': '100' })), 100);
  t.equal(busPortOf(new Config({ port: '0' })), 0);
  t.throws(() => busPortOf(new Config({ port: '60000' })));
});

t.test('docs/options.md says what the table says', async (t) => {
  const page = new URL('docs/options.md', `file://${process.cwd()}/`);
  t.equal(readFileSync(page, 'utf8'), optionsPage());
});
