import t, { type Test } from 'tap';
import { RespConnection } from '../support/redis-server.js';
import type { Reply } from '../support/resp.js';
import { clientOf, TestCluster } from '../support/test-cluster.js';

t.setTimeout(60_000);

const NODES = 3;
const TRANSFERS = 40;
const COUNTS = 15;

const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');
const itemsOf = (reply: Reply): readonly Reply[] => ('items' in reply ? reply.items : []);

async function clients(t: Test, cluster: TestCluster): Promise<RespConnection[]> {
  const connections = await Promise.all(
    cluster.nodes.map((node) => RespConnection.open(node.port)),
  );
  t.teardown(() => {
    for (const connection of connections) connection.close();
  });
  return connections;
}

async function ask(client: RespConnection, command: string): Promise<Reply> {
  return (await client.ask(...command.split(' '))).reply;
}

/** Sends a whole transaction; the reply of EXEC. */
async function transact(client: RespConnection, ...commands: string[]): Promise<Reply> {
  const sent = ['MULTI', ...commands, 'EXEC'].map((command) => ask(client, command));
  return (await Promise.all(sent)).at(-1)!;
}

t.test('transfers by clients of three nodes: the sum never changes', async (t) => {
  const cluster = await TestCluster.start(t, NODES);
  const all = await clients(t, cluster);
  // Each account begins on a node of its own.
  await Promise.all(all.map((client, i) => ask(client, `SET account:${i} 100`)));
  const sums: number[] = [];
  const users = all.map(async (client, i) => {
    for (let round = 0; round < TRANSFERS; round++) {
      const [from, to] = [(i + round) % NODES, (i + 2 * round + 1) % NODES];
      await transact(client, `INCRBY account:${from} -7`, `INCRBY account:${to} 7`);
      const seen = await transact(client, 'GET account:0', 'GET account:1', 'GET account:2');
      sums.push(itemsOf(seen).reduce((sum, item) => sum + Number(textOf(item)), 0));
    }
  });
  await Promise.all(users);
  t.equal(sums.length, NODES * TRANSFERS);
  t.same([...new Set(sums)], [100 * NODES]);
});

t.test('counters by WATCH lose nothing, from an absent key on', async (t) => {
  const cluster = await TestCluster.start(t, NODES);
  const all = await clients(t, cluster);
  let aborted = 0;
  const users = all.map(async (client) => {
    for (let done = 0; done < COUNTS; ) {
      await ask(client, 'WATCH counter');
      const seen = textOf(await ask(client, 'GET counter'));
      const next = (Number.parseInt(seen, 10) || 0) + 1;
      const reply = await transact(client, `SET counter ${next}`);
      if (itemsOf(reply).length === 1) done++;
      else aborted++;
    }
  });
  await Promise.all(users);
  t.equal(textOf(await ask(all[0]!, 'GET counter')), String(NODES * COUNTS));
  t.comment(`${aborted} were aborted`);
});

t.test(
  'what was watched on one node and changed on another is found, and goes with the key',
  async (t) => {
    const cluster = await TestCluster.start(t, NODES);
    const [one, two, three] = await clients(t, cluster);
    await ask(two!, 'SET k v');
    await ask(one!, 'WATCH k');
    // It moves, unchanged.
    for (let i = 0; i < 5; i++) await ask(three!, 'GET k');
    t.same(itemsOf(await transact(one!, 'GET k')).map(textOf), ['v']);

    await ask(one!, 'WATCH k gone');
    await ask(three!, 'SET gone v');
    await ask(two!, 'DEL gone');
    t.match(await transact(one!, 'GET k'), { type: '_' }, 'made and deleted again');

    await ask(one!, 'WATCH k');
    await ask(two!, 'EXPIRE k 100');
    t.match(await transact(one!, 'SET k w'), { type: '_' });
  },
);

for (const nodes of [1, 2]) {
  t.test(
    `what was queued before memory was used up is discarded, as in Redis: ${nodes} nodes`,
    async (t) => {
      const cluster = await TestCluster.start(t, nodes);
      const { client } = cluster.nodes[0]!;
      await client.set('large', 'x'.repeat(2 * 1024 * 1024));
      await client.set('k', 'before');
      const transaction = clientOf(cluster.nodes[0]!.port);
      await transaction.call('MULTI');
      await transaction.call('SET', 'k', 'after');
      await client.config('SET', 'maxmemory', '1mb');
      await t.rejects(transaction.call('EXEC'), {
        message:
          "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
      });
      t.equal(await client.get('k'), 'before');
      await t.rejects(transaction.call('EXEC'), { message: 'ERR EXEC without MULTI' });
    },
  );
}
