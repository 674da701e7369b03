import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Browser } from '../support/browser.js';
import { StickyBalancer } from '../support/sticky-balancer.js';
import { type NodeProcess, run, TestCluster } from '../support/test-cluster.js';

const APP = fileURLToPath(new URL('../support/express-app.js', import.meta.url));
const USERS = 200;
const START_MS = 20_000;

/** One instance of the application, on its own Tandis node. */
class Instance {
  readonly #child: ChildProcess;
  readonly port: Promise<number>;
  log = '';

  constructor(client: string, node: NodeProcess) {
    let listens: (port: number) => void;
    this.port = new Promise((resolve, reject) => {
      listens = resolve;
      setTimeout(() => reject(new Error(`no application:\n${this.log}`)), START_MS).unref();
    });
    this.#child = run([APP, client, String(node.port)], (text) => {
      this.log += text;
      const port = /listening on (\d+)/.exec(this.log)?.[1];
      if (port !== undefined) listens(Number(port));
    });
  }

  /** Changes of sessions that the application was told may be lost. */
  get unknownOutcomes(): number {
    return [...this.log.matchAll(/Error.*: ERR outcome unknown/g)].length;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Somebody who asks for one page after the other. */
class User {
  readonly name: string;
  readonly #url: string;
  readonly #browser = new Browser<{ user?: string; views?: number }>();
  views = 0;
  /** Pages whose count was that of the page before: the store has not kept it. */
  repeats = 0;
  /** What must not happen to a user, in words. */
  readonly complaints: string[] = [];

  constructor(name: string, balancer: StickyBalancer) {
    this.name = name;
    this.#url = `http://127.0.0.1:${balancer.port}`;
  }

  async login(): Promise<void> {
    const { status } = await this.#browser.fetch('POST', `${this.#url}/login/${this.name}`);
    if (status !== 200) this.complaints.push(`login: ${status}`);
  }

  async view(): Promise<void> {
    const { status, body } = await this.#browser.fetch('GET', `${this.#url}/`);
    const { user, views } = body;
    if (status !== 200 || user !== this.name) {
      this.complaints.push(`logged out: ${status} ${JSON.stringify(body)}`);
      return;
    }
    if (views === undefined || views < this.views) {
      this.complaints.push(`the counter went back from ${this.views} to ${views}`);
    }
    if (views === this.views) this.repeats++;
    this.views = views ?? this.views;
  }
}

/** Every user asks for a page, all at the same time; `halfway` runs when half of them have it. */
async function everybodyViews(users: readonly User[], halfway = async () => {}): Promise<void> {
  let answered = 0;
  let done: Promise<void> | undefined;
  await Promise.all(
    users.map(async (user) => {
      await user.view();
      if (++answered === users.length / 2) done = halfway();
    }),
  );
  await done;
}

async function survives(t: Test, client: string, kills: number): Promise<void> {
  const cluster = await TestCluster.start(t, 3);
  const instances = cluster.nodes.map((node) => new Instance(client, node));
  t.teardown(async () => {
    await Promise.all(instances.map((instance) => instance.kill()));
    if (!t.passing()) for (const { log } of instances) process.stderr.write(log);
  });
  const balancer = await StickyBalancer.start(await Promise.all(instances.map((one) => one.port)));
  t.teardown(() => balancer.close());
  const users = Array.from({ length: USERS }, (_, i) => new User(`user${i}`, balancer));
  await Promise.all(users.map((user) => user.login()));
  await everybodyViews(users);
  const held = await Promise.all(cluster.nodes.map((node) => node.facts()));
  t.same(
    held.map((facts) => Number(facts['primaries']) > USERS / 4),
    [true, true, true],
    'each node is the primary of the sessions of its own users',
  );

  let unknownOutcomes = 0;
  for (let victim = 0; victim < kills; victim++) {
    await everybodyViews(users);
    await everybodyViews(users, async () => {
      await Promise.all([cluster.nodes[victim]!.end('SIGKILL'), instances[victim]!.kill()]);
    });
    await everybodyViews(users);
    await cluster.settled();
    await everybodyViews(users);
    t.same(
      users.flatMap(({ name, complaints }) => complaints.map((what) => `${name}: ${what}`)),
      [],
      'nobody was logged out, no counter went back',
    );
    unknownOutcomes = instances.reduce((sum, one) => sum + one.unknownOutcomes, unknownOutcomes);
    if (victim + 1 === kills) break;
    cluster.nodes[victim]!.start();
    await cluster.settled();
    instances[victim] = new Instance(client, cluster.nodes[victim]!);
    balancer.instances[victim] = await instances[victim]!.port;
  }
  const repeats = users.reduce((sum, user) => sum + user.repeats, 0);
  t.ok(repeats <= unknownOutcomes, `${repeats} repeats, ${unknownOutcomes} unknown outcomes`);
  t.ok(balancer.failedOver > 0, 'users have changed their instance');
  const views = users.reduce((sum, user) => sum + user.views, 0);
  t.comment(`${views} page views, ${balancer.failedOver} requests went to another instance`);
  t.comment(`${unknownOutcomes} changes with an unknown outcome, ${repeats} counts seen twice`);
}

t.test('connect-redis over redis: two nodes and their applications are killed in turn', (t) =>
  survives(t, 'redis', 2),
);

t.test('connect-redis over ioredis: a node and its application are killed', (t) =>
  survives(t, 'ioredis', 1),
);
