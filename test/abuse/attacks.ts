import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { putCrc64 } from '../../lib/protocol/crc64.js';
import type { NodeProcess, TestCluster } from '../support/test-cluster.js';

/** Clients of the attacked node at most. */
export const MAX_CLIENTS = 400;
export const MAX_CLIENTS_LONG = 6000;
/** Ids of one pipeline. */
const IDS_PER_PIPELINE = 500;
const PIPELINES = 4;
/** Of too many clients one has been told so by then. */
const REFUSED_MS = 10_000;
/** Scripts that never end are let run for so long. */
const ENDLESS_MS = 500;

/** Clients that send without end, so many commands in one write; and what one reply has. */
const GREEDY_CLIENTS = 4;
const COMMANDS_PER_WRITE = 1000;
const GREEDY_BYTES = 100;
/** Whoever asks for one thing at a time waits for one turn of each of them: milliseconds, with room for a busy machine. */
const POLITE_MS_MAX = 200;

/** Who reads nothing asks for so many values of so many bytes. */
const SLOW_VALUES = 100;
const SLOW_BYTES = 100_000;
/** Most that a node keeps for one of them: what it stops at, and one more reply. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024;

/** Something that a client may try. `node` is attacked; what another client notices is measured meanwhile. */
export interface Attack {
  readonly name: string;
  /** How much of it `npm test` does, and `npm run abuse`. */
  readonly short: number;
  readonly long: number;
  /** Resolves to what has happened, in words. Throws when that is not what should. */
  run(node: NodeProcess, amount: number): Promise<string>;
}

function mustBe(what: string, isSo: boolean): void {
  if (!isSo) throw new Error(what);
}

const errorOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    (answer) => `no error: ${String(answer).slice(0, 100)}`,
    ({ message }: Error) => message,
  );

/** Connections that say nothing, or half a command, and stay; those past maxclients are told so. */
async function idle(node: NodeProcess, amount: number): Promise<string> {
  const sockets: Socket[] = [];
  const told = new EventEmitter();
  let refused = 0;
  const open = async (i: number): Promise<void> => {
    const socket = connect(node.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (!chunk.includes('max number of clients reached')) return;
      refused += 1;
      told.emit('refused');
    });
    await once(socket, 'connect');
    if (i % 2 === 0) socket.write('*2\r\n$3\r\nGET\r\n$100\r\nhalf');
  };
  for (let i = 0; i < amount; i += 50)
    await Promise.all(Array.from({ length: Math.min(50, amount - i) }, (_, j) => open(i + j)));
  // A node on a busy machine has not looked at all of them yet.
  if (refused === 0) await once(told, 'refused', { signal: AbortSignal.timeout(REFUSED_MS) });
  for (const socket of sockets) socket.destroy();
  return `${amount} opened, ${refused} told that there are too many`;
}

/** Session ids that nobody has: each is asked for in the cluster. */
async function unknownIds(node: NodeProcess, amount: number): Promise<string> {
  const start = performance.now();
  let asked = 0;
  const ask = async (): Promise<void> => {
    while (asked < amount) {
      const count = Math.min(IDS_PER_PIPELINE, amount - asked);
      asked += count;
      const pipeline = node.client.pipeline();
      const ids = randomBytes(16 * count).toString('hex');
      for (let i = 0; i < count; i++) pipeline.get(`sess:${ids.slice(32 * i, 32 * (i + 1))}`);
      const answers = await pipeline.exec();
      mustBe(
        'an id that nobody has was answered',
        answers!.every(([error, value]) => error === null && value === null),
      );
    }
  };
  await Promise.all(Array.from({ length: PIPELINES }, ask));
  const seconds = (performance.now() - start) / 1000;
  return `${asked} ids, ${Math.round(asked / seconds)} a second`;
}

/** Scripts that take all memory, and then scripts that never end, for a moment each. */
async function scriptBombs(node: NodeProcess, amount: number): Promise<string> {
  const { client } = node;
  const greedy = 'local t = {} while true do t[#t + 1] = string.rep("x", 1e6) .. #t end';
  for (let i = 0; i < amount; i++) {
    const error = await errorOf(client.eval(greedy, 0));
    mustBe(error, /not enough memory/.test(error));
  }
  for (let i = 0; i < amount; i++) {
    const others = Array.from({ length: 3 }, () => client.duplicate());
    const errors = others.map((other) => {
      other.on('error', () => undefined);
      return errorOf(other.eval('while true do end', 0));
    });
    await delay(ENDLESS_MS);
    // One may come only now.
    let running = errors.length;
    for (const error of errors) void error.finally(() => running--);
    for (; running > 0; await delay(20)) await errorOf(client.call('SCRIPT', 'KILL'));
    for (const error of await Promise.all(errors)) mustBe(error, /Script killed/.test(error));
    for (const other of others) other.disconnect();
  }
  return `${amount} greedy ones ended, ${3 * amount} endless ones killed`;
}

/** What looks like gzip, zlib, zstd or LZF, on a socket and as a value that claims to be large. */
async function compressed(node: NodeProcess, amount: number): Promise<string> {
  const magics = ['1f8b0800', '789c', '28b52ffd', '425a6839', '504b0304'];
  let dropped = 0;
  for (let i = 0; i < amount; i++) {
    const magic = Buffer.from(magics[i % magics.length]!, 'hex');
    const socket = connect(node.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    const closed = once(socket, 'close');
    socket.end(Buffer.concat([magic, randomBytes(70_000)]));
    await closed;
    dropped += 1;
    const error = await errorOf(node.client.call('RESTORE', 'bomb', '0', lzfBomb(i)));
    mustBe(error, /Bad data format/.test(error));
  }
  return `${dropped} streams closed, ${amount} payloads refused`;
}

/** A string that says: "I am 500 MB, compressed to a few bytes". */
function lzfBomb(i: number): Buffer {
  const body = Buffer.alloc(40, 0xff);
  const head = Buffer.from([0x00, 0xc3, body.length, 0x80, 0x1d, 0xcd, 0x65, i & 0xff]);
  const payload = Buffer.concat([head, body, Buffer.from([10, 0]), Buffer.alloc(8)]);
  putCrc64(payload, 0, payload.length - 8, payload, payload.length - 8);
  return payload;
}

/** Keys that are one to every hash that multiplies by 31 and adds. */
async function collidingKeys(node: NodeProcess, amount: number): Promise<string> {
  const bits = Math.ceil(Math.log2(amount));
  const keyOf = (i: number): string =>
    Array.from({ length: bits }, (_, bit) => ((i >> bit) & 1 ? 'Aa' : 'BB')).join('');
  const start = performance.now();
  for (let i = 0; i < amount; i += IDS_PER_PIPELINE) {
    const pipeline = node.client.pipeline();
    for (let j = i; j < Math.min(amount, i + IDS_PER_PIPELINE); j++)
      pipeline.set(keyOf(j), 'v', 'EX', 60).hset('hash', keyOf(j), 'v');
    await pipeline.exec();
  }
  const perSecond = (2 * amount) / ((performance.now() - start) / 1000);
  await node.client.unlink('hash');
  return `${2 * amount} commands, ${Math.round(perSecond)} a second`;
}

/** Sends a command again and again without waiting for replies, and takes them as they come. */
async function pour(
  node: NodeProcess,
  command: string,
  reply: string,
  count: number,
): Promise<void> {
  const socket = connect(node.port, '127.0.0.1');
  const piece = Buffer.from(command.repeat(COMMANDS_PER_WRITE));
  let missing = count * reply.length;
  socket.on('data', ({ length }) => {
    missing -= length;
    if (missing === 0) socket.end();
  });
  const closed = once(socket, 'close');
  for (let sent = 0; sent < count; sent += COMMANDS_PER_WRITE) {
    const part = piece.subarray(0, Math.min(COMMANDS_PER_WRITE, count - sent) * command.length);
    if (!socket.write(part)) await Promise.race([once(socket, 'drain'), closed]);
  }
  await closed;
  mustBe(`${missing} bytes of replies are missing`, missing === 0);
}

/** Clients whose pipelines never end, and beside them one of the same node that asks for one thing at a time. */
async function greedyPipelines(node: NodeProcess, amount: number): Promise<string> {
  const polite = node.client.duplicate();
  await polite.set('polite', 'value');
  await node.client.set('greedy', 'x'.repeat(GREEDY_BYTES));
  const reply = `$${GREEDY_BYTES}\r\n${'x'.repeat(GREEDY_BYTES)}\r\n`;
  const ask = '*2\r\n$3\r\nGET\r\n$6\r\ngreedy\r\n';
  const start = performance.now();
  const each = Math.ceil(amount / GREEDY_CLIENTS);
  const pouring = Promise.all(
    Array.from({ length: GREEDY_CLIENTS }, () => pour(node, ask, reply, each)),
  );
  let isOver = false;
  const over = pouring.finally(() => {
    isOver = true;
  });
  const times: number[] = [];
  while (!isOver) {
    const asked = performance.now();
    mustBe('the polite one got another value', (await polite.get('polite')) === 'value');
    times.push(performance.now() - asked);
  }
  await over;
  polite.disconnect();
  const perSecond = (each * GREEDY_CLIENTS) / ((performance.now() - start) / 1000);
  const { p50, p99, max } = shares(times);
  mustBe(`starved: p50 ${p50} ms`, p50 < POLITE_MS_MAX);
  return (
    `${GREEDY_CLIENTS} clients got ${Math.round(perSecond)} replies a second; one of the same node, a command at a time: ` +
    `${times.length} commands, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)}, most ${max.toFixed(0)}`
  );
}

/** Asks for far more than the node keeps for it, and reads nothing until it is told to; resolves to the bytes read. */
function slowReader(node: NodeProcess): { readAll(): Promise<number> } {
  const socket = connect(node.port, '127.0.0.1').pause();
  socket.write('GET slow\r\n'.repeat(SLOW_VALUES));
  return {
    readAll: async () => {
      let bytes = 0;
      socket.end();
      for await (const chunk of socket) bytes += (chunk as Buffer).length;
      return bytes;
    },
  };
}

/** Sends a command byte by byte; resolves to the reply. */
async function slowWriter(node: NodeProcess, number: number): Promise<string> {
  const socket = connect(node.port, '127.0.0.1').setNoDelay(true);
  for (const byte of Buffer.from(`SET slow:${number} value\r\n`)) {
    socket.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  const [reply] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return reply.toString();
}

/** Clients that read nothing of what they have asked for, and as many that send a byte at a time. */
async function slowPeers(node: NodeProcess, amount: number): Promise<string> {
  const reply = `$${SLOW_BYTES}\r\n${'x'.repeat(SLOW_BYTES)}\r\n`;
  await node.client.set('slow', 'x'.repeat(SLOW_BYTES));
  const readers = Array.from({ length: amount }, () => slowReader(node));
  const replies = await Promise.all(readers.map((_, i) => slowWriter(node, i)));
  mustBe(
    'a slow command had no answer',
    replies.every((reply) => reply === '+OK\r\n'),
  );
  const info = await node.client.info('clients');
  const kept = Number(/client_recent_max_output_buffer:(\d+)/.exec(info)![1]);
  mustBe(`${kept} bytes are kept for one that reads nothing`, kept < KEPT_BYTES_MAX);
  const read = await Promise.all(readers.map((reader) => reader.readAll()));
  const whole = SLOW_VALUES * reply.length;
  mustBe(
    'a slow reader had not all in the end',
    read.every((bytes) => bytes === whole),
  );
  return `${amount} readers of ${(whole / 1e6).toFixed(0)} MB each, for which at most ${kept} bytes were kept; ${amount} writers were answered`;
}

export const ATTACKS: readonly Attack[] = [
  { name: 'idle and half-open connections', short: 500, long: 7000, run: idle },
  { name: 'ids that nobody has', short: 10_000, long: 10_000_000, run: unknownIds },
  { name: 'script bombs', short: 1, long: 20, run: scriptBombs },
  { name: 'compressed-looking garbage', short: 20, long: 2000, run: compressed },
  { name: 'keys chosen to collide', short: 2000, long: 200_000, run: collidingKeys },
  { name: 'slow readers and writers', short: 5, long: 100, run: slowPeers },
  { name: 'greedy pipelines', short: 200_000, long: 20_000_000, run: greedyPipelines },
];

/** What a client of another node is answered while an attack runs: milliseconds. */
export interface Noticed {
  readonly commands: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function shares(times: number[]): { p50: number; p99: number; max: number } {
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Writes and reads on two nodes, one at a time, until `attack` is over. */
export async function noticedDuring(
  cluster: TestCluster,
  attack: Promise<unknown>,
): Promise<Noticed> {
  let isOver = false;
  const over = attack.finally(() => {
    isOver = true;
  });
  const client = cluster.nodes.at(-1)!.client;
  const times: number[] = [];
  let errors = 0;
  for (let i = 0; !isOver; i++) {
    const start = performance.now();
    const key = `user:${i % 200}`;
    const asked = i % 2 === 0 ? client.set(key, `value ${i}`) : client.get(`user:${(i - 1) % 200}`);
    await asked.then(
      (answer) => {
        if (answer !== (i % 2 === 0 ? 'OK' : `value ${i - 1}`)) errors += 1;
      },
      () => {
        errors += 1;
      },
    );
    times.push(performance.now() - start);
    await delay(2);
  }
  await over;
  return { commands: times.length, errors, ...shares(times) };
}

export const showNoticed = ({ commands, errors, p50, p99, max }: Noticed): string =>
  `${commands} commands of others, ${errors} errors, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)}, most ${max.toFixed(0)}`;
