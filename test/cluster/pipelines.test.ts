import t from 'tap';
import { TestCluster } from '../support/test-cluster.js';

const KEYS = Array.from({ length: 8 }, (_, i) => `sess:${i}`);
const ROUNDS = 60;

t.test('a connection that awaits no reply: its commands on a key run in its order', async (t) => {
  const cluster = await TestCluster.start(t, 3, '--take-over-after', '1');
  const [writer, ...readers] = cluster.nodes.map(({ client }) => client);

  await t.test('while a delete is on its way to the backup', async (t) => {
    for (const key of KEYS) {
      await writer!.set(key, 'before');
      const replies: Promise<unknown>[] = [writer!.del(key), writer!.set(key, 'first')];
      // Each comes in a read of its own, while the first SET waits for the DEL.
      for (let i = 0; i < 5; i++) {
        await new Promise(setImmediate);
        replies.push(writer!.append(key, `,${i}`));
      }
      t.same(await Promise.all(replies), [1, 'OK', 7, 9, 11, 13, 15]);
      t.equal(await writer!.get(key), 'first,0,1,2,3,4');
    }
  });

  await t.test('while the key moves from node to node', async (t) => {
    await writer!.del(KEYS);
    const appended: Promise<number>[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      for (const key of KEYS) appended.push(writer!.append(key, `,${i}`));
      // Whoever uses it next takes it over.
      const reader = readers[i % readers.length]!;
      await Promise.all(KEYS.map((key) => reader.getrange(key, 0, 0)));
    }
    await Promise.all(appended);
    const expected = Array.from({ length: ROUNDS }, (_, i) => `,${i}`).join('');
    for (const key of KEYS) t.equal(await readers[0]!.get(key), expected);
  });

  await t.test('what follows a large value on its way to another node', async (t) => {
    for (const [i, key] of KEYS.entries()) {
      const large = String(i).repeat(100_000);
      const other = readers[i % readers.length]!;
      await other.set(key, 'x');
      const replies = await Promise.all([
        writer!.set(key, large),
        writer!.mget(KEYS[(i + 1) % KEYS.length]!, key),
        writer!.append(key, 'end'),
        writer!.del(KEYS[(i + 1) % KEYS.length]!, key),
      ]);
      t.same([replies[0], replies[1]?.[1] === large, replies[2]], ['OK', true, large.length + 3]);
    }
  });

  await t.test('commands on several keys, and on all of them, keep their place too', async (t) => {
    const [a, b, c] = KEYS as [string, string, string];
    for (let i = 0; i < 50; i++) {
      const other = readers[i % readers.length]!;
      await Promise.all([other.set(a, 'x'), other.set(b, 'y'), other.del(c)]);
      const replies = await Promise.all([
        writer!.append(a, '1'),
        writer!.mset(b, '2', c, '3'),
        writer!.append(b, '4'),
        writer!.mget(a, b, c),
        writer!.rename(a, c),
        writer!.get(c),
        writer!.flushall(),
        writer!.set(b, 'new'),
        writer!.dbsize(),
      ]);
      t.same(replies, [2, 'OK', 2, ['x1', '24', '3'], 'OK', 'x1', 'OK', 'OK', 1]);
    }
  });
});
