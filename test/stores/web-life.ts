import type { Test } from 'tap';
import { Browser, type Page } from '../support/browser.js';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

/*
 * The life of a web application's sessions, as its users live it: the application runs on one node of three, a second
 * instance on another one, and then the node that is the primary of the session is killed.
 *
 * An application has these pages; all answer {id, user, views}, or 401 without a session:
 *
 *     POST /login/:user   a new session
 *     GET /               counts a view
 *     GET /look           reads, and changes nothing
 *     POST /regenerate    the same session under another id
 *     POST /short         the session ends in a second
 *     POST /logout        no session any more
 */

/** What a page says of a session; all undefined without one. */
export interface SessionPage {
  readonly id?: string;
  readonly user?: string;
  readonly views?: number;
}

/** An instance of an application that runs. */
export interface WebApplication {
  readonly url: string;
  /** Ids of all sessions, and their end; null where the store has no such call. */
  readonly list: (() => Promise<readonly string[]>) | null;
  readonly clear: (() => Promise<unknown>) | null;
  close(): Promise<void>;
}

/** An application with its session store and client, to be started on any node. */
export interface WebKit {
  readonly name: string;
  /** Its sessions' keys begin with this, and no other kit's do. */
  readonly prefix: string;
  start(port: number): Promise<WebApplication>;
}

class User {
  readonly name: string;
  #browser = new Browser<SessionPage>();

  constructor(name: string) {
    this.name = name;
  }

  ask(app: WebApplication, method: 'GET' | 'POST', path: string): Promise<Page<SessionPage>> {
    return this.#browser.fetch(method, app.url + path);
  }

  login(app: WebApplication): Promise<Page<SessionPage>> {
    return this.ask(app, 'POST', `/login/${this.name}`);
  }

  view(app: WebApplication): Promise<Page<SessionPage>> {
    return this.ask(app, 'GET', '/');
  }

  /** Somebody who has stolen the cookies. */
  copy(): User {
    const other = new User(this.name);
    other.#browser = this.#browser.copy();
    return other;
  }
}

const LOGGED_OUT = { status: 401 };
/** A session that is touched lives longer than this again. */
const NEARLY_OVER_MS = 5000;

async function logsInAndReads(t: Test, home: WebApplication, other: WebApplication): Promise<void> {
  const ann = new User('ann');
  t.match(await ann.view(home), LOGGED_OUT, 'nobody is known before the login');
  t.match(await ann.login(home), { status: 200, body: { user: 'ann', views: 0 } });
  t.match(await ann.view(home), { status: 200, body: { user: 'ann', views: 1 } });
  t.match(await ann.view(other), { status: 200, body: { user: 'ann', views: 2 } }, 'elsewhere');
  t.match(await ann.view(home), { status: 200, body: { user: 'ann', views: 3 } }, 'and back');
  t.match(await ann.ask(home, 'POST', '/logout'), { status: 200 });
  t.match(await ann.view(home), LOGGED_OUT, 'logged out');
  t.match(await ann.view(other), LOGGED_OUT, 'everywhere');
}

async function touches(t: Test, kit: WebKit, home: WebApplication, at: NodeProcess): Promise<void> {
  const bob = new User('bob');
  const { body } = await bob.login(home);
  const key = kit.prefix + body.id;
  t.equal(await at.client.pexpire(key, NEARLY_OVER_MS), 1, 'the session has its key');
  await bob.ask(home, 'GET', '/look');
  t.ok((await at.client.pttl(key)) > NEARLY_OVER_MS, 'looking at a page renews the session');
  await bob.ask(home, 'POST', '/logout');
  t.equal(await at.client.exists(key), 0, 'the key is gone with the logout');
}

async function regenerates(t: Test, home: WebApplication, other: WebApplication): Promise<void> {
  const eve = new User('eve');
  const before = await eve.login(home);
  const thief = eve.copy();
  const after = await eve.ask(home, 'POST', '/regenerate');
  t.match(after, { status: 200, body: { user: 'eve' } });
  t.not(after.body.id, before.body.id);
  t.match(await eve.view(other), { status: 200, body: { user: 'eve', views: 1 } });
  t.match(await thief.view(other), LOGGED_OUT, 'the old id is worth nothing');
  await eve.ask(home, 'POST', '/logout');
}

async function listsAndClears(t: Test, home: WebApplication, other: WebApplication): Promise<void> {
  if (home.list === null || home.clear === null) return;
  const users = ['fay', 'gil', 'hal'].map((name) => new User(name));
  const pages = await Promise.all(users.map((user) => user.login(home)));
  const ids = pages.map(({ body }) => body.id!).sort();
  t.same([...(await home.list())].sort(), ids, 'all sessions are listed');
  t.same([...(await other.list!())].sort(), ids, 'on every node');
  await other.clear!();
  t.same(await home.list(), []);
  t.match(await users[0]!.view(home), LOGGED_OUT, 'cleared');
}

async function expires(t: Test, kit: WebKit, home: WebApplication, cluster: TestCluster) {
  const ida = new User('ida');
  await ida.login(home);
  const { body } = await ida.ask(home, 'POST', '/short');
  t.equal(body.user, 'ida');
  // Asked of another node, and not with a page, which would renew the session.
  const key = kit.prefix + body.id;
  await cluster.until(async () => (await cluster.nodes[2]!.client.exists(key)) === 0);
  t.match(await ida.view(home), LOGGED_OUT, 'expired');
}

/** What is left of a kit's first part for its second: the primary's death. */
interface Survivor {
  readonly kit: WebKit;
  readonly home: WebApplication;
  readonly user: User;
}

async function livesThrough(
  t: Test,
  kit: WebKit,
  cluster: TestCluster,
  owner: Test,
): Promise<Survivor> {
  const [at, dies] = cluster.nodes as [NodeProcess, NodeProcess];
  const [home, doomed] = await Promise.all([kit.start(at.port), kit.start(dies.port)]);
  owner.teardown(() => Promise.all([home.close(), doomed.close()]));
  await logsInAndReads(t, home, doomed);
  await touches(t, kit, home, at);
  await regenerates(t, home, doomed);
  await listsAndClears(t, home, doomed);
  await expires(t, kit, home, cluster);
  const user = new User('zoe');
  const { body } = await user.login(doomed);
  t.equal((await at.locate(kit.prefix + body.id)).primary, dies.port, 'the victim is its primary');
  return { kit, home, user };
}

async function survives(t: Test, { kit, home, user }: Survivor, third: NodeProcess): Promise<void> {
  t.match(await user.view(home), { status: 200, body: { user: 'zoe', views: 1 } }, 'on a survivor');
  // An application that was on the dead node is given another address.
  const moved = await kit.start(third.port);
  t.teardown(() => moved.close());
  t.match(await user.view(moved), { status: 200, body: { user: 'zoe', views: 2 } }, 'moved');
  t.match(await user.ask(moved, 'POST', '/regenerate'), { status: 200 });
  t.match(await user.view(home), { status: 200, body: { user: 'zoe', views: 3 } }, 'and back');
}

/** All kits at the same time on one cluster; one node is killed for all of them. */
export async function webLives(t: Test, kits: readonly WebKit[]): Promise<void> {
  const cluster = await TestCluster.start(t, 3);
  const [, dies, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  t.jobs = kits.length;
  const survivors: Survivor[] = [];
  await Promise.all(
    kits.map((kit) =>
      t.test(kit.name, { buffered: true }, async (part) => {
        survivors.push(await livesThrough(part, kit, cluster, t));
      }),
    ),
  );
  await dies.end('SIGKILL');
  await Promise.all(
    survivors.map((survivor) =>
      t.test(`${survivor.kit.name}: the primary is killed`, { buffered: true }, (part) =>
        survives(part, survivor, third),
      ),
    ),
  );
}
