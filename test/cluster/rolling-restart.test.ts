import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import {
  delay,
  type NodeProcess,
  type ProcessSetup,
  TestCluster,
} from '../support/test-cluster.js';

const KEYS_PER_CLIENT = 50;
/** Clients of each node, by how many nodes there are: as many commands at a time as a small machine bears. */
const CLIENTS_PER_NODE = { 3: 4, 5: 2 };

/** Between two rounds of a user, milliseconds: nodes that hand over are to have the processors, too. Too short to be sent away in. */
const THINKING_MS = 2;

/** One user of a node, who goes on and on: each command once, as its client library sends it, with its ordinary retries. */
class User {
  readonly name: string;
  readonly errors: string[] = [];
  /** Commands that were answered. */
  answered = 0;
  readonly #client: Redis;
  readonly #values = new Map<string, string>();
  #increments = 0;
  #isRunning = true;

  constructor(name: string, node: NodeProcess) {
    this.name = name;
    this.#client = new Redis({ host: '127.0.0.1', port: node.port });
    // Each refused connection is an event; what counts is what the commands' callers are told.
    this.#client.on('error', () => undefined);
  }

  async run(): Promise<void> {
    for (let round = 0; this.#isRunning; round++) {
      const key = `${this.name}:${round % KEYS_PER_CLIENT}`;
      const value = `${round} ${'x'.repeat(round % 700)}`;
      try {
        await this.#client.set(key, value);
        this.#values.set(key, value);
        await this.#client.incr(`${this.name}:count`);
        this.#increments++;
        const read = await this.#client.get(key);
        if (read !== value) this.errors.push(`${key}: read ${read?.slice(0, 20)} after ${round}`);
        this.answered += 3;
        await delay(THINKING_MS);
      } catch (error) {
        this.errors.push(String(error));
      }
    }
  }

  stop(): void {
    this.#isRunning = false;
  }

  close(): void {
    this.#isRunning = false;
    this.#client.disconnect();
  }

  /** What is not as it was acknowledged, read through that node. */
  async wrong(node: NodeProcess): Promise<string[]> {
    const keys = [...this.#values.keys()];
    const values = await node.client.mget(keys);
    const wrong = keys.filter((key, i) => values[i] !== this.#values.get(key));
    const count = Number(await node.client.get(`${this.name}:count`));
    // Neither lost nor done twice.
    if (count !== this.#increments) wrong.push(`${count} of ${this.#increments} increments`);
    return wrong;
  }
}

const PREVIOUS_RELEASE = new URL('../support/previous-release.js', import.meta.url).href;
const NEXT_RELEASE = new URL('../support/next-release.js', import.meta.url).href;

t.test(
  'a rolling restart under load, into the next release: no client sees an error, nothing is lost',
  (t) => restartAll(t, 3, { preload: [NEXT_RELEASE] }),
);

t.test('a rolling restart of five nodes under load: the same', (t) => restartAll(t, 5));

/** `next`: how a node is run from its restart on. */
async function restartAll(t: Test, nodes: 3 | 5, next: ProcessSetup = {}): Promise<void> {
  const cluster = await TestCluster.start(t, nodes);
  const users = cluster.nodes.flatMap((node, n) =>
    Array.from({ length: CLIENTS_PER_NODE[nodes] }, (_, i) => new User(`user:${n}:${i}`, node)),
  );
  t.teardown(() => users.forEach((user) => void user.close()));
  const running = users.map((user) => user.run());
  for (const node of cluster.nodes) {
    const began = performance.now();
    t.equal(await node.end('SIGTERM'), 0, 'left in good order');
    const leftMs = performance.now() - began;
    node.setup = next;
    node.start();
    await cluster.settled();
    t.comment(
      `left after ${leftMs.toFixed(0)} ms, back after ${(performance.now() - began).toFixed(0)}`,
    );
  }
  for (const user of users) user.stop();
  await Promise.all(running);
  await cluster.settled();
  const answered = users.reduce((sum, user) => sum + user.answered, 0);
  t.comment(`${answered} commands answered`);
  t.ok(answered > 1000);
  t.same(
    users.flatMap((user) => user.errors),
    [],
  );
  for (const node of cluster.nodes) {
    const wrong = await Promise.all(users.map((user) => user.wrong(node)));
    t.same(wrong.flat(), [], 'every acknowledged change is there, once');
  }
}

t.test('the release after the next one is not let in, and costs nobody anything', async (t) => {
  const cluster = await TestCluster.prepare(t, [[], []]);
  const [first, second] = cluster.nodes as [NodeProcess, NodeProcess];
  first.setup = { preload: [NEXT_RELEASE] };
  first.start();
  await cluster.settled();
  second.setup = { preload: [PREVIOUS_RELEASE] };
  second.start();
  await first.logged(/protocol 1, not 3/);
  await second.logged(/protocol 3, not 1/);
  t.equal(await first.client.set('key', 'value'), 'OK');
  t.equal((await first.facts())['members'], '1');
  t.equal(await second.end('SIGTERM'), 0);
});
