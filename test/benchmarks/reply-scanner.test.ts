import fc from 'fast-check';
import t from 'tap';
import { ReplyScanner } from '../../benchmarks/load/reply-scanner.js';

function scan(text: string, splits: readonly number[] = []): ReplyScanner {
  const bytes = Buffer.from(text, 'latin1');
  const scanner = new ReplyScanner();
  let from = 0;
  for (const to of [
    ...splits.filter((at) => at < bytes.length).sort((a, b) => a - b),
    bytes.length,
  ]) {
    const chunk = bytes.subarray(from, to);
    scanner.feed(chunk, chunk.length);
    from = to;
  }
  return scanner;
}

t.test('counts replies of every kind', async (t) => {
  const kinds = ['+OK\r\n', '-ERR no\r\n', ':12\r\n', '$3\r\nabc\r\n', '$0\r\n\r\n', '$-1\r\n'];
  for (const kind of kinds) t.equal(scan(kind).replies, 1, JSON.stringify(kind));
  t.equal(scan(kinds.join('')).replies, kinds.length);
});

t.test('an array is one reply, however deep', async (t) => {
  t.equal(scan('*0\r\n').replies, 1);
  t.equal(scan('*-1\r\n').replies, 1);
  t.equal(scan('*2\r\n:1\r\n$1\r\na\r\n').replies, 1);
  t.equal(scan('*2\r\n*2\r\n:1\r\n:2\r\n*0\r\n+OK\r\n').replies, 2);
  t.equal(scan('*2\r\n:1\r\n').replies, 0, 'an element is missing');
});

t.test('line ends inside a value are no line ends', async (t) => {
  t.equal(scan('$11\r\n+OK\r\n-ERR\r\n\r\n:1\r\n').replies, 2);
  t.equal(scan('$11\r\n+OK\r\n-ERR\r\n\r\n:1\r\n').errors, 0);
});

t.test('what is not complete does not count', async (t) => {
  for (const text of ['+OK', '+OK\r', '$3\r\nabc', '$3\r\nabc\r', ':1', '$', '*1\r\n'])
    t.equal(scan(text).replies, 0, JSON.stringify(text));
});

t.test('counts errors, nils and zeros, and keeps the first error', async (t) => {
  const scanner = scan('-ERR first\r\n$-1\r\n:0\r\n:10\r\n-ERR second\r\n*-1\r\n:-1\r\n');
  t.match(scanner, { replies: 7, errors: 2, nils: 2, zeros: 1 });
  t.equal(scanner.firstError, 'ERR first');
});

t.test('what is no reply is refused', async (t) => {
  for (const text of ['OK\r\n', '$1x\r\n', '+OK\rx', '+OK\r\n\r\n'])
    t.throws(() => scan(text), RangeError, JSON.stringify(text));
});

t.test('the count is the same however the bytes are split', async () => {
  const reply = fc.oneof(
    fc.integer({ min: 0, max: 99 }).map((n) => `:${n}\r\n`),
    fc
      .string({ maxLength: 20 })
      .map((s) => `$${s.length}\r\n${s.replace(/[^\x20-\x7e]/g, '\n')}\r\n`),
    fc.constantFrom('+OK\r\n', '-ERR\r\n', '$-1\r\n', '*2\r\n:1\r\n*1\r\n$-1\r\n'),
  );
  const replies = fc.array(reply, { maxLength: 30 });
  fc.assert(
    fc.property(replies, fc.array(fc.nat(600)), (all, splits) => {
      const split = scan(all.join(''), splits);
      const whole = scan(all.join(''));
      return (
        split.replies === all.length &&
        split.nils === whole.nils &&
        split.zeros === whole.zeros &&
        split.errors === whole.errors
      );
    }),
  );
});
