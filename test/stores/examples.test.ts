import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Browser } from '../support/browser.js';
import { freePorts, type NodeProcess, TestCluster } from '../support/test-cluster.js';
import { PYTHON, skipWithout } from './debian-packages.js';

/** The applications of examples/, as their pages say to start them. */

const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
const START_MS = 20_000;

interface Example {
  readonly name: string;
  /** Why it cannot be run here; false when it can. */
  readonly skip: string | false;
  command(port: number, storePort: number): { argv: readonly string[]; env?: NodeJS.ProcessEnv };
}

const url = (port: number) => `redis://127.0.0.1:${port}`;
const program = (
  name: string,
  interpreter: string,
  file: string,
  skip: string | false,
): Example => ({
  name,
  skip,
  command: (port, storePort) => ({
    argv: [interpreter, `${EXAMPLES}${name}/${file}`, String(port), url(storePort)],
  }),
});

const imports = (...modules: string[]) => [PYTHON, '-c', `import ${modules.join(', ')}`];
const LIST: readonly Example[] = [
  program('express', process.execPath, 'app.js', false),
  program('koa', process.execPath, 'app.js', false),
  program('fastify', process.execPath, 'app.js', false),
  program(
    'flask',
    PYTHON,
    'app.py',
    skipWithout('python3-flask-session python3-redis', imports('flask_session', 'redis')),
  ),
  program(
    'django',
    PYTHON,
    'app.py',
    skipWithout('python3-django-redis', imports('django_redis', 'django')),
  ),
  {
    name: 'php',
    skip: skipWithout('php-cli php-redis', [
      'php',
      '-r',
      'exit(extension_loaded("redis") ? 0 : 1);',
    ]),
    command: (port, storePort) => ({
      argv: ['php', '-S', `127.0.0.1:${port}`, `${EXAMPLES}php/index.php`],
      env: { STORE: `tcp://127.0.0.1:${storePort}` },
    }),
  },
];

/** An application that runs on a node. */
class Application {
  readonly url: string;
  readonly #child: ChildProcess;
  #output = '';

  constructor(example: Example, port: number, node: NodeProcess) {
    this.url = `http://127.0.0.1:${port}/`;
    const { argv, env = {} } = example.command(port, node.port);
    this.#child = spawn(argv[0]!, argv.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.on('data', (chunk) => {
        this.#output += chunk;
      });
    }
  }

  async started(cluster: TestCluster): Promise<void> {
    const answers = () =>
      fetch(this.url).then(
        async (response) => (await response.text()) !== '',
        () => false,
      );
    await cluster.until(answers, START_MS).catch(() => {
      throw new Error(`no application:\n${this.#output}`);
    });
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** One application on a node, a second one on another. */
interface Pair {
  readonly example: Example;
  readonly doomed: Application;
  readonly other: Application;
  readonly browser: Browser<{ text: string }>;
}

async function startPair(t: Test, example: Example, cluster: TestCluster): Promise<Pair> {
  const [first, second] = (await freePorts(2)) as [number, number];
  const [home, dies] = cluster.nodes as [NodeProcess, NodeProcess];
  const doomed = new Application(example, first, dies);
  const other = new Application(example, second, home);
  t.teardown(() => Promise.all([doomed.kill(), other.kill()]));
  await Promise.all([doomed.started(cluster), other.started(cluster)]);
  return { example, doomed, other, browser: new Browser() };
}

const visits = async ({ browser }: Pair, { url }: Application): Promise<string> =>
  (await browser.fetch('GET', url)).body.text;

t.test('the examples count visits, and go on when a node is killed', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  for (const { name, skip } of LIST) if (skip) t.test(name, { skip }, async () => {});
  const runnable = LIST.filter(({ skip }) => !skip);
  const pairs = await Promise.all(runnable.map((example) => startPair(t, example, cluster)));
  for (const pair of pairs) {
    const { name } = pair.example;
    t.equal(await visits(pair, pair.doomed), 'You have been here 1 times.\n', name);
    t.equal(await visits(pair, pair.other), 'You have been here 2 times.\n', `${name}: elsewhere`);
    t.equal(await visits(pair, pair.doomed), 'You have been here 3 times.\n', `${name}: and back`);
  }
  await cluster.nodes[1]!.end('SIGKILL');
  for (const pair of pairs) {
    const text = await visits(pair, pair.other);
    t.equal(text, 'You have been here 4 times.\n', `${pair.example.name}: after a death`);
  }
});
