import t from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

const OLD = 'what members knew before';
const NEW = 'what members know from now on';
const KEYS = 100;

/** Writes one session after the other through a node until `end` is called, which tells how many; a failed one throws. */
function writing(node: NodeProcess): { end(): Promise<number> } {
  let count = 0;
  let isOver = false;
  const run = async (): Promise<number> => {
    while (!isOver) {
      await node.client.set(`session:${count % KEYS}`, `value ${count % KEYS}`);
      count += 1;
    }
    return count;
  };
  const done = run();
  done.catch(() => undefined);
  return {
    end: () => {
      isOver = true;
      return done;
    },
  };
}

t.test('the secret of a running cluster is changed node by node', async (t) => {
  const places = [OLD, OLD, OLD, NEW].map((secret) => ['--cluster-secret', secret]);
  const cluster = await TestCluster.prepare(t, places);
  const [first, second, third, newcomer] = cluster.nodes as [
    NodeProcess,
    NodeProcess,
    NodeProcess,
    NodeProcess,
  ];
  const old = [first, second, third];
  for (const node of old) node.start();
  await cluster.settled();
  const writes = writing(first);
  const setBoth = (node: NodeProcess): Promise<unknown> =>
    node.client.config('SET', 'cluster-secret', NEW, 'cluster-secret-previous', OLD);

  await setBoth(first);
  await third.end('SIGKILL');
  third.start();
  await cluster.settled();
  t.pass('one node has both, and one that knows the old secret alone comes in');

  await setBoth(second);
  await setBoth(third);
  newcomer.start();
  await cluster.settled();
  t.pass('all have both, and one that knows the new secret alone comes in');

  for (const node of old) await node.client.config('SET', 'cluster-secret-previous', '');
  await third.end('SIGKILL');
  third.start();
  const refused = /reason="the other end has another cluster-secret"/;
  await Promise.any([first, second].map((node) => node.logged(refused)));
  await cluster.until(async () => (await first.facts())['members'] === '3');
  t.ok((await writes.end()) > KEYS, 'no write has failed');
  for (let i = 0; i < KEYS; i++) {
    t.equal(await [second, newcomer][i % 2]!.client.get(`session:${i}`), `value ${i}`);
  }
});

t.test('a secret is changed, neither begun nor ended', async (t) => {
  const cluster = await TestCluster.prepare(t, [['--cluster-secret', OLD]]);
  const [node] = cluster.nodes as [NodeProcess];
  node.start();
  await cluster.settled();
  const failed = (option: string) =>
    `ERR CONFIG SET failed (possibly related to argument '${option}') - `;
  await t.rejects(node.client.config('SET', 'cluster-secret', ''), {
    message: `${failed('cluster-secret')}a running node can change cluster-secret, but not begin or end it`,
  });
  await t.rejects(node.client.config('SET', 'cluster-secret-previous', 'short'), {
    message: `${failed('cluster-secret-previous')}cluster-secret-previous: give 16 characters or more`,
  });
  await node.client.config('SET', 'slowlog-log-slower-than', '0');
  await node.client.config('SET', 'cluster-secret', NEW);
  const log = JSON.stringify(await node.client.slowlog('GET', 10));
  t.match(log, /"cluster-secret","\(redacted\)"/);
  t.notMatch(`${log}${node.log}`, NEW);
});
