import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
import session, { type SessionData } from 'express-session';
import { createClient } from 'redis';
import t, { type Test } from 'tap';
import { createStore, type TandisStore } from '../../lib/express.js';
import { createNode, type NodeOptions, type TandisNode } from '../../lib/index.js';
import { Browser } from '../support/browser.js';
import { freePorts, run } from '../support/test-cluster.js';

/** express-session on a node in the process of the application. */

const EXAMPLE = fileURLToPath(new URL('../../../examples/in-process/app.js', import.meta.url));

async function startNode(t: Test, options: NodeOptions = {}): Promise<TandisNode> {
  const node = await createNode({ clusterPort: 0, ...options });
  t.teardown(() => node.close({ now: true }));
  await node.ready();
  return node;
}

/** A session as express-session hands it to its store. */
function sessionOf(user: string, maxAge: number | null): SessionData {
  const cookie = new session.Cookie();
  if (maxAge !== null) cookie.maxAge = maxAge;
  return { cookie, user } as unknown as SessionData;
}

/** The store with promises. */
function calls(store: session.Store) {
  const bound = store as TandisStore;
  return {
    get: promisify(bound.get.bind(bound)) as (id: string) => Promise<{ user: string } | null>,
    set: promisify(bound.set.bind(bound)) as (id: string, data: SessionData) => Promise<void>,
    touch: promisify(bound.touch.bind(bound)) as (id: string, data: SessionData) => Promise<void>,
    destroy: promisify(bound.destroy.bind(bound)) as (id: string) => Promise<void>,
    all: promisify(bound.all.bind(bound)) as unknown as () => Promise<
      { id: string; user: string }[]
    >,
    length: promisify(bound.length.bind(bound)) as () => Promise<number>,
    clear: promisify(bound.clear.bind(bound)) as () => Promise<void>,
  };
}

t.test('what express-session asks of a store', async (t) => {
  const node = await startNode(t);
  const store = calls(createStore(session, { node, prefix: 'a[*]:', ttl: 60 }));
  await node.set('a*:other', 'no session');
  t.equal(await store.get('1'), null);
  await store.set('1', sessionOf('ada', null));
  await store.set('2', sessionOf('bob', 100_000));
  t.equal((await store.get('1'))?.user, 'ada');
  t.equal(await node.call('TTL', 'a[*]:1'), 60, 'a cookie of the browser session');
  t.equal(await node.call('TTL', 'a[*]:2'), 100, 'a cookie with an end of its own');
  await store.touch('1', sessionOf('ada', 500_000));
  t.equal(await node.call('TTL', 'a[*]:1'), 500);
  t.equal(await store.length(), 2);
  const all = await store.all();
  t.same(all.map(({ id, user }) => [id, user]).sort(), [
    ['1', 'ada'],
    ['2', 'bob'],
  ]);
  await store.set('2', sessionOf('bob', -1000));
  t.equal(await store.get('2'), null, 'what has expired is gone');
  await store.destroy('1');
  t.equal(await store.get('1'), null);
  await Promise.all(
    Array.from({ length: 1500 }, (_, i) => store.set(`n${i}`, sessionOf('x', null))),
  );
  t.equal(await store.length(), 1500);
  await store.clear();
  t.equal(await store.length(), 0);
  t.equal(await node.get('a*:other'), 'no session', 'a prefix is no pattern');
});

t.test('sessions that connect-redis has written are read, and the other way round', async (t) => {
  const node = await startNode(t, { port: 0 });
  const client = createClient({ socket: { host: '127.0.0.1', port: node.address.port! } });
  await client.connect();
  t.teardown(() => client.destroy());
  const own = calls(createStore(session, { node }));
  const theirs = calls(new RedisStore({ client }));
  await theirs.set('1', sessionOf('ada', 100_000));
  await own.set('2', sessionOf('bob', 100_000));
  t.same(await own.get('1'), await theirs.get('1'));
  t.same(await own.get('2'), await theirs.get('2'));
  t.equal((await own.get('1'))?.user, 'ada');
  t.equal(await theirs.length(), 2);
  await theirs.set('3', sessionOf('eve', null));
  await own.set('4', sessionOf('eve', null));
  t.equal(await node.call('TTL', 'sess:3'), await node.call('TTL', 'sess:4'), 'a day');
});

t.test('errors go to the callback, and what a callback throws is not one of them', async (t) => {
  const node = await startNode(t);
  const store = createStore(session, { node });
  await node.set('sess:bad', 'not JSON');
  await node.call('LPUSH', 'sess:list', 'x');
  await t.rejects(calls(store).get('bad'), { name: 'SyntaxError' });
  await t.rejects(calls(store).get('list'), { code: 'WRONGTYPE' });
  const thrown = new Error('thrown by a callback');
  const seen = once(process, 'uncaughtException');
  process.once('uncaughtException', () => undefined);
  let answers = 0;
  store.get('none', () => {
    answers += 1;
    throw thrown;
  });
  t.same((await seen)[0], thrown);
  t.equal(answers, 1);
  await node.close();
  await t.rejects(calls(store).get('1'), { name: 'ClosedError' });
  await t.rejects(calls(store).set('1', sessionOf('ada', null)), { name: 'ClosedError' });
});

t.test('three applications, each with its node: a login outlives two of them', async (t) => {
  const ports = (await freePorts(6)) as number[];
  const [web, bus] = [ports.slice(0, 3), ports.slice(3)];
  const addresses = bus.map((port) => `127.0.0.1:${port}`);
  const applications = await Promise.all(
    web.map(async (port, index) => {
      const args = [EXAMPLE, String(port), String(bus[index]!), ...addresses];
      const child = run(args, () => undefined);
      t.teardown(() => child.kill('SIGKILL'));
      await once(child.stdout!, 'data');
      const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
        const ended = once(child, 'exit');
        child.kill(signal);
        return (await ended)[0] as number | null;
      };
      return { url: `http://127.0.0.1:${port}/`, end };
    }),
  );
  const browser = new Browser<{ text: string }>();
  const visit = async (index: number) =>
    /been here (\d+) times/.exec(
      (await browser.fetch('GET', applications[index]!.url)).body.text,
    )?.[1];
  t.equal(await visit(0), '1');
  t.equal(await visit(0), '2');
  await applications[0]!.end('SIGKILL');
  t.equal(await visit(1), '3');
  t.equal(await applications[1]!.end('SIGTERM'), 0, 'it leaves in good order');
  t.equal(await visit(2), '4');
});

t.test('the application of docs/in-process.md', async (t) => {
  const page = readFileSync(new URL('../../../docs/in-process.md', import.meta.url), 'utf8');
  const code = page
    .split('\n')
    .filter((line) => /^ {4}|^$/.test(line))
    .join('\n')
    .trim();
  const [web, bus] = (await freePorts(2)) as [number, number];
  // More than the page has: it tells when it listens.
  const listen = `listen(${web}, () => console.log('listening'))`;
  const program = code.replace('listen(3000)', listen).replace('17001', String(bus));
  const child = run(['--input-type=module', '--eval', program], () => undefined);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  const browser = new Browser<{ text: string }>();
  const url = `http://127.0.0.1:${web}/`;
  t.equal((await browser.fetch('GET', url)).body.text, 'You have been here 1 times.\n');
  t.equal((await browser.fetch('GET', url)).body.text, 'You have been here 2 times.\n');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  t.equal((await ended)[0], 0);
});
