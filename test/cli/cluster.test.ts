import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { certificatePath } from '../support/certificates.js';
import { clientOf, freePorts, tandis } from './processes.js';

/** A node that still runs by then has not noticed that its launcher is gone. */
const ORPHAN_MS = 10_000;
const POLL_MS = 20;

t.test('the launcher starts a cluster, reports a death, and ends all nodes', async (t) => {
  const port = await freePorts(3);
  const run = tandis(t, 'cluster', '--nodes', '3', '--port', String(port));
  await run.printed(/The cluster answers: 3 nodes/);
  const [, pid] = await run.printed(/kill -9 (\d+)/);
  await clientOf(t, port).set('sess:1', 'hello', 'EX', 600);
  t.equal(await clientOf(t, port + 1).get('sess:1'), 'hello');

  process.kill(Number(pid), 'SIGKILL');
  await run.printed(new RegExp(`${port} \\| node ${port} has ended \\(SIGKILL\\); it stays dead`));
  t.equal(await clientOf(t, port + 2).get('sess:1'), 'hello', 'the session is still there');

  run.child.kill('SIGINT');
  t.equal(await run.ended, 0);
  t.match(run.out, new RegExp(`${port + 1} \\| node ${port + 1} has ended`));
  t.match(run.out, new RegExp(`${port + 2} \\| node ${port + 2} has ended`));
});

t.test('a cluster whose nodes speak TLS, to clients and to one another', async (t) => {
  const port = await freePorts(2);
  const [ca, cert, key] = ['ca.crt', 'node.crt', 'node.key'].map(certificatePath) as [
    string,
    string,
    string,
  ];
  const tls = ['--tls', '--cacert', ca, '--cert', cert, '--key', key];
  const nodes = ['--nodes', '2', '--port', String(port)];
  const run = tandis(t, 'cluster', ...nodes, ...tls, '--', '--tls-cluster', 'yes');
  await run.printed(/The cluster answers: 2 nodes/);
  t.match(run.out, `redis-cli ${tls.join(' ')} -p ${port} set sess:1`);
  run.child.kill('SIGINT');
  t.equal(await run.ended, 0);
});

t.test('a launcher whose ports are in use says so and ends', async (t) => {
  const port = await freePorts(1);
  const first = tandis(t, 'cluster', '--nodes', '1', '--port', String(port));
  await first.printed(/The cluster answers/);
  const second = tandis(t, 'cluster', '--nodes', '1', '--port', String(port));
  t.equal(await second.ended, 1);
  t.match(second.out, /is in use/);
});

t.test('the nodes end with a launcher that was killed', async (t) => {
  const port = await freePorts(1);
  const run = tandis(t, 'cluster', '--nodes', '1', '--port', String(port));
  const pid = Number((await run.printed(/kill -9 (\d+)/))[1]);
  const signal = (name: 'SIGKILL' | 0): boolean => {
    try {
      return process.kill(pid, name);
    } catch {
      return false;
    }
  };
  t.teardown(() => signal('SIGKILL'));
  run.child.kill('SIGKILL');
  // Only its parent is told of the end of a process, and this one's parent is gone: it has to be asked for.
  const deadline = Date.now() + ORPHAN_MS;
  while (signal(0) && Date.now() < deadline) await delay(POLL_MS);
  t.notOk(signal(0), 'the node has ended');
});
