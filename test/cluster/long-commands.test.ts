import { once } from 'node:events';
import t, { type Test } from 'tap';
import { clientOf, type NodeProcess, TestCluster } from '../support/test-cluster.js';

/** One command with very many keys holds up nobody else. Counted in answers that others get meanwhile, not in time. */

const KEYS = 40_000;
/** Of these so many exist. */
const PRESENT = 4000;
/** A command of KEYS keys takes forty turns of the event loop; in one turn, one or two answers would come. */
const ANSWERS_MIN = 8;
/** On a busy machine it may be the client that does not get its turn; a node that stands still fails every time. */
const TRIES = 10;

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `key:${i}`);

async function load({ client }: NodeProcess): Promise<void> {
  const keys = names(PRESENT);
  for (let i = 0; i < PRESENT; i += 1000) {
    await Promise.all(keys.slice(i, i + 1000).map((key) => client.set(key, `value of ${key}`)));
  }
}

/** The command's reply, and how many PINGs another connection had answered one after the other until it came. */
async function beside(node: NodeProcess, command: string, keys: readonly string[]) {
  const other = clientOf(node.port);
  const long = clientOf(node.port);
  await Promise.all([other.ping(), long.ping()]);
  let isOver = false;
  const reply = long.call(command, [...keys]).finally(() => {
    isOver = true;
  });
  let answers = 0;
  while (!isOver) {
    await other.ping();
    answers++;
  }
  const result = await reply;
  other.disconnect();
  long.disconnect();
  return { result, answers };
}

/** Runs the command through `node` on keys that are loaded through `home`. */
async function letsOthersIn(t: Test, command: string, node: NodeProcess, home = node) {
  let most = 0;
  for (let tried = 0; tried < TRIES && most < ANSWERS_MIN; tried++) {
    await load(home);
    const { result, answers } = await beside(node, command, names(KEYS));
    if (Array.isArray(result)) {
      const isRight = (value: unknown, i: number) =>
        value === (i < PRESENT ? `value of key:${i}` : null);
      t.ok(result.every(isRight), 'MGET: every value in its place');
    } else t.equal(result, PRESENT, command);
    most = Math.max(most, answers);
  }
  t.ok(most >= ANSWERS_MIN, `${command}: ${most} answers meanwhile`);
}

async function longCommands(t: Test, node: NodeProcess): Promise<void> {
  for (const command of ['EXISTS', 'TOUCH', 'MGET', 'DEL', 'UNLINK']) {
    await letsOthersIn(t, command, node);
  }
}

t.test('many keys in one command: a node that is alone', async (t) => {
  const cluster = await TestCluster.start(t, 1);
  const [node] = cluster.nodes as [NodeProcess];
  await longCommands(t, node);
  const { client } = node;
  const keys = names(KEYS);
  const pipelined = client
    .pipeline()
    .del(...keys)
    .set(keys[KEYS - 1]!, 'x')
    .exists(...keys);
  t.same(
    (await pipelined.exec())!.map(([, reply]) => reply),
    [0, 'OK', 1],
    'what its client sends behind it does not overtake it',
  );
  const closing = clientOf(node.port);
  await closing.ping();
  closing.call('DEL', ...keys).catch(() => undefined);
  closing.disconnect();
  await once(closing, 'end');
  t.equal(await client.ping(), 'PONG', 'a client that does not wait for its reply');
});

t.test('many keys in one command: a cluster', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  await longCommands(t, a);
  await letsOthersIn(t, 'DEL', b, a);
});

/** MSET of KEYS pairs, some of which exist; others are answered meanwhile, and see all of it or nothing. */
async function setsLetOthersIn(t: Test, nodes: readonly NodeProcess[]): Promise<void> {
  const [node] = nodes as [NodeProcess];
  const keys = names(KEYS);
  let most = 0;
  for (let tried = 0; tried < TRIES && most < ANSWERS_MIN; tried++) {
    const value = `set ${tried}`;
    const { result, answers } = await beside(
      node,
      'MSET',
      keys.flatMap((key) => [key, value]),
    );
    t.equal(result, 'OK');
    most = Math.max(most, answers);
    for (const { client } of nodes) {
      t.ok(
        (await client.mget(keys)).every((found) => found === value),
        'all are set, everywhere',
      );
    }
  }
  t.ok(most >= ANSWERS_MIN, `MSET: ${most} answers meanwhile`);
}

t.test('MSET of very many pairs: a node that is alone', async (t) => {
  const cluster = await TestCluster.start(t, 1);
  await setsLetOthersIn(t, cluster.nodes);
  const [{ client }] = cluster.nodes as [NodeProcess];
  const pairs = names(KEYS).flatMap((key) => [`${key}:x`, 'x']);
  t.equal(await client.call('MSETNX', pairs), 1);
  t.equal(await client.call('MSETNX', ['absent', 'x', ...pairs]), 0);
  t.equal(await client.dbsize(), 2 * KEYS);
});

t.test('MSET of very many pairs: a cluster', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  await load(b);
  await setsLetOthersIn(t, cluster.nodes);
  await cluster.settled();
  t.equal(await a.client.dbsize(), KEYS);
});

t.test('MSET of many keys that are all here', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  await load(a);
  const keys = names(PRESENT);
  t.equal(await a.client.mset(keys.flatMap((key) => [key, 'new'])), 'OK');
  t.ok((await b.client.mget(keys)).every((value) => value === 'new'));
  await cluster.settled();
});
