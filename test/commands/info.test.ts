import t from 'tap';
import { CommandUse } from '../../lib/commands/command-use.js';
import { TestNode } from '../support/local-services.js';

function sections(text: string): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  let current = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    if (line.startsWith('# ')) {
      current = new Map();
      found.set(line.slice(2), current);
    } else if (line !== '') {
      const colon = line.indexOf(':');
      current.set(line.slice(0, colon), line.slice(colon + 1));
    }
  }
  return found;
}

const bodyOf = (reply: string) => reply.slice(reply.indexOf('\r\n') + 2, -2);

t.test('INFO has the fields that clients and monitors read', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'GET', 'none');
  node.run(client, 'FOO');
  node.advance(90_000);
  const text = bodyOf(node.run(client, 'INFO'));
  t.notMatch(text.replaceAll('\r\n', ''), /[\r\n]/, 'lines end with CR LF');
  const found = sections(text);
  t.same(
    [...found.keys()],
    [
      'Server',
      'Clients',
      'Memory',
      'Persistence',
      'Stats',
      'Replication',
      'CPU',
      'Modules',
      'Errorstats',
      'Cluster',
      'Keyspace',
      'Tandis',
    ],
  );
  const has = (section: string, name: string, value: string | RegExp) =>
    t.match(found.get(section)?.get(name), value, `${section} ${name}`);
  has('Server', 'redis_version', /^7\.0\.15$/);
  has('Server', 'tandis_version', /^\d/);
  has('Server', 'redis_mode', /^standalone$/);
  has('Server', 'run_id', /^b{40}$/);
  has('Server', 'tcp_port', /^7001$/);
  has('Server', 'uptime_in_seconds', /^90$/);
  has('Clients', 'connected_clients', /^1$/);
  has('Clients', 'maxclients', /^10000$/);
  has('Memory', 'used_memory', /^1536$/);
  has('Memory', 'used_memory_human', /^1\.50K$/);
  has('Memory', 'used_memory_peak_perc', /^75\.00%$/);
  has('Memory', 'maxmemory_policy', /^noeviction$/);
  has('Memory', 'mem_not_counted_for_evict', /^0$/);
  has('Persistence', 'loading', /^0$/);
  has('Persistence', 'aof_enabled', /^0$/);
  has('Stats', 'total_commands_processed', /^3$/);
  has('Stats', 'keyspace_misses', /^1$/);
  has('Stats', 'total_error_replies', /^1$/);
  has('Replication', 'role', /^master$/);
  has('Replication', 'connected_slaves', /^0$/);
  has('Errorstats', 'errorstat_ERR', /^count=1$/);
  has('Cluster', 'cluster_enabled', /^0$/);
  has('Keyspace', 'db0', /^keys=3,expires=1,avg_ttl=10$/);
  for (const name of [
    'view',
    'members',
    'settled',
    'primaries',
    'backups',
    'keys_without_backup',
    'lookups',
    'forwards',
    'take_overs',
    'promotions',
    'bus_input_bytes',
    'bus_output_bytes',
  ]) {
    has('Tandis', name, /^\d+$/);
  }
  has('Tandis', 'bus_messages_mirror', /^2$/);
});

t.test('INFO takes names of sections in any case and passes over unknown ones', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const names = (...args: string[]) => [
    ...sections(bodyOf(node.run(client, 'INFO', ...args))).keys(),
  ];
  t.same(names('keyspace', 'SERVER', 'foo'), ['Server', 'Keyspace']);
  t.same(names('foo'), []);
  t.equal(names('everything').length, 13);
  t.equal(names('foo', 'default').length, 12);
});

t.test('INFO commandstats says how often each command was used, and how that ended', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const commands = ['SET a 1', 'SET b x', 'SET c', 'INCR a', 'INCR b', 'CLIENT ID', 'GET a'];
  for (const command of [...commands, 'MULTI', 'INCR a', 'SET', 'EXEC', 'MULTI', 'INCR a', 'EXEC'])
    node.run(client, ...command.split(' '));
  const uses = sections(bodyOf(node.run(client, 'INFO', 'CommandStats'))).get('Commandstats')!;
  const use = (name: string): string =>
    (uses.get(`cmdstat_${name}`) ?? '').replace(/usec=\d+,usec_per_call=\d+\.\d\d,/, '');
  t.equal(use('set'), 'calls=2,rejected_calls=2,failed_calls=0');
  t.equal(use('incr'), 'calls=3,rejected_calls=0,failed_calls=1', 'what is queued counts at EXEC');
  t.equal(use('client|id'), 'calls=1,rejected_calls=0,failed_calls=0');
  t.equal(use('multi'), 'calls=2,rejected_calls=0,failed_calls=0');
  t.notOk(uses.has('cmdstat_del'), 'what was not used is not shown');
  node.run(client, 'CONFIG', 'RESETSTAT');
  t.notMatch(node.run(client, 'INFO', 'all'), /cmdstat_(set|incr|get):/);
});

t.test('LATENCY HISTOGRAM says how long commands took, in the buckets of Redis', async (t) => {
  const use = new CommandUse();
  for (const ms of [0.001, 0.003, 0.02, 0.03, 0.26, 0.5, 1, 1.5, 2, 500, 2000]) {
    use.begin();
    use.took(ms);
  }
  // As Redis 7.0.15 counts them; of a command that took a second and more it says so, too.
  const expected = '1:1 4:2 33:4 264:5 528:6 1056:7 2113:9 541065:10 1073741:11';
  const shown = use.histogram.map(({ upToMicroseconds, calls }) => `${upToMicroseconds}:${calls}`);
  t.equal(shown.join(' '), expected);

  const node = new TestNode();
  const client = node.connect();
  for (let i = 0; i < 100; i++) node.run(client, 'SET', 'a', '1');
  node.run(client, 'CONFIG', 'GET', 'port');
  const ask = (...names: string[]): string => node.run(client, 'LATENCY', 'HISTOGRAM', ...names);
  const set = ask('SET', 'nosuch', 'del');
  t.match(set, /^\*2\r\n\$3\r\nset\r\n\*4\r\n\$5\r\ncalls\r\n:100\r\n\$14\r\nhistogram_usec\r\n/);
  t.match(set, /:100\r\n$/, 'the last bucket has all');
  t.match(ask('config'), /^\*2\r\n\$10\r\nconfig\|get\r\n/);
  t.match(ask(), /set\r\n.*config\|get\r\n/s);
  node.run(client, 'CONFIG', 'RESETSTAT');
  t.equal(ask('set'), '*0\r\n');
});

t.test('INFO counts the scripts that are known', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  for (const script of ['return 1', 'return 2', 'return 1']) node.run(client, 'EVAL', script, '0');
  t.match(node.run(client, 'INFO', 'memory'), /number_of_cached_scripts:2\r\n/);
});

t.test('CONFIG RESETSTAT begins the counts anew', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'FOO');
  node.run(client, 'CONFIG', 'RESETSTAT');
  t.equal(node.statistics.errorReplies, 0);
  t.equal(node.statistics.errorsByKind.size, 0);
});

t.test('rates are averages over the last samples', async (t) => {
  const node = new TestNode();
  const { statistics } = node;
  for (let i = 0; i < 16; i++) {
    statistics.commandsProcessed += 50;
    statistics.netInputBytes += 1024;
    statistics.sample(100);
  }
  t.equal(statistics.operationsPerSecond(), 500);
  t.equal(statistics.inputRate(), 10_240);
});
