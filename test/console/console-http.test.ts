import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import t from 'tap';
import type { Frame } from '../../lib/admin/console/frame.js';
import { freePorts, TestCluster } from '../support/test-cluster.js';

/** More pages than may be open at one time. */
const LISTENERS_MAX = 16;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

interface Asking {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function ask(port: number, path: string, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = asking;
  const sent = request({ host: '127.0.0.1', port, path, method, headers });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, text, headers: response.headers };
}

/** As the page itself asks. */
function post(port: number, path: string, body: object, cookie = ''): Promise<Answer> {
  const origin = `http://127.0.0.1:${port}`;
  const headers = {
    Origin: origin,
    'Content-Type': 'application/json',
    ...(cookie === '' ? {} : { Cookie: cookie }),
  };
  return ask(port, `/console/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

const cookieOf = ({ headers }: Answer): string => headers['set-cookie']![0]!.split(';', 1)[0]!;

/** Listens to the feed, and resolves with its response once the first frame was read. */
async function listen(
  port: number,
  cookie = '',
): Promise<{ response: IncomingMessage; frame: Frame }> {
  const headers = cookie === '' ? {} : { Cookie: cookie };
  const sent = get({ host: '127.0.0.1', port, path: '/console/events', headers });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) return { response, frame: null as never };
  let text = '';
  while (!text.includes('\n\n')) text += String((await once(response, 'data'))[0]);
  return { response, frame: JSON.parse(text.slice('data: '.length, text.indexOf('\n\n'))) };
}

t.test('the console over plain HTTP', async (t) => {
  const [port, other] = (await freePorts(2)) as [number, number];
  const users = [
    ['--user', 'default on >right ~* &* +@all'],
    ['--user', 'looks on >looks +info'],
    ['--user', 'reads on >reads ~user:* +get'],
  ].flat();
  const showing = ['--admin-show-values', 'yes'];
  const cluster = await TestCluster.prepare(t, [
    ['--admin-port', String(port), '--admin-host', 'console.example', ...showing, ...users],
    ['--admin-port', String(other)],
  ]);
  const [node, second] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
  for (const one of cluster.nodes) one.start();
  await cluster.until(async () => (await second.facts().catch(() => null))?.['members'] === '2');
  await second.client.set('user:42:secret', 'the value', 'EX', 1000);

  await t.test('the page and its files', async (t) => {
    const root = await ask(port, '/');
    t.same([root.status, root.headers.location], [302, '/console/']);
    const page = await ask(port, '/console/');
    t.equal(page.status, 200);
    t.match(page.text, /<title>Tandis console<\/title>/);
    t.notMatch(
      page.text,
      /https?:|<style|style=|<script>|onclick/,
      'nothing from elsewhere or inline',
    );
    for (const [name, type] of [
      ['main.js', /javascript/],
      ['uplot.js', /javascript/],
      ['uplot.css', /css/],
      ['console.css', /css/],
      ['icon.svg', /svg/],
    ] as const) {
      const { status, headers } = await ask(port, `/console/${name}`);
      t.equal(status, 200, name);
      t.match(headers['content-type'], type);
      t.equal(headers['x-content-type-options'], 'nosniff');
    }
    const policy = String(page.headers['content-security-policy']);
    t.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    t.match(policy, /frame-ancestors 'none'/);
    t.notMatch(policy, /unsafe|\*|http/);
    t.equal(page.headers['x-frame-options'], 'DENY');
    t.equal(page.headers['cache-control'], 'no-store');
  });

  await t.test('what is not there, or not done', async (t) => {
    for (const path of [
      'nothing.js',
      '../console.js',
      '%2e%2e/console.js',
      'main.ts',
      'main.js.map',
      '.js',
    ]) {
      t.equal((await ask(port, `/console/${path}`)).status, 404, path);
    }
    const put = await ask(port, '/console/', { method: 'PUT' });
    t.same([put.status, put.headers.allow], [405, 'GET, HEAD, POST']);
    const head = await ask(port, '/console/', { method: 'HEAD' });
    t.same([head.status, head.text], [200, '']);
    t.equal((await post(port, 'nothing', {})).status, 404);
  });

  await t.test('a name that was made to lead here', async (t) => {
    const as = async (host: string): Promise<number> =>
      (await ask(port, '/console/', { headers: { Host: host } })).status;
    t.equal(await as('evil.example'), 421);
    t.equal(await as('localhost.evil.example'), 421);
    t.equal(await as('127.0.0.1.evil.example:80'), 421);
    t.equal(await as(`localhost:${port}`), 200);
    t.equal(await as(`[::1]:${port}`), 200);
    t.equal(await as('10.0.0.7'), 200);
    t.equal(await as('Console.example'), 200, 'admin-host');
    const metrics = await ask(port, '/metrics', { headers: { Host: 'evil.example' } });
    t.equal(metrics.status, 200, 'figures are as open as before');
  });

  await t.test('requests from other pages', async (t) => {
    const body = JSON.stringify({ key: 'user:42:secret' });
    const type = { 'Content-Type': 'application/json' };
    const own = `http://127.0.0.1:${port}`;
    for (const [headers, what] of [
      [type, 'no origin'],
      [{ ...type, Origin: 'http://evil.example' }, 'another origin'],
      [{ ...type, Origin: 'null' }, 'none that it would tell'],
      [{ Origin: own, 'Content-Type': 'text/plain' }, 'a form'],
    ] as const) {
      const { status } = await ask(port, '/console/locate', { method: 'POST', headers, body });
      t.equal(status, 403, what);
    }
    const headers = { ...type, Origin: own };
    const bad = { method: 'POST', headers, body: '[]' };
    t.equal((await ask(port, '/console/locate', bad)).status, 400);
    const long = { method: 'POST', headers, body: `"${'x'.repeat(100_000)}"` };
    t.equal((await ask(port, '/console/locate', long).catch(() => ({ status: 400 }))).status, 400);
  });

  await t.test('where a key is, never what it is', async (t) => {
    const { status, text } = await post(port, 'locate', { key: 'user:42:secret' });
    t.equal(status, 200);
    t.notMatch(text, /the value/);
    const place = JSON.parse(text);
    const addresses = cluster.nodes.map((one) => `127.0.0.1:${one.port}`).sort();
    t.same([place.primary, place.backup].sort(), addresses);
    t.ok(place.expireAt > Date.now() && place.expireAt <= Date.now() + 1_000_000);
    t.ok(Math.abs(place.changedAt - Date.now()) < 60_000);
    const none = JSON.parse((await post(port, 'locate', { key: 'none' })).text);
    t.same([none.primary, none.changedAt], [null, null]);
    t.equal(place.mayShow, false, 'to nobody who is not logged in');
    t.equal((await post(port, 'locate', { key: 7 })).status, 400);
    t.equal((await post(port, 'locate', { key: 'x', db: 99 })).status, 400);
    t.equal((await post(port, 'locate', { key: 'x'.repeat(5000) })).status, 400);
  });

  await t.test('what a key is, for who may read it', async (t) => {
    const key = 'user:42:secret';
    const of = async (user: string): Promise<string> =>
      cookieOf(await post(port, 'login', { user, password: user }));
    const reads = await of('reads');
    const refusals = [
      [port, key, '', 'without a login'],
      [port, key, await of('looks'), 'a user that may not GET'],
      [port, 'other', reads, 'a user that may not GET that key'],
      [other, key, cookieOf(await post(other, 'login', { password: '' })), 'without the option'],
    ] as const;
    for (const [at, name, cookie, what] of refusals) {
      const { status, text } = await post(at, 'value', { key: name }, cookie);
      t.equal(status, 403, what);
      t.notMatch(text, /the value/);
      t.match(JSON.parse((await post(at, 'locate', { key: name }, cookie)).text), {
        mayShow: false,
      });
    }
    const evil = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: 'http://evil.example', Cookie: reads },
      body: JSON.stringify({ key }),
    };
    t.equal((await ask(port, '/console/value', evil)).status, 403, 'from another page');

    const { text } = await post(port, 'locate', { key }, reads);
    t.equal(JSON.parse(text).mayShow, true);
    const shown = async (name: string): Promise<unknown> =>
      JSON.parse((await post(port, 'value', { key: name }, reads)).text);
    const whole = { type: 'string', length: 9, text: 'the value', isCut: false };
    t.same(await shown(key), whole);
    t.equal((await post(port, 'value', { key: 'user:none' }, reads)).status, 404);
    t.equal((await post(port, 'value', { key: 7 }, reads)).status, 400);

    const { client } = second;
    await client.set('user:text', 'Zoë\n<b>\\\u202e');
    t.match(await shown('user:text'), { text: 'Zoë\\x0a<b>\\\\\\xe2\\x80\\xae', length: 12 });
    await client.set('user:bytes', Buffer.from([0x41, 0, 0xe9, 0xff]));
    t.match(await shown('user:bytes'), { text: 'A\\x00\\xe9\\xff', length: 4 });
    await client.set('user:long', `${'x'.repeat(1023)}ë${'x'.repeat(100_000)}`);
    t.same(await shown('user:long'), {
      type: 'string',
      length: 101_025,
      text: 'x'.repeat(1023),
      isCut: true,
    });
    await client.hset('user:hash', 'field', 'the value');
    const hash = (await shown('user:hash')) as Record<string, unknown>;
    t.match(hash, { type: 'hash', text: null });
    t.notMatch(JSON.stringify(hash), /the value/);
    await post(port, 'logout', {}, reads);
    t.equal((await post(port, 'value', { key }, reads)).status, 403, 'after the log-out');
  });

  await t.test('to be shown is no use of a key', async (t) => {
    const key = 'user:idle';
    await second.client.set(key, 'the value', 'EX', 1000);
    const cookie = cookieOf(await post(port, 'login', { user: 'reads', password: 'reads' }));
    const facts = async (): Promise<unknown[]> => {
      const { primary, version, expireAt } = JSON.parse((await post(port, 'locate', { key })).text);
      return [primary, version, expireAt];
    };
    const before = await facts();
    t.equal(before[0], `127.0.0.1:${second.port}`, 'it is at the other node');
    await cluster.until(async () => Number(await second.client.object('IDLETIME', key)) >= 1);
    for (let i = 0; i < 10; i++) {
      t.equal((await post(port, 'value', { key }, cookie)).status, 200);
    }
    t.same(await facts(), before, 'it stays where it is, as it is');
    t.ok(Number(await second.client.object('IDLETIME', key)) >= 1, 'nor is it younger');
  });

  await t.test('every node tells of all members', async (t) => {
    for (const one of [port, other]) {
      const { response, frame } = await listen(one);
      response.destroy();
      t.equal(frame.members.length, 2);
      t.same([frame.user, frame.may], [null, []]);
      t.ok(frame.events.some(({ kind }) => kind === 'view'));
      t.equal(response.headers['content-type'], 'text/event-stream');
    }
  });

  await t.test('so many pages and no more', async (t) => {
    const open: IncomingMessage[] = [];
    for (let i = 0; i < LISTENERS_MAX; i++) open.push((await listen(port)).response);
    t.equal((await listen(port)).response.statusCode, 503);
    t.equal((await ask(port, '/healthz')).status, 200, 'others are answered all the same');
    open[0]!.destroy();
    await cluster.until(async () => {
      const { response } = await listen(port);
      if (response.statusCode === 200) open.push(response);
      return response.statusCode === 200;
    });
    for (const response of open) response.destroy();
  });

  await t.test('who may do what', async (t) => {
    const { members } = (await listen(port)).frame;
    const member = members.find(({ address }) => address === `127.0.0.1:${second.port}`)!.id;
    t.equal((await post(port, 'drain', { member })).status, 401);
    const looks = await post(port, 'login', { user: 'looks', password: 'looks' });
    t.equal(looks.status, 200);
    t.match(looks.headers['set-cookie'], [/HttpOnly; SameSite=Strict/]);
    t.match(await post(port, 'drain', { member }, cookieOf(looks)), { status: 403 });
    t.same((await listen(port, cookieOf(looks))).frame.may, []);
    const right = await post(port, 'login', { password: 'right' });
    const { frame } = await listen(port, cookieOf(right));
    t.same([frame.user, frame.may], ['default', ['drain', 'forget', 'keys']]);
    t.equal((await post(port, 'drain', { member: 'x' }, cookieOf(right))).status, 404);
    t.match(await post(port, 'forget', { member }, cookieOf(looks)), { status: 403 });
    const alive = await post(port, 'forget', { member }, cookieOf(right));
    t.match(alive, { status: 409, text: /is alive/ });
    const forced = await post(port, 'forget', { member, force: true }, cookieOf(right));
    t.match(forced, { status: 409, text: /is alive/ }, 'by no force');
    t.equal((await post(port, 'forget', {}, cookieOf(right))).status, 400);
    await post(port, 'logout', {}, cookieOf(right));
    t.equal((await post(port, 'drain', { member }, cookieOf(right))).status, 401);

    const again = await post(port, 'login', { password: 'right' });
    const admin = node.client;
    await admin.auth('right');
    await admin.call('ACL', 'SETUSER', 'default', '>another');
    const old = await post(port, 'drain', { member }, cookieOf(again));
    t.equal(old.status, 401, 'a user that was changed has to log in again');
  });

  await t.test('names of keys, for those who may see them', async (t) => {
    await second.client.config('SET', 'slowlog-log-slower-than', '0');
    await second.client.call('SET', 'user:42:secret', 'the value');
    const login = await post(other, 'login', { password: '' });
    const cookie = cookieOf(login);
    let shown: Frame['slow'] = [];
    let masked: Frame['slow'] = [];
    await cluster.until(async () => {
      const pages = await Promise.all([listen(other, cookie), listen(other)]);
      for (const { response } of pages) response.destroy();
      const isSet = ({ command }: Frame['slow'][number]): boolean => command === 'SET';
      shown = pages[0].frame.slow.filter(isSet);
      masked = pages[1].frame.slow.filter(isSet);
      return shown.length > 0 && masked.length > 0;
    });
    t.match(shown[0], { key: 'user:42:secret', arguments: 2 });
    t.match(masked[0]!.key, /^user:42:…[0-9a-f]{4}$/);
    t.notMatch(JSON.stringify([shown, masked]), /the value/);
    t.notMatch(JSON.stringify(masked), /secret/);
  });

  await t.test('who guesses', async (t) => {
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) {
      statuses.push((await post(port, 'login', { password: `guess ${i}` })).status);
    }
    t.same(statuses, [401, 401, 401, 401, 401, 429]);
    const { status, headers } = await post(port, 'login', { password: 'right' });
    t.equal(status, 429, 'also with the right one');
    t.ok(Number(headers['retry-after']) > 0);
  });

  await t.test('another member is drained', async (t) => {
    const login = await post(other, 'login', { password: '' });
    t.equal(login.status, 200, 'a node without a password, from its own machine');
    const { frame } = await listen(other);
    const ended = second.exit();
    const drained = await post(other, 'drain', { member: frame.self }, cookieOf(login));
    t.equal(drained.status, 200);
    t.equal(await ended, 0);
  });
});
