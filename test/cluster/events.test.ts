import t from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

interface Told {
  readonly id: number;
  readonly time: number;
  readonly kind: string;
  readonly member: string;
  readonly address: string;
  readonly view: number;
  readonly count: number;
  readonly text: string;
}

/** The entries of a reply that is flat lists of names and values. */
async function entries<Entry>(node: NodeProcess, ...command: string[]): Promise<Entry[]> {
  const reply = (await node.client.call('CLUSTER', ...command)) as unknown[][];
  return reply.map((flat) => {
    const entry: Record<string, unknown> = {};
    for (let i = 0; i < flat.length; i += 2) entry[String(flat[i])] = flat[i + 1];
    return entry as Entry;
  });
}

const events = (node: NodeProcess): Promise<Told[]> => entries<Told>(node, 'EVENTS');

t.test('a node tells what has happened in its cluster', async (t) => {
  const cluster = await TestCluster.prepare(t, [[], ['--zone', 'east'], []]);
  const [first, second, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  first.start();
  second.start();
  await cluster.settled();
  for (let i = 0; i < 60; i++) await first.client.set(`key:${i}`, 'value');

  const seen = async (kind: string, about: string): Promise<Told> => {
    let found: Told | undefined;
    await cluster.until(async () => {
      found = (await events(first)).findLast((event) => event.kind === kind);
      return found?.address === about;
    });
    return found!;
  };
  /** The one line of the log of the first node with that sentence. */
  const logged = async (text: string): Promise<string> => {
    const lines = (): string[] =>
      first.log.split('\n').filter((line) => line.includes(`text="${text}"`));
    await cluster.until(async () => lines().length > 0);
    t.equal(lines().length, 1, text);
    return lines()[0]!;
  };
  const addressOf = (node: NodeProcess): string => `127.0.0.1:${node.port}`;

  await t.test('who comes', async (t) => {
    const before = Date.now();
    third.start();
    const joined = await seen('joined', addressOf(third));
    t.equal(joined.text, `127.0.0.1:${third.port} has joined`);
    await logged(joined.text);
    t.equal(joined.member, await third.client.call('CLUSTER', 'MYID'));
    t.ok(joined.time >= before && joined.time <= Date.now());
    await cluster.settled();
    await seen('settled', '');
  });

  await t.test('who holds copies with whom', async (t) => {
    const copies = new Map<string, { primaries: number; backups: number }>();
    for (const node of cluster.nodes) {
      const facts = await node.facts();
      const shared = await entries<{ address: string; primaries: number; backups: number }>(
        node,
        'COPIES',
      );
      t.equal(shared.length, 2);
      const sum = (role: 'primaries' | 'backups'): number =>
        shared.reduce((total, one) => total + one[role], 0);
      t.equal(sum('primaries'), Number(facts['primaries']));
      t.equal(sum('backups'), Number(facts['backups']));
      for (const one of shared) copies.set(`${addressOf(node)} ${one.address}`, one);
    }
    for (const [pair, { primaries }] of copies) {
      const other = pair.split(' ').reverse().join(' ');
      t.equal(copies.get(other)?.backups, primaries, `${pair}: both say the same`);
    }
  });

  await t.test('who dies, and what becomes of its copies', async (t) => {
    const copies = Number((await second.facts())['primaries']);
    const backups = Number((await second.facts())['backups']);
    await second.end('SIGKILL');
    const died = await seen('died', addressOf(second));
    t.equal(died.text, `127.0.0.1:${second.port} (east) is dead`);
    t.match(await logged(died.text), / # cluster-event kind=died /);
    await cluster.settled();
    const sum = async (kind: string): Promise<number> => {
      const told = (await Promise.all([first, third].map(events))).flat();
      const counts = told.filter((one) => one.kind === kind).map(({ count }) => count);
      return counts.reduce((total, count) => total + count, 0);
    };
    t.equal(await sum('copies-lost'), copies + backups, 'every copy of it is told lost');
    await cluster.until(async () => (await sum('restored')) === copies + backups);
    await seen('settled', '');
  });

  await t.test('who leaves', async (t) => {
    const kept = Number((await third.facts())['primaries']);
    await third.end('SIGTERM');
    await seen('leaving', addressOf(third));
    const left = await seen('left', addressOf(third));
    t.equal(left.view, Number((await first.facts())['view']));
    if (kept > 0) t.equal((await seen('took-over', addressOf(first))).kind, 'took-over');
    t.notOk((await events(first)).some((one) => one.kind === 'lost'));
  });

  await t.test('how many', async (t) => {
    const all = await events(first);
    t.same(
      all.map(({ id }) => id),
      all.map((_, i) => i + 1),
      'newest last, none left out',
    );
    t.same(await entries(first, 'EVENTS', '2'), all.slice(-2));
    t.same(await entries(first, 'EVENTS', '0'), []);
    await t.rejects(first.client.call('CLUSTER', 'EVENTS', '-1'), /count should be between/);
    await t.rejects(first.client.call('CLUSTER', 'EVENTS', '1', '2'), /syntax error/);
  });
});
