import { once } from 'node:events';
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import t, { type Test } from 'tap';
import { encodeCommand } from '../support/resp.js';
import { clientOf, type NodeProcess, TestCluster } from '../support/test-cluster.js';

t.setTimeout(180_000);

/** Messages as they come, and whoever waits for the next ones. */
class Mailbox {
  readonly messages: string[] = [];
  #changed: (() => void) | null = null;

  add(message: string): void {
    this.messages.push(message);
    this.#changed?.();
  }

  async until(count: number): Promise<string[]> {
    while (this.messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.messages;
  }
}

function subscriberOf(t: Test, node: NodeProcess, protocol: 2 | 3) {
  const client = new Redis({ port: node.port, host: '127.0.0.1', protocol });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  const mailbox = new Mailbox();
  client.on('message', (channel, message) => mailbox.add(`${channel} ${message}`));
  client.on('pmessage', (pattern, channel, message) =>
    mailbox.add(`${pattern} ${channel} ${message}`),
  );
  return { client, mailbox };
}

t.test('what is published on one node reaches the subscribers of all', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [a, b, c] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  const two = subscriberOf(t, a, 2);
  const three = subscriberOf(t, b, 3);
  await two.client.subscribe('news');
  await three.client.psubscribe('n*');
  const nodeRedis = createClient({ url: `redis://127.0.0.1:${c.port}`, RESP: 3 });
  nodeRedis.on('error', () => undefined);
  await nodeRedis.connect();
  t.teardown(() => nodeRedis.destroy());
  const mailbox = new Mailbox();
  await nodeRedis.subscribe('news', (message) => mailbox.add(message));
  for (const [i, { client }] of cluster.nodes.entries()) {
    t.equal(await client.publish('news', `from ${i}`), 3, 'receivers of the whole cluster');
    t.equal(await client.call('PUBSUB', 'NUMPAT'), 1);
    t.same(await client.call('PUBSUB', 'CHANNELS'), ['news']);
    t.same(await client.call('PUBSUB', 'NUMSUB', 'news', 'x'), ['news', 2, 'x', 0]);
  }
  const texts = ['from 0', 'from 1', 'from 2'];
  t.same(
    (await two.mailbox.until(3)).toSorted(),
    texts.map((text) => `news ${text}`),
  );
  t.same(
    (await three.mailbox.until(3)).toSorted(),
    texts.map((text) => `n* news ${text}`),
  );
  t.same((await mailbox.until(3)).toSorted(), texts);

  await c.end('SIGKILL');
  await cluster.settled();
  t.equal(await b.client.publish('news', 'after a death'), 2);
  t.equal((await two.mailbox.until(4)).at(-1), 'news after a death');
  c.start();
  await cluster.settled();
  // Its client has come back to it, and has subscribed anew.
  await cluster.until(async () => (await c.client.publish('news', 'from a new node')) === 3);
  t.match((await two.mailbox.until(5)).at(-1), 'from a new node');
  t.match((await mailbox.until(4)).at(-1), 'from a new node');
});

t.test('of a pipeline of messages none is lost, doubled, or out of order', async (t) => {
  const { nodes } = await TestCluster.start(t, 3);
  const subscribers = nodes.map((node) => subscriberOf(t, node, 2));
  for (const { client } of subscribers) await client.subscribe('c');
  const count = 5000;
  const pipeline = nodes[0]!.client.pipeline();
  for (let i = 0; i < count; i++) pipeline.publish('c', String(i));
  const replies = (await pipeline.exec())!;
  t.ok(replies.every(([, receivers]) => receivers === 3));
  const expected = Array.from({ length: count }, (_, i) => `c ${i}`);
  for (const { mailbox } of subscribers) t.same(await mailbox.until(count), expected);
});

t.test('a subscriber that does not read is closed, and costs nobody else anything', async (t) => {
  const limit = ['--client-output-buffer-limit', 'pubsub 4194304 0 0'];
  const cluster = await TestCluster.start(t, 2, ...limit);
  const [a, b] = cluster.nodes as [NodeProcess, NodeProcess];
  const slow = connect(a.port, '127.0.0.1');
  slow.on('error', () => undefined);
  t.teardown(() => slow.destroy());
  await once(slow, 'connect');
  slow.write(encodeCommand(['SUBSCRIBE', 'c']));
  await once(slow, 'data');
  slow.pause();
  const text = 'x'.repeat(1024 * 1024);
  const publisher = clientOf(b.port);
  t.teardown(() => publisher.disconnect());
  let published = 0;
  await cluster.until(async () => {
    published++;
    return (await publisher.publish('c', text)) === 0;
  });
  t.ok(published > 4, `after ${published} messages`);
  t.equal(await a.client.set('k', 'v'), 'OK');
  t.match(a.log, /client closed: output buffer limit/);
});
