import type { Test } from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

/*
 * The life of sessions in a cache, with no web application around it: saved and read through one node and another, then
 * the node that is the primary of a session is killed.
 */

/** What is kept of somebody. */
export interface Session {
  readonly user: string;
  readonly views: number;
}

/** A cache that is connected to one node. */
export interface SessionCache {
  save(id: string, session: Session, ttlMs: number): Promise<unknown>;
  /** Null or undefined where there is none. */
  read(id: string): Promise<Session | null | undefined>;
  remove(id: string): Promise<unknown>;
  /** The ids of all sessions. */
  list(): Promise<readonly string[]>;
  clear(): Promise<unknown>;
  /** What it can do with several sessions in one transaction; absent where it makes none. */
  readonly saveAll?: (ids: readonly string[], session: Session) => Promise<unknown>;
  readonly removeAll?: (ids: readonly string[]) => Promise<unknown>;
  close(): unknown;
}

/** A cache with its client, to be connected to any node. */
export interface CacheKit {
  readonly name: string;
  keyOf(id: string): string;
  connect(port: number): Promise<SessionCache>;
}

const HOUR_MS = 3_600_000;
const SHORT_MS = 1000;

async function livesThrough(t: Test, kit: CacheKit, cluster: TestCluster, owner: Test) {
  const [at, dies, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  const [home, other] = await Promise.all([kit.connect(at.port), kit.connect(dies.port)]);
  owner.teardown(() => Promise.all([home.close(), other.close()]));

  t.notOk(await home.read('ann'), 'nobody is known before the login');
  await home.save('ann', { user: 'ann', views: 0 }, HOUR_MS);
  t.same(await home.read('ann'), { user: 'ann', views: 0 });
  t.same(await other.read('ann'), { user: 'ann', views: 0 }, 'elsewhere');
  await other.save('ann', { user: 'ann', views: 1 }, HOUR_MS);
  t.same(await home.read('ann'), { user: 'ann', views: 1 }, 'updated');
  const ttl = await third.client.pttl(kit.keyOf('ann'));
  t.ok(ttl > HOUR_MS / 2 && ttl <= HOUR_MS, `it ends in an hour: ${ttl} ms`);

  await home.save('bob', { user: 'bob', views: 0 }, HOUR_MS);
  t.same([...(await other.list())].sort(), ['ann', 'bob'], 'listed');
  await home.remove('bob');
  t.notOk(await other.read('bob'), 'logged out');
  t.same(await home.list(), ['ann']);
  if (home.saveAll !== undefined && home.removeAll !== undefined) {
    const ids = ['fay', 'gil', 'hal'];
    await home.saveAll(ids, { user: 'several', views: 0 });
    t.same([...(await other.list())].sort(), ['ann', ...ids], 'several at once');
    t.same(await other.read('gil'), { user: 'several', views: 0 });
    await home.removeAll(ids);
    t.same(await other.list(), ['ann']);
  }
  await other.clear();
  t.same(await home.list(), [], 'cleared');
  t.notOk(await home.read('ann'));

  await home.save('ida', { user: 'ida', views: 0 }, SHORT_MS);
  t.same(await other.read('ida'), { user: 'ida', views: 0 });
  await cluster.until(async () => !(await home.read('ida')));

  await other.save('zoe', { user: 'zoe', views: 0 }, HOUR_MS);
  t.equal((await at.locate(kit.keyOf('zoe'))).primary, dies.port, 'the victim is its primary');
  return { kit, home };
}

async function survives(t: Test, kit: CacheKit, home: SessionCache, third: NodeProcess) {
  t.same(await home.read('zoe'), { user: 'zoe', views: 0 }, 'on a survivor');
  await home.save('zoe', { user: 'zoe', views: 1 }, HOUR_MS);
  const moved = await kit.connect(third.port);
  t.teardown(() => moved.close());
  t.same(
    await moved.read('zoe'),
    { user: 'zoe', views: 1 },
    'of a client that was on the dead one',
  );
  t.same(await moved.list(), ['zoe']);
  await moved.remove('zoe');
  t.notOk(await home.read('zoe'));
}

/** All kits at the same time on one cluster; one node is killed for all of them. */
export async function cacheLives(t: Test, kits: readonly CacheKit[]): Promise<void> {
  const cluster = await TestCluster.start(t, 3);
  const [, dies, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  t.jobs = kits.length;
  const survivors: { kit: CacheKit; home: SessionCache }[] = [];
  await Promise.all(
    kits.map((kit) =>
      t.test(kit.name, { buffered: true }, async (part) => {
        survivors.push(await livesThrough(part, kit, cluster, t));
      }),
    ),
  );
  await dies.end('SIGKILL');
  await Promise.all(
    survivors.map(({ kit, home }) =>
      t.test(`${kit.name}: the primary is killed`, { buffered: true }, (part) =>
        survives(part, kit, home, third),
      ),
    ),
  );
}
