import t, { type Test } from 'tap';
import { seededRandom } from '../store/seeded-random.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { delay, TestCluster } from '../support/test-cluster.js';

/** Steps per seed; more with BLOCKING_STEPS, and another first seed with SEED. */
const { BLOCKING_STEPS = 120, SEED = 20_000 } = process.env;
const STEPS = Number(BLOCKING_STEPS);
const SEEDS = 4;
const CLIENTS = 5;
const KEYS = ['a', 'b', 'c'];
/** Nobody waits for it. */
const ASIDE = 'd';
const POLL_MS = 2;
/** Until then what a command sets going has come to rest. */
const REST_MS = 4000;

/** Several clients of one server, some of which wait. */
class Party {
  readonly #control: RespConnection;
  readonly #clients: readonly RespConnection[];
  readonly #ids: string[] = [];
  /** By client: what was answered since the last look; its command is not answered yet. */
  #answers: string[][] = [];
  #isOpen: boolean[] = [];

  private constructor(control: RespConnection, clients: readonly RespConnection[]) {
    this.#control = control;
    this.#clients = clients;
  }

  /** Those who wait are at `port`, as is who watches them; the last client is at `pushPort`. */
  static async open(t: Test, port: number, pushPort: number, proto: string): Promise<Party> {
    const ports = Array.from({ length: CLIENTS + 1 }, (_, i) => (i === CLIENTS ? pushPort : port));
    const all = await Promise.all(ports.map((one) => RespConnection.open(one)));
    const party = new Party(all[0]!, all.slice(1));
    t.teardown(() => party.close());
    await party.#control.ask('FLUSHALL');
    for (const client of party.#clients) {
      party.#ids.push((await client.ask('CLIENT', 'ID')).bytes.slice(1, -2));
      await client.ask('HELLO', proto);
    }
    return party;
  }

  send(index: number, args: readonly string[]): void {
    this.#isOpen[index] = true;
    void this.#clients[index]!.wait(...args).then(({ bytes }) => {
      this.#isOpen[index] = false;
      this.#answers[index] ??= [];
      this.#answers[index]!.push(bytes);
    });
  }

  unblock(index: number, reason: string): Promise<{ bytes: string }> {
    return this.#control.ask('CLIENT', 'UNBLOCK', this.#ids[index]!, reason);
  }

  /** Waits until every client is answered or waits; what they were answered, and who waits. */
  async look(): Promise<{ answers: readonly string[][]; waiting: number[] }> {
    for (const end = Date.now() + REST_MS; Date.now() < end; ) {
      const list = (await this.#control.ask('CLIENT', 'LIST')).bytes;
      // Numbers are those of a node: the last client is at another one.
      const waiting = this.#ids
        .slice(0, -1)
        .flatMap((id, i) => (new RegExp(`^id=${id} .*flags=b`, 'm').test(list) ? [i] : []));
      const open = this.#isOpen.flatMap((isOpen, i) => (isOpen ? [i] : []));
      if (String(open) === String(waiting)) return { answers: this.#answers, waiting };
      await delay(POLL_MS);
    }
    return { answers: [['some neither wait nor are answered']], waiting: [] };
  }

  close(): void {
    for (const one of [this.#control, ...this.#clients]) one.close();
  }

  take(): void {
    this.#answers = [];
  }

  async read(): Promise<string> {
    const all = [...KEYS, ASIDE].map(async (key) => {
      const type = (await this.#control.ask('TYPE', key)).bytes;
      const lists = type.startsWith('+list');
      const read = lists ? ['LRANGE', key, '0', '-1'] : ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
      return type + (await this.#control.ask(...read)).bytes;
    });
    return (await Promise.all(all)).join('');
  }
}

type Random = ReturnType<typeof seededRandom>;

/**
 * Commands of clients that may have to wait. In a cluster it is open which of two keys a client is served from where both
 * come to be at once: without `chains` no more than one does, that it waits for.
 */
function waitingCommand(random: Random, chains: boolean): string[] {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const timeout = pick(['0', '0', '0', '0', '0.01']);
  const keys = random() < 0.5 ? [pick(KEYS)] : [pick(KEYS), pick(KEYS)];
  const to = chains ? pick(KEYS) : ASIDE;
  const counted = [String(keys.length), ...keys];
  const count = random() < 0.5 ? [] : ['COUNT', pick(['1', '2', '5'])];
  const end = pick(['LEFT', 'RIGHT']);
  switch (pick([0, 0, 1, 1, 2, 3, 4, 5, 6, 7])) {
    case 0:
      return ['BLPOP', ...keys, timeout];
    case 1:
      return ['BRPOP', ...keys, timeout];
    case 2:
      return ['BLMPOP', timeout, ...counted, end, ...count];
    case 3:
      return ['BLMOVE', pick(KEYS), to, end, pick(['LEFT', 'RIGHT']), timeout];
    case 4:
      return ['BRPOPLPUSH', pick(KEYS), to, timeout];
    case 5:
      return ['BZPOPMIN', ...keys, timeout];
    case 6:
      return ['BZPOPMAX', ...keys, timeout];
    default:
      return ['BZMPOP', timeout, ...counted, pick(['MIN', 'MAX']), ...count];
  }
}

/** Commands that make others go on, or change what they wait for. */
function pushingCommand(random: Random, step: number): string[] {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const key = pick(KEYS);
  const values = [`v${step}`, `w${step}`, `x${step}`].slice(0, 1 + Math.floor(random() * 3));
  switch (pick([0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9])) {
    case 0:
      return ['RPUSH', key, ...values];
    case 1:
      return ['LPUSH', key, ...values];
    case 2:
      return ['ZADD', key, ...values.flatMap((value, i) => [String(i), value])];
    case 3:
      return ['SET', key, 'string'];
    case 4:
    case 5:
      return ['DEL', key];
    case 6:
      return ['RENAME', key, pick(KEYS)];
    case 7:
      // Over a list that somebody waits for to be a sorted set, Redis 7.0 lets him wait on: Tandis does not.
      return ['ZUNIONSTORE', ASIDE, '2', pick(KEYS), pick(KEYS)];
    case 8:
      return ['LMOVE', key, pick(KEYS), 'LEFT', 'RIGHT'];
    default:
      return ['RPUSHX', key, ...values];
  }
}

async function compare(
  t: Test,
  redis: Party,
  tandis: Party,
  seed: number,
  chains: boolean,
): Promise<void> {
  const random = seededRandom(seed);
  const history: string[] = [];
  let waiting: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const free = Array.from({ length: CLIENTS - 1 }, (_, i) => i).filter(
      (i) => !waiting.includes(i),
    );
    const luck = random();
    if (waiting.length > 0 && luck < 0.07) {
      const who = waiting[Math.floor(random() * waiting.length)]!;
      const reason = random() < 0.5 ? 'ERROR' : 'TIMEOUT';
      history.push(`${who}: unblocked by ${reason}`);
      for (const party of [redis, tandis]) await party.unblock(who, reason);
    } else {
      const isWaiting = free.length > 0 && luck < 0.55;
      const who = isWaiting ? free[Math.floor(random() * free.length)]! : CLIENTS - 1;
      const command = isWaiting ? waitingCommand(random, chains) : pushingCommand(random, step);
      history.push(`${who}: ${command.join(' ')}`);
      for (const party of [redis, tandis]) party.send(who, command);
      // What has a timeout is over before the next step.
      if (command.includes('0.01')) await delay(30);
    }
    let [theirs, ours] = await Promise.all([redis.look(), tandis.look()]);
    const isSame = () => JSON.stringify(ours) === JSON.stringify(theirs);
    for (const end = Date.now() + REST_MS; !isSame() && Date.now() < end; ) {
      await delay(POLL_MS);
      [theirs, ours] = await Promise.all([redis.look(), tandis.look()]);
    }
    const [theirKeys, ourKeys] = await Promise.all([redis.read(), tandis.read()]);
    if (!isSame() || theirKeys !== ourKeys) {
      t.same({ ...ours, keys: ourKeys }, { ...theirs, keys: theirKeys }, `seed ${seed}`, {
        recent: history.slice(-12),
      });
      return;
    }
    ({ waiting } = theirs);
    redis.take();
    tandis.take();
  }
  t.pass(`seed ${seed}: ${STEPS} steps`);
}

async function compareAll(t: Test, redis: number, tandis: number, pushPort: number) {
  t.comment(`SEED=${SEED}`);
  for (let i = 0; i < SEEDS; i++) {
    const proto = i < SEEDS / 2 ? '2' : '3';
    const parties = [
      await Party.open(t, redis, redis, proto),
      await Party.open(t, tandis, pushPort, proto),
    ] as const;
    await compare(t, ...parties, Number(SEED) + i, tandis === pushPort);
    for (const party of parties) party.close();
  }
}

t.setTimeout(120_000);

const missing = missingRedis();

t.test('clients wait as at a real Redis', { skip: missing ?? false }, async (t) => {
  const redis = await RedisServer.start();
  t.teardown(() => redis.stop());
  await t.test('at a node', async (t) => {
    const { nodes } = await TestCluster.start(t, 1);
    await compareAll(t, redis.port, nodes[0]!.port, nodes[0]!.port);
  });
  await t.test('at one of three nodes, while others push at another one', async (t) => {
    const { nodes } = await TestCluster.start(t, 3);
    await compareAll(t, redis.port, nodes[0]!.port, nodes[1]!.port);
  });
});
