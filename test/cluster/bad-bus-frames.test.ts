import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { type Facts, type NodeProcess, TestCluster } from '../support/test-cluster.js';

/** Who does not speak the language of the bus loses its connection, and nobody else notices. */

const ROUNDS = 10;
const MIB = 1024 * 1024;
/** What is sent after a header that announces a huge frame. */
const HUGE_SENT_BYTES = 4 * MIB;
/** What a node may have grown by after all of it: the rest is what V8 has not collected yet. */
const GROWTH_BYTES_MAX = 96 * MIB;
/** A hello that does not come is waited for so long by the node, and a while longer here. */
const DROPPED_MS_MAX = 8000;
/** Who says something wrong is not waited for: the fastest of the rounds tells, the others may meet a busy machine. */
const AT_ONCE_MS_MAX = 1000;

const HELLO = 1;
const CONTROL = 2;

function frame(type: number, payload: Buffer | string): Buffer {
  const body = Buffer.from(payload);
  const header = Buffer.alloc(5);
  header.writeUInt32LE(1 + body.length);
  header[4] = type;
  return Buffer.concat([header, body]);
}

/** Only the header of a frame of that length. */
function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32LE(length);
  bytes[4] = type;
  return bytes;
}

function hello(kind: 'control' | 'data', from: string, to = ''): Buffer {
  return frame(HELLO, JSON.stringify({ protocol: 1, kind, from, to }));
}

const someId = () => randomBytes(20).toString('hex');

/** Sends bytes to a bus port. Resolves to the milliseconds until the node has dropped the connection. */
async function send(
  node: NodeProcess,
  what: string,
  bytes: readonly Buffer[],
  end = false,
): Promise<number> {
  const start = performance.now();
  const socket = connect(node.busPort, '127.0.0.1');
  // A reset is as good an end as any.
  socket.on('error', () => undefined);
  socket.resume();
  const closed = new Promise<boolean>((resolve) => {
    socket.on('close', () => resolve(true));
    setTimeout(() => resolve(false), DROPPED_MS_MAX).unref();
  });
  for (const chunk of bytes) socket.write(chunk);
  if (end) socket.end();
  const wasDropped = await closed;
  socket.destroy();
  if (!wasDropped) throw new Error(`${what}: the connection is still open`);
  return performance.now() - start;
}

const residentBytes = async (node: NodeProcess): Promise<number> =>
  Number(/used_memory_rss:(\d+)/.exec(await node.client.info('memory'))![1]);

t.test('bad frames drop their own link', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const keys = Array.from({ length: 90 }, (_, i) => `key:${i}`);
  await Promise.all(keys.map((key, i) => cluster.nodes[i % 3]!.client.set(key, key)));
  await cluster.settled();
  const facts = await Promise.all(cluster.nodes.map((node) => node.facts()));
  const resident = await Promise.all(cluster.nodes.map(residentBytes));

  /** Who was there before is there still, in the same view, with everything, and serves. */
  const unmoved = async (what: string): Promise<void> => {
    for (const [i, node] of cluster.nodes.entries()) {
      const now: Facts = await node.facts();
      for (const name of ['node_id', 'view', 'members', 'primaries', 'backups', 'serving']) {
        t.equal(now[name], facts[i]![name], `${what}: ${name}`);
      }
      t.same(await node.client.mget(keys), keys, `${what}: every key is there`);
    }
    t.equal(await cluster.nodes[0]!.client.set('key:0', 'key:0'), 'OK', `${what}: writes go on`);
  };

  const strangers: [string, () => Buffer[], boolean?][] = [
    ['noise', () => [randomBytes(1000)]],
    ['a web browser', () => [Buffer.from('GET / HTTP/1.1\r\nHost: here\r\n\r\n')]],
    ['a Redis client', () => [Buffer.from('*1\r\n$4\r\nPING\r\n')]],
    ['a frame of no bytes', () => [Buffer.alloc(4)]],
    ['a huge hello', () => [header(HELLO, 0xffffffff), Buffer.alloc(HUGE_SENT_BYTES)]],
    ['half a hello, then silence', () => [hello('control', someId()).subarray(0, 20)]],
    ['half a hello, then the end', () => [hello('control', someId()).subarray(0, 20)], true],
    ['a hello that is no JSON', () => [frame(HELLO, '{"protocol":')]],
    ['a hello of null', () => [frame(HELLO, 'null')]],
    ['a hello of another protocol', () => [frame(HELLO, '{"protocol":9,"kind":"data"}')]],
    ['noise after a hello', () => [hello('control', someId()), randomBytes(1000)]],
    ['a control frame that is no JSON', () => [hello('control', someId()), frame(CONTROL, '{')]],
    ['a message of no known kind', () => [hello('control', someId()), frame(CONTROL, '{"a":1}')]],
    ['messages of wrong types', () => [hello('control', someId()), frame(CONTROL, '[[],{},null]')]],
    ['a huge control frame', () => [hello('control', someId()), header(CONTROL, 0x7fffffff)]],
    ['half a control frame', () => [hello('control', someId()), header(CONTROL, 99)], true],
    ['data from a stranger', () => [hello('data', someId()), randomBytes(1000)]],
    ['data for somebody else', () => [hello('data', someId(), someId()), randomBytes(1000)]],
  ];
  for (const [what, bytes, end] of strangers) {
    // Who says nothing is waited for: once is enough.
    const isSilent = what.endsWith('silence');
    const times: number[] = [];
    for (let round = 0; round < (isSilent ? 1 : ROUNDS); round++) {
      const all = cluster.nodes.map((node) => send(node, what, bytes(), end));
      times.push(Math.max(...(await Promise.all(all))));
    }
    if (!isSilent) t.ok(Math.min(...times) < AT_ONCE_MS_MAX, `${what}: dropped at once`);
    await unmoved(what);
  }

  const impostors: [string, () => Buffer[]][] = [
    ['noise', () => [randomBytes(1000)]],
    ['a huge frame', () => [header(17, 0xffffffff), Buffer.alloc(HUGE_SENT_BYTES)]],
    ['a resume that lies', () => [frame(1, Buffer.alloc(16, 0x41))]],
    ['a frame of no known type', () => [frame(63, 'x')]],
    ['a change without a key', () => [frame(17, 'x')]],
    ['a claim cut short', () => [frame(20, Buffer.alloc(10))]],
    ['a forward without arguments', () => [frame(32, Buffer.alloc(14))]],
    ['a query that is no JSON', () => [frame(38, Buffer.alloc(30, 0x7b))]],
  ];
  const ids = facts.map((one) => one['node_id']!);
  for (const [what, bytes] of impostors) {
    for (const [i, node] of cluster.nodes.entries()) {
      for (const [j, id] of ids.entries()) {
        if (i === j) continue;
        const name = `${what} in another member's name`;
        await send(node, name, [hello('data', id, ids[i]), ...bytes()]);
      }
    }
    await unmoved(`${what} in another member's name`);
  }
  await cluster.settled();

  for (const [i, node] of cluster.nodes.entries()) {
    const growth = (await residentBytes(node)) - resident[i]!;
    t.comment(`node ${i + 1} has grown by ${(growth / MIB).toFixed(1)} MiB`);
    t.ok(growth < GROWTH_BYTES_MAX, `${growth} bytes`);
  }
});

t.test('many links that wait for the end of a huge frame cost what was sent', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const node = cluster.nodes[0]!;
  const before = await residentBytes(node);
  const sockets = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const socket = connect(node.busPort, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(hello('control', someId()));
      socket.write(header(CONTROL, MIB));
      return socket;
    }),
  );
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  await cluster.nodes[1]!.client.set('key', 'value');
  t.equal(await node.client.get('key'), 'value');
  const growth = (await residentBytes(node)) - before;
  t.comment(`grown by ${(growth / MIB).toFixed(1)} MiB`);
  t.ok(growth < GROWTH_BYTES_MAX, `${growth} bytes`);
});
