import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { certificatePath, nodeTls } from '../support/certificates.js';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

const TLS = ['--tls-cluster', 'yes', ...nodeTls()];
const SECRET = ['--cluster-secret', 'what only members know'];

t.test('members that speak TLS: one is killed, no session is lost', async (t) => {
  const cluster = await TestCluster.start(t, 3, ...TLS, ...SECRET);
  const [first, second, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  const large = 'x'.repeat(2_000_000);
  await first.client.set('large', large);
  for (let i = 0; i < 200; i++) await first.client.set(`session:${i}`, `value ${i}`, 'EX', 600);
  t.equal(await third.client.get('large'), large);
  await first.end('SIGKILL');
  await cluster.settled();
  for (let i = 0; i < 200; i++) {
    t.equal(await [second, third][i % 2]!.client.get(`session:${i}`), `value ${i}`);
  }
  t.equal(await second.client.get('large'), large);
  first.start();
  await cluster.settled();
  t.equal(await first.client.get('session:7'), 'value 7');
});

t.test('who speaks no TLS, or shows no certificate of the CA, is no member', async (t) => {
  const cluster = await TestCluster.prepare(t, [
    TLS,
    [],
    [...TLS, '--tls-cert-file', certificatePath('stranger.crt')].concat([
      '--tls-key-file',
      certificatePath('stranger.key'),
    ]),
    TLS,
  ]);
  const [first, plain, stranger, second] = cluster.nodes as [
    NodeProcess,
    NodeProcess,
    NodeProcess,
    NodeProcess,
  ];
  first.start();
  await first.logged(/cluster-founded/);
  plain.start();
  stranger.start();
  const noTls = / # bus connection dropped from=\S+ reason="no TLS, on a port for it"\n/;
  const noMember = / # bus connection dropped from=\S+ reason="a certificate of the CA is needed/;
  await first.logged(noTls);
  await first.logged(noMember);
  await plain.logged(/reason="the other end speaks TLS: it has tls-cluster, this node has not"/);
  second.start();
  await cluster.until(async () => (await first.facts())['members'] === '2');
  for (const pattern of [noTls, noMember]) {
    t.equal(first.log.split(pattern).length, 2, 'they try again and again, and are logged once');
  }
  t.equal((await second.facts())['members'], '2');
});

/** Files of one node, which are put in the place of those before. */
function ownFiles(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'tandis-tls-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = (name: string): string => join(directory, name);
  const put = (certificate: string, ...authorities: string[]): void => {
    copyFileSync(certificatePath(`${certificate}.crt`), path('own.crt'));
    copyFileSync(certificatePath(`${certificate}.key`), path('own.key'));
    const texts = authorities.map((name) => readFileSync(certificatePath(`${name}.crt`), 'utf8'));
    writeFileSync(path('ca.crt'), texts.join(''));
  };
  const files = ['--tls-cert-file', path('own.crt'), '--tls-key-file', path('own.key')];
  return { put, options: ['--tls-cluster', 'yes', ...files, '--tls-ca-cert-file', path('ca.crt')] };
}

t.test('members get new certificates, and a new CA, as they run', async (t) => {
  const files = [ownFiles(t), ownFiles(t), ownFiles(t), ownFiles(t)];
  for (const { put } of files) put('node', 'ca');
  const cluster = await TestCluster.prepare(
    t,
    files.map(({ options }) => options),
  );
  const running = cluster.nodes.slice(0, 3) as [NodeProcess, NodeProcess, NodeProcess];
  for (const node of running) node.start();
  await cluster.settled();
  const [first, , third] = running;
  await first.client.set('key', 'value');
  const pids = running.slice(0, 2).map(({ pid }) => pid);

  /** One node after the other, and each time one of them has to connect anew, to all and from all. */
  const replace = async (...by: [certificate: string, ...authorities: string[]]): Promise<void> => {
    for (const [i, node] of running.entries()) {
      const isUsed = /certificate in use/g;
      const before = node.log.match(isUsed)!.length;
      files[i]!.put(...by);
      process.kill(node.pid, 'SIGHUP');
      await node.logged(new RegExp(`(certificate in use[^]*){${before + 1}}`));
      await third.end('SIGKILL');
      third.start();
      await cluster.settled();
      t.pass(`${by.join(' ')}: node ${i}`);
    }
  };
  await replace('renewed', 'ca');
  await replace('renewed', 'ca', 'other-ca');
  await replace('stranger', 'ca', 'other-ca');
  await replace('stranger', 'other-ca');

  const late = cluster.nodes[3]!;
  files[3]!.put('node', 'ca', 'other-ca');
  late.start();
  await first.logged(/reason="a certificate of the CA is needed/);
  t.equal((await first.facts())['members'], '3', 'who has an old one is no member any more');
  await late.end('SIGKILL');
  files[3]!.put('stranger', 'other-ca');
  late.start();
  await cluster.settled();
  t.equal(await late.client.get('key'), 'value');
  t.same(
    running.slice(0, 2).map(({ pid }) => pid),
    pids,
    'without a restart',
  );
});
