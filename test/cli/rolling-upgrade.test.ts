import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';
import { PROGRAM } from './processes.js';

const SCRIPT = fileURLToPath(new URL('../../../deploy/rolling-upgrade.sh', import.meta.url));
const ask = (url: string): string =>
  `"${process.execPath}" -e "fetch('${url}' + process.env.HOST + ':' + process.env.PORT)"`;

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

async function upgrade(
  t: Test,
  start: string,
  nodes: readonly string[],
  wait: number,
): Promise<Ended> {
  const TANDIS = `${process.execPath} ${PROGRAM}`;
  const env = { ...process.env, TANDIS, WAIT: String(wait) };
  const child: ChildProcess = spawn('sh', [SCRIPT, start, ...nodes], { env });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout!.on('data', (text) => {
    out += text;
  });
  child.stderr!.on('data', (text) => {
    err += text;
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, out, err };
}

/** Where nodes are started anew: "host:port" is the path. Those that were are in `started`. */
async function starter(t: Test, nodes: readonly NodeProcess[]) {
  const started: NodeProcess[] = [];
  const server = createServer(({ url }, response) => {
    const node = nodes.find(({ port }) => url === `/127.0.0.1:${port}`)!;
    t.notOk(node.isRunning, 'it has left');
    node.start();
    started.push(node);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, started };
}

const addressOf = ({ port }: NodeProcess): string => `127.0.0.1:${port}`;

t.test('the nodes are replaced one after the other, and nothing is lost', async (t) => {
  const { nodes } = await TestCluster.start(t, 3);
  const { url, started } = await starter(t, nodes);
  const keys = Array.from({ length: 200 }, (_, i) => `key:${i}`);
  for (const key of keys) await nodes[0]!.client.set(key, key);
  const { status, out, err } = await upgrade(t, ask(url), nodes.map(addressOf), 60);
  t.equal(status, 0, err);
  t.same(started, nodes);
  for (const node of nodes) {
    t.match(out, `${addressOf(node)}: is replaced\n`);
    t.match(out, `${addressOf(node)}: is back, and every key has its two copies\n`);
  }
  t.same(await nodes[1]!.client.mget(keys), keys);
});

t.test('a node that does not come back is the last one that is touched', async (t) => {
  const { nodes } = await TestCluster.start(t, 3);
  const [first, second, third] = nodes;
  await first!.client.set('key', 'value');
  const { status, out, err } = await upgrade(t, 'true', nodes.map(addressOf), 1);
  t.equal(status, 1);
  t.match(out, `${addressOf(first!)}: is replaced\n`);
  t.notMatch(out, 'is back');
  t.match(err, 'the cluster is not whole: nothing more is done');
  t.notOk(first!.isRunning);
  t.equal(await second!.client.get('key'), 'value');
  t.equal(await third!.client.get('key'), 'value');
});

t.test('without a command or nodes it says how it is used', async (t) => {
  const { status, err } = await upgrade(t, 'true', ['127.0.0.1:7001'], 0);
  t.equal(status, 2);
  t.match(err, /^usage: /);
});
