import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { seededRandom } from '../store/seeded-random.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { encodeCommand, type Reply, ReplyReader } from '../support/resp.js';
import { delay, TestCluster } from '../support/test-cluster.js';
import { RandomCollections } from './random-collections.js';
import { RandomCommands } from './random-commands.js';

/** Commands per seed; another first seed with SEED. */
const { EVENT_COMMANDS = 150, SEED = 20_000 } = process.env;
const COMMANDS = Number(EVENT_COMMANDS);
const FIRST_SEED = Number(SEED);
/** An event that is not there by then never comes. */
const EVENT_MS = 3000;

t.setTimeout(180_000);

const itemsOf = (reply: Reply): readonly Reply[] => ('items' in reply ? reply.items : []);
const textOf = (reply: Reply | undefined): string =>
  reply !== undefined && 'text' in reply ? reply.text : '';

/** A subscriber of all keyspace events, each kept as "channel message". */
class EventListener {
  readonly events: string[] = [];
  #changed: () => void = () => undefined;
  #pongs = 0;
  readonly #send: (args: readonly string[]) => void;

  private constructor(send: (args: readonly string[]) => void) {
    this.#send = send;
  }

  static async open(t: Test, port: number): Promise<EventListener> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    t.teardown(() => socket.destroy());
    const listener = new EventListener((args) => socket.write(encodeCommand(args)));
    const reader = new ReplyReader();
    let isSubscribed = false;
    socket.on('data', (chunk: Buffer) => {
      reader.feed(chunk);
      for (let next = reader.next(); next !== null; next = reader.next()) {
        const words = itemsOf(next.reply).map(textOf);
        if (words[0] === 'pmessage') listener.#heard(`${words[2]} ${words[3]}`);
        else if (words[0] === 'pong') listener.#pongs++;
        else isSubscribed = true;
      }
      listener.#changed();
    });
    listener.#send(['PSUBSCRIBE', '__key*']);
    while (!isSubscribed) await listener.#next();
    return listener;
  }

  /** When a key's time has come, each of the two finds by itself. */
  #heard(event: string): void {
    if (!/expired/.test(event)) this.events.push(event);
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  /** What was published before now is there, where everything is one server. */
  async all(): Promise<string[]> {
    const pongs = this.#pongs;
    this.#send(['PING']);
    while (this.#pongs === pongs) await this.#next();
    return this.events.splice(0);
  }

  /** Waits for so many, and takes what is there. */
  async take(count: number): Promise<string[]> {
    const late = delay(EVENT_MS).then(() => true);
    while (this.events.length < count) {
      if ((await Promise.race([this.#next(), late])) === true) break;
    }
    return this.events.splice(0);
  }
}

/** Each key's events in their order: commands on several keys run on several nodes. */
function byKey(events: readonly string[]): string[] {
  const keyOf = (event: string): string => {
    const keyspace = /^__keyspace@(\d+)__:(.*) (\S+)$/s.exec(event);
    if (keyspace !== null) return `${keyspace[1]} ${keyspace[2]}`;
    const [, db, key] = /^__keyevent@(\d+)__:\S+ (.*)$/s.exec(event)!;
    return `${db} ${key}`;
  };
  return events
    .map((event, i) => ({ event, key: keyOf(event), i }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.i - b.i))
    .map(({ event }) => event);
}

interface Sides {
  readonly redis: RespConnection;
  readonly tandis: readonly RespConnection[];
  readonly theirs: EventListener;
  readonly ours: EventListener;
}

async function compare(t: Test, sides: Sides, commands: { next(): string[] }, seed: number) {
  const { redis, tandis, theirs, ours } = sides;
  for (const connection of [redis, ...tandis]) await connection.ask('FLUSHALL');
  await theirs.all();
  ours.events.length = 0;
  const isOne = tandis.length === 1;
  const history: string[] = [];
  for (let n = 0; n < COMMANDS; n++) {
    const command = commands.next();
    if (/^(SELECT|HELLO|AUTH|CLIENT|CONFIG|SWAPDB)$/i.test(command[0]!)) continue;
    history.push(JSON.stringify(command.map((arg) => arg.slice(0, 40))));
    await redis.ask(...command);
    await tandis[n % tandis.length]!.ask(...command);
    const expected = await theirs.all();
    const found = await ours.take(expected.length);
    const order = isOne ? (events: string[]) => events : byKey;
    if (String(order(found)) === String(order(expected))) continue;
    t.same(order(found), order(expected), `seed ${seed}, command ${n}`, {
      recent: history.slice(-10),
    });
    return;
  }
  t.pass(`seed ${seed}: the events of ${COMMANDS} commands`);
}

async function compareAll(t: Test, server: RedisServer, ports: readonly number[]) {
  t.comment(`SEED=${FIRST_SEED}`);
  const open = async (port: number): Promise<RespConnection> => {
    const connection = await RespConnection.open(port);
    t.teardown(() => connection.close());
    return connection;
  };
  const redis = await open(server.port);
  const tandis = await Promise.all(ports.map(open));
  for (const connection of [redis, tandis[0]!])
    await connection.ask('CONFIG', 'SET', 'notify-keyspace-events', 'AKEnm');
  const sides: Sides = {
    redis,
    tandis,
    theirs: await EventListener.open(t, server.port),
    ours: await EventListener.open(t, ports.at(-1)!),
  };
  for (const [i, families] of ['', 'h', 's', 'l', 'z', 'zs', 'lhsz'].entries()) {
    const random = seededRandom(FIRST_SEED + i);
    const mix = { floats: true, swapdb: false, gathers: true };
    const commands =
      families === ''
        ? new RandomCommands(random, mix, Date.now())
        : new RandomCollections(random, families);
    await compare(t, sides, commands, FIRST_SEED + i);
  }
}

const missing = missingRedis();

t.test('keyspace events are those of a real Redis', { skip: missing ?? false }, async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  await t.test('of one node', async (t) => {
    const { nodes } = await TestCluster.start(t, 1);
    await compareAll(t, server, [nodes[0]!.port]);
  });
  await t.test('of three nodes', async (t) => {
    const { nodes } = await TestCluster.start(t, 3);
    await compareAll(
      t,
      server,
      nodes.map(({ port }) => port),
    );
  });
});
