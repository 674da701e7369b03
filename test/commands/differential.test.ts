import t, { type Test } from 'tap';
import { seededRandom } from '../store/seeded-random.js';
import { type FakeClient, TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { type Reply, ReplyReader } from '../support/resp.js';
import { TestCluster } from '../support/test-cluster.js';
import { RandomBits } from './random-bits.js';
import { RANDOM, RandomCollections, UNORDERED, UNORDERED_SCANS } from './random-collections.js';
import { KEYS, RandomCommands } from './random-commands.js';
import { type Commands, OTHER_CLIENT, RandomTransactions } from './random-transactions.js';

/**
 * Commands per seed and protocol; more with DIFFERENTIAL_COMMANDS, and other commands with SEED. A change is tested with the
 * same commands each time: what new ones find is a flaw that was there before, and not one of the change.
 */
const isSample = process.env['TEST_SAMPLE'] === '1';
const { DIFFERENTIAL_COMMANDS, SEED = 20_000 } = process.env;
const COMMANDS = Number(DIFFERENTIAL_COMMANDS ?? (isSample ? 500 : 1500));
const FIRST_SEED = Number(SEED);
const SEEDS = 4;
/** Commands that are sent on before the first of them is answered. */
const PIPELINE = 20;
/** How far clocks of the two may be apart when they show the same expiry. */
const CLOCK_TOLERANCE_MS = 2000;

interface Answer {
  readonly reply: Reply;
  readonly bytes: string;
}

/** One of the two that are compared. */
interface Target {
  readonly can: { readonly swapdb: boolean; readonly gathers: boolean };
  /** So many commands are sent at once; one unless given. */
  readonly pipeline?: number;
  /** What is asked goes through several connections. */
  readonly turns?: boolean;
  ask(...args: string[]): Promise<Answer>;
  /** Asked by another client, of another node where there are several. */
  askAsOther(...args: string[]): Promise<Answer>;
}

const itemsOf = (reply: Reply): readonly Reply[] => ('items' in reply ? reply.items : []);
const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');
/** References of an object that all keys with its value have in common. */
const SHARED = '2147483647';
const sorted = (replies: readonly Reply[]) => replies.map((one) => JSON.stringify(one)).sort();

/** A Tandis node without cluster and sockets. */
function inProcess(): Target {
  const node = new TestNode();
  node.time = Date.now();
  const askAs =
    (client: FakeClient): Target['ask'] =>
    async (...args) => {
      node.advance(Date.now() - node.time);
      let bytes = node.run(client, ...args);
      for (let i = 0; bytes === '' && i < 10; i++) {
        node.advance(1);
        bytes = client.replies();
      }
      const reader = new ReplyReader();
      reader.feed(Buffer.from(bytes, 'latin1'));
      return reader.next()!;
    };
  return {
    can: { swapdb: true, gathers: true },
    ask: askAs(node.connect()),
    askAsOther: askAs(node.connect()),
  };
}

async function connected(t: Test, port: number): Promise<RespConnection> {
  const connection = await RespConnection.open(port);
  t.teardown(() => connection.close());
  return connection;
}

/** What belongs to a connection has to be told to each. */
const CONNECTION_COMMANDS = ['RESET', 'SELECT', 'HELLO', 'CLIENT', 'AUTH', 'CONFIG'];

/** From the first to the last of these a client stays on its connection. */
const BEGIN_TRANSACTION = ['WATCH', 'MULTI'];
const END_TRANSACTION = ['EXEC', 'DISCARD'];

/**
 * What is asked at one moment goes through one connection, what is asked next through the next one; a transaction
 * through one.
 */
function inTurns(connections: readonly RespConnection[]): Target['ask'] {
  let turn = 0;
  let open = 0;
  let isTransaction = false;
  return async (...args) => {
    const name = args[0]!.toUpperCase();
    if (open++ === 0 && !isTransaction) turn = (turn + 1) % connections.length;
    isTransaction =
      !END_TRANSACTION.includes(name) && (isTransaction || BEGIN_TRANSACTION.includes(name));
    const isForAll = CONNECTION_COMMANDS.includes(args[0]!.toUpperCase());
    const used = isForAll ? connections : [connections[turn]!];
    try {
      const answers = await Promise.all(used.map((connection) => connection.ask(...args)));
      return answers[0]!;
    } finally {
      open--;
    }
  };
}

const milliseconds: Readonly<Record<string, number>> = {
  TTL: 1000,
  EXPIRETIME: 1000,
  PTTL: 1,
  PEXPIRETIME: 1,
};

const asAnswer = (reply: Reply): Answer => ({ reply, bytes: JSON.stringify(reply) });

/** What a client has queued since MULTI, by the replies. */
class Queue {
  #commands: (readonly string[])[] | null = null;

  /** The commands that this one runs; null for a command that is none of a transaction's. */
  ran(command: readonly string[], reply: Reply): readonly (readonly string[])[] | null {
    const name = command[0]!.toUpperCase();
    const commands = this.#commands;
    if (name === 'MULTI' && textOf(reply) === 'OK') this.#commands = [];
    else if (textOf(reply) === 'QUEUED') commands?.push(command);
    else if (END_TRANSACTION.includes(name)) this.#commands = null;
    return name === 'EXEC' ? commands : null;
  }
}

function isSameExec(
  commands: readonly (readonly string[])[],
  ours: Answer,
  theirs: Answer,
): boolean {
  const [a, b] = [itemsOf(ours.reply), itemsOf(theirs.reply)];
  return (
    a.length === commands.length &&
    b.length === commands.length &&
    commands.every((command, i) => isSame(command, asAnswer(a[i]!), asAnswer(b[i]!)))
  );
}

/** Whether two replies say the same, but for what Redis leaves open. */
function isSame(command: readonly string[], ours: Answer, theirs: Answer): boolean {
  if (ours.bytes === theirs.bytes) return true;
  const name = command[0]!.toUpperCase();
  const [a, b] = [ours.reply, theirs.reply];
  if (a.type !== b.type) return false;
  const unitMs = milliseconds[name];
  if (unitMs !== undefined && a.type === ':') {
    const [x, y] = [Number(textOf(a)), Number(textOf(b))];
    // Expiries beyond 2^53 ms, 285,000 years, are kept as that moment.
    if (Math.min(x, y) * unitMs > 2 ** 52) return true;
    return x > 0 && y > 0 && Math.abs(x - y) * unitMs <= CLOCK_TOLERANCE_MS;
  }
  const together = UNORDERED[name];
  if (together !== undefined) return isSameInAnyOrder(itemsOf(a), itemsOf(b), together);
  const scanned = UNORDERED_SCANS[name];
  if (scanned !== undefined) {
    const [[ourCursor, ourItems], [theirCursor, theirItems]] = [itemsOf(a), itemsOf(b)];
    if (!ourCursor || !ourItems || !theirCursor || !theirItems) return false;
    const isSameCursor = textOf(ourCursor) === textOf(theirCursor);
    return isSameCursor && isSameInAnyOrder(itemsOf(ourItems), itemsOf(theirItems), scanned);
  }
  if (RANDOM.includes(name)) return isSameShape(a, b);
  switch (name) {
    case 'KEYS':
      return String(sorted(itemsOf(a))) === String(sorted(itemsOf(b)));
    case 'SCAN': {
      const [ourCursor, ourKeys] = itemsOf(a);
      const [theirCursor, theirKeys] = itemsOf(b);
      if (!ourKeys || !theirKeys || !ourCursor || !theirCursor) return false;
      return (
        textOf(ourCursor) === textOf(theirCursor) &&
        String(sorted(itemsOf(ourKeys))) === String(sorted(itemsOf(theirKeys)))
      );
    }
    case 'WAIT':
      return a.type === ':' && (textOf(a) === '0' || textOf(a) === '1');
    case 'RANDOMKEY':
      return a.type === '$';
    case 'OBJECT':
      // Redis has one object for all keys with the same small integer, and shows when that was used.
      if (command[1]!.toUpperCase() === 'IDLETIME') return a.type === ':';
      // A copy that COPY has made of one has that object for itself.
      return textOf(a) === SHARED && textOf(b) === '1';
    case 'HELLO':
      return (
        a.type !== '-' &&
        itemsOf(a).every((item, i) => {
          const isId = textOf(itemsOf(a)[i - 1] ?? item) === 'id';
          return isId || JSON.stringify(item) === JSON.stringify(itemsOf(b)[i]);
        })
      );
    default:
      return false;
  }
}

function isSameInAnyOrder(a: readonly Reply[], b: readonly Reply[], together: 1 | 2): boolean {
  const grouped = (replies: readonly Reply[]): string[] =>
    Array.from({ length: Math.ceil(replies.length / together) }, (_, i) =>
      JSON.stringify(replies.slice(i * together, (i + 1) * together)),
    ).sort();
  return a.length === b.length && String(grouped(a)) === String(grouped(b));
}

/** Random elements: as many of them, each of the same type. */
function isSameShape(a: Reply, b: Reply): boolean {
  const [ours, theirs] = [itemsOf(a), itemsOf(b)];
  if (a.type !== b.type || ours.length !== theirs.length) return false;
  if (a.type === '-' && textOf(a) !== textOf(b)) return false;
  return ours.every((item, i) => isSameShape(item, theirs[i]!));
}

/** Where two replies part, for the one line that is always shown. */
function difference(command: readonly string[], ours: Answer, theirs: Answer): string {
  let at = 0;
  while (at < ours.bytes.length && ours.bytes[at] === theirs.bytes[at]) at++;
  const from = Math.max(0, at - 10);
  const shown = [ours, theirs].map(({ bytes }) => JSON.stringify(bytes.slice(from, at + 30)));
  return `${command[0]}, byte ${at}: ${shown[0]}, Redis: ${shown[1]}`;
}

const noAnswer = (error: Error): Answer => ({
  reply: { type: '-', text: error.message },
  bytes: error.message,
});

const DATABASE_COMMANDS = ['FLUSHALL', 'FLUSHDB', 'SELECT', 'SWAPDB'];
const RELATED_MAX = 20;

/** What may have led to the last command's reply: the latest ones that share an argument with it or concern databases. */
function related(history: readonly string[][]): string[][] {
  const last = history.at(-1)!;
  if (END_TRANSACTION.includes(last[0]!)) return history.slice(-RELATED_MAX);
  return history
    .filter(([name, ...args]) => {
      if (DATABASE_COMMANDS.includes(name!.toUpperCase())) return true;
      return args.some((arg) => last.indexOf(arg) > 0);
    })
    .slice(-RELATED_MAX);
}

type Draw = (seed: number, tandis: Target) => Commands;

const anyCommands: Draw = (seed, tandis) => {
  const mix = { floats: seed % 2 === 0, ...tandis.can };
  return new RandomCommands(seededRandom(seed), mix, Date.now());
};
/** Each seed draws from some of the families, so that keys of one type live for a while. */
const collections: Draw = (seed) =>
  new RandomCollections(seededRandom(seed), FAMILIES[seed % FAMILIES.length]!);
/** Transactions over either. */
const transactions: Draw = (seed, tandis) => {
  const { pipeline = 1, turns = false } = tandis;
  const inner = (seed % 2 === 0 ? anyCommands : collections)(seed, tandis);
  const mix = { others: pipeline === 1, selects: !turns };
  return new RandomTransactions(seededRandom(seed + 1), inner, KEYS.slice(0, 5), mix);
};
const FAMILIES = ['z', 'zs', 'l', 'hsz', 's', 'lhsz', 'h', 'z'];

async function compare(
  t: Test,
  redis: Target,
  tandis: Target,
  draw: Draw,
  seed: number,
  proto: string,
) {
  const commands = draw(seed, tandis);
  const queue = new Queue();
  for (const target of [redis, tandis]) {
    await target.ask('RESET');
    await target.ask('FLUSHALL');
    await target.ask('SELECT', '0');
    await target.ask('CLIENT', 'SETNAME', '');
    await target.ask('HELLO', proto);
  }
  const history: string[][] = [];
  const { pipeline = 1 } = tandis;
  while (history.length < COMMANDS) {
    const sent = Array.from({ length: pipeline }, () => commands.next());
    const answers = await Promise.all(
      sent.map(([name, ...args]) =>
        name === OTHER_CLIENT
          ? Promise.all([redis.askAsOther(...args), tandis.askAsOther(...args)])
          : Promise.all([redis.ask(name!, ...args), tandis.ask(name!, ...args).catch(noAnswer)]),
      ),
    );
    for (const [i, command] of sent.entries()) {
      const [theirs, ours] = answers[i]!;
      history.push(command);
      const isOther = command[0] === OTHER_CLIENT;
      if (isSame(isOther ? command.slice(1) : command, ours, theirs)) {
        if (!isOther) queue.ran(command, theirs.reply);
        continue;
      }
      const ran = isOther ? null : queue.ran(command, theirs.reply);
      if (ran !== null && isSameExec(ran, ours, theirs)) continue;
      const where = `seed ${seed}, RESP${proto}, command ${history.length}`;
      t.equal(ours.bytes, theirs.bytes, `${where}: ${difference(command, ours, theirs)}`, {
        recent: related(history).map((one) => JSON.stringify(one.map((arg) => arg.slice(0, 60)))),
      });
      return;
    }
  }
  t.pass(`seed ${seed}, RESP${proto}: ${COMMANDS} equal replies`);
}

const bits: Draw = (seed) => new RandomBits(seededRandom(seed));

/** What is drawn, and by how many seeds: half of them in RESP2, half in RESP3. */
const DRAWS: readonly (readonly [Draw, number])[] = [
  [anyCommands, SEEDS],
  [collections, SEEDS],
  [bits, 2],
  [transactions, SEEDS],
];

async function compareAll(t: Test, redis: Target, tandis: Target) {
  t.comment(`SEED=${FIRST_SEED}`);
  for (const [draw, seeds] of DRAWS) {
    for (let i = 0; i < seeds; i++) {
      await compare(t, redis, tandis, draw, FIRST_SEED + i, i < seeds / 2 ? '2' : '3');
    }
  }
}

/** Servers behind several connections, and another client of the last of them. */
async function targetOf(t: Test, ports: readonly number[], pipeline = 1): Promise<Target> {
  const connections = await Promise.all(ports.map((port) => connected(t, port)));
  const other = await connected(t, ports.at(-1)!);
  return {
    can: { swapdb: false, gathers: true },
    turns: ports.length > 1,
    pipeline,
    ask: inTurns(connections),
    askAsOther: (...args) => other.ask(...args),
  };
}

/** Somebody uses one key after the other through these connections, so that keys move all the time. */
function stir(connections: readonly RespConnection[]): () => Promise<void> {
  let isOn = true;
  const loops = connections.map(async (connection, i) => {
    for (let turn = i; isOn; turn++) await connection.ask('STRLEN', KEYS[turn % KEYS.length]!);
  });
  return async () => {
    isOn = false;
    await Promise.all(loops);
  };
}

// Many runs against separate processes, on machines that may have other things to do.
t.setTimeout(180_000);

const missing = missingRedis();

t.test('replies are those of a real Redis', { skip: missing ?? false }, async (t) => {
  const server = await RedisServer.start('--enable-debug-command', 'yes');
  t.teardown(() => server.stop());
  const redis = await targetOf(t, [server.port]);
  await t.test('from the handlers alone', (t) => compareAll(t, redis, inProcess()));
  await t.test('from a node', async (t) => {
    const { nodes } = await TestCluster.start(t, 1);
    await compareAll(t, redis, await targetOf(t, [nodes[0]!.port]));
  });
  await t.test('from three nodes, each command through another one', async (t) => {
    const { nodes } = await TestCluster.start(t, 3);
    const ports = nodes.map((node) => node.port);
    await compareAll(t, redis, await targetOf(t, ports));
  });
  await t.test('from three nodes, in pipelines, while keys move', async (t) => {
    const { nodes } = await TestCluster.start(t, 3, '--take-over-after', '1');
    const ports = nodes.map((node) => node.port);
    const stop = stir(await Promise.all(ports.map((port) => connected(t, port))));
    await compareAll(t, redis, await targetOf(t, ports, PIPELINE));
    await stop();
  });
});
