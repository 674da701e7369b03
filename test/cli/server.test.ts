import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { clientOf, inView, serves, startNode, tandis } from './processes.js';

t.test('a port in use: one line, exit status 1', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  for (const option of ['--cluster-port', '--admin-port']) {
    const run = tandis(t, 'server', '--port', '0', option, String(port));
    t.equal(await run.ended, 1);
    t.equal(run.err, `tandis: port ${port} on 127.0.0.1 is in use\n`);
  }
});

t.test('an address that is not ours: one line, exit status 1', async (t) => {
  const run = tandis(
    t,
    'server',
    '--port',
    '0',
    '--bind',
    '192.0.2.1',
    '--cluster-insecure',
    'yes',
  );
  t.equal(await run.ended, 1);
  t.match(run.err, /^tandis: cannot listen.*192\.0\.2\.1.*\n$/);
});

t.test('one node alone serves, shows its configuration, and ends by SIGTERM', async (t) => {
  const { run, port } = await startNode(t, '--maxmemory', '64mb');
  const client = await serves(t, port);
  t.equal(await client.set('key', 'value'), 'OK');
  t.equal(await client.get('key'), 'value');
  t.same(await client.config('GET', 'maxmemory'), ['maxmemory', '67108864']);
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
});

t.test('SHUTDOWN ends a node', async (t) => {
  const { run, port } = await startNode(t);
  const client = await serves(t, port);
  client.shutdown('NOSAVE').catch(() => undefined);
  t.equal(await run.ended, 0);
});

t.test('a second signal does not wait', async (t) => {
  // It joins somebody who never answers, so it serves nothing and has nobody to leave to.
  const { run } = await startNode(t, '--join', '127.0.0.1:1');
  run.child.kill('SIGTERM');
  run.child.kill('SIGTERM');
  t.ok([0, 1, 'SIGTERM'].includes(await run.ended));
});

t.test('all nodes told to end at once end at once: there is nobody to hand over to', async (t) => {
  const first = await startNode(t);
  await serves(t, first.port);
  const second = await startNode(t, '--join', `127.0.0.1:${first.busPort}`);
  await Promise.all([inView(first, 2), inView(second, 2)]);
  const client = await serves(t, second.port);
  await client.set('key', 'value');
  const start = Date.now();
  first.run.child.kill('SIGTERM');
  second.run.child.kill('SIGTERM');
  t.same(await Promise.all([first.run.ended, second.run.ended]), [0, 0]);
  t.ok(Date.now() - start < 15_000, 'long before leave-timeout');
});

t.test('two nodes form a cluster; the one that leaves hands over what it holds', async (t) => {
  const first = await startNode(t);
  await serves(t, first.port);
  const second = await startNode(t, '--join', `127.0.0.1:${first.busPort}`);
  await Promise.all([inView(first, 2), inView(second, 2)]);
  const client = await serves(t, second.port);
  for (let i = 0; i < 100; i++) t.equal(await client.set(`key:${i}`, `value ${i}`), 'OK');
  second.run.child.kill('SIGTERM');
  t.equal(await second.run.ended, 0);
  const other = clientOf(t, first.port);
  for (let i = 0; i < 100; i++) t.equal(await other.get(`key:${i}`), `value ${i}`);
});

t.test('members are those who know the secret', async (t) => {
  const secret = ['--cluster-secret', 'what only members know'];
  const first = await startNode(t, ...secret);
  const join = ['--join', `127.0.0.1:${first.busPort}`];
  await serves(t, first.port);
  const stranger = await startNode(t, ...join, '--cluster-secret', 'what strangers think');
  await first.run.printed(/the other end has another cluster-secret/);
  const second = await startNode(t, ...join, ...secret);
  await Promise.all([inView(first, 2), inView(second, 2)]);
  t.notMatch(stranger.run.out, /"members":\[[^\]]*,/);
  const client = await serves(t, second.port);
  await client.set('key', 'value'.repeat(100_000));
  t.equal(await (await serves(t, first.port)).strlen('key'), 500_000);
  t.same(await client.config('GET', 'cluster-secret'), []);
  t.notMatch(await client.config('GET', '*'), ['what only members know']);
});
