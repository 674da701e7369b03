import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { freePorts, TestCluster } from '../support/test-cluster.js';

/** Of the admin port: more are closed at once. */
const CONNECTIONS_MAX = 64;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function ask(port: number, path: string, method = 'GET'): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** The value of one line of /metrics. */
async function metric(port: number, line: string): Promise<number> {
  const { text } = await ask(port, '/metrics');
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return found === undefined ? Number.NaN : Number(found.slice(line.length + 1));
}

t.test('a node tells over HTTP whether it lives, is ready, and what it does', async (t) => {
  const admin = await freePorts(2);
  const options = admin.map((port) => ['--admin-port', String(port)]);
  const cluster = await TestCluster.prepare(t, options);
  for (const node of cluster.nodes) node.start();
  await cluster.settled();
  const [port, other] = admin as [number, number];
  const client = cluster.nodes[0]!.client;

  await t.test('figures', async (t) => {
    for (let i = 0; i < 10; i++) await client.set(`key:${i}`, 'value');
    await client.get('key:1');
    await client.get('none');
    await t.rejects(client.call('INCR', 'key:1'));
    t.equal((await ask(port, '/healthz')).status, 200);
    const ready = await ask(port, '/readyz');
    t.same([ready.status, ready.text], [200, 'ready\n']);
    const { headers } = await ask(port, '/metrics');
    t.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    t.equal(await metric(port, 'tandis_members'), 2);
    t.equal(await metric(port, 'tandis_keys{role="primary"}'), 10);
    t.equal(await metric(other, 'tandis_keys{role="backup"}'), 10);
    t.equal(await metric(port, 'tandis_keyspace_hits_total'), 1);
    t.equal(await metric(port, 'tandis_keyspace_hits_total'), 1, 'the same when asked again');
    t.equal(await metric(port, 'tandis_keyspace_misses_total'), 1);
    t.equal(await metric(port, 'tandis_error_replies_total{kind="ERR"}'), 1);
    t.ok((await metric(port, 'process_resident_memory_bytes')) > 1e6);

    const rude = connect(cluster.nodes[0]!.port, '127.0.0.1');
    rude.resume().write('*1\r\n$-5\r\n');
    await once(rude, 'close');
    t.equal(await metric(port, 'tandis_clients_closed_total{reason="protocol"}'), 1);
    const half = connect(cluster.nodes[0]!.port, '127.0.0.1');
    half.write(`*2\r\n$3\r\nGET\r\n$5000\r\n${'x'.repeat(4000)}`);
    await cluster.until(
      async () => (await metric(port, 'tandis_client_buffer_bytes{kind="query"}')) > 4000,
    );
    half.destroy();
    await client.subscribe('news');
    t.equal(await metric(port, 'tandis_subscriptions'), 1);
    await client.unsubscribe('news');
    await cluster.until(async () => (await metric(port, 'tandis_bus_backlog_bytes')) === 0);
    await cluster.until(async () => (await metric(port, 'tandis_work_open{kind="lookups"}')) === 0);
  });

  await t.test('what else is asked', async (t) => {
    t.equal((await ask(port, '/nothing')).status, 404);
    t.equal((await ask(port, '/healthz', 'POST')).status, 405);
    const head = await ask(port, '/readyz', 'HEAD');
    t.same([head.status, head.text, head.headers.get('content-length')], [200, '', '6']);
  });

  await t.test('so many connections at a time', async (t) => {
    // Idle ones, which fetch has left, may be among them.
    const sockets = Array.from({ length: CONNECTIONS_MAX + 4 }, () => connect(port, '127.0.0.1'));
    const closed = sockets.map((socket) =>
      once(
        socket.resume().on('error', () => {}),
        'close',
      ),
    );
    await Promise.all(Array.from({ length: 4 }, () => Promise.race(closed)));
    await cluster.until(
      async () => Number((await cluster.nodes[0]!.facts())['limit_admin_connections']) >= 4,
    );
    t.ok(sockets.filter(({ closed }) => !closed).length <= CONNECTIONS_MAX);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    // The node may not have heard yet that all of them are gone.
    const answers = async (): Promise<boolean> =>
      (await ask(port, '/healthz').catch(() => null))?.status === 200;
    await cluster.until(answers);
  });

  await t.test('not ready while stopping it would lose a copy', async (t) => {
    await cluster.nodes[1]!.end('SIGKILL');
    const reason = '10 keys without a backup\n';
    await cluster.until(async () => (await ask(port, '/readyz')).text === reason);
    t.equal((await ask(port, '/readyz')).status, 503);
    t.equal((await ask(port, '/healthz')).status, 200);
    t.equal(await metric(port, 'tandis_keys_without_backup'), 10);
    cluster.nodes[1]!.start();
    await cluster.settled();
    t.equal((await ask(port, '/readyz')).status, 200);
    t.equal((await ask(other, '/readyz')).status, 200);
  });
});
