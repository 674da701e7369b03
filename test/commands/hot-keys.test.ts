import t from 'tap';
import { HotKeys } from '../../lib/commands/hot-keys.js';
import { TestNode } from '../support/local-services.js';

function note(hot: HotKeys, key: string, times = 1): void {
  const bytes = Buffer.from(key);
  for (let i = 0; i < times; i++) hot.note(bytes, 0, bytes.length);
}

t.test('a key with more than its share of the uses is there, whatever else is used', async (t) => {
  const hot = new HotKeys();
  hot.look(0, 0);
  for (let round = 0; round < 200; round++) {
    note(hot, 'hot', 3);
    note(hot, 'warm', 2);
    for (let i = 0; i < 20; i++) note(hot, `rare:${round}:${i}`);
  }
  const [first, second] = hot.look(1, 10);
  t.equal(first!.key, 'hot');
  t.equal(second!.key, 'warm');
  for (const [found, uses] of [
    [first!, 600],
    [second!, 400],
  ] as const) {
    t.ok(found.count >= uses && found.count - found.error <= uses, 'counts are bounds');
  }
  t.equal(hot.look(2, 1000).length, 128, 'so many are counted and no more');
});

t.test('what was hot a while ago gives way', async (t) => {
  const hot = new HotKeys();
  hot.look(0, 0);
  note(hot, 'before', 64);
  for (let now = 1000; now <= 35_000; now += 1000) hot.look(now, 10);
  note(hot, 'now', 20);
  t.equal(hot.look(35_001, 1)[0]!.key, 'now');
  t.same(hot.look(60_000, 10), [], 'who looks again later begins anew');
});

t.test('commands are sampled while somebody looks, and only then', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const { hotKeys } = node.dispatcher;
  const use = (): void => {
    for (let i = 0; i < 640; i++) node.run(client, 'GET', 'key');
  };
  use();
  t.equal(hotKeys.samples, 0);
  hotKeys.look(performance.now(), 10);
  use();
  node.run(client, 'PING');
  t.match(hotKeys.look(performance.now(), 10), [{ key: 'key', count: 10, error: 0 }]);
});
