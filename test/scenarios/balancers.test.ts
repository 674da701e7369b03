import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { AjpConnector } from '../support/ajp-connector.js';
import { Browser } from '../support/browser.js';
import { delay, freePorts, type NodeProcess, run, TestCluster } from '../support/test-cluster.js';

/**
 * The balancers of examples/, from Debian's packages, before three applications of which one dies with its node. mod_jk speaks AJP: before
 * the applications are connectors then, each of which dies with its own.
 */

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
  readonly name: string;
  /** What Debian's package has; the first one is the program. */
  readonly files: readonly [program: string, ...modules: string[]];
  readonly config: string;
  /** It has no configuration for the other way. */
  readonly only?: Way['name'];
  args(config: string, folder: string): readonly string[];
}

const APACHE = '/usr/sbin/apache2';
const apacheArgs: Balancer['args'] = (config, folder) => {
  return ['-d', folder, '-f', config, '-DFOREGROUND'];
};

const BALANCERS: readonly Balancer[] = [
  {
    name: 'HAProxy',
    files: ['/usr/sbin/haproxy'],
    config: 'haproxy.cfg',
    args: (config) => ['-db', '-f', config],
  },
  {
    name: 'nginx',
    files: ['/usr/sbin/nginx'],
    config: 'nginx.conf',
    args: (config, folder) => ['-e', 'stderr', '-p', folder, '-c', config],
  },
  { name: 'Apache', files: [APACHE], config: 'apache.conf', args: apacheArgs },
  {
    name: 'mod_jk',
    files: [APACHE, '/usr/lib/apache2/modules/mod_jk.so'],
    config: 'mod-jk.conf',
    only: 'suffix',
    args: apacheArgs,
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
async function startBalancer(
  t: Test,
  balancer: Balancer,
  way: Way,
  applications: readonly Application[],
): Promise<string> {
  const [port] = await freePorts(1);
  const folder = await mkdtemp(join(tmpdir(), 'tandis-balancer-'));
  // Its workers are another user's.
  await chmod(folder, 0o755);
  const numbers = new Map([
    [8080, port],
    ...applications.map((one, i) => [3001 + i, one.port] as const),
    ...applications.map(({ connector }, i) => [8009 + i, connector.port] as const),
  ]);
  const example = readFileSync(join(EXAMPLES, way.config(balancer.config)), 'utf8');
  const config = join(folder, 'config');
  await writeFile(
    config,
    example.replaceAll(/(?<=127\.0\.0\.1:|port=)\d+/g, (from) => String(numbers.get(Number(from)))),
  );
  const child = spawn(balancer.files[0], balancer.args(config, folder), {
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

interface Application {
  readonly port: number;
  readonly connector: AjpConnector;
  kill(): Promise<void>;
}

/** Starts the application of a way beside that node. */
async function startApplication(
  t: Test,
  way: Way,
  node: NodeProcess,
  route: string,
): Promise<Application> {
  const [port, ajpPort] = (await freePorts(2)) as [number, number];
  let log = '';
  const args = [String(port), `redis://127.0.0.1:${node.port}`, route];
  const child = run([join(EXAMPLES, way.app), ...args], (text) => {
    log += text;
  });
  const connector = await AjpConnector.start(ajpPort, port);
  const kill = async (): Promise<void> => {
    connector.close();
    await end(child, 'SIGKILL');
  };
  t.teardown(kill);
  await answers(`http://127.0.0.1:${port}/`, () => log);
  return { port, connector, kill };
}

/** Somebody behind a balancer. */
interface User {
  readonly name: string;
  readonly url: string;
  readonly browser: Browser<Body>;
}

const missingOf = (files: readonly string[]): string | undefined =>
  files.find((file) => !existsSync(file));

async function startUsers(t: Test, way: Way, nodes: readonly NodeProcess[]) {
  const applications = await Promise.all(
    nodes.map((node, i) => startApplication(t, way, node, ROUTES[i]!)),
  );
  const runnable = BALANCERS.filter(
    ({ files, only }) => missingOf(files) === undefined && (only ?? way.name) === way.name,
  );
  const users = runnable.map(async (balancer): Promise<User> => {
    const url = await startBalancer(t, balancer, way, applications);
    const name = `${balancer.name}, ${way.name}`;
    return { name, url, browser: await userAt(ROUTES[DOOMED]!, url) };
  });
  return { users: await Promise.all(users), doomed: applications[DOOMED]! };
}

/** What the page says to a user whose cookie carries the route: the same as the cookie says, and the key has none of it. */
function checkSuffix(t: Test, { name, browser }: User, { route, id }: Body): void {
  if (id === undefined) return;
  t.match(browser.cookie('sid'), new RegExp(`^s%3A${id}~[^.]+\\.${route}$`), `${name}: the cookie`);
}

t.test('a user of a killed node goes on elsewhere, and the route follows', async (t) => {
  for (const { name, files } of BALANCERS) {
    const missing = missingOf(files);
    if (missing !== undefined)
      t.test(name, { skip: `${missing} is not installed` }, async () => {});
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
  await Promise.all([nodes[DOOMED]!.end('SIGKILL'), ...started.map(({ doomed }) => doomed.kill())]);
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
