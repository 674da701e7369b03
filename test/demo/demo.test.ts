import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { spawnProgram } from '../cli/processes.js';
import { Browser } from '../support/browser.js';
import { startDemo } from './start-demo.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const POLL_MS = 50;
const WAIT_MS = 30_000;
const USERS = 10;

interface Status {
  readonly places: readonly {
    readonly route: string;
    readonly address: string;
    readonly pid: number | null;
    readonly state: string;
    readonly members: number;
  }[];
  readonly whole: boolean;
  readonly crowd: {
    readonly loggedIn: number;
    readonly requests: number;
    readonly lost: number;
    readonly failedOver: number;
  };
}

interface Body {
  readonly user: string;
  readonly views: number;
  readonly basket: readonly string[];
  readonly by: string;
  readonly primary: string;
  readonly backup: string;
  readonly settled: boolean;
  readonly text: string;
}

/** The newest status that the page would show, once it is so. */
async function until(url: string, isSo: (status: Status) => boolean): Promise<Status> {
  const aborted = AbortSignal.timeout(WAIT_MS);
  const { body } = await fetch(`${url}/demo/events`, { signal: aborted });
  let text = '';
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const whole = text.slice(0, text.lastIndexOf('\n\n') + 1);
    const newest = whole.slice(whole.lastIndexOf('data: ') + 'data: '.length);
    if (newest !== '' && isSo(JSON.parse(newest))) return JSON.parse(newest);
  }
  throw new Error('no more events');
}

function order(
  url: string,
  what: string,
  headers: Record<string, string> = { 'x-tandis-demo': '1' },
): Promise<Response> {
  return fetch(`${url}/demo/${what}`, { method: 'POST', headers });
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Process ids of all that a process has started. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').map(Number);
}

async function allGone(pids: readonly number[]): Promise<boolean> {
  const deadline = Date.now() + WAIT_MS;
  while (pids.some(lives) && Date.now() < deadline) await delay(POLL_MS);
  return !pids.some(lives);
}

t.test(
  'a session survives the death of its node, the node comes back, nothing stays behind',
  async (t) => {
    const { run, url } = await startDemo(t, USERS);
    await until(url, ({ whole, crowd }) => whole && crowd.loggedIn === USERS);
    const user = new Browser<Body>();
    const login = await user.send('POST', `${url}/app/login`, { user: 'Ada' });
    t.match(login, { status: 200, body: { user: 'Ada', views: 0 } });
    await user.send('POST', `${url}/app/basket`, { thing: 'a lamp' });
    const { body: first } = await user.fetch('GET', `${url}/app/visit`);
    t.equal(first.views, 1);
    const { body: where } = await user.fetch('GET', `${url}/app/where`);
    const before = await until(url, ({ whole }) => whole);
    const home = before.places.find(({ address }) => address === where.primary)!;
    t.equal(home.route, first.by, 'the node that answers is the primary');
    t.not(where.backup, where.primary);

    const refused = await order(url, `kill/${home.route}`, {});
    t.equal(refused.status, 403, 'a page from elsewhere kills nothing');
    t.equal((await order(url, `kill/${home.route}`)).status, 200);
    t.notOk(lives(home.pid!), 'the process of its node is dead');
    const { status, body: second } = await user.fetch('GET', `${url}/app/visit`);
    t.equal(status, 200);
    t.match(second, { user: 'Ada', views: 2, basket: ['a lamp'] });
    t.not(second.by, first.by, 'another one has answered');
    const { body: third } = await user.fetch('GET', `${url}/app/visit`);
    t.match(third, { views: 3, by: second.by }, 'and the user stays there');

    await until(url, ({ whole }) => whole);
    t.equal((await order(url, `start/${home.route}`)).status, 200);
    const again = await until(url, ({ whole, places }) => {
      return whole && places.every(({ state, members }) => state === 'serving' && members === 3);
    });
    const victim = again.places.find(({ route }) => route === second.by)!;
    t.equal((await order(url, `kill/${victim.route}`)).status, 200);
    const { body: fourth } = await user.fetch('GET', `${url}/app/visit`);
    t.match(fourth, { user: 'Ada', views: 4 }, 'the second death, too');
    const after = await until(url, ({ whole, crowd }) => {
      return whole && crowd.requests > again.crowd.requests + 2 * USERS;
    });
    t.equal(after.crowd.lost, 0, 'nobody of the crowd has lost a login');
    t.ok(after.crowd.failedOver > 0, 'and some had to move');

    const children = await childrenOf(run.child.pid!);
    t.equal(children.length, 4);
    run.child.kill('SIGINT');
    t.equal(await run.ended, 0);
    t.ok(await allGone(children), 'every process has ended');
  },
);

t.test(
  'the page brings all it needs, and its processes end with it when it is killed',
  async (t) => {
    const { run, url } = await startDemo(t, USERS);
    const page = await fetch(url);
    const policy = page.headers.get('content-security-policy') ?? '';
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    const html = await page.text();
    t.notMatch(
      html,
      /https?:|<style|style=|<script>|\son\w+=/,
      'nothing inline, nothing from elsewhere',
    );
    for (const [, name] of html.matchAll(/(?:href|src)="([^"]+)"/g)) {
      t.equal((await fetch(`${url}/${name}`)).status, 200, name!);
    }
    const elsewhere = await fetch(url.replace('127.0.0.1', 'localhost'));
    t.equal(elsewhere.status, 200);

    const children = await childrenOf(run.child.pid!);
    t.equal(children.length, 6);
    run.child.kill('SIGKILL');
    t.ok(await allGone(children), 'every process has ended');
  },
);

t.test(
  'where its packages are not installed the demo names the line that installs them',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'tandis-'));
    t.teardown(() => rm(folder, { recursive: true }));
    const modules = join(folder, 'node_modules');
    const home = join(modules, 'tandis');
    await mkdir(modules);
    for (const name of ['bin', 'lib']) {
      await cp(join(ROOT, 'dist', name), join(home, 'dist', name), { recursive: true });
    }
    await cp(join(ROOT, 'package.json'), join(home, 'package.json'));
    const { dependencies } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      await symlink(join(ROOT, 'node_modules', name), join(modules, name));
    }
    // One that offers nothing: what a folder above may have is not found then.
    await mkdir(join(modules, 'express'));
    await writeFile(join(modules, 'express', 'package.json'), '{ "exports": {} }');
    const run = spawnProgram(t, join(home, 'dist', 'bin', 'tandis.js'), ['demo', '--port', '0']);
    const started = run.printed(/Open/).then(
      () => 'started',
      () => run.ended,
    );
    t.equal(await started, 1);
    t.match(run.err, /^tandis: .*: npm install express express-session connect-redis redis\n$/);
  },
);
