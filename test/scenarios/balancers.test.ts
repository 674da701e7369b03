import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Browser } from '../support/browser.js';
import { delay, freePorts, type NodeProcess, run, TestCluster } from '../support/test-cluster.js';

/** The balancers of examples/, from Debian's packages, before three applications of which one dies with its node. */

const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
const ROUTES = ['a', 'b', 'c'];
const DOOMED = 1;
/** New users until one of them is at the application that will be killed. */
const USERS_MAX = 30;

interface Body {
  readonly views: number;
  readonly route: string;
  /** The session's, where the application shows it. */
  readonly id?: string;
}

/** Where the route stands: in a cookie of its own, or as the suffix of the session's. */
interface Way {
  readonly name: string;
  readonly app: string;
  /** The configuration of a balancer. */
  config(name: string): string;
}

const WAYS: readonly Way[] = [
  { name: 'cookie', app: 'balancing/app.js', config: (name) => `${name.split('.')[0]}/${name}` },
  { name: 'suffix', app: 'route-suffix/app.js', config: (name) => `route-suffix/${name}` },
];

interface Balancer {
  readonly program: string;
  readonly config: string;
  args(config: string, folder: string): readonly string[];
}

const BALANCERS: readonly Balancer[] = [
  {
    program: '/usr/sbin/haproxy',
    config: 'haproxy.cfg',
    args: (config) => ['-db', '-f', config],
  },
  {
    program: '/usr/sbin/nginx',
    config: 'nginx.conf',
    args: (config, folder) => ['-e', 'stderr', '-p', folder, '-c', config],
  },
  {
    program: '/usr/sbin/apache2',
    config: 'apache.conf',
    args: (config, folder) => ['-d', folder, '-f', config, '-DFOREGROUND'],
  },
];

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

async function answers(url: string, say: () => string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return;
    await delay(50);
  }
  throw new Error(`nobody answers at ${url}:\n${say()}`);
}

/** Runs a balancer with its example's configuration on ports of this test. Resolves to its address. */
async function startBalancer(t: Test, balancer: Balancer, way: Way, ports: readonly number[]) {
  const [port] = await freePorts(1);
  const folder = await mkdtemp(join(tmpdir(), 'tandis-balancer-'));
  // Its workers are another user's.
  await chmod(folder, 0o755);
  const numbers = new Map([
    ['8080', port],
    ...ports.map((own, i) => [`300${i + 1}`, own] as const),
  ]);
  const example = readFileSync(join(EXAMPLES, way.config(balancer.config)), 'utf8');
  const config = join(folder, 'config');
  await writeFile(
    config,
    example.replaceAll(/127\.0\.0\.1:(\d+)/g, (_, from) => `127.0.0.1:${numbers.get(from)}`),
  );
  const child = spawn(balancer.program, balancer.args(config, folder), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      log += chunk;
    });
  }
  t.teardown(async () => {
    await end(child, 'SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}/`;
  await answers(url, () => log);
  return url;
}

/** A user who is at a certain application, and stays there. */
async function userAt(route: string, url: string): Promise<Browser<Body>> {
  for (let attempt = 0; attempt < USERS_MAX; attempt++) {
    const user = new Browser<Body>();
    if ((await user.fetch('GET', url)).body.route === route) return user;
  }
  throw new Error(`none of ${USERS_MAX} users came to ${route}`);
}

/** The applications of a way, one beside each node. Resolves to their ports and processes. */
async function startApplications(t: Test, way: Way, nodes: readonly NodeProcess[]) {
  const ports = await freePorts(ROUTES.length);
  let log = '';
  const processes = nodes.map((node, i) => {
    const args = [String(ports[i]), `redis://127.0.0.1:${node.port}`, ROUTES[i]!];
    return run([join(EXAMPLES, way.app), ...args], (text) => {
      log += text;
    });
  });
  t.teardown(() => Promise.all(processes.map((one) => end(one, 'SIGKILL'))));
  await Promise.all(ports.map((port) => answers(`http://127.0.0.1:${port}/`, () => log)));
  return { ports, processes };
}

/** Somebody behind a balancer. */
interface User {
  readonly name: string;
  readonly url: string;
  readonly browser: Browser<Body>;
}

async function startUsers(t: Test, way: Way, nodes: readonly NodeProcess[]) {
  const { ports, processes } = await startApplications(t, way, nodes);
  const runnable = BALANCERS.filter(({ program }) => existsSync(program));
  const users = runnable.map(async (balancer): Promise<User> => {
    const url = await startBalancer(t, balancer, way, ports);
    const name = `${balancer.program}, ${way.name}`;
    return { name, url, browser: await userAt(ROUTES[DOOMED]!, url) };
  });
  return { users: await Promise.all(users), doomed: processes[DOOMED]! };
}

/** What the page says to a user whose cookie carries the route: the same as the cookie says, and the key has none of it. */
function checkSuffix(t: Test, { name, browser }: User, { route, id }: Body): void {
  if (id === undefined) return;
  t.match(browser.cookie('sid'), new RegExp(`^s%3A${id}~[^.]+\\.${route}$`), `${name}: the cookie`);
}

t.test('a user of a killed node goes on elsewhere, and the route follows', async (t) => {
  for (const { program } of BALANCERS) {
    const skip = existsSync(program) ? false : `${program} is not installed`;
    if (skip) t.test(program, { skip }, async () => {});
  }
  const cluster = await TestCluster.start(t, ROUTES.length);
  const { nodes } = cluster;
  const started = await Promise.all(WAYS.map((way) => startUsers(t, way, nodes)));
  const users = started.flatMap((one) => one.users);
  for (const user of users) {
    for (const views of [2, 3, 4]) {
      const { body } = await user.browser.fetch('GET', user.url);
      t.match(body, { views, route: ROUTES[DOOMED] }, `${user.name}: stays`);
      checkSuffix(t, user, body);
    }
  }
  await Promise.all([
    nodes[DOOMED]!.end('SIGKILL'),
    ...started.map(({ doomed }) => end(doomed, 'SIGKILL')),
  ]);
  for (const user of users) {
    const { name, url, browser } = user;
    const { status, body } = await browser.fetch('GET', url);
    t.equal(status, 200, name);
    t.equal(body.views, 5, `${name}: the session goes on`);
    t.not(body.route, ROUTES[DOOMED], name);
    checkSuffix(t, user, body);
    for (const views of [6, 7, 8]) {
      const next = await browser.fetch('GET', url);
      t.match(next.body, { views, route: body.route }, `${name}: and stays there`);
      checkSuffix(t, user, next.body);
    }
    if (body.id === undefined) continue;
    const home = nodes[ROUTES.indexOf(body.route)]!;
    const { primary } = await home.locate(`sess:${body.id}`);
    t.equal(primary, home.port, `${name}: the route is that of the session's new primary`);
    await browser.fetch('POST', `${url}logout`);
    t.equal(browser.cookie('sid'), undefined, `${name}: a logout takes the cookie away`);
    t.equal(await home.client.exists(`sess:${body.id}`), 0);
  }
});
