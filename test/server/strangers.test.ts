import t from 'tap';
import { BUS_STRANGERS } from '../../lib/base/limits.js';
import { encodeOpening, HelloType } from '../../lib/server/bus-hello.js';
import { serves, startNode } from '../cli/processes.js';
import { Flood, Times } from '../support/flood.js';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';

/** Another address of this machine than the one that its members have; not all systems have it. */
const STRANGE = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1';

t.test('a stranger that floods the bus port keeps nobody out and stops nothing', async (t) => {
  const cluster = await TestCluster.prepare(
    t,
    new Array(3).fill(['--cluster-secret', 'what only members know']),
  );
  const [first, second, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  first.start();
  second.start();
  await cluster.settled();
  const { view } = await first.facts();
  const hello = { protocol: 2, kind: 'control', from: 'a'.repeat(40), to: '' };
  const words = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    encodeOpening(HelloType.Hello, hello),
    encodeOpening(HelloType.Hello, { ...hello, nonce: '1'.repeat(64) }),
    encodeOpening(HelloType.Hello, { ...hello, protocol: 7 }),
    Buffer.from([22, 3, 1, 2, 0, 1]),
    Buffer.from([0]),
  ];
  const flood = await Flood.start(t, STRANGE, first.busPort, 2 * BUS_STRANGERS, words);
  const times = new Times();
  while (flood.opened < 4 * BUS_STRANGERS || times.count < 200) {
    const key = `key:${times.count}`;
    t.equal(await times.of(() => first.client.set(key, 'value')), 'OK');
  }
  t.comment(`SET on two nodes during ${flood.opened} connections: ${times}`);
  const facts = await first.facts();
  t.equal(facts['view'], view, 'the members have not lost each other');
  t.ok(Number(facts['limit_bus_strangers']) > 0, 'who had to go for others is counted');
  t.ok(Number(facts['bus_strangers']) <= BUS_STRANGERS);
  third.start();
  await cluster.settled();
  t.pass('a member comes in during the flood');
  await flood.end();
  const lines = first.log.split('bus connection dropped').length - 1;
  t.ok(lines > 0 && lines <= words.length, `${lines} lines in the log`);
});

t.test('keys that a simple hash would put into one place cost what others do', async (t) => {
  const { port } = await startNode(t);
  const client = await serves(t, port);
  // "Aa" and "BB" are the same to every hash that multiplies by 31 and adds.
  const colliding = Array.from({ length: 2 ** 12 }, (_, i) =>
    Array.from({ length: 12 }, (_, bit) => ((i >> bit) & 1 ? 'Aa' : 'BB')).join(''),
  );
  const others = colliding.map((_, i) => `${i}`.padStart(24, 'x'));
  const write = async (names: readonly string[]): Promise<number> => {
    const from = performance.now();
    const pipeline = client.pipeline();
    for (const name of names) pipeline.set(name, 'v').hset('hash', name, 'v').sadd('set', name);
    for (const name of names) pipeline.get(name).hget('hash', name).sismember('set', name);
    await pipeline.exec();
    return performance.now() - from;
  };
  await write(others);
  const [plain, chosen] = [await write(others), await write(colliding)];
  t.comment(`24,576 commands: ${plain.toFixed(0)} ms, on chosen keys ${chosen.toFixed(0)} ms`);
  t.ok(chosen < 10 * plain + 500, 'and not their square');
});

t.test('huge counts get an answer at once', async (t) => {
  const { port } = await startNode(t);
  const client = await serves(t, port);
  await client.sadd('set', 'a', 'b', 'c');
  await client.hset('hash', 'a', '1', 'b', '2');
  await client.zadd('sorted', 1, 'a', 2, 'b');
  await client.rpush('list', 'a', 'b', 'c');
  const other = await serves(t, port);
  const huge = '9223372036854775807';
  const outcomes: [[string, ...string[]], unknown][] = [
    [['SRANDMEMBER', 'set', '-1000000000'], /out of range/],
    [['HRANDFIELD', 'hash', '-1000000000'], /out of range/],
    [['ZRANDMEMBER', 'sorted', '-1000000000'], /out of range/],
    [
      ['SRANDMEMBER', 'set', huge],
      ['a', 'b', 'c'],
    ],
    [
      ['LRANGE', 'list', `-${huge}`, huge],
      ['a', 'b', 'c'],
    ],
    [['LPOS', 'list', 'b', 'COUNT', '0', 'MAXLEN', huge], [1]],
    [
      ['ZRANGE', 'sorted', '0', '9', 'BYSCORE', 'LIMIT', '0', huge],
      ['a', 'b'],
    ],
    [['SETRANGE', 'key', huge, 'x'], /maximum allowed size/],
    [['SETBIT', 'key', huge, '1'], /not an integer or out of range/],
    [
      ['SCAN', '0', 'COUNT', huge],
      ['0', Array],
    ],
    [['SINTERCARD', '1000000000', 'set'], /can't be greater than/],
    [['EVAL', 'return 1', '1000000000'], /can't be greater than/],
    [
      ['LPOP', 'list', '1000000000'],
      ['a', 'b', 'c'],
    ],
    [['SPOP', 'none', huge], []],
  ];
  const times = new Times();
  for (const [[name, ...args], wanted] of outcomes) {
    const asked = client.call(name, args).catch((error: Error) => error.message);
    t.equal(await times.of(() => other.ping()), 'PONG');
    t.match(await asked, wanted, name);
  }
  t.comment(`PING of another client: ${times}`);
});
