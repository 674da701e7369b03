import { spawnSync } from 'node:child_process';
import { Cluster } from 'ioredis';
import t, { type Test } from 'tap';
import {
  createNode,
  type Message,
  type NodeOptions,
  type Reply,
  type ReplyError,
  type TandisNode,
} from '../../lib/index.js';

/** Nodes inside an application: what it sees of them. */

async function start(t: Test, options: NodeOptions = {}): Promise<TandisNode> {
  const node = await createNode({ clusterPort: 0, ...options });
  t.teardown(() => node.close({ now: true }));
  return node;
}

/** Nodes of one cluster in this process, without ports for clients. */
async function startCluster(t: Test, count: number): Promise<TandisNode[]> {
  const first = await start(t);
  const join = `127.0.0.1:${first.address.busPort}`;
  const others = Array.from({ length: count - 1 }, () => start(t, { join }));
  const nodes = [first, ...(await Promise.all(others))];
  await Promise.all(nodes.map((node) => node.ready()));
  await settled(nodes);
  return nodes;
}

async function facts(node: TandisNode): Promise<Record<string, string>> {
  const text = (await node.call('INFO', 'everything')) as string;
  const pairs = text.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(pairs.map((line) => line.split(/:(.*)/).slice(0, 2)));
}

/** Every node sees all of them, and every key is on two. */
async function settled(nodes: readonly TandisNode[]): Promise<void> {
  const until = Date.now() + 10_000;
  for (;;) {
    const all = await Promise.all(nodes.map(facts));
    const isSo = all.every(
      (one) =>
        one['members'] === String(nodes.length) &&
        one['settled'] === '1' &&
        (one['keys_without_backup'] === '0' || nodes.length === 1),
    );
    if (isSo) return;
    if (Date.now() > until) throw new Error('not settled');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

t.test('three nodes in one process are one cluster', async (t) => {
  const nodes = await startCluster(t, 3);
  const [a, b, c] = nodes as [TandisNode, TandisNode, TandisNode];
  t.equal(a.address.port, null, 'no port for clients');
  t.equal(new Set(nodes.map(({ id }) => id)).size, 3);
  t.equal(await a.set('k', 'Grüße', { ex: 100 }), true);
  t.equal(await b.get('k'), 'Grüße');
  const left = Number(await c.call('TTL', 'k'));
  t.ok(left > 0 && left <= 100, `${left} s`);
  t.equal(await c.set('k', 'other', { if: 'nx' }), false);
  t.equal(await c.set('k', 'other', { if: 'xx', keepTtl: true }), true);
  t.same(await b.callBuffer('MGET', 'k', 'none'), [Buffer.from('other'), null]);
  t.equal(await b.expire('none', 10), false);
  t.equal(await a.del('k', 'none'), 1);
  t.equal(await b.get('k'), null);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await a.set('bytes', bytes);
  t.same(await c.getBuffer('bytes'), bytes);
  const clients = (await a.call('CLIENT', 'LIST')) as string;
  t.match(clients, /^id=1 addr=in-process:0 .* user=default .*\n$/);
  const located = (await a.call('CLUSTER', 'LOCATE', 'bytes')) as Reply[];
  t.equal(located[located.indexOf('primary') + 1], `127.0.0.1:0@${a.address.busPort}`);
});

t.test('a read of what is here takes no network', async (t) => {
  const [a, b] = (await startCluster(t, 2)) as [TandisNode, TandisNode];
  await a.set('here', 'value');
  await settled([a, b]);
  const before = await facts(a);
  const reads = Array.from({ length: 500 }, () => a.get('here'));
  t.ok((await Promise.all(reads)).every((value) => value === 'value'));
  const after = await facts(a);
  for (const kind of ['forward', 'reply', 'lookup', 'claim', 'set', 'copy', 'record']) {
    const name = `bus_messages_${kind}`;
    t.match(after[name], /^\d+$/);
    t.equal(after[name], before[name], name);
  }
  const count = (one: Record<string, string>) => Number(one['total_commands_processed']);
  t.ok(count(after) - count(before) >= 500, 'they count as commands');
  t.equal(after['total_connections_received'], '0');
});

t.test('what was acknowledged outlives the node that dies in the next moment', async (t) => {
  const [a, b, c] = (await startCluster(t, 3)) as [TandisNode, TandisNode, TandisNode];
  const written = Array.from({ length: 200 }, (_, i) => a.set(`k${i}`, `v${i}`));
  await Promise.all(written);
  await a.close({ now: true });
  const keys = written.map((_, i) => `k${i}`);
  for (const node of [b, c]) {
    const values = (await node.call('MGET', ...keys)) as string[];
    t.same(
      values,
      keys.map((_, i) => `v${i}`),
    );
  }
});

t.test('close hands over; writes elsewhere go on meanwhile', async (t) => {
  const [a, b, c] = (await startCluster(t, 3)) as [TandisNode, TandisNode, TandisNode];
  const written = new Map<string, string>();
  const write = async (node: TandisNode, key: string) => {
    await node.set(key, `of ${key}`);
    written.set(key, `of ${key}`);
  };
  await Promise.all(Array.from({ length: 300 }, (_, i) => write(a, `a${i}`)));
  let isClosed = false;
  const closing = a.close().then(() => {
    isClosed = true;
  });
  for (let i = 0; !isClosed; i++) await write(i % 2 === 0 ? b : c, `later${i}`);
  await closing;
  await a.closed;
  await t.rejects(a.get('a1'), { name: 'ClosedError', message: 'the node has left' });
  await t.rejects(a.ready(), { name: 'ClosedError' });
  await t.rejects(a.connect().call('PING'), { name: 'ClosedError', message: 'the node has left' });
  await settled([b, c]);
  const keys = [...written.keys()];
  t.same(await b.call('MGET', ...keys), [...written.values()]);
  t.equal(await c.call('DBSIZE'), written.size);
});

t.test('clients that know all nodes are led to those that have a port', async (t) => {
  const first = await start(t, { port: 0 });
  const { port, busPort } = first.address;
  const inside = await start(t, { join: `127.0.0.1:${busPort}` });
  await Promise.all([first.ready(), inside.ready()]);
  await settled([first, inside]);
  const client = new Cluster([{ host: '127.0.0.1', port: port! }]);
  t.teardown(() => client.disconnect());
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
  for (const key of keys) await client.set(key, `of ${key}`);
  for (const key of keys) t.equal(await inside.get(key), `of ${key}`);
  t.equal(client.nodes().length, 1);
  const shards = (await first.call('CLUSTER', 'SHARDS')) as [string, number[], string, Reply[][]][];
  t.equal(shards.length, 1, 'nobody is sent to a port 0');
  const [, slots, , [shard]] = shards[0]!;
  t.same(slots, [0, 16383], 'also of those of the other');
  t.match(shard, ['id', first.id, 'port', port]);
  const within = (await inside.call('CLUSTER', 'SHARDS')) as [
    string,
    number[],
    string,
    Reply[][],
  ][];
  t.same(within.map(([, , , [node]]) => node![1]).sort(), [first.id, inside.id].sort());
});

t.test('error replies are errors', async (t) => {
  const node = await start(t, { minBackupsToWrite: 1, requirepass: 'a password' });
  await node.ready();
  await t.rejects(node.set('k', 'v'), {
    name: 'ReplyError',
    code: 'NOREPLICAS',
    message: /^NOREPLICAS /,
  });
  await t.rejects(node.call('NOPE'), { code: 'ERR', message: /unknown command 'NOPE'/ });
  await t.rejects(node.call('SELECT', 1), /select needs a client of its own/);
  await t.rejects(node.call('blpop', 'k', 0), /blpop needs a client of its own/);
  await t.rejects(node.call('CLIENT', 'REPLY', 'OFF'), /client reply is for clients with a socket/);
  t.equal(await node.call('PING'), 'PONG');
});

t.test('transactions, and clients of their own', async (t) => {
  const node = await start(t);
  await node.ready();
  const [set, incremented, failed] = (await node.transaction([
    ['SET', 'n', 1],
    ['INCR', 'n'],
    ['LPUSH', 'n', 'x'],
  ])) as [Reply, Reply, ReplyError];
  t.same([set, incremented, failed.code], ['OK', 2, 'WRONGTYPE']);
  await t.rejects(node.transaction([['SET', 'n', 9], ['NOPE']]), /unknown command 'NOPE'/);
  t.equal(await node.get('n'), '2', 'nothing of it was run');
  const own = node.connect();
  await own.call('SELECT', 1);
  await own.call('WATCH', 'watched');
  const other = node.connect();
  await other.call('SELECT', 1);
  await other.set('watched', 'changed');
  t.equal(await own.transaction([['SET', 'watched', 'mine']]), null);
  const popped = own.call('BLPOP', 'list', 0);
  await other.call('RPUSH', 'list', 'item');
  t.same(await popped, ['list', 'item']);
  const last = own.call('GET', 'watched');
  await own.close();
  t.equal(await last, 'changed', 'what was sent before is replied to');
  await t.rejects(own.call('PING'), { name: 'ClosedError' });
  const waiting = other.call('BLPOP', 'list', 0);
  await node.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await t.rejects(waiting, { name: 'ClosedError', message: /whether the command was run/ });
  const [id] = /id=\d+/.exec((await node.call('CLIENT', 'LIST')) as string)!;
  await node.call('CLIENT', 'KILL', 'ID', id.slice(3)).catch(() => undefined);
  t.equal(await node.get('n'), '2', 'the shared client is made anew');
});

t.test('what is published is heard, whichever node it is published through', async (t) => {
  const [a, b] = (await startCluster(t, 2)) as [TandisNode, TandisNode];
  const heard: Message[] = [];
  const inTurn = (): Promise<Message> =>
    new Promise((resolve) => {
      arrived = resolve;
    });
  let arrived: (message: Message) => void = () => undefined;
  const hear = (message: Message) => {
    heard.push(message);
    arrived(message);
  };
  const orders = await a.subscribe('orders', hear);
  const next = inTurn();
  t.equal(await b.call('PUBLISH', 'orders', 'Grüße'), 1);
  t.match(await next, { channel: 'orders', pattern: null, text: 'Grüße' });
  t.same(heard[0]!.bytes, Buffer.from('Grüße'));

  await a.call('CONFIG', 'SET', 'notify-keyspace-events', 'Egx');
  const gone = inTurn();
  const events = await a.psubscribe('__keyevent@0__:*', hear);
  let done: (isSet: Promise<boolean>) => void = () => undefined;
  const isSet = new Promise<boolean>((resolve) => {
    done = resolve;
  });
  const more = await a.subscribe('orders', ({ text }) => done(b.set(`of ${text}`, 'x')));
  await b.set('k', 'v');
  await b.del('k');
  const event = { channel: '__keyevent@0__:del', pattern: '__keyevent@0__:*', text: 'k' };
  t.match(await gone, event, 'of a key that another node holds');

  await Promise.all([orders.unsubscribe(), orders.unsubscribe()]);
  await orders.ended;
  t.equal(await b.call('PUBLISH', 'orders', 'two'), 1, 'one goes on listening');
  t.equal(await isSet, true, 'a listener may use the node');
  t.equal(await a.get('of two'), 'x');
  await more.unsubscribe();
  t.equal(await a.call('PUBLISH', 'orders', 'three'), 0);
  t.equal(heard.length, 2, 'who has gone hears no more');

  await b.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  t.equal(await a.call('CLIENT', 'KILL', 'TYPE', 'pubsub'), 1);
  await events.ended;
  const again = await a.psubscribe('o*', hear);
  const last = inTurn();
  await b.call('PUBLISH', 'orders', 'four');
  t.match(await last, { channel: 'orders', pattern: 'o*', text: 'four' });
  await t.rejects(a.call('SUBSCRIBE', 'x'), /subscribe: use node.subscribe\(\)/);
  await a.close({ now: true });
  await again.ended;
  await t.rejects(a.subscribe('orders', hear), { name: 'ClosedError' });
});

t.test("a listener that throws is in nobody's way", async (t) => {
  const node = await start(t);
  await node.ready();
  const program = new Promise<Error>((resolve) => process.once('uncaughtException', resolve));
  await node.subscribe('x', () => {
    throw new Error('of the application');
  });
  const second = new Promise<string>((resolve) => {
    void node.subscribe('x', ({ text }) => resolve(text));
  });
  await node.call('PING');
  t.equal(await node.call('PUBLISH', 'x', 'hello'), 1);
  t.equal((await program).message, 'of the application');
  t.equal(await second, 'hello');
  t.equal(await node.call('PING'), 'PONG');
});

t.test('what the default user may not hear is refused', async (t) => {
  const node = await start(t);
  await node.ready();
  await node.call('ACL', 'SETUSER', 'default', 'resetchannels', '&news');
  await t.rejects(
    node.subscribe('other', () => undefined),
    { code: 'NOPERM' },
  );
  const { unsubscribe } = await node.subscribe('news', () => undefined);
  await unsubscribe();
});

t.test('many calls and large values', async (t) => {
  const node = await start(t);
  await node.ready();
  const large = Buffer.alloc(5_000_000, 'large');
  const calls = [node.set('large', large), node.getBuffer('large'), node.call('STRLEN', 'large')];
  const [set, got, length] = await Promise.all(calls);
  t.same([set, large.equals(got as Buffer), length], [true, true, large.length]);
  const numbers = Array.from({ length: 5000 }, () => node.call('INCR', 'n'));
  t.ok((await Promise.all(numbers)).every((number, i) => number === i + 1));
  const echo = () => node.callBuffer('ECHO', large);
  const flood = await Promise.allSettled(Array.from({ length: 20 }, echo));
  const refused = flood.filter((one) => one.status === 'rejected');
  t.equal(refused.length, 6, 'what waits has a bound: 64 MB');
  t.equal(refused[0]?.reason.code, 'ERR_TANDIS_BUSY');
  t.equal((await facts(node))['limit_local_calls'], '6');
});

t.test('options that are wrong', async (t) => {
  const cases: [object, RegExp][] = [
    [{ prot: 1 }, /^unknown option 'prot'$/],
    [{ 'cluster-port': 1 }, /^unknown option 'cluster-port'$/],
    [{ port: 70_000 }, /^port: .*between 0 and 65535/],
    [{ port: 60_000 }, /^port 60000 leaves no bus port/],
    [{ maxmemory: '10x' }, /^maxmemory: .*memory value/],
    [{ join: ['other'] }, /^join: .*host:port/],
    [{ zone: {} }, /^zone: give a text/],
    [{ partitionPolicy: 'both' }, /^partitionPolicy: .*available, majority/],
    [{ bind: '0.0.0.0' }, /^bind 0\.0\.0\.0 opens the cluster bus/],
    [{ loglevel: 'debug' }, /^loglevel: give a logger/],
    [{ warmUp: 1 }, /^warmUp: a node in an application/],
  ];
  for (const [options, message] of cases) {
    await t.rejects(createNode(options as NodeOptions), { name: 'OptionError', message });
  }
  const node = await start(t, { port: 0 });
  const { port, busPort } = node.address;
  await t.rejects(createNode({ port: port! }), {
    message: new RegExp(`^port ${port} on 127.0.0.1 is in use$`),
  });
  await t.rejects(createNode({ clusterPort: busPort }), { message: /is in use$/ });
});

t.test(
  'a logger is told what happens; without one nothing is said, and the process is left alone',
  async (t) => {
    const events: string[] = [];
    const note = (_: object, event: string) => void events.push(event);
    const node = await start(t, { logger: { debug: note, info: note, warn: note, error: note } });
    await node.ready();
    await node.close();
    t.ok(events.includes('listening') && events.includes('left'), events.join());
    const program = `
    const handlers = () => JSON.stringify(process.eventNames().map((name) => [name, process.listenerCount(name)]));
    const before = handlers();
    const { createNode } = await import('tandis');
    const node = await createNode({ clusterPort: 0, port: 0 });
    await node.ready();
    if (handlers() !== before) throw new Error(handlers());
    await node.set('k', 'v');
    await node.close();`;
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      timeout: 60_000,
    });
    t.equal(run.status, 0, 'it ends by itself');
    t.equal(run.stdout.toString() + run.stderr, '');
  },
);
