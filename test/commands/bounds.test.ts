import t from 'tap';
import { Config } from '../../lib/base/config.js';
import {
  SUBSCRIPTIONS_PER_CLIENT,
  SUBSCRIPTIONS_PER_NODE,
  TRACKING_LATE,
  TRACKING_PREFIXES_PER_CLIENT,
  WATCHED_KEYS,
} from '../../lib/base/limits.js';
import { Kind } from '../../lib/cluster/announcements.js';
import { USERS_MAX } from '../../lib/commands/acl/users.js';
import { LatencyMonitor } from '../../lib/commands/latency-monitor.js';
import { ScriptEngine } from '../../lib/commands/scripting/script-engine.js';
import { TestNode } from '../support/local-services.js';

/** Past a bound of commands a client is told so, or what is oldest is forgotten; it is counted, and INFO shows it. */

const PLACES_MAX = 100_000;
const SCRIPTS_MAX = 10_000;
const SCRIPT_BYTES_MAX = 16 * 1024 * 1024;

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`);

function reached(node: TestNode, field: string): number {
  const info = node.run(node.connect(), 'INFO', 'tandis');
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1]);
}

t.test('keys that one client watches: WATCHED_KEYS', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const keys = names(WATCHED_KEYS);
  while (keys.length > 0) t.equal(node.run(client, 'WATCH', ...keys.splice(0, 2 ** 15)), '+OK\r\n');
  t.equal(node.run(client, 'WATCH', 'one more'), '-ERR too many keys are watched\r\n');
  t.equal(reached(node, 'limit_watched_keys'), 1);
});

t.test('commands and arguments since MULTI', async (t) => {
  const node = new TestNode({ 'client-query-buffer-limit': '1mb' });
  const client = node.connect();
  node.run(client, 'MULTI');
  t.match(node.run(client, 'SET', 'k', 'x'.repeat(1024 * 1024)), /transaction is too large/);
  t.equal(reached(node, 'limit_transaction'), 1);
});

t.test('prefixes that one client tracks: TRACKING_PREFIXES_PER_CLIENT', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'HELLO', '3');
  const track = (prefixes: readonly string[]): string =>
    node.run(
      client,
      'CLIENT',
      'TRACKING',
      'ON',
      'BCAST',
      ...prefixes.flatMap((one) => ['PREFIX', one]),
    );
  // None may be the beginning of another one.
  const prefixes = names(TRACKING_PREFIXES_PER_CLIENT).map((name) => `${name}:`);
  t.equal(track(prefixes), '+OK\r\n');
  t.match(track(['one more']), /^-ERR too many prefixes of one client/);
  t.equal(reached(node, 'limit_tracking_prefixes'), 1);
});

t.test('keys that were read by clients which track: tracking-table-max-keys', async (t) => {
  const node = new TestNode({ 'tracking-table-max-keys': '2' });
  const client = node.connect();
  node.run(client, 'HELLO', '3');
  node.run(client, 'CLIENT', 'TRACKING', 'ON');
  for (const key of names(5)) node.run(client, 'GET', key);
  t.equal(reached(node, 'limit_tracking_table'), 3);
});

t.test('what a redirected client is yet to be told: TRACKING_LATE', async (t) => {
  const node = new TestNode();
  const [client, target] = [node.connect(), node.connect()];
  node.run(target, 'HELLO', '3');
  node.run(client, 'CLIENT', 'TRACKING', 'ON', 'BCAST', 'REDIRECT', String(target.id));
  const waiting: (() => void)[] = [];
  client.afterReplies = (run) => void waiting.push(run);
  for (const name of names(TRACKING_LATE + 5)) node.tracking.invalidate([Buffer.from(name)], null);
  t.equal(waiting.length, TRACKING_LATE);
  for (const run of waiting) run();
  t.match(target.replies(), />2\r\n\$10\r\ninvalidate\r\n_\r\n$/, 'and behind them "all"');
  t.equal(reached(node, 'limit_tracking_redirect'), 5);
});

t.test('keys that clients wait for: PLACES_MAX', async (t) => {
  const node = new TestNode();
  for (const client of [node.connect(), node.connect()]) {
    t.equal(node.run(client, 'BLPOP', ...names(PLACES_MAX / 2), '0'), '');
    while (client.blocked?.isBlocked !== true) await new Promise(setImmediate);
  }
  t.match(node.run(node.connect(), 'BLPOP', 'one more', '0'), /^-ERR too many keys are waited for/);
  t.equal(reached(node, 'limit_blocked_keys'), 1);
});

t.test('users: USERS_MAX', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  for (const name of names(USERS_MAX - 1)) node.run(client, 'ACL', 'SETUSER', name);
  t.match(node.run(client, 'ACL', 'SETUSER', 'more'), /^-ERR there are \d+ users already/);
  t.equal(reached(node, 'limit_users'), 1);
});

t.test('subscriptions of all clients of a node: SUBSCRIPTIONS_PER_NODE', async (t) => {
  const node = new TestNode();
  const channels = names(SUBSCRIPTIONS_PER_CLIENT);
  for (let i = 0; i < SUBSCRIPTIONS_PER_NODE / SUBSCRIPTIONS_PER_CLIENT; i++) {
    const client = node.connect();
    for (const name of channels) node.subscriptions.subscribe(client, Kind.Channel, name);
  }
  t.match(node.run(node.connect(), 'SUBSCRIBE', 'one more'), /^-ERR more than \d+ .* at one node/);
  t.equal(reached(node, 'limit_subscriptions'), 1);
});

t.test('memory of scripts, and time where they cannot be suspended', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  t.match(node.run(client, 'EVAL', 'return string.rep("x", 1e9)', '0'), /^-ERR not enough memory/);
  t.equal(reached(node, 'limit_script_memory'), 1);
  const callback = 'table.sort({3, 2, 1}, function() while true do end end)';
  t.match(node.run(client, 'EVAL', callback, '0'), /^-ERR Script ran for too long/);
  t.equal(reached(node, 'limit_script_unbroken'), 1);
});

t.test('scripts that are known: SCRIPTS_MAX and SCRIPT_BYTES_MAX', async (t) => {
  const engine = new ScriptEngine(() => Date.now());
  for (let i = 0; i <= SCRIPTS_MAX; i++) engine.learn(Buffer.from(`return ${i}`));
  t.equal(engine.count, SCRIPTS_MAX);
  for (let i = 0; i < 20; i++) engine.learn(Buffer.from(`return ${i} --${'x'.repeat(2 ** 20)}`));
  t.ok(engine.knownBytes <= SCRIPT_BYTES_MAX, `${engine.knownBytes} bytes`);
  t.equal(engine.count, 15);
});

t.test('seconds of LATENCY: SAMPLES_MAX', async (t) => {
  const SAMPLES_MAX = 160;
  const monitor = new LatencyMonitor(new Config({ 'latency-monitor-threshold': '1' }));
  for (let second = 1; second <= SAMPLES_MAX + 5; second++)
    monitor.note('command', 2, second * 1000);
  const seconds = monitor.history('command').map(({ at }) => at);
  t.same([seconds.length, seconds[0], seconds.at(-1)], [SAMPLES_MAX, 6, SAMPLES_MAX + 5]);
  t.same([monitor.size, monitor.recorded], [SAMPLES_MAX, SAMPLES_MAX + 5]);
});

t.test('refusals that ACL LOG keeps: acllog-max-len', async (t) => {
  const node = new TestNode({ 'acllog-max-len': '3' });
  const client = node.connect();
  for (const name of names(5)) t.match(node.run(client, 'AUTH', name, 'guess'), /^-WRONGPASS/);
  const log = node.run(client, 'ACL', 'LOG');
  t.match(log, /^\*3\r\n/);
  t.match(log, /\$2\r\nn4\r\n/, 'the last one');
  t.notMatch(log, /\$2\r\nn1\r\n/);
  t.equal(reached(node, 'log_acllog_entries'), 3);
  t.equal(reached(node, 'log_acllog_recorded'), 5);
});
