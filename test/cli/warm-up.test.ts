import t from 'tap';
import { OPTIONS } from '../../lib/base/options.js';
import { clientOf, type Node, serves, startNode, tandis } from './processes.js';

const COMMANDS_MAX = String(OPTIONS['warm-up'].max);

/** The lines of some sections of INFO, without those that depend on the moment. */
async function countsOf(node: Node): Promise<string[]> {
  const client = clientOf(t, node.port);
  const text = String(
    await client.call('INFO', 'stats', 'clients', 'keyspace', 'errorstats', 'tandis'),
  );
  const changing = /^(node_id|view_coordinator|bus_port|instantaneous_|total_net_|work_)/;
  return text.split('\r\n').filter((line) => !changing.test(line));
}

t.test('a node warms up before it listens, and nothing of that stays', async (t) => {
  const warm = await startNode(t, '--warm-up', String(OPTIONS['warm-up'].default));
  const names = warm.run.out.split('\n').map((line) => /"msg":"([^"]*)"/.exec(line)?.[1]);
  t.same(names.slice(0, 2), ['warmed up', 'listening']);
  const [line] = warm.run.out.split('\n');
  const { commands, ms } = JSON.parse(line!) as { commands: number; ms: number };
  t.ok(commands >= OPTIONS['warm-up'].default);
  t.ok(ms > 0);

  const client = await serves(t, warm.port);
  t.equal(await client.dbsize(), 0);
  t.same(await client.keys('*'), []);
  const stats = String(await client.info('commandstats'));
  t.notMatch(stats, /cmdstat_(set|get|del|expire|hset|hgetall|incr):/);
  t.equal(await client.set('key', 'value'), 'OK');
  t.equal(await client.get('key'), 'value');
});

t.test('its counters are those of a node that has not warmed up', async (t) => {
  // All are kept in the slow log: which take long depends on the machine.
  const all = ['--slowlog-log-slower-than', '0'];
  const warm = await startNode(t, '--warm-up', '1000', ...all);
  const cold = await startNode(t, ...all);
  t.match(warm.run.out, /"msg":"warmed up"/);
  t.notMatch(cold.run.out, /"msg":"warmed up"/, 'tests start nodes without');
  t.same(await countsOf(warm), await countsOf(cold));
});

t.test('a node that is told to end while it warms up ends at once', async (t) => {
  const told = "process.on('newListener', (name) => name === 'SIGTERM' && console.log('heeds'))";
  process.env['NODE_OPTIONS'] = `--import=data:text/javascript,${encodeURIComponent(told)}`;
  const run = tandis(t, 'server', '--port', '0', '--warm-up', COMMANDS_MAX);
  delete process.env['NODE_OPTIONS'];
  await run.printed(/^heeds$/m);
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
  t.notMatch(run.out, /warmed up|listening/);
});
