import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { encodeCommand, type Reply, ReplyReader } from '../support/resp.js';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

t.setTimeout(180_000);

const KEYS = Array.from({ length: 60 }, (_, i) => `sess:${i}`);

/** A connection whose replies, and what comes between them, are told apart. */
class TrackingClient {
  /** Keys it was told of, in their order; and how often it was told to forget all, which may be said at any time. */
  readonly told: string[] = [];
  forgotAll = 0;
  /** Keys that it has read, and was not told of since. */
  readonly kept = new Set<string>();
  readonly #send: (bytes: Buffer) => void;
  readonly #waiting: ((reply: Reply) => void)[] = [];

  private constructor(send: (bytes: Buffer) => void) {
    this.#send = send;
  }

  static async open(t: Test, { port }: NodeProcess, proto: 2 | 3): Promise<TrackingClient> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    const client = new TrackingClient((bytes) => socket.write(bytes));
    const reader = new ReplyReader();
    socket.on('data', (chunk: Buffer) => {
      reader.feed(chunk);
      for (let next = reader.next(); next !== null; next = reader.next()) client.#heard(next.reply);
    });
    await client.ask('HELLO', String(proto));
    return client;
  }

  ask(...args: string[]): Promise<Reply> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#send(encodeCommand(args));
    });
  }

  async text(...args: string[]): Promise<string> {
    const reply = await this.ask(...args);
    return 'text' in reply ? reply.text : JSON.stringify(reply);
  }

  /** Reads a key that it keeps from then on. */
  async read(key: string): Promise<string> {
    const text = await this.text('GET', key);
    this.kept.add(key);
    return text;
  }

  #forgetAll(): void {
    this.forgotAll++;
    this.kept.clear();
  }

  #heard(reply: Reply): void {
    const items = 'items' in reply ? reply.items : [];
    const words = items.map((item) => ('text' in item ? item.text : ''));
    const isMessage = words[0] === 'message' && words[1] === '__redis__:invalidate';
    if (words[0] !== 'invalidate' && !isMessage) this.#waiting.shift()?.(reply);
    else {
      const keys = items.at(-1)!;
      const all = 'items' in keys ? keys.items : [];
      if (all.length === 0) this.#forgetAll();
      for (const key of all) {
        const name = 'text' in key ? key.text : '';
        this.told.push(name);
        this.kept.delete(name);
      }
    }
  }
}

t.test('keys that were read are told of, whichever node changes them', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  await Promise.all(KEYS.map((key, i) => cluster.nodes[i % 3]!.client.set(key, 'x')));
  const client = await TrackingClient.open(t, a, 3);
  t.equal(await client.text('CLIENT', 'TRACKING', 'ON'), 'OK');
  for (const key of KEYS) t.equal(await client.read(key), 'x');
  t.same(client.told, []);
  await Promise.all(KEYS.map((key, i) => cluster.nodes[(i + 1) % 3]!.client.set(key, 'y')));
  await cluster.until(async () => client.kept.size === 0);
  t.ok(client.told.length > 0, 'by name');
  t.equal(new Set(client.told).size, client.told.length, 'each key once');
  for (const key of KEYS) t.equal(await client.read(key), 'y');
  t.match(await a.client.info(), /tracking_total_keys:[1-9]/);

  await b.client.pexpire('sess:0', 1000);
  await cluster.until(async () => !client.kept.has('sess:0'));
  t.equal(await client.read('sess:0'), 'y');
  await cluster.until(async () => !client.kept.has('sess:0'));
  t.equal(await client.text('EXISTS', 'sess:0'), '0', 'its expiry was set, and it has expired');
  const before = client.forgotAll;
  await c.client.flushall();
  await cluster.until(async () => client.forgotAll > before);
});

t.test('RESP2 clients are told by another connection, on the channel for that', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  const listener = await TrackingClient.open(t, a, 2);
  const id = await listener.text('CLIENT', 'ID');
  await listener.ask('SUBSCRIBE', '__redis__:invalidate');
  const client = await TrackingClient.open(t, a, 2);
  t.equal(await client.text('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id), 'OK');
  t.equal(await client.text('CLIENT', 'GETREDIR'), id);
  t.match(await client.text('CLIENT', 'INFO'), new RegExp(`flags=t .*redir=${id} `));
  for (const key of KEYS) {
    await client.text('GET', key);
    listener.kept.add(key);
  }
  await Promise.all(KEYS.map((key) => b.client.set(key, 'x')));
  await cluster.until(async () => listener.kept.size === 0);
  t.ok(listener.told.length > 0, 'by name');
  t.same(client.told, []);
  const elsewhere = await TrackingClient.open(t, b, 2);
  t.match(await elsewhere.text('CLIENT', 'TRACKING', 'ON', 'REDIRECT', '999'), /does not exist/);
});

t.test(
  'who is lost may have had something to tell: clients are told to forget everything',
  async (t) => {
    const cluster = await TestCluster.start(t, 3);
    const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
    await Promise.all(KEYS.map((key) => c.client.set(key, 'x')));
    const reader = await TrackingClient.open(t, a, 3);
    const broadcast = await TrackingClient.open(t, a, 3);
    await reader.ask('CLIENT', 'TRACKING', 'ON');
    await broadcast.ask(
      'CLIENT',
      'TRACKING',
      'ON',
      'BCAST',
      'PREFIX',
      'other:',
      'PREFIX',
      'sess:1',
    );
    for (const key of KEYS) await reader.read(key);
    const before = [reader.forgotAll, broadcast.forgotAll];
    await c.end('SIGKILL');
    const forgot = () => reader.forgotAll > before[0]! && broadcast.forgotAll > before[1]!;
    await cluster.until(async () => forgot());
    await cluster.settled();
    reader.told.length = 0;
    broadcast.told.length = 0;
    t.equal(await reader.read('sess:3'), 'x');
    // A promoted backup tells as well.
    await cluster.until(async () => {
      await reader.read('sess:3');
      await Promise.all(['sess:3', 'sess:11', 'other:'].map((key) => b.client.set(key, 'y')));
      return reader.told.length > 0 && broadcast.told.length > 1;
    });
    t.same([...new Set(reader.told)], ['sess:3']);
    await cluster.until(async () => new Set(broadcast.told).size === 2);
    t.same([...new Set(broadcast.told)].sort(), ['other:', 'sess:11']);
  },
);
