import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { RespConnection } from '../support/redis-server.js';
import { encodeCommand } from '../support/resp.js';
import { delay, type NodeProcess, TestCluster } from '../support/test-cluster.js';

t.setTimeout(90_000);

const POLL_MS = 10;

async function blockedClients(node: NodeProcess, count: number): Promise<void> {
  while (!(await node.client.info('clients')).includes(`blocked_clients:${count}\r`)) {
    await delay(POLL_MS);
  }
}

t.test('a client that hangs up waits no more', async (t) => {
  const { nodes } = await TestCluster.start(t, 1);
  const node = nodes[0]!;
  for (const way of ['destroy', 'end'] as const) {
    for (const behind of [[], ['PING']]) {
      const socket = connect(node.port, '127.0.0.1');
      await once(socket, 'connect');
      const closed = once(socket, 'close');
      const heard: Buffer[] = [];
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => heard.push(chunk));
      socket.write(encodeCommand(['BLPOP', 'q', '0']));
      await blockedClients(node, 1);
      if (behind.length > 0) socket.write(encodeCommand(behind));
      await node.client.ping();
      if (way === 'destroy') socket.resetAndDestroy();
      else socket.end();
      await blockedClients(node, 0);
      await closed;
      t.equal(Buffer.concat(heard).length, 0, `${way}: it is told nothing`);
      await node.client.rpush('q', 'x');
      t.equal(await node.client.lpop('q'), 'x', `${way}: nobody has taken it`);
    }
  }
});

t.test('waiting at one node for what comes through others, while nodes die', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [first] = cluster.nodes as [NodeProcess, ...NodeProcess[]];
  for (let i = 0; i < 6; i++) {
    const key = `q${i}`;
    const waiting = first.client.duplicate({ protocol: 2 });
    t.teardown(() => waiting.disconnect());
    const answer = waiting.blpop(key, 0);
    await blockedClients(first, 1);
    await cluster.nodes[1 + (i % 2)]!.client.rpush(key, 'x');
    t.same(await answer, [key, 'x']);
    waiting.disconnect();
  }
  // The anchor knows who waits, and dies.
  const keys = Array.from({ length: 12 }, (_, i) => `w${i}`);
  const places = await Promise.all(keys.map((key) => first.locate(key)));
  const dying = cluster.nodes.find(
    (node) => node !== first && places.some(({ anchor }) => anchor === node.port),
  )!;
  const living = cluster.nodes.find((node) => node !== first && node !== dying)!;
  const answers = keys.map(async (key) => {
    const connection = await RespConnection.open(first.port);
    t.teardown(() => connection.close());
    return (await connection.wait('BLPOP', key, '0')).bytes;
  });
  await blockedClients(first, keys.length);
  await dying.end('SIGKILL');
  for (const key of keys) {
    while ((await living.client.rpush(key, 'x').catch(String)) !== 1) await delay(POLL_MS);
  }
  t.same(
    await Promise.all(answers),
    keys.map((key) => `*2\r\n$${key.length}\r\n${key}\r\n$1\r\nx\r\n`),
  );
  await blockedClients(first, 0);
  t.same(
    await Promise.all(keys.map((key) => living.client.llen(key))),
    keys.map(() => 0),
  );
  t.match(await first.facts(), { awaited_keys: '0' });
});

/** A worker that takes from the queue through one node after the other, and says what it got. */
async function work(nodes: readonly NodeProcess[], turn: number, got: (text: string) => void) {
  for (let i = turn; ; i++) {
    const node = nodes[i % nodes.length]!;
    if (!node.isRunning) {
      await delay(POLL_MS);
      continue;
    }
    const client = node.client.duplicate({ protocol: 2 });
    client.on('error', () => undefined);
    try {
      for (;;) {
        const answer = await client.blpop('jobs', 2);
        if (answer?.[1] === 'end') return;
        if (answer !== null) got(answer[1]);
      }
    } catch (error) {
      got(`unknown: ${error}`);
    } finally {
      client.disconnect();
    }
  }
}

t.test('a queue that all nodes fill and empty, while nodes are restarted', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const { nodes } = cluster;
  const taken = new Map<string, number>();
  let unknown = 0;
  const got = (text: string): void => {
    if (text.startsWith('unknown')) unknown++;
    else taken.set(text, (taken.get(text) ?? 0) + 1);
  };
  const workers = Array.from({ length: 9 }, (_, i) => work(nodes, i, got));
  const acked: string[] = [];
  const doubtful = new Set<string>();
  let isOn = true;
  const producers = nodes.map(async (_, i) => {
    for (let number = 0; isOn; number++) {
      const job = `${i}.${number}`;
      const node = nodes[(i + number) % nodes.length]!;
      if (!node.isRunning) continue;
      const reply = await node.client.rpush('jobs', job).catch(String);
      if (typeof reply === 'number') acked.push(job);
      else doubtful.add(job);
      await delay(number % 5 === 0 ? 20 : 1);
    }
  });
  for (const [node, signal] of [
    [nodes[1]!, 'SIGKILL'],
    [nodes[2]!, 'SIGTERM'],
  ] as const) {
    await delay(500);
    await node.end(signal);
    node.start();
    await cluster.settled();
  }
  isOn = false;
  await Promise.all(producers);
  const ends = workers.map(() => 'end');
  for (let left = ends.length; left > 0; left--) {
    while (typeof (await nodes[0]!.client.rpush('jobs', 'end').catch(String)) !== 'number') {}
  }
  await Promise.all(workers);
  t.same(
    [...taken].filter(([, times]) => times > 1),
    [],
    'nothing is taken twice',
  );
  const missing = acked.filter((job) => !taken.has(job));
  t.comment(
    `${acked.length} acked, ${taken.size} taken, ${unknown} unknown, ${missing.length} missing`,
  );
  t.ok(missing.length <= unknown, `missing: ${missing}; takes with an unknown outcome: ${unknown}`);
  t.ok(acked.length > 100);
});
