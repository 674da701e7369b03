import t, { type Test } from 'tap';
import { putCrc64 } from '../../lib/protocol/crc64.js';
import { lzfDecompress } from '../../lib/protocol/lzf.js';
import { seededRandom } from '../store/seeded-random.js';
import { type FakeClient, TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { type Reply, ReplyReader } from '../support/resp.js';
import { RandomCollections } from './random-collections.js';

const KEYS = ['a', 'b', 'c', '{t}1', '{t}2', 'big', 'even', '{t}even'];
const COMMANDS = 800;
/** Commands between two looks at all keys. */
const LOOK_EVERY = 150;
const MUTATIONS = 150;
const BAD = '-ERR Bad data format\r\n';

/** How to read the whole value of each type; in no order for some. */
const READERS: Readonly<Record<string, (key: string) => string[]>> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  hash: (key) => ['HGETALL', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
};

type Ask = (...args: (string | Buffer)[]) => Promise<Reply>;

const bytesOf = (reply: Reply): Buffer => Buffer.from('text' in reply ? reply.text : '', 'latin1');

function asker(node: TestNode, client: FakeClient): Ask {
  return async (...args) => {
    const reader = new ReplyReader();
    reader.feed(Buffer.from(node.run(client, ...args.map(latin1)), 'latin1'));
    return reader.next()!.reply;
  };
}

const latin1 = (arg: string | Buffer): string =>
  typeof arg === 'string' ? arg : arg.toString('latin1');

/** Type, encoding and elements of a key. */
async function shown(ask: Ask, key: string): Promise<unknown> {
  const type = bytesOf(await ask('TYPE', key)).toString();
  if (type === 'none') return null;
  const value = await ask(...READERS[type]!(key));
  const encoding = bytesOf(await ask('OBJECT', 'ENCODING', key)).toString();
  if (!('items' in value)) return { type, encoding, value };
  const items = value.items.map((item) => JSON.stringify(item));
  if (type === 'set') items.sort();
  const pairs = items.flatMap((item, i) => (i % 2 === 0 ? [`${item} ${items[i + 1]}`] : []));
  return { type, encoding, items: type === 'hash' ? pairs.sort() : items };
}

const missing = missingRedis();

t.test('payloads go from here to Redis, and back', { skip: missing ?? false }, async (t) => {
  const server = await RedisServer.start();
  const connection = await RespConnection.open(server.port);
  t.teardown(async () => {
    connection.close();
    await server.stop();
  });
  const redis: Ask = async (...args) => (await connection.ask(...args)).reply;
  const node = new TestNode();
  node.time = Date.now();
  const ours = asker(node, node.connect());
  const seen = new Map<string, number>();
  for (const families of ['l', 'h', 'sz']) {
    const commands = new RandomCollections(seededRandom(11), families);
    for (let i = 1; i <= COMMANDS; i++) {
      const command = commands.next();
      // What is drawn at random there is not here.
      if (command[0] !== 'SPOP') await Promise.all([redis(...command), ours(...command)]);
      if (i % LOOK_EVERY === 0) for (const key of KEYS) await exchange(t, redis, ours, key, seen);
    }
  }
  t.comment(JSON.stringify(Object.fromEntries(seen)));
  for (const encoding of ['listpack', 'hashtable', 'quicklist', 'intset', 'skiplist', 'embstr']) {
    t.ok((seen.get(encoding) ?? 0) > 0, `${encoding} was met`);
  }
});

async function exchange(
  t: Test,
  redis: Ask,
  ours: Ask,
  key: string,
  seen: Map<string, number>,
): Promise<void> {
  const theirs = await redis('DUMP', key);
  if (theirs.type === '_' || !('text' in theirs)) return;
  const before = (await shown(redis, key)) as { encoding: string };
  seen.set(before.encoding, (seen.get(before.encoding) ?? 0) + 1);
  const payload = bytesOf(theirs);
  const isOk = { type: '+', text: 'OK' };
  t.same(await ours('RESTORE', 'here', '0', payload, 'REPLACE'), isOk);
  // What was large once, and is small now, is so no more when it has been restored.
  t.same(await redis('RESTORE', 'same', '0', payload, 'REPLACE'), isOk);
  const expected = await shown(redis, 'same');
  t.same(await shown(ours, 'here'), expected, `${key} of Redis here`);
  const own = bytesOf(await ours('DUMP', 'here'));
  t.same(await redis('RESTORE', 'there', '0', own, 'REPLACE'), isOk);
  t.same(await shown(redis, 'there'), expected, `${key} from here in Redis`);
}

const ascii = (text: string): string => Buffer.from(text).toString('hex');
const u32 = (value: number): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.toString('hex');
};
/** A string of at most 63 bytes, or of more. */
const blob = (hex: string): string => {
  const bytes = hex.length / 2;
  return (bytes < 64 ? bytes : 0x4000 | bytes).toString(16).padStart(bytes < 64 ? 2 : 4, '0') + hex;
};
const pack = (entries: string): string =>
  blob(`${u32(6 + entries.length / 2 + 1)}ffff${entries}ff`);
const zip = (entries: string): string =>
  blob(`${u32(10 + entries.length / 2 + 1)}${u32(10)}ffff${entries}ff`);
/** "a" 7 "b" -3, each kind of entry once. */
const PACKED_ENTRIES = `8161020701816202dffd02`;
const ZIPPED_ENTRIES = `0001${ascii('a')}03f80201${ascii('b')}03fefd`;

/** Of every type that is read, by hand: those of old versions, too, which no Redis that is at hand writes. */
const PAYLOADS = [
  `00${blob(ascii('hello'))}`,
  '00c07b',
  '00c13930',
  '00c2ffffff7f',
  // "aaaaaaaaaa": one literal, and a reference of nine bytes to it.
  '00c3050a0061e00000',
  `0102${blob(ascii('x'))}${blob(ascii('y'))}`,
  `0202${blob(ascii('x'))}c005`,
  `0302${blob(ascii('x'))}03${ascii('1.5')}${blob(ascii('y'))}fe`,
  `0401${blob(ascii('f'))}${blob(ascii('v'))}`,
  `0501${blob(ascii('m'))}000000000000f83f`,
  `0a${zip(ZIPPED_ENTRIES)}`,
  `0b${blob(`${u32(2)}${u32(3)}feff01000700`)}`,
  `0c${zip(ZIPPED_ENTRIES)}`,
  `0d${zip(ZIPPED_ENTRIES)}`,
  `0e01${zip(ZIPPED_ENTRIES)}`,
  `10${pack(PACKED_ENTRIES)}`,
  `11${pack(PACKED_ENTRIES)}`,
  `120202${pack(PACKED_ENTRIES)}01${blob(ascii('plain'))}`,
];

t.test('LZF that claims more than it has takes no memory', async (t) => {
  t.equal(lzfDecompress(Buffer.from([0, 97, 0xe0, 0, 0]), 0, 5, 10)?.toString(), 'a'.repeat(10));
  t.equal(lzfDecompress(Buffer.from([0, 97, 0xe0, 0, 9]), 0, 5, 10), null);
  const node = new TestNode();
  const payload = Buffer.from('00c305808fffffff0061e000000a000000000000000000', 'hex');
  putCrc64(payload, 0, payload.length - 8, payload, payload.length - 8);
  t.equal(node.run(node.connect(), 'RESTORE', 'k', '0', latin1(payload)), BAD);
});

t.test('a payload that was changed is refused, or can be read', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const random = seededRandom(3);
  const below = (limit: number): number => Math.floor(random() * limit);
  const check = (payload: Buffer): boolean => {
    const end = payload.length - 8;
    putCrc64(payload, 0, end, payload, end);
    const reply = node.run(client, 'RESTORE', 'k', '0', latin1(payload), 'REPLACE');
    if (reply === BAD) return false;
    t.equal(reply, '+OK\r\n');
    const type = node.run(client, 'TYPE', 'k').slice(1, -2);
    const read = node.run(client, ...READERS[type]!('k'));
    if (read.startsWith('-')) t.fail(read);
    return true;
  };
  let refused = 0;
  for (const hex of PAYLOADS) {
    const payload = Buffer.concat([Buffer.from(hex, 'hex'), Buffer.from([10, 0]), Buffer.alloc(8)]);
    t.ok(check(payload), `${hex.slice(0, 30)} as it is`);
    for (let i = 0; i < MUTATIONS; i++) {
      const changed = Buffer.from(payload);
      for (let j = below(3); j >= 0; j--) changed[1 + below(payload.length - 11)] = below(256);
      if (!check(changed)) refused++;
      const cut = 1 + below(payload.length - 11);
      const short = Buffer.concat([payload.subarray(0, cut), payload.subarray(-10)]);
      if (!check(short)) refused++;
    }
  }
  t.ok(refused > PAYLOADS.length * MUTATIONS, `${refused} were refused`);
  t.equal(
    node.run(client, 'RESTORE', 'k', '0', 'x'.repeat(30), 'REPLACE'),
    '-ERR DUMP payload version or checksum are wrong\r\n',
  );
});

t.test('RESTORE says how long a key has not been used', (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'SET', 'k', 'v');
  const dumped = node
    .run(client, 'DUMP', 'k')
    .replace(/^\$\d+\r\n/, '')
    .slice(0, -2);
  t.equal(node.run(client, 'RESTORE', 'copy', '0', dumped, 'IDLETIME', '1000'), '+OK\r\n');
  t.equal(node.run(client, 'OBJECT', 'IDLETIME', 'copy'), ':1000\r\n');
  t.equal(node.run(client, 'RESTORE', 'other', '0', dumped, 'FREQ', '7'), '+OK\r\n');
  t.equal(node.run(client, 'OBJECT', 'IDLETIME', 'other'), ':0\r\n');
  t.end();
});
