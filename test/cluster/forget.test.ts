import t from 'tap';
import { tandis } from '../cli/processes.js';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

const KEYS = Array.from({ length: 60 }, (_, i) => `key:${i}`);

t.test('majority: two of three machines are gone for good, and the third is told so', async (t) => {
  const cluster = await TestCluster.start(
    t,
    3,
    '--partition-policy',
    'majority',
    '--node-timeout',
    '1000',
  );
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  await Promise.all(KEYS.map((key) => a.client.set(key, 'kept')));
  const { node_id: idOfB } = await b.facts();
  const port = String(a.port);

  const refused = tandis(t, 'forget', `127.0.0.1:${b.port}`, '-p', port);
  t.equal(await refused.ended, 1);
  t.match(refused.err, /^tandis: 127\.0\.0\.1:\d+: ERR Node [0-9a-f]{40} is alive: send SHUTDOWN/);
  await t.rejects(a.client.call('CLUSTER', 'FORGET', 'f'.repeat(40)), /^ERR Unknown node f{40}$/);
  await t.rejects(a.client.call('CLUSTER', 'FORGET', idOfB!, 'NOW'), /^ERR syntax error$/);

  await Promise.all([b.end('SIGKILL'), c.end('SIGKILL')]);
  const isDown = async (): Promise<boolean> =>
    a.client.get('key:0').then(
      () => false,
      (error: Error) => error.message.startsWith('CLUSTERDOWN'),
    );
  await cluster.until(isDown);
  const unproven = tandis(t, 'forget', idOfB!.slice(0, 8), '-p', port);
  t.equal(await unproven.ended, 1);
  t.match(unproven.err, /Too few members are reached .* CLUSTER FORGET [0-9a-f]{40} FORCE\n$/);

  /** False where it is to be said again: without the one, the other may be about to be left out without a word. */
  const isForgotten = async (gone: NodeProcess): Promise<boolean> => {
    const run = tandis(t, 'forget', '--force', `127.0.0.1:${gone.port}`, '-p', port);
    const isDone = (await run.ended) === 0;
    if (isDone) t.match(run.out, /^[0-9a-f]{40} is forgotten\n$/);
    else t.match(run.err, /is silent, and about to be left out .*: try again in a moment\n$/);
    return isDone;
  };
  for (const gone of [b, c]) await cluster.until(() => isForgotten(gone));
  await cluster.until(async () => (await a.facts())['serving'] === '1');
  const values = await a.client.mget(KEYS);
  t.ok(values.filter((value) => value === 'kept').length > 0, 'what it held is served');
  await a.client.set('new', 'x');

  b.start();
  await cluster.until(async () => (await a.facts())['members'] === '2');
  t.equal(await b.client.get('new'), 'x', 'what comes later joins as any other');
});
