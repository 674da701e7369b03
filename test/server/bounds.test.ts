import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { BLOCKED_INPUT_BYTES, BUS_HELLO_MS } from '../../lib/base/limits.js';
import { clientOf, freePorts, serves, startNode } from '../cli/processes.js';

/** Bounds of a node as its clients and its operator notice them. */

const MIB = 1024 * 1024;

function open(t: Test, port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  return socket;
}

/** What INFO says, by name. */
async function figures(client: { info(): Promise<string> }): Promise<Map<string, string>> {
  const lines = (await client.info()).split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => line.split(/:(.*)/).slice(0, 2) as [string, string]));
}

async function metrics(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

/** Of the sockets of this machine: state and timer of those with that port at their own end. */
function socketsOf(port: number): { state: string; timer: string; other: number }[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`))
    .map((fields) => ({
      state: fields[3]!,
      timer: fields[5]!.slice(0, 2),
      other: Number.parseInt(fields[2]!.slice(-4), 16),
    }));
}

const onLinux = process.platform === 'linux' ? {} : { skip: 'reads /proc' };

t.test('script-time-limit ends a script, whatever it has written', async (t) => {
  const adminPort = await freePorts(1);
  const limits = ['--script-time-limit', '0', '--busy-reply-threshold', '1'];
  const { port } = await startNode(t, ...limits, '--admin-port', String(adminPort));
  const other = await serves(t, port);
  const client = clientOf(t, port);
  const runs = async (): Promise<void> => {
    while ((await figures(other)).get('scripts_running') === '0') await new Promise(setImmediate);
  };
  const endless = "redis.call('set', KEYS[1], 'v') while true do end";
  const error = /^ERR Script ran for longer than script-time-limit\./;
  await client.ping();
  const ended = t.rejects(client.eval(endless, 1, 'k'), error);
  await runs();
  await t.rejects(other.script('KILL'), /^UNKILLABLE/);
  t.equal(await other.set('other', 'v'), 'OK', 'nobody else is told BUSY meanwhile');
  await other.config('SET', 'script-time-limit', '1');
  await ended;
  t.equal(await other.get('k'), 'v', 'what it has written stays');
  t.equal((await figures(other)).get('limit_script_time'), '1');
  t.match(await metrics(adminPort), /^tandis_limit_reached_total\{limit="script-time"\} 1$/m);
  await other.config('SET', 'script-time-limit', '600000');
  const killed = t.rejects(client.eval('while true do end', 0), /Script killed by user/);
  await runs();
  t.equal(await other.script('KILL'), 'OK', 'not yet');
  await killed;
});

t.test('tcp-keepalive', onLinux, async (t) => {
  const { port } = await startNode(t);
  const client = await serves(t, port);
  const timerOf = async (socket: Socket): Promise<string | undefined> => {
    socket.write('PING\r\n');
    await once(socket, 'data');
    return socketsOf(port).find(({ other }) => other === socket.localPort)?.timer;
  };
  const KEEPALIVE = '02';
  t.equal(await timerOf(open(t, port)), KEEPALIVE, 'on, as it is unless set');
  await client.config('SET', 'tcp-keepalive', '0');
  t.equal(await timerOf(open(t, port)), '00');
});

t.test('tcp-backlog', onLinux, async (t) => {
  const { port, run } = await startNode(t, '--tcp-backlog', '1');
  await serves(t, port);
  // A node that accepts nobody for a moment.
  run.child.kill('SIGSTOP');
  const sockets = Array.from({ length: 6 }, () => open(t, port));
  const connected = sockets.map((socket) => once(socket, 'connect'));
  await Promise.race(connected);
  const SYN_SENT = '02';
  const waiting = (): number =>
    sockets.filter(({ localPort }) =>
      socketsOf(localPort ?? 0).some(({ state, other }) => state === SYN_SENT && other === port),
    ).length;
  while (sockets.some(({ pending }) => pending) && waiting() === 0) await new Promise(setImmediate);
  run.child.kill('SIGCONT');
  t.ok(
    sockets.some(({ pending }) => pending),
    'two have room; the others are kept waiting',
  );
  await Promise.all(connected);
});

t.test('INFO and /metrics say how much the logs for operators keep, and have had', async (t) => {
  const adminPort = await freePorts(1);
  const kept = ['--slowlog-max-len', '3', '--acllog-max-len', '2'];
  const all = ['--slowlog-log-slower-than', '0', '--latency-monitor-threshold', '1'];
  const { port } = await startNode(t, ...kept, ...all, '--admin-port', String(adminPort));
  const client = await serves(t, port);
  const milliseconds = "local t = redis.call('time') return t[1] * 1000 + t[2] / 1000";
  const slow = `local function now() ${milliseconds} end local ends = now() + 20 while now() < ends do end`;
  await client.eval(slow, 0);
  for (const name of ['a', 'b', 'c']) await client.call('AUTH', name, 'guess').catch(() => null);
  await client.acl('SETUSER', 'reader', 'on', 'nopass', '+@all', '-config', '~app:*', '&news');
  const reader = clientOf(t, port);
  await reader.auth('reader', 'any');
  await t.rejects(reader.set('other', 'v'), /^NOPERM/);
  await t.rejects(reader.publish('gossip', 'v'), /^NOPERM/);
  for (let i = 0; i < 2; i++) await t.rejects(reader.config('GET', 'port'), /^NOPERM/);
  await client.call('LATENCY', 'LATEST');
  // On a busy machine any command takes long, those that look as well.
  await client.config('SET', 'latency-monitor-threshold', '0');

  const facts = await figures(client);
  const has = (name: string): number => Number(facts.get(name));
  const text = await metrics(adminPort);
  const shown = (name: string, log: string): number =>
    Number(new RegExp(`^tandis_${name}\\{log="${log}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
  const keeps = (log: string) => [has(`log_${log}_entries`), shown('log_entries', log)];
  t.same(keeps('slowlog'), [3, 3]);
  t.same(keeps('acllog'), [2, 2]);
  t.same(await client.call('SLOWLOG', 'LEN'), 3);
  for (const log of ['latency', 'events']) {
    const [inInfo, inMetrics] = keeps(log);
    t.ok(inInfo! > 0, log);
    t.equal(inMetrics, inInfo, log);
  }
  t.ok(has('log_slowlog_recorded') > 3, 'those that were forgotten count, too');
  t.equal(has('log_acllog_recorded'), 7);
  t.equal(shown('log_entries_recorded_total', 'acllog'), 7);
  for (const [kind, count] of [
    ['auth', 3],
    ['key', 1],
    ['channel', 1],
    ['cmd', 2],
  ] as const)
    t.equal(has(`acl_access_denied_${kind}`), count, kind);
  t.equal(await client.call('SLOWLOG', 'RESET'), 'OK');
  const after = await figures(client);
  t.ok(Number(after.get('log_slowlog_entries')) <= 3);
  t.ok(Number(after.get('log_slowlog_recorded')) >= has('log_slowlog_recorded'));
});

t.test('half a request larger than client-query-buffer-limit', async (t) => {
  const { port } = await startNode(t, '--client-query-buffer-limit', '1mb');
  const client = await serves(t, port);
  const socket = open(t, port);
  socket.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${4 * MIB}\r\n${'x'.repeat(2 * MIB)}`);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  t.equal(reply.toString(), '-ERR Protocol error: too big query buffer\r\n');
  t.equal((await figures(client)).get('client_query_buffer_limit_disconnections'), '1');
});

t.test('what comes behind a command that waits: BLOCKED_INPUT_BYTES', async (t) => {
  const { port } = await startNode(t);
  const client = await serves(t, port);
  const socket = open(t, port);
  const count = 1_000_000;
  const ping = 'PING\r\n';
  socket.write('BLPOP q 0\r\n');
  socket.write(ping.repeat(count));
  const largest = async (): Promise<number> =>
    Number((await figures(client)).get('client_recent_max_input_buffer'));
  while ((await largest()) < BLOCKED_INPUT_BYTES) await new Promise(setImmediate);
  // It is not read any more: what is kept does not grow, though there is far more.
  let before = -1;
  for (let now = await largest(); now > before; now = await largest()) before = now;
  t.ok(before < 2 * BLOCKED_INPUT_BYTES, `${before} bytes`);
  await client.rpush('q', 'x');
  let missing = '*2\r\n$1\r\nq\r\n$1\r\nx\r\n'.length + count * '+PONG\r\n'.length;
  while (missing > 0) missing -= ((await once(socket, 'data')) as [Buffer])[0].length;
  t.equal(missing, 0, 'and all of it is answered in the end');
});

t.test('a stranger that says nothing on the bus port: BUS_HELLO_MS', async (t) => {
  const { port, busPort } = await startNode(t);
  const client = await serves(t, port);
  const socket = open(t, busPort).resume();
  await once(socket, 'connect');
  const from = performance.now();
  const closed = once(socket, 'close');
  while ((await figures(client)).get('bus_strangers') === '0') await new Promise(setImmediate);
  await closed;
  t.ok(performance.now() - from > BUS_HELLO_MS - 500);
  // The node may answer between the end of the connection and its being told of that.
  while ((await figures(client)).get('bus_strangers') !== '0') await new Promise(setImmediate);
});

t.test('what clients have sent counts for maxmemory', async (t) => {
  const adminPort = await freePorts(1);
  const limit = ['--maxmemory', '8mb', '--admin-port', String(adminPort)];
  const { port } = await startNode(t, ...limit);
  const client = await serves(t, port);
  for (let i = 0; i < 100; i++) await client.set(`key:${i}`, 'x'.repeat(1000));
  const slow = open(t, port);
  slow.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${20 * MIB}\r\n${'x'.repeat(10 * MIB)}`);
  const refused = async (): Promise<boolean> =>
    client.set('k', 'v').then(
      () => false,
      (error: Error) => /^OOM /.test(error.message),
    );
  while (!(await refused())) await new Promise(setImmediate);
  const facts = await figures(client);
  const bytes = (name: string): number => Number(facts.get(name));
  t.ok(bytes('mem_clients_normal') > 8 * MIB);
  t.ok(bytes('used_memory') < 2 * MIB, 'keys take little');
  t.ok(bytes('maxmemory_counted') > 8 * MIB);
  t.equal(bytes('maxmemory_headroom'), 0, 'and the others are told so');
  const doctor = await client.call('MEMORY', 'DOCTOR');
  t.match(doctor, /^1\d\d % of maxmemory is taken\./);
  const parts = ['primaries', 'backups', 'tombstones'].map((one) => bytes(`used_memory_${one}`));
  t.ok(Math.abs(parts.reduce((sum, part) => sum + part, 0) - bytes('used_memory')) <= 3);
  const text = await metrics(adminPort);
  const shown = /^tandis_memory_counted_bytes\{part="client_buffers"\} (\d+)$/m.exec(text);
  t.ok(Number(shown?.[1]) > 8 * MIB);
  t.match(text, /^tandis_memory_headroom_bytes 0$/m);

  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await client.config('SET', 'maxmemory', '12mb');
  t.equal(await client.set('k', 'v'), 'OK', 'where there is room for both');
  t.equal(await client.dbsize(), 101);
  await client.config('SET', 'maxmemory', '8mb');
  await t.rejects(writeOften(client), /^OOM /);
  t.ok((await client.dbsize()) < 101, 'room is made for it, as far as there is');
  slow.destroy();
  while (await refused()) await new Promise(setImmediate);
  t.equal(await client.set('k', 'v'), 'OK', 'when it has gone all is as before');
});

/** Often enough for the buffers to be measured meanwhile. */
async function writeOften(client: { set(key: string, value: string): Promise<unknown> }) {
  for (let i = 0; i < 5000; i++) await client.set('k', 'v');
}
