import fc from 'fast-check';
import t from 'tap';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';

function written(proto: 2 | 3, write: (reply: ReplyWriter) => void): string {
  const reply = new ReplyWriter();
  reply.proto = proto;
  write(reply);
  return reply.buffer.latin1Slice(0, reply.length);
}

const long = 'v'.repeat(5000);

const REPLIES: [name: string, (reply: ReplyWriter) => void, resp2: string, resp3?: string][] = [
  ['ok', (r) => r.ok(), '+OK\r\n'],
  ['pong', (r) => r.pong(), '+PONG\r\n'],
  ['queued', (r) => r.queued(), '+QUEUED\r\n'],
  ['simple', (r) => r.simple('string'), '+string\r\n'],
  ['error', (r) => r.error('ERR no such key'), '-ERR no such key\r\n'],
  ['error of many lines', (r) => r.error('ERR a\r\nb\nc\r\n\n'), '-ERR a  b c\r\n'],
  ['nil', (r) => r.nil(), '$-1\r\n', '_\r\n'],
  ['nilArray', (r) => r.nilArray(), '*-1\r\n', '_\r\n'],
  ['array', (r) => r.array(0), '*0\r\n'],
  ['large array', (r) => r.array(123_456), '*123456\r\n'],
  ['map', (r) => r.map(12), '*24\r\n', '%12\r\n'],
  ['set', (r) => r.set(3), '*3\r\n', '~3\r\n'],
  ['push', (r) => r.push(3), '*3\r\n', '>3\r\n'],
  ['boolean', (r) => r.boolean(true), ':1\r\n', '#t\r\n'],
  ['false', (r) => r.boolean(false), ':0\r\n', '#f\r\n'],
  ['double', (r) => r.double(0.1), '$19\r\n0.10000000000000001\r\n', ',0.10000000000000001\r\n'],
  ['infinity', (r) => r.double(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
  ['bigNumber', (r) => r.bigNumber('123'), '$3\r\n123\r\n', '(123\r\n'],
  ['verbatim', (r) => r.verbatim('txt', 'aé'), '$3\r\na\xc3\xa9\r\n', '=7\r\ntxt:a\xc3\xa9\r\n'],
  ['bulk', (r) => r.bulk(Buffer.from('<value>'), 1, 6), '$5\r\nvalue\r\n'],
  ['empty bulk', (r) => r.bulk(Buffer.from('x'), 1, 1), '$0\r\n\r\n'],
  ['long bulk', (r) => r.bulk(Buffer.from(`<${long}`), 1, 5001), `$5000\r\n${long}\r\n`],
  ['bulkLatin1', (r) => r.bulkLatin1('a\xff'), '$2\r\na\xff\r\n'],
  ['long bulkLatin1', (r) => r.bulkLatin1(`${long}\xff`), `$5001\r\n${long}\xff\r\n`],
  ['bulkUtf8', (r) => r.bulkUtf8('é€'), '$5\r\n\xc3\xa9\xe2\x82\xac\r\n'],
  ['bulkInteger', (r) => r.bulkInteger(-12), '$3\r\n-12\r\n'],
  ['raw', (r) => r.raw(Buffer.from('<+x\r\n>'), 1, 5), '+x\r\n'],
];

for (const [name, write, resp2, resp3 = resp2] of REPLIES) {
  t.test(name, async (t) => {
    t.equal(written(2, write), resp2, 'RESP2');
    t.equal(written(3, write), resp3, 'RESP3');
    const thrice = (reply: ReplyWriter) => {
      for (let i = 0; i < 3; i++) write(reply);
    };
    t.equal(written(3, thrice), resp3.repeat(3), 'one behind the other');
  });
}

t.test('integers of all sizes', async (t) => {
  for (const value of [
    0,
    9,
    10,
    -1,
    -10,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 53 - 1,
  ])
    t.equal(
      written(2, (reply) => reply.integer(value)),
      `:${value}\r\n`,
    );
  t.equal(
    written(2, (reply) => reply.integer(-(2n ** 63n))),
    ':-9223372036854775808\r\n',
  );
  fc.assert(
    fc.property(
      fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
      (value) => written(2, (reply) => reply.integer(value)) === `:${value}\r\n`,
    ),
    { numRuns: 2000 },
  );
});

t.test('everything survives growth at any fill', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 4000, max: 4200 }), fc.nat(REPLIES.length - 1), (fill, index) => {
      const [, write, ,] = REPLIES[index]!;
      const padding = Buffer.alloc(fill, 'p');
      const behind = written(3, (reply) => {
        reply.raw(padding, 0, fill);
        write(reply);
      });
      return behind === padding.toString() + written(3, write);
    }),
    { numRuns: 1000 },
  );
});

t.test('truncate takes back, reset forgets and gives back a huge buffer', async (t) => {
  const reply = new ReplyWriter();
  reply.ok();
  const { length } = reply;
  reply.bulkLatin1('not this');
  reply.truncate(length);
  reply.pong();
  t.equal(reply.buffer.latin1Slice(0, reply.length), '+OK\r\n+PONG\r\n');
  reply.bulk(Buffer.alloc(1_000_000), 0, 1_000_000);
  t.ok(reply.buffer.length >= 1_000_000);
  reply.reset();
  t.equal(reply.length, 0);
  t.ok(reply.buffer.length <= 256 * 1024);
  reply.ok();
  t.equal(reply.buffer.latin1Slice(0, reply.length), '+OK\r\n');
});

t.test(
  'an error of very many line ends takes no more than its length',
  { timeout: 5000 },
  async (t) => {
    const reply = new ReplyWriter();
    reply.error(`ERR ${'\n'.repeat(300_000)}x`);
    t.equal(reply.length, 300_008);
  },
);
