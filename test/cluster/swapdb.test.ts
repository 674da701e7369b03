import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { clientOf, type NodeProcess, TestCluster } from '../support/test-cluster.js';

const KEYS = 300;
const key = (i: number): string => `session:${i}`;

/** A connection to one database of a node. */
async function open(t: Test, { port }: NodeProcess, db: number): Promise<Redis> {
  const client = clientOf(port);
  t.teardown(() => client.disconnect());
  await client.select(db);
  return client;
}

/** How many of the keys have that value here. */
async function count(client: Redis, value: string | null): Promise<number> {
  const all = Array.from({ length: KEYS }, (_, i) => client.get(key(i)));
  return (await Promise.all(all)).filter((one) => one === value).length;
}

/** How many keys a SCAN in small steps returns. */
async function walk(client: Redis): Promise<number> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await client.scan(cursor, 'COUNT', 7);
    for (const one of keys) found.add(one);
    cursor = next;
  } while (cursor !== '0');
  return found.size;
}

t.test('databases swapped by a node that is alone are what the others get to know', async (t) => {
  const cluster = await TestCluster.prepare(t, [[], []]);
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  a.start();
  await cluster.settled();
  const first = await open(t, a, 0);
  const second = await open(t, a, 1);
  for (let i = 0; i < KEYS; i++) await second.set(key(i), 'of 1', 'EX', 3600);
  // The floor of this flush is above the keys that the swap brings here.
  await first.set('flushed', 'x');
  await first.flushdb();
  for (let i = 0; i < KEYS / 2; i++) await first.set(key(i), 'of 0');
  t.equal(await first.swapdb(0, 1), 'OK');
  t.equal(await count(first, 'of 1'), KEYS);
  t.equal(await count(second, 'of 0'), KEYS / 2);
  t.same(await Promise.all([first.dbsize(), second.dbsize()]), [KEYS, KEYS / 2]);
  t.match(await first.info('keyspace'), `db0:keys=${KEYS},expires=${KEYS}`);

  b.start();
  await cluster.settled();
  const firstAtB = await open(t, b, 0);
  const secondAtB = await open(t, b, 1);
  t.equal(await count(firstAtB, 'of 1'), KEYS);
  t.equal(await count(secondAtB, 'of 0'), KEYS / 2);
  // Both walk the keyspace in one order, although they number their databases differently.
  t.same(await Promise.all([walk(first), walk(firstAtB)]), [KEYS, KEYS]);
  await t.rejects(first.swapdb(0, 1), /not allowed in cluster mode/);

  await a.end('SIGKILL');
  await cluster.settled();
  t.equal(await count(firstAtB, 'of 1'), KEYS);
  t.equal(await count(secondAtB, 'of 0'), KEYS / 2);
  t.equal(await firstAtB.swapdb(1, 0), 'OK', 'alone again');
  t.equal(await count(firstAtB, 'of 0'), KEYS / 2);
  t.equal(await count(firstAtB, null), KEYS / 2);
  t.equal(await count(secondAtB, 'of 1'), KEYS);

  a.start();
  await cluster.settled();
  t.equal(await count(await open(t, a, 0), 'of 0'), KEYS / 2);
  t.equal(await count(await open(t, a, 1), 'of 1'), KEYS);
});
