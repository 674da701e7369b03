import fc from 'fast-check';
import t from 'tap';
import { Request } from '../../lib/protocol/request.js';
import {
  DEFAULT_REQUEST_LIMITS,
  ParseResult,
  RequestParser,
} from '../../lib/protocol/request-parser.js';

interface Outcome {
  readonly commands: string[][];
  readonly error: string;
}

const bytesOf = (text: string) => Buffer.from(text, 'latin1');

const argumentsOf = (request: Request) =>
  Array.from({ length: request.argc }, (_, index) => request.latin1(index));

/** Feeds `input` cut at `cuts` through one socket buffer, which is scribbled over after every chunk. */
function parseInPieces(parser: RequestParser, input: Buffer, cuts: readonly number[]): Outcome {
  const shared = Buffer.alloc(input.length + 8, '!');
  const request = new Request();
  const commands: string[][] = [];
  const ends = [...cuts, input.length];
  ends.forEach((end, piece) => {
    const start = ends[piece - 1] ?? 0;
    input.copy(shared, 0, start, end);
    parser.feed(shared, 0, end - start);
    while (parser.next(request) === ParseResult.Command) commands.push(argumentsOf(request));
    parser.finish();
    shared.fill('!');
  });
  return { commands, error: parser.error };
}

const parse = (input: string | Buffer, cuts: readonly number[] = []) =>
  parseInPieces(
    new RequestParser(DEFAULT_REQUEST_LIMITS),
    typeof input === 'string' ? bytesOf(input) : input,
    cuts,
  );

const everyByte = (length: number) => Array.from({ length: length - 1 }, (_, index) => index + 1);

function encode(command: readonly string[]): string {
  const bulks = command.map((argument) => `$${argument.length}\r\n${argument}\r\n`);
  return `*${command.length}\r\n${bulks.join('')}`;
}

t.test('every split of a stream gives the same commands', async (t) => {
  const stream = `${encode(['SET', 'k', 'a\r\nb'])}PING\r\n*0\r\n\r\n*-1\r\n${encode(['GET', ''])}ECHO "a b"\n`;
  const commands = [['SET', 'k', 'a\r\nb'], ['PING'], ['GET', ''], ['ECHO', 'a b']];
  t.same(parse(stream), { commands, error: '' });
  t.same(parse(stream, everyByte(stream.length)), { commands, error: '' }, 'byte by byte');
  const failed: number[][] = [];
  for (let first = 1; first < stream.length; first++) {
    for (let second = first; second < stream.length; second++) {
      if (fc.stringify(parse(stream, [first, second])) !== fc.stringify({ commands, error: '' }))
        failed.push([first, second]);
    }
  }
  t.same(failed, [], 'in three pieces');
});

t.test('random commands in random pieces', async () => {
  const argument = fc.oneof(
    { weight: 8, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 20 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 60_000 }).map((n) => 'x'.repeat(n)) },
  );
  const command = fc.array(argument, { minLength: 1, maxLength: 14 });
  fc.assert(
    fc.property(
      fc.array(command, { minLength: 1, maxLength: 12 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }),
      (commands, fractions) => {
        const stream = commands.map(encode).join('');
        const cuts = fractions.map((f) => Math.floor(f * stream.length)).sort((a, b) => a - b);
        const outcome = parse(stream, cuts);
        if (outcome.error !== '') throw new Error(outcome.error);
        return fc.stringify(outcome.commands) === fc.stringify(commands);
      },
    ),
    { numRuns: 300 },
  );
});

t.test('random bytes give the same result however they are split, and never throw', async () => {
  const token = fc.constantFrom(
    ...[
      '*',
      '$',
      '\r\n',
      '\r',
      '\n',
      '1',
      '2',
      '3',
      '0',
      '-',
      '"',
      "'",
      '\\',
      ' ',
      'x',
      '\0',
      '\xff',
    ],
    ...['*1\r\n', '$1\r\n', '$0\r\n\r\n', '*2\r\n$1\r\na\r\n'],
  );
  fc.assert(
    fc.property(fc.array(token, { minLength: 1, maxLength: 40 }), (tokens) => {
      const stream = tokens.join('');
      const whole = parse(stream);
      return fc.stringify(parse(stream, everyByte(stream.length))) === fc.stringify(whole);
    }),
    { numRuns: 3000 },
  );
});

const HOSTILE: [input: string, error: string][] = [
  ['*\r\n', 'invalid multibulk length'],
  ['* 1\r\n', 'invalid multibulk length'],
  ['*00\r\n', 'invalid multibulk length'],
  ['*-0\r\n', 'invalid multibulk length'],
  ['*1\0\r\n', 'invalid multibulk length'],
  ['*2147483648\r\n', 'invalid multibulk length'],
  ['*1048577\r\n', 'invalid multibulk length'],
  ['*99999999999999999999\r\n', 'invalid multibulk length'],
  ['*1\r\nPING\r\n', "expected '$', got 'P'"],
  ['*1\r\n\r\n\r\n', "expected '$', got '\r'"],
  ['*1\r\n\xff\r\n', "expected '$', got '\xff'"],
  ['*1\r\n$\r\n\r\n', 'invalid bulk length'],
  ['*1\r\n$-1\r\n', 'invalid bulk length'],
  ['*1\r\n$+4\r\n', 'invalid bulk length'],
  ['*1\r\n$04\r\nPING\r\n', 'invalid bulk length'],
  ['*1\r\n$4 \r\nPING\r\n', 'invalid bulk length'],
  ['*1\r\n$536870913\r\n', 'invalid bulk length'],
  ['*1\r\n$99999999999999999999\r\n', 'invalid bulk length'],
  ['PING "a\r\n', 'unbalanced quotes in request'],
  ["PING 'a\r\n", 'unbalanced quotes in request'],
  ['PING "a"b\r\n', 'unbalanced quotes in request'],
  ['ECHO "a\\\r\n', 'unbalanced quotes in request'],
];

for (const [input, error] of HOSTILE) {
  t.test(`hostile: ${JSON.stringify(input)}`, async (t) => {
    const stream = `${encode(['GET', 'k'])}${input}`;
    const expected = { commands: [['GET', 'k']], error: `Protocol error: ${error}` };
    for (let cut = 1; cut <= stream.length; cut++) t.same(parse(stream, [cut]), expected);
    t.same(parse(stream, everyByte(stream.length)), expected);
  });
}

t.test('lines without an end are cut off at 64 KiB', async (t) => {
  const long = '1'.repeat(70_000);
  for (const [input, error] of [
    [`*${long}`, 'too big mbulk count string'],
    [`*1\r\n$${long}`, 'too big bulk count string'],
    [long, 'too big inline request'],
    [`${long}\r\n`, 'too big inline request'],
  ] as const) {
    t.equal(parse(input).error, `Protocol error: ${error}`);
    t.equal(parse(input, [3, 10, 40_000, 65_000]).error, `Protocol error: ${error}`);
  }
  const line = `ECHO ${'a'.repeat(65_531)}`;
  t.same(parse(`${line}\n`, [40_000]).commands, [line.split(' ')], '65536 bytes are allowed');
  t.match(parse(`${line}a\n`, [40_000]), { commands: [], error: /too big inline/ });
});

t.test('after an error nothing more is parsed', async (t) => {
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  const request = new Request();
  const input = bytesOf(`*x\r\n${encode(['PING'])}`);
  for (let round = 0; round < 3; round++) {
    parser.feed(input, 0, input.length);
    t.equal(parser.next(request), ParseResult.Error);
    t.equal(request.argc, 0);
    parser.finish();
    t.equal(parser.pendingBytes, 0);
  }
});

t.test('line ends are not looked at, as in Redis', async (t) => {
  t.same(parse('*1\rx$4\rxPINGxy*1\r\n$1\r\na\r\n').commands, [['PING'], ['a']]);
});

t.test('inline commands', async (t) => {
  for (const [line, expected] of [
    ['  GET \t k  \r\n', ['GET', 'k']],
    ['GET k\n', ['GET', 'k']],
    ['a\vb \v\fc\r\n', ['a\vb', 'c']],
    ['a\rb\r\n', ['a', 'b']],
    ['"\\x41\\n\\r\\t\\b\\a\\q\\"\\\\" \r\n', ['A\n\r\t\b\x07q"\\']],
    ['"\\x4" "\\xzz"\r\n', ['x4', 'xzz']],
    ["'a\\'b\\x41\"'\r\n", ['a\'b\\x41"']],
    ['a"b c" \'\' ""\r\n', ['ab c', '', '']],
    ['a\0b "\0"\r\n', ['a\0b', '\0']],
  ] as const)
    t.same(parse(line), { commands: [expected], error: '' }, JSON.stringify(line));
});

t.test('limits of clients that have not authenticated', async (t) => {
  const attempt = (input: string, cuts: number[] = []) => {
    const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
    parser.authenticated = false;
    return parseInPieces(parser, bytesOf(input), cuts);
  };
  const bulk = 'x'.repeat(16_384);
  for (const cuts of [[], [1], [5], [12, 15]]) {
    t.match(attempt('*11\r\n$1\r\na\r\n$1\r\n', cuts).error, /: unauthenticated multibulk length$/);
    t.match(attempt('*2\r\n$1\r\na\r\n$16385\r\n', cuts).error, /: unauthenticated bulk length$/);
    t.same(attempt(encode(['AUTH', bulk]), cuts), { commands: [['AUTH', bulk]], error: '' });
    t.same(attempt(encode(Array(10).fill('a')), cuts).error, '');
    t.match(attempt(encode(['AUTH', `${bulk}y`]), cuts).error, /: unauthenticated bulk length$/);
  }
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  parser.authenticated = false;
  const request = new Request();
  const input = bytesOf(encode(['AUTH', 'secret']) + encode(['SET', 'k', `${bulk}y`]));
  parser.feed(input, 0, input.length);
  t.equal(parser.next(request), ParseResult.Command);
  parser.authenticated = true;
  t.equal(parser.next(request), ParseResult.Command, 'allowed from the next command on');
  t.equal(request.length(2), 16_385);
});

t.test('limits are those given', async (t) => {
  const limits = { ...DEFAULT_REQUEST_LIMITS, bulkBytesMax: 10, argumentsMax: 3 };
  for (const cuts of [[], [3], [25]]) {
    const attempt = (...command: string[]) =>
      parseInPieces(new RequestParser(limits), bytesOf(encode(command)), cuts).error;
    t.equal(attempt('SET', 'k', '0123456789'), '');
    t.equal(attempt('SET', 'k', '01234567890'), 'Protocol error: invalid bulk length');
    t.equal(attempt('a', 'b', 'c', 'd'), 'Protocol error: invalid multibulk length');
  }
  const small = { ...DEFAULT_REQUEST_LIMITS, queryBufferBytesMax: 1000 };
  const endless = `*100\r\n${'$90\r\n'.padEnd(97, 'x').repeat(20)}`;
  t.match(parseInPieces(new RequestParser(small), bytesOf(endless), [500, 900]).error, /too big/);
});

t.test('a caller may stop, and go on after the chunk was overwritten', async (t) => {
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  const request = new Request();
  const chunk = bytesOf(`${encode(['a'])}${encode(['b'])}${encode(['c'])}*1\r\n$`);
  const rest = bytesOf(`1\r\nd\r\n${encode(['e'])}`);
  parser.feed(chunk, 0, chunk.length);
  parser.next(request);
  t.same(argumentsOf(request), ['a']);
  parser.finish();
  chunk.fill('!');
  parser.next(request);
  t.same(argumentsOf(request), ['b']);
  parser.finish();
  parser.feed(rest, 0, rest.length);
  const commands: string[][] = [];
  while (parser.next(request) === ParseResult.Command) commands.push(argumentsOf(request));
  parser.finish();
  t.same(commands, [['c'], ['d'], ['e']]);
  t.equal(parser.pendingBytes, 0);
});

t.test('a whole command is yielded in place, without a copy', async (t) => {
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  const request = new Request();
  const chunk = bytesOf(encode(['SET', 'key', 'value']));
  parser.feed(chunk, 0, chunk.length);
  t.equal(parser.next(request), ParseResult.Command);
  t.equal(request.buffer, chunk);
});

/** Bytes that Buffer has been asked for while `run` ran. */
function allocatedBytes(run: () => void): number {
  const { allocUnsafe, allocUnsafeSlow } = Buffer;
  let bytes = 0;
  Buffer.allocUnsafe = (size) => {
    bytes += size;
    return allocUnsafe(size);
  };
  Buffer.allocUnsafeSlow = (size) => {
    bytes += size;
    return allocUnsafeSlow(size);
  };
  try {
    run();
  } finally {
    Buffer.allocUnsafe = allocUnsafe;
    Buffer.allocUnsafeSlow = allocUnsafeSlow;
  }
  return bytes;
}

t.test("memory follows the bytes that came, not the lengths a client's header names", async (t) => {
  for (const count of [1, 1_048_576]) {
    const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
    const request = new Request();
    const input = bytesOf(`*${count}\r\n$536870912\r\n${'a'.repeat(400)}`);
    const bytes = allocatedBytes(() => {
      for (let round = 0; round < 2; round++) {
        parser.feed(input, 0, input.length);
        t.equal(parser.next(request), ParseResult.Incomplete);
        parser.finish();
      }
    });
    t.ok(bytes < 4096, `${bytes} bytes allocated`);
    t.equal(parser.pendingBytes, 2 * input.length);
    t.ok(request.start.length <= 16);
  }
});

t.test('a large argument in many chunks is copied a bounded number of times', async (t) => {
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  const request = new Request();
  const size = 16 * 1024 * 1024;
  const header = bytesOf(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${size}\r\n`);
  const chunk = Buffer.alloc(4096, 'v');
  const bytes = allocatedBytes(() => {
    parser.feed(header, 0, header.length);
    parser.next(request);
    parser.finish();
    for (let sent = 0; sent < size; sent += chunk.length) {
      parser.feed(chunk, 0, chunk.length);
      if (parser.next(request) !== ParseResult.Incomplete) t.fail('yielded before its end');
      parser.finish();
    }
  });
  t.ok(bytes < 3 * size, `${bytes} bytes allocated for ${size}`);
  const end = bytesOf(`\r\n${encode(['PING'])}`);
  parser.feed(end, 0, end.length);
  t.equal(parser.next(request), ParseResult.Command);
  t.equal(request.length(2), size);
  t.equal(request.buffer.length, size + header.length + 2, 'nothing over');
  t.equal(parser.next(request), ParseResult.Command);
  t.same(argumentsOf(request), ['PING']);
  t.equal(parser.next(request), ParseResult.Incomplete);
  t.equal(request.buffer.length, 0, 'the large buffer is let go');
});

t.test('many arguments grow the request, and are let go', async (t) => {
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  const request = new Request();
  const many = Array.from({ length: 20_000 }, (_, index) => `${index}`);
  const input = bytesOf(encode(many) + encode(['PING']));
  parser.feed(input, 0, input.length);
  t.equal(parser.next(request), ParseResult.Command);
  t.same(argumentsOf(request), many);
  t.equal(parser.next(request), ParseResult.Command);
  t.equal(request.start.length, 16);
});

t.test(
  'arguments with nothing in between, of a request as it came, and of some of its keys',
  (t) => {
    const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
    const input = Buffer.from('*4\r\n$3\r\nDEL\r\n$1\r\na\r\n$2\r\nbb\r\n$3\r\nccc\r\n');
    const request = new Request();
    parser.feed(input, 0, input.length);
    t.equal(parser.next(request), ParseResult.Command);
    for (const one of [request, request.copy(), request.pick([1, 2, 3])]) {
      const dense = one.dense();
      t.equal(dense.buffer.latin1Slice(dense.start[0]!, dense.end[3]!), 'DELabbccc');
      t.equal(dense.dense(), dense, 'nothing is copied twice');
    }
    const picked = request.pick([3, 1]).dense();
    t.equal(picked.buffer.latin1Slice(picked.start[0]!, picked.end[2]!), 'DELccca');
    t.end();
  },
);

/** Parses ahead, takes some of it back, and so on: what a connection does whose commands must wait in between. */
function parseAndRewind(input: Buffer, cuts: readonly number[], ahead: readonly number[]): Outcome {
  const parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  const requests = Array.from({ length: 4 }, () => new Request());
  const commands: string[][] = [];
  const ends = [...cuts, input.length];
  let step = 0;
  ends.forEach((end, piece) => {
    parser.feed(input, ends[piece - 1] ?? 0, end);
    for (let result: ParseResult = ParseResult.Command; result === ParseResult.Command; ) {
      let parsed = 0;
      const most = parser.isGathering ? 1 : requests.length;
      while (parsed < most) {
        result = parser.next(requests[parsed]!);
        if (result !== ParseResult.Command) break;
        parsed++;
      }
      // At least one runs each time, as on a connection.
      const kept = Math.min(parsed, 1 + ahead[step++ % ahead.length]!);
      for (let i = 0; i < kept; i++) commands.push(argumentsOf(requests[i]!));
      if (kept === parsed) continue;
      parser.rewind(requests[kept]!);
      t.equal(parser.error, '');
      result = ParseResult.Command;
    }
    parser.finish();
  });
  return { commands, error: parser.error };
}

t.test('commands that were taken back come again, with whatever followed them', async (t) => {
  const command = fc.array(fc.string({ maxLength: 9 }), { minLength: 1, maxLength: 4 });
  const ending = fc.constantFrom(
    '',
    '*1\r\n$4\r\nPI',
    '*1\r\n#4\r\nPING\r\n',
    'INLINE a b\r\n',
    '*0\r\n',
  );
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 12 }),
      ending,
      fc.array(fc.nat({ max: 300 }), { maxLength: 4 }),
      fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 5 }),
      (commands, last, at, ahead) => {
        const input = bytesOf(commands.map(encode).join('') + last);
        const cuts = at.filter((cut) => cut < input.length).sort((a, b) => a - b);
        t.same(parseAndRewind(input, cuts, ahead), parse(input, cuts));
      },
    ),
  );
});
