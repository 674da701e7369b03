import t, { type Test } from 'tap';
import {
  type Facts,
  type Location,
  type NodeProcess,
  TestCluster,
} from '../support/test-cluster.js';

/** The walk of a session through the cluster: created, read, its primary killed, met at the backup and elsewhere. */

const VALUE = 'x'.repeat(500);

async function locations(node: NodeProcess, keys: readonly string[]): Promise<Location[]> {
  return Promise.all(keys.map((key) => node.locate(key)));
}

/**
 * Everything of INFO that counts what a command has sent over the bus, by kind. Heartbeats are not part of it. Digests
 * are exchanged all the time, whatever clients do, and acked: they are left out here.
 */
function traffic(facts: Facts): Facts {
  const counts = Object.entries(facts).filter(
    ([name]) => /^(bus_messages_|lookups|forwards)/.test(name) && !/_(digest|ack)$/.test(name),
  );
  return Object.fromEntries(counts);
}

const busBytes = (facts: Facts): number =>
  Number(facts['bus_input_bytes']) + Number(facts['bus_output_bytes']);

/** Waits until what was asked before has been answered everywhere. */
async function quiet(cluster: TestCluster): Promise<void> {
  const all = async () =>
    JSON.stringify(
      await Promise.all(cluster.running.map(async (node) => traffic(await node.facts()))),
    );
  let before = '';
  await cluster.until(async () => {
    const last = before;
    before = await all();
    return before === last;
  });
}

async function rejects(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}

t.test('the walk with four nodes and five sessions', async (t) => {
  const cluster = await TestCluster.start(t, 4);
  const [a, b, c, d] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess, NodeProcess];
  const creators = [a, b, c, d, a];
  const sessions = ['S1', 'S2', 'S3', 'S4', 'S5'].map((name) => `sess:${name}`);
  for (const [index, key] of sessions.entries()) {
    t.equal(await creators[index]!.client.set(key, `${key} ${VALUE}`, 'EX', 3600), 'OK');
  }

  await t.test('a session is held by its creator and one backup', async (t) => {
    for (const [index, where] of (await locations(b, sessions)).entries()) {
      t.equal(where.primary, creators[index]!.port, 'its creator is the primary');
      t.ok(where.backup !== null && where.backup !== where.primary, 'another node is the backup');
      t.ok([where.primary, where.backup].includes(where.anchor), 'the anchor is one of the two');
      t.equal(where.settled, true);
    }
    for (const node of cluster.nodes) {
      t.same(await locations(node, sessions), await locations(a, sessions), 'all nodes agree');
    }
  });

  await t.test('reads on the primary cause no bus traffic', async (t) => {
    await quiet(cluster);
    const before = await a.facts();
    t.ok(Object.keys(traffic(before)).length > 10, 'the counters are there');
    const reads = await Promise.all(Array.from({ length: 500 }, () => a.client.get('sess:S1')));
    t.same(new Set(reads), new Set([`sess:S1 ${VALUE}`]));
    const after = await a.facts();
    t.same(traffic(after), traffic(before));
    const bytes = busBytes(after) - busBytes(before);
    t.ok(
      bytes < (reads.length * VALUE.length) / 2,
      `${bytes} bytes of background traffic, no values`,
    );
  });

  await t.test('a write goes to the one backup and to nobody else', async (t) => {
    const where = await a.locate('sess:S1');
    const others = cluster.nodes.filter((node) => node !== a && node.port !== where.backup);
    await quiet(cluster);
    const before = await Promise.all(others.map(async (node) => traffic(await node.facts())));
    const own = await a.facts();
    for (let i = 0; i < 100; i++) await a.client.set('sess:S1', `sess:S1 ${VALUE}`, 'EX', 3600);
    const after = await Promise.all(others.map(async (node) => traffic(await node.facts())));
    t.same(after, before, 'the other two hear nothing');
    const now = await a.facts();
    const frames = Number(now['bus_messages_set']) - Number(own['bus_messages_set']);
    t.equal(frames, 100, 'one frame for each');
  });

  await t.test('the primary is killed, and the request reaches the backup', async (t) => {
    const before = await locations(a, sessions);
    const victim = cluster.byPort(before[0]!.primary);
    const backup = cluster.byPort(before[0]!.backup);
    await victim.end('SIGKILL');
    t.equal(await backup.client.get('sess:S1'), `sess:S1 ${VALUE}`);
    // A backup that has been granted reads answers at once; it is promoted as soon as the death is proven.
    await cluster.until(async () => (await backup.locate('sess:S1')).primary === backup.port);
    await cluster.settled();
    t.equal((await backup.locate('sess:S1')).primary, backup.port, 'and it stays there');
    await twoCopies(t, backup, sessions, victim.port);
    for (const [index, where] of (await locations(backup, sessions)).entries()) {
      const old = before[index]!;
      if (old.primary !== victim.port) t.equal(where.primary, old.primary, 'others stay');
      t.ok(where.version >= old.version);
    }
    for (const node of cluster.running) {
      for (const key of sessions) t.equal(await node.client.get(key), `${key} ${VALUE}`);
    }
    // The first to use a promoted session takes it over, which is a change of places again.
    await cluster.settled();
    victim.start();
    await cluster.settled();
  });

  await t.test('the primary is killed, and the request reaches another node', async (t) => {
    const key = 'sess:S2';
    const before = await b.locate(key);
    const victim = cluster.byPort(before.primary);
    const other = cluster.running.find(
      ({ port }) => port !== before.primary && port !== before.backup,
    )!;
    await victim.end('SIGKILL');
    t.equal(await other.client.get(key), `${key} ${VALUE}`, 'the session is there');
    // That one may have been answered before the promotion, and those that come before the session has a backup again
    // find it on the move. The next request takes it over; it touches the session, as all of them do: should this node be
    // the new backup by now, it reads its own copy.
    await cluster.until(async () => {
      if ((await other.locate(key)).primary === null) return false;
      t.equal(await other.client.get(key), `${key} ${VALUE}`);
      t.equal(await other.client.expire(key, 3600), 1);
      return (await other.locate(key)).primary === other.port;
    });
    await cluster.settled();
    await twoCopies(t, other, sessions, victim.port);
    t.equal((await other.locate(key)).primary, other.port, 'it took the session over');
    for (const node of cluster.running) t.equal(await node.client.get(key), `${key} ${VALUE}`);
    victim.start();
    await cluster.settled();
  });

  await t.test(
    'a restarted node is a new, empty member and gets its share of backups',
    async (t) => {
      for (let i = 0; i < 400; i++) await a.client.set(`share:${i}`, VALUE);
      const before = await d.facts();
      t.ok(Number(before['backups']) > 0);
      await d.end('SIGKILL');
      await cluster.settled();
      d.start();
      await cluster.settled();
      const after = await d.facts();
      t.not(after['node_id'], before['node_id'], 'another incarnation');
      t.ok(Number(after['view']) > Number(before['view']));
      t.ok(Number(after['backups']) > 50, `${after['backups']} backups of 400 keys on 4 nodes`);
      t.equal((await Promise.all(sessions.map((key) => d.client.exists(key)))).length, 5);
      for (let i = 0; i < 400; i += 40) t.equal(await d.client.get(`share:${i}`), VALUE);
    },
  );
});

async function twoCopies(t: Test, node: NodeProcess, keys: readonly string[], dead: number) {
  for (const where of await locations(node, keys)) {
    t.ok(where.primary !== null && where.backup !== null, 'two copies');
    t.not(where.primary, where.backup, 'on two nodes');
    t.not(where.primary, dead);
    t.not(where.backup, dead);
    t.equal(where.settled, true);
  }
}

t.test('ownership follows the user', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];

  await t.test('after three commands in a row through another node', async (t) => {
    await a.client.set('follows', 'v0');
    for (let i = 1; i <= 2; i++) await b.client.set('follows', `v${i}`);
    await cluster.settled();
    t.equal((await a.locate('follows')).primary, a.port, 'not after two');
    await b.client.set('follows', 'v3');
    await cluster.until(async () => (await c.locate('follows')).primary === b.port);
    await cluster.settled();
    for (const node of cluster.nodes) t.equal(await node.client.get('follows'), 'v3');
    await quiet(cluster);
    const before = traffic(await b.facts());
    t.equal(await b.client.get('follows'), 'v3');
    t.same(traffic(await b.facts()), before, 'then it is local there');
  });

  await t.test('round-robin does not move it', async (t) => {
    await a.client.set('stays', 'v');
    const takeOvers = async () =>
      Promise.all(cluster.nodes.map(async (node) => (await node.facts())['take_overs']));
    const before = await takeOvers();
    for (let i = 0; i < 30; i++) {
      const node = cluster.nodes[i % 3]!;
      await (i % 2 === 0 ? node.client.get('stays') : node.client.set('stays', `v${i}`));
    }
    await cluster.settled();
    t.equal((await a.locate('stays')).primary, a.port);
    t.same(await takeOvers(), before);
  });
});

t.test(
  'a node that leaves in good order loses nothing, not even a command in flight',
  async (t) => {
    const cluster = await TestCluster.start(t, 3);
    const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
    const keys = Array.from({ length: 600 }, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key, i) => cluster.nodes[i % 3]!.client.set(key, `${key} 0`)));
    const acked = new Map(keys.map((key) => [key, 0]));
    let isWriting = true;
    const failed: unknown[] = [];
    const write = async (node: NodeProcess, own: readonly string[]): Promise<void> => {
      for (let round = 1; isWriting; round++) {
        for (const key of own) {
          if (!isWriting) return;
          try {
            await node.client.set(key, `${key} ${round}`);
            acked.set(key, round);
          } catch (error) {
            failed.push(error);
          }
        }
      }
    };
    const writers = [write(a, keys.slice(0, 300)), write(b, keys.slice(300))];
    t.equal(await c.end('SIGTERM'), 0);
    isWriting = false;
    await Promise.all(writers);
    t.same(failed.map(String), [], 'no write through the others failed');
    await cluster.settled();
    for (const node of cluster.running) {
      const values = await node.client.mget(keys);
      t.same(
        values,
        keys.map((key) => `${key} ${acked.get(key)}`),
      );
    }
    await t.test('down to the last one, and up again', async (t) => {
      t.equal(await b.end('SIGTERM'), 0);
      await cluster.settled();
      t.equal((await a.facts())['primaries'], '600');
      t.equal((await a.facts())['keys_without_backup'], '600', 'one copy each is all there can be');
      b.start();
      await cluster.settled();
      t.equal((await b.facts())['backups'], '600');
      t.ok(await rejects(c.client.ping()), 'who left is gone');
    });
  },
);

t.test('one keyspace from every node', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const keys = Array.from({ length: 300 }, (_, i) => `one:${i}`).sort();
  await Promise.all(keys.map((key, i) => cluster.nodes[i % 3]!.client.set(key, key)));
  await cluster.nodes[0]!.client.select(1);
  await cluster.nodes[0]!.client.set('elsewhere', 'in database 1');
  await cluster.nodes[0]!.client.select(0);

  for (const { client } of cluster.nodes) {
    t.equal(await client.dbsize(), 300);
    t.same((await client.keys('one:*')).sort(), keys);
    t.same(await client.keys('one:7'), ['one:7']);
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, some] = await client.scan(cursor, 'MATCH', 'one:*', 'COUNT', 20);
      found.push(...some);
      cursor = next;
    } while (cursor !== '0');
    t.same([...new Set(found)].sort(), keys, 'SCAN finds every key');
    t.ok(keys.includes((await client.randomkey()) ?? ''));
    t.same(await client.mget('one:1', 'none', 'one:2'), ['one:1', null, 'one:2']);
  }

  await t.test('monitoring moves nothing', async (t) => {
    await cluster.settled();
    const where = await cluster.nodes[1]!.locate('one:0');
    for (let i = 0; i < 10; i++) await cluster.nodes[1]!.client.keys('*');
    t.same(await cluster.nodes[1]!.locate('one:0'), where);
  });

  await t.test('FLUSHALL empties all databases on all nodes', async (t) => {
    t.equal(await cluster.nodes[1]!.client.flushall(), 'OK');
    for (const node of cluster.nodes) {
      t.equal(await node.client.dbsize(), 0);
      t.same(await node.client.mget(keys), new Array(300).fill(null));
      const { primaries, backups } = await node.facts();
      t.same([primaries, backups], ['0', '0'], 'no copy is left');
    }
    await cluster.nodes[2]!.client.set('one:0', 'again');
    for (const { client } of cluster.nodes) t.equal(await client.get('one:0'), 'again');
  });
});
