import t, { type Test } from 'tap';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { delay, TestCluster } from '../support/test-cluster.js';

t.setTimeout(60_000);

const NODES = 3;
/** More than one turn takes (KEYS_PER_TURN): several slices. */
const LONG = 2500;
const KEYS = 60;
/** Expires while somebody waits for that. */
const SHORT_MS = 20;

async function open(t: Test, ...ports: number[]): Promise<RespConnection[]> {
  const connections = await Promise.all(ports.map((port) => RespConnection.open(port)));
  t.teardown(() => {
    for (const connection of connections) connection.close();
  });
  return connections;
}

async function ask(client: RespConnection, command: string): Promise<string> {
  return (await client.ask(...command.split(' '))).bytes;
}

/** All that one client sends, one behind the other; what it is answered. */
async function askAll(client: RespConnection, commands: readonly string[]): Promise<string[]> {
  const replies: string[] = [];
  for (const command of commands) replies.push(await ask(client, command));
  return replies;
}

t.test('EXEC that takes several turns is seen as a whole, on all nodes', async (t) => {
  const { nodes } = await TestCluster.start(t, NODES);
  const [writer, ...readers] = await open(t, ...nodes.map(({ port }) => port));
  const key = (i: number) => `k:${i % KEYS}`;
  const sets = (value: string) => Array.from({ length: LONG }, (_, i) => `SET ${key(i)} ${value}`);
  for (let i = 0; i < KEYS; i++) await ask(readers[i % 2]!, `SET ${key(i)} before`);
  const seen = new Set<string>();
  const look = async (reader: RespConnection): Promise<void> => {
    const replies = await askAll(reader, ['MULTI', 'GET k:0', `GET ${key(LONG - 1)}`, 'EXEC']);
    seen.add(replies.at(-1)!);
  };
  await Promise.all(readers.map(look));
  let isOver = false;
  const looks = readers.map(async (reader) => {
    while (!isOver) await look(reader);
    await look(reader);
  });
  const sent = ['MULTI', ...sets('after'), 'EXEC'].map((command) => ask(writer!, command));
  const replies = await Promise.all(sent);
  t.equal(replies.at(-1), `*${LONG}\r\n${'+OK\r\n'.repeat(LONG)}`);
  isOver = true;
  await Promise.all(looks);
  for (const reader of readers) {
    const after = ['MGET', ...Array.from({ length: KEYS }, (_, i) => key(i))];
    t.equal(await ask(reader, after.join(' ')), `*${KEYS}\r\n${'$5\r\nafter\r\n'.repeat(KEYS)}`);
  }
  const both = [...seen].filter((bytes) => /before/.test(bytes) && /after/.test(bytes));
  t.same(both, [], 'nobody has seen a part of it');
  t.equal(seen.size, 2, 'before and after');
});

const BLOCKING = [
  'MULTI',
  ...['BLPOP none 0', 'BRPOP none other 0', 'BLMOVE none l LEFT RIGHT 0', 'BRPOPLPUSH none l 0'],
  ...['BLMPOP 0 2 none other LEFT', 'BZPOPMIN none 0', 'BZPOPMAX none 0', 'BZMPOP 0 1 none MIN'],
  ...['RPUSH l a b c', 'BLPOP none l 0', 'BRPOP l 0', 'BLMOVE l m LEFT LEFT 0', 'BLPOP l 0'],
  ...['ZADD z 1 a 2 b', 'BZPOPMAX z 0', 'BZMPOP 0 2 none z MIN COUNT 5', 'BLPOP m x', 'BLPOP z 0'],
  'EXEC',
];

t.test(
  'a command that would wait does not, within EXEC',
  { skip: missingRedis() ?? false },
  async (t) => {
    const redis = await RedisServer.start();
    t.teardown(() => redis.stop());
    const { nodes } = await TestCluster.start(t, NODES);
    const [reference, ...clients] = await open(t, redis.port, ...nodes.map(({ port }) => port));
    for (const proto of ['2', '3']) {
      for (const client of clients) {
        const commands = ['FLUSHALL', ...BLOCKING];
        await Promise.all([client, reference!].map((one) => ask(one, `HELLO ${proto}`)));
        const [ours, theirs] = [await askAll(client, commands), await askAll(reference!, commands)];
        t.same(ours, theirs, `RESP${proto}`);
        t.match(theirs.at(-1), /^\*18\r\n/);
      }
    }
  },
);

/** What a client does, what another one does while it watches `k`, and whether time passes before and after WATCH. */
interface Watch {
  readonly before: readonly string[];
  readonly waits: 'before' | 'after' | 'never';
  readonly other: readonly string[];
}

const expiring = `SET k v PX ${SHORT_MS}`;
const WATCHES: readonly Watch[] = [
  { before: [expiring], waits: 'before', other: [] },
  { before: [expiring], waits: 'before', other: ['DEL k'] },
  { before: [expiring], waits: 'before', other: ['GET k'] },
  { before: [expiring], waits: 'before', other: ['SET k w'] },
  { before: [expiring], waits: 'before', other: ['SET k w PXAT 1'] },
  { before: [expiring], waits: 'before', other: ['SET k w', 'DEL k'] },
  { before: [expiring], waits: 'after', other: [] },
  { before: [expiring], waits: 'after', other: ['PERSIST k'] },
  { before: [], waits: 'never', other: ['SET k v PXAT 1'] },
  { before: [], waits: 'never', other: ['SET k v PXAT 1', 'GET k'] },
  { before: [], waits: 'after', other: [expiring] },
  { before: [], waits: 'never', other: ['DEL k'] },
  { before: [], waits: 'never', other: ['SELECT 1', 'SET k v', 'DEL k', 'SELECT 0'] },
  { before: ['SET k v'], waits: 'never', other: ['SET k v PXAT 1'] },
  { before: ['SET k v'], waits: 'never', other: ['PEXPIREAT k 1'] },
  { before: [], waits: 'never', other: ['PEXPIREAT k 1'] },
];

/** Whether the transaction of somebody who watches `k` has run. */
async function watched(
  client: RespConnection,
  other: RespConnection,
  { before, waits, other: others }: Watch,
): Promise<boolean> {
  for (;;) {
    const since = performance.now();
    await askAll(other, ['DEL k', ...before]);
    if (waits === 'before') await delay(2 * SHORT_MS);
    await ask(client, 'WATCH k');
    // On a busy machine it may have expired too soon.
    if (waits !== 'after' || performance.now() - since < SHORT_MS) break;
    await ask(client, 'UNWATCH');
  }
  await askAll(other, others);
  if (waits === 'after') await delay(2 * SHORT_MS);
  const replies = await askAll(client, ['MULTI', 'PING', 'EXEC']);
  return replies.at(-1) === '*1\r\n+PONG\r\n';
}

t.test(
  'keys that expire while they are watched are those of Redis',
  { skip: missingRedis() ?? false },
  async (t) => {
    const redis = await RedisServer.start();
    t.teardown(() => redis.stop());
    const { nodes } = await TestCluster.start(t, NODES);
    const ports = nodes.map(({ port }) => port);
    const [one, two, ...clients] = await open(t, redis.port, redis.port, ...ports);
    for (const watch of WATCHES) {
      const expected = await watched(one!, two!, watch);
      for (let i = 0; i < NODES; i++) {
        const other = clients[(i + 1) % NODES]!;
        const { before, waits, other: others } = watch;
        const title = `${before} | WATCH k | ${others} (time passes: ${waits}), from node ${i}`;
        t.equal(await watched(clients[i]!, other, watch), expected, title);
      }
    }
  },
);
