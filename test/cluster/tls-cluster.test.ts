import t from 'tap';
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
