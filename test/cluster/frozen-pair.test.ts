import t from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

const KEYS = Array.from({ length: 50 }, (_, i) => `frozen:${i}`);

t.test(
  'available, two nodes: one that was frozen serves nothing stale, and comes back',
  async (t) => {
    const cluster = await TestCluster.start(t, 2, '--node-timeout', '1000');
    const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
    // It is primary of all of them: when it froze it had every right to read them.
    for (const key of KEYS) await b.client.set(key, 'before');
    t.equal((await a.locate(KEYS[0]!)).primary, b.port);
    const { node_id: before } = await b.facts();
    const asker = b.client;

    b.freeze();
    // These are in its sockets when it wakes, the first thing that it finds.
    const asked = KEYS.map((key) => asker.get(key).catch(String));
    const counted = asker.incr('counter').catch(String);
    await cluster.until(async () => (await a.facts())['members'] === '1');
    await Promise.all(KEYS.map((key) => a.client.set(key, 'after')));
    t.equal(await a.client.del(KEYS[0]!), 1);
    t.equal(await a.client.incr('counter'), 1);
    b.thaw();

    for (const [i, answer] of (await Promise.all(asked)).entries()) {
      if (answer === null) t.equal(i, 0, 'only the deleted one is absent');
      else t.match(answer, /^after$|^ReplyError: (LOADING|TRYAGAIN) /, 'the new value, or none');
    }
    const count = String(await counted);
    t.match(count, /^2$|^ReplyError: (LOADING|TRYAGAIN|ERR outcome unknown)/);
    await cluster.settled();
    t.not((await b.facts())['node_id'], before, 'it is another incarnation');
    for (const node of cluster.nodes) {
      t.same(await node.client.mget(KEYS), [null, ...KEYS.slice(1).map(() => 'after')]);
      t.equal(await node.client.get('counter'), count === '2' ? '2' : '1');
    }
    const { backups } = await b.facts();
    t.ok(Number(backups) >= KEYS.length - 1, 'and it holds the second copies');
  },
);
