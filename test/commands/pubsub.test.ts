import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { CHANNEL_BYTES_MAX, SUBSCRIPTIONS_PER_CLIENT } from '../../lib/base/limits.js';
import { seededRandom } from '../store/seeded-random.js';
import { TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer } from '../support/redis-server.js';
import { encodeCommand } from '../support/resp.js';
import { delay, TestCluster } from '../support/test-cluster.js';

const { SEED = 20_000 } = process.env;

t.setTimeout(180_000);

t.test('a message comes as an array in RESP2, and as a push in RESP3', async (t) => {
  const node = new TestNode();
  const [two, three, publisher] = [node.connect(), node.connect(), node.connect()];
  t.equal(
    node.run(two, 'SUBSCRIBE', 'a', 'b'),
    '*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n',
  );
  node.run(three, 'HELLO', '3');
  t.equal(node.run(three, 'PSUBSCRIBE', 'a*'), '>3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n');
  t.equal(node.run(publisher, 'PUBLISH', 'a', 'x\r\ny'), ':2\r\n');
  t.equal(two.replies(), '*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\nx\r\ny\r\n');
  t.equal(three.replies(), '>4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$4\r\nx\r\ny\r\n');
  t.equal(node.run(publisher, 'SPUBLISH', 'a', 'x'), ':0\r\n', 'shard channels are others');
  t.equal(node.run(three, 'SSUBSCRIBE', 'a'), '>3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n');
  t.equal(node.run(publisher, 'SPUBLISH', 'a', ''), ':1\r\n');
  t.equal(three.replies(), '>3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$0\r\n\r\n');
});

t.test('CLIENT LIST and KILL know subscribers', async (t) => {
  const node = new TestNode();
  const [client, other] = [node.connect(), node.connect()];
  node.run(client, 'SUBSCRIBE', 'a', 'b');
  node.run(client, 'PSUBSCRIBE', 'a*');
  node.run(client, 'SSUBSCRIBE', 's');
  t.match(node.run(other, 'CLIENT', 'LIST', 'ID', '1'), / flags=P db=0 sub=2 psub=1 ssub=1 /);
  t.match(node.run(other, 'CLIENT', 'LIST', 'TYPE', 'pubsub'), /^\$\d+\r\nid=1 [^\n]*\n\r\n$/);
  t.match(node.run(other, 'INFO', 'stats'), /pubsub_channels:2\r\npubsub_patterns:1\r\n/);
  t.equal(node.run(client, 'RESET'), '+RESET\r\n');
  t.match(node.run(other, 'CLIENT', 'LIST', 'ID', '1'), / flags=N db=0 sub=0 psub=0 ssub=0 /);
  t.match(node.run(other, 'INFO', 'stats'), /pubsub_channels:0\r\npubsub_patterns:0\r\n/);
  node.run(client, 'SUBSCRIBE', 'a');
  t.equal(node.run(other, 'CLIENT', 'KILL', 'TYPE', 'pubsub'), ':1\r\n');
  t.equal(client.closed, 'killed');
});

t.test('subscriptions have their bounds', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const names = Array.from({ length: SUBSCRIPTIONS_PER_CLIENT }, (_, i) => `c${i}`);
  const longName = 'x'.repeat(CHANNEL_BYTES_MAX + 1);
  t.match(node.run(client, 'SUBSCRIBE', longName), /^-ERR a channel or pattern .* longer than/);
  while (names.length > 0) node.run(client, 'SUBSCRIBE', ...names.splice(0, 1000));
  t.match(node.run(client, 'PSUBSCRIBE', 'one more'), /^-ERR more than \d+ subscriptions of one/);
  node.subscriptions.reset(client);
  while (node.subscriptions.channelCount > 0) await new Promise(setImmediate);
  t.match(node.run(client, 'SUBSCRIBE', 'one more'), /^\*3\r\n\$9\r\nsubscribe/);
});

/** A connection of which every byte is kept. */
class Transcript {
  readonly #socket: Socket;
  text = '';
  #changed: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
      this.#changed?.();
    });
  }

  static async open(t: Test, port: number): Promise<Transcript> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    t.teardown(() => socket.destroy());
    return new Transcript(socket);
  }

  send(args: readonly string[]): void {
    this.#socket.write(encodeCommand(args));
  }

  async until(isEnough: (text: string) => boolean): Promise<void> {
    const late = delay(5000).then(() => 'late');
    while (!isEnough(this.text)) {
      const more = new Promise<string>((resolve) => {
        this.#changed = () => resolve('more');
      });
      if ((await Promise.race([more, late])) === 'late') return;
    }
  }
}

const CHANNELS = ['a', 'b', 'ab', 'c:1', ''];
const PATTERNS = ['*', 'a*', '[ab]', 'c:?', '\\*'];

/** Draws commands of publish/subscribe, and a few others that subscribers of RESP2 may or may not send. */
function drawCommand(random: () => number): string[] {
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)]!;
  const some = (from: readonly string[]): string[] =>
    Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(from));
  const all = (name: string, from: readonly string[]): string[] =>
    random() < 0.3 ? [name] : [name, ...some(from)];
  const draws: (() => string[])[] = [
    () => ['SUBSCRIBE', ...some(CHANNELS)],
    () => ['psubscribe', ...some(PATTERNS)],
    () => ['SSUBSCRIBE', ...some(CHANNELS)],
    () => all('UNSUBSCRIBE', CHANNELS),
    () => all('PUNSUBSCRIBE', PATTERNS),
    () => all('SUNSUBSCRIBE', CHANNELS),
    () => ['PUBLISH', pick(CHANNELS), `m${Math.floor(random() * 1000)}`],
    () => ['PUBLISH', pick(CHANNELS), 'x'.repeat(Math.floor(random() * 300_000))],
    () => ['SPUBLISH', pick(CHANNELS), 'shard'],
    () => ['PUBSUB', 'NUMSUB', ...some(CHANNELS)],
    () => ['PUBSUB', 'SHARDNUMSUB', ...some(CHANNELS)],
    () => ['PUBSUB', 'NUMPAT'],
    () => ['PUBSUB', 'CHANNELS', 'nothing'],
    () => ['PUBSUB', pick(['CHANNELS', 'SHARDCHANNELS', 'NUMPAT', 'x']), 'a', 'b'],
    () => ['PUBSUB', 'SHARDNUMSUB'],
    () => ['PING', ...some(['x']).slice(1)],
    () => ['GET', 'nothing'],
    () => [pick(['SUBSCRIBE', 'PUBLISH', 'SSUBSCRIBE'])],
    () => ['HELLO', pick(['3', '3', '2'])],
    () => ['CONFIG', 'GET', 'nothing'],
    () => ['RESET'],
  ];
  return draws[Math.floor(random() * draws.length)]!();
}

/** What is asked of all: the same once every node knows of what was taken back. */
const COUNTS = [
  ['PUBSUB', 'NUMSUB', ...CHANNELS],
  ['PUBSUB', 'SHARDNUMSUB', ...CHANNELS],
  ['PUBSUB', 'NUMPAT'],
];

async function countsOf(connection: Transcript): Promise<string> {
  connection.text = '';
  for (const command of COUNTS) connection.send(command);
  connection.send(['ECHO', 'done']);
  await connection.until((text) => text.endsWith('done\r\n'));
  return connection.text;
}

async function sameCounts(theirs: Transcript, ours: readonly Transcript[]): Promise<void> {
  const expected = await countsOf(theirs);
  for (const connection of ours) {
    for (let i = 0; (await countsOf(connection)) !== expected; i++) {
      if (i === 200) throw new Error(`counts differ: ${connection.text} for ${expected}`);
      await delay(5);
    }
  }
}

const withoutId = (text: string): string => text.replace(/(\$2\r\nid\r\n:)\d+/g, '$1');

/** Redis has no order of its own for the patterns of one message, nor for the subscriptions that a client takes back at once. */
function inOrder(text: string, [name, ...names]: readonly string[]): string {
  const isOpen = /^PUBLISH$/i.test(name!) || (names.length === 0 && /UNSUBSCRIBE$/i.test(name!));
  return isOpen ? text.split('\r\n').sort().join() : withoutId(text);
}

const COMMANDS = 100;

/** Each connection gets the same bytes from both, whichever of them the commands come from. */
async function compare(t: Test, redisPort: number, ports: readonly number[], seed: number) {
  const random = seededRandom(seed);
  const open = (port: number) => Transcript.open(t, port);
  const theirs = await Promise.all(ports.map(() => open(redisPort)));
  const ours = await Promise.all(ports.map(open));
  const [theirCounts, ourCounts] = [await open(redisPort), await Promise.all(ports.map(open))];
  const history: string[] = [];
  for (let n = 0; n < COMMANDS; n++) {
    const at = Math.floor(random() * ports.length);
    const command = drawCommand(random);
    history.push(`${at}: ${command.join(' ').slice(0, 60)}`);
    theirs[at]!.send(command);
    // What it has for the others is sent before it answers them.
    await theirs[at]!.until((text) => text !== '');
    for (const each of theirs) {
      each.send(['PING', `mark ${n}`]);
      await each.until((text) => text.endsWith(`mark ${n}\r\n`));
      each.text = each.text.replace(/(\*2\r\n\$4\r\npong\r\n)?\$\d+\r\nmark \d+\r\n$/, '');
    }
    ours[at]!.send(command);
    for (const [i, each] of ours.entries()) {
      const expected = withoutId(theirs[i]!.text);
      await each.until((text) => withoutId(text).length >= expected.length);
      if (inOrder(each.text, command) === inOrder(theirs[i]!.text, command)) continue;
      t.equal(withoutId(each.text).slice(0, 500), expected.slice(0, 500), `seed ${seed}`, {
        connection: i,
        recent: history.slice(-20),
      });
      return;
    }
    for (const each of [...theirs, ...ours]) each.text = '';
    if (/^(S|P)?UNSUB|^RESET/i.test(command[0]!)) await sameCounts(theirCounts, ourCounts);
  }
  t.pass(`seed ${seed}: ${COMMANDS} commands`);
}

const missing = missingRedis();

t.test('subscribers see what they would see on Redis', { skip: missing ?? false }, async (t) => {
  t.comment(`SEED=${SEED}`);
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const { nodes } = await TestCluster.start(t, 3);
  const ports = nodes.map(({ port }) => port);
  for (let i = 0; i < 4; i++) await compare(t, server.port, ports, Number(SEED) + i);
});
