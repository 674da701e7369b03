import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import t from 'tap';
import { matchesGlob } from '../../lib/protocol/glob.js';
import {
  addLongDoubles,
  formatLongDouble,
  isFiniteFloat,
  parseLongDouble,
} from '../../lib/protocol/long-double.js';
import {
  formatDouble,
  parseBigInteger,
  parseDouble,
  parseInteger,
} from '../../lib/protocol/numbers.js';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import { Request } from '../../lib/protocol/request.js';
import {
  DEFAULT_REQUEST_LIMITS,
  ParseResult,
  RequestParser,
} from '../../lib/protocol/request-parser.js';
import { missingRedis, RedisServer } from '../support/redis-server.js';

const skip = missingRedis() ?? false;

/** All bytes that Redis answers before it closes the connection. */
async function answersUntilClose(socketPath: string, input: Buffer): Promise<string> {
  const socket = net.connect(socketPath);
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.on('error', () => {});
  socket.end(input);
  await once(socket, 'close');
  return Buffer.concat(parts).toString('latin1');
}

/** What a server would answer that knows ECHO, and that closes the connection after QUIT or an error. */
function answersHere(input: Buffer): string {
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  const request = new Request();
  const reply = new ReplyWriter();
  parser.feed(input, 0, input.length);
  let result = parser.next(request);
  while (result === ParseResult.Command && !request.is(0, 'QUIT')) {
    reply.bulk(request.buffer, request.start[1]!, request.end[1]!);
    result = parser.next(request);
  }
  if (result === ParseResult.Command) reply.ok();
  if (result === ParseResult.Error) reply.error(`ERR ${parser.error}`);
  return reply.buffer.latin1Slice(0, reply.length);
}

const QUIT = '*1\r\n$4\r\nQUIT\r\n';

t.test('compared with redis-server', { skip }, async (t) => {
  // Not below the checkout: a socket's path has room for 107 bytes only.
  const directory = mkdtempSync(join(tmpdir(), 'tandis-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const socketPath = join(directory, 'redis.sock');
  const server = await RedisServer.start('--unixsocket', socketPath);
  t.teardown(() => server.stop());
  const redis = new Redis(socketPath);
  t.teardown(() => redis.disconnect());
  const within = <Result>(
    text: string,
    parse: (buffer: Buffer, start: number, end: number) => Result,
  ) => parse(Buffer.from(text, 'latin1'), 0, text.length);

  t.test('requests, good and bad', async () => {
    const token = fc.constantFrom(
      ...['a', ' ', '"', "'", '\\', 'x4', '1', '\t', '\r', '\v', '\xff', '-', '$', '*'],
    );
    const word = fc.array(token, { maxLength: 6 }).map((parts) => parts.join(''));
    const number = fc.constantFrom('0', '1', '2', '-1', '02', '+1', '', '2147483648');
    const request = fc.oneof(
      word.map((text) => `ECHO "a${text}\r\n`),
      word.map((text) => `ECHO 'a${text}'\r\n`),
      word.map((text) => `ECHO "${text}"\r\n`),
      word.map((text) => `*2\r\n$4\r\nECHO\r\n$${text.length}\r\n${text}\r\n`),
      number.map((text) => `*${text}\r\n`),
      number.map((text) => `*2\r\n$4\r\nECHO\r\n$${text}\r\n`),
      word.map((text) => `*1\r\n${text}\r\n`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), async (requests) => {
        const input = Buffer.from(`${requests.join('')}${QUIT.repeat(3)}`, 'latin1');
        const theirs = await answersUntilClose(socketPath, input);
        // ECHO with another number of arguments, and names that are not ECHO, are not for a parser to answer.
        fc.pre(!/unknown command|wrong number/.test(theirs));
        const ours = answersHere(input);
        if (ours !== theirs) throw new Error(`${JSON.stringify({ ours, theirs })}`);
      }),
      { numRuns: 1500 },
    );
  });

  t.test('globs', async () => {
    const text = fc.string({ unit: fc.constantFrom(...'abA-][^\\*?\xff\x80'), maxLength: 5 });
    const keys = [...new Set(fc.sample(text, 200))];
    for (const key of keys) await redis.set(Buffer.from(key, 'latin1'), '');
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: text, maxLength: 3 }), async (pattern) => {
        // A lone asterisk is not matched in Redis, it means all keys.
        fc.pre(pattern !== '*');
        const bytes = Buffer.from(pattern, 'latin1');
        const matching = keys.filter((key) => {
          const buffer = Buffer.from(key, 'latin1');
          return matchesGlob(bytes, 0, bytes.length, buffer, 0, buffer.length);
        });
        const found = (await redis.callBuffer('KEYS', bytes)) as Buffer[];
        const theirs = found.map((key) => key.toString('latin1'));
        if (theirs.sort().join() !== matching.sort().join())
          throw new Error(`${JSON.stringify({ theirs, matching })}`);
      }),
      { numRuns: 2000 },
    );
  });

  t.test('globs without regard to case', async () => {
    const names = (await redis.call('COMMAND', 'LIST')) as string[];
    const part = fc.constantFrom(...'aeEtSZg*?[]^-\\');
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: part, minLength: 1, maxLength: 8 }), async (pattern) => {
        const bytes = Buffer.from(pattern);
        const matching = names.filter((name) =>
          matchesGlob(bytes, 0, bytes.length, Buffer.from(name), 0, name.length, true),
        );
        const filter = ['LIST', 'FILTERBY', 'PATTERN', pattern];
        const theirs = (await redis.call('COMMAND', filter)) as string[];
        return theirs.sort().join() === matching.sort().join();
      }),
      { numRuns: 1000 },
    );
  });

  const digits = (maxLength: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength });
  const numeral = fc.oneof(
    fc.double({ noNaN: true }).map(String),
    fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value.toFixed(20)),
    fc
      .tuple(fc.constantFrom('', '-', '+'), digits(25), digits(30))
      .map(([s, a, b]) => `${s}${a}.${b}`),
    fc.tuple(digits(10), fc.integer({ min: -5000, max: 5000 })).map(([a, e]) => `${a}e${e}`),
    fc.tuple(digits(8), fc.integer({ min: -16500, max: 16400 })).map(([a, e]) => `0x${a}.8p${e}`),
    fc.string({ unit: fc.constantFrom(...'0123456789.eExXpPinfNa+- '), maxLength: 6 }),
    fc.constantFrom('inf', '-infinity', 'nan', '0x', '0e9999999', '1e9999999', '1.18973e+4932'),
  );

  t.test('INCRBYFLOAT', async () => {
    await fc.assert(
      fc.asyncProperty(numeral, numeral, async (value, increment) => {
        await redis.set('float', value);
        const theirs = await redis.incrbyfloat('float', increment).catch((error) => error.message);
        const left = within(value, parseLongDouble);
        const right = within(increment, parseLongDouble);
        let ours = 'ERR value is not a valid float';
        if (left !== undefined && right !== undefined) {
          const sum = addLongDoubles(left, right);
          ours = 'ERR increment would produce NaN or Infinity';
          if (isFiniteFloat(sum)) ours = formatLongDouble(sum);
        }
        if (theirs !== ours) throw new Error(`${JSON.stringify({ theirs, ours })}`);
      }),
      { numRuns: 5000 },
    );
  });

  t.test('scores', async () => {
    // So that Redis keeps the score as a double: small sets turn -0 into 0.
    await redis.config('SET', 'zset-max-listpack-entries', '0');
    await fc.assert(
      fc.asyncProperty(numeral, async (score) => {
        // These would be options of ZADD.
        fc.pre(!/^(nx|xx)$/i.test(score));
        await redis.del('zset');
        const added = await redis.zadd('zset', score, 'm').catch((error) => error.message);
        const theirs = added === 1 || added === '1' ? await redis.zscore('zset', 'm') : added;
        const value = within(score, parseDouble);
        const ours = Number.isNaN(value) ? 'ERR value is not a valid float' : formatDouble(value);
        if (theirs !== ours) throw new Error(`${JSON.stringify({ theirs, ours })}`);
      }),
      { numRuns: 5000 },
    );
  });

  t.test('integers', async () => {
    const integer = fc.oneof(
      fc.bigInt(-(2n ** 64n), 2n ** 64n).map(String),
      fc.bigInt(-(2n ** 54n), 2n ** 54n).map(String),
      fc.string({ unit: fc.constantFrom(...'0123456789-+ .e'), maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(integer, async (text) => {
        await redis.set('integer', text);
        const isInteger = await redis.incrby('integer', 0).then(
          () => true,
          () => false,
        );
        const safe = within(text, parseInteger);
        const value = Number.isNaN(safe) ? within(text, parseBigInteger) : safe;
        return (value !== undefined) === isInteger && (!isInteger || `${value}` === text);
      }),
      { numRuns: 3000 },
    );
  });
});
