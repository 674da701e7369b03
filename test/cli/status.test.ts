import t from 'tap';
import {
  type MemberStatus,
  memberStatus,
  parseClusterNodes,
  statusTable,
} from '../../lib/server/cli/show-status.js';
import { certificatePath, nodeTls } from '../support/certificates.js';
import { freePorts, serves, startNode, tandis } from './processes.js';

t.test('status asks one node for its members and each member for its figures', async (t) => {
  const { port } = await startNode(t, '--zone', 'east');
  const client = await serves(t, port);
  await client.set('key', 'value');
  const run = tandis(t, 'status', '-p', String(port));
  t.equal(await run.ended, 0);
  t.match(run.out, /^address +zone +state +primaries +backups +without backup +memory +ops\/s\n/);
  t.match(run.out, new RegExp(`\n127.0.0.1:${port} +east +settled +1 +0 +`));

  const json = tandis(t, 'status', '-p', String(port), '--json');
  t.equal(await json.ended, 0);
  const [member] = JSON.parse(json.out) as MemberStatus[];
  t.match(member, { zone: 'east', primaries: 1, backups: 0, address: `127.0.0.1:${port}` });
});

t.test('status by TLS', async (t) => {
  const port = await freePorts(1);
  const only = ['--port', '0', '--tls-port', String(port), ...nodeTls()];
  await startNode(t, ...only);
  const flags = ['--cacert', 'ca.crt', '--cert', 'client.crt', '--key', 'client.key'].map(
    (one, i) => (i % 2 === 0 ? one : certificatePath(one)),
  );
  const run = tandis(t, 'status', '--tls', ...flags, '-p', String(port));
  t.equal(await run.ended, 0);
  t.match(run.out, new RegExp(`\n127.0.0.1:${port} +- +settled +0 +0 +`));
  const missing = tandis(t, 'status', '--tls', '--cacert', '/none', '-p', String(port));
  t.equal(await missing.ended, 2);
  t.match(missing.err, /^tandis: --cacert: ENOENT: .*\n$/);
});

t.test('status as a user', async (t) => {
  const rules = 'on >secret -@all +info +cluster';
  const { port } = await startNode(t, '--user', 'default off', '--user', `stats ${rules}`);
  const run = tandis(t, 'status', '-p', String(port), '--user', 'stats', '-a', 'secret');
  t.equal(await run.ended, 0);
  t.match(run.out, new RegExp(`\n127.0.0.1:${port} `));
  const refused = tandis(t, 'status', '-p', String(port), '-a', 'secret');
  t.equal(await refused.ended, 1);
  t.match(refused.err, /WRONGPASS|NOAUTH/);
});

t.test('status of nobody: one line, exit status 1', async (t) => {
  const run = tandis(t, 'status', '-p', '1');
  t.equal(await run.ended, 1);
  t.match(run.err, /^tandis: 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/);
});

t.test('a member that is being drained is shown as leaving', async (t) => {
  const [node] = parseClusterNodes(
    `${'a'.repeat(40)} 10.0.0.1:7001@17001 master,leaving - 0 0 1 connected\n`,
  );
  const facts = new Map(Object.entries({ serving: '1', settled: '0', primaries: '7' }));
  t.match(memberStatus(node!, facts), { state: 'leaving', primaries: 7 });
});

t.test('a member that does not answer is shown as such', async (t) => {
  const [node] = parseClusterNodes(
    `${'a'.repeat(40)} 10.0.0.1:7001@17001 master - 0 0 1 connected\n`,
  );
  t.match(node, { host: '10.0.0.1', port: 7001, flags: 'master' });
  const table = statusTable([
    {
      id: node!.id,
      address: '10.0.0.1:7001',
      zone: '',
      state: 'no answer',
      primaries: null,
      backups: null,
      keysWithoutBackup: null,
      memoryBytes: null,
      operationsPerSecond: null,
    },
  ]);
  t.match(table, /\n10\.0\.0\.1:7001 +- +no answer +- +- +- +- +-\n$/);
});
