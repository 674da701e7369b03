import fc from 'fast-check';
import t from 'tap';
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

/** Calls `parse` on `text` with bytes around it that would change the number. */
function within<Result>(
  text: string,
  parse: (buffer: Buffer, start: number, end: number) => Result,
): Result {
  const buffer = Buffer.from(`-1${text}1e`, 'latin1');
  return parse(buffer, 2, buffer.length - 2);
}

const NO_INTEGERS = [
  '',
  '-',
  '+1',
  '01',
  '-0',
  '-01',
  '00',
  ' 1',
  '1 ',
  '1.0',
  '1e3',
  '0x1',
  '--1',
  'a',
  '1\0',
];

t.test('integers', async (t) => {
  for (const text of NO_INTEGERS) {
    t.ok(Number.isNaN(within(text, parseInteger)), JSON.stringify(text));
    t.equal(within(text, parseBigInteger), undefined, JSON.stringify(text));
  }
  for (const value of [0, 1, -1, 9, 10, -10, 2 ** 53 - 1, -(2 ** 53) + 1]) {
    t.equal(within(`${value}`, parseInteger), value);
    t.equal(within(`${value}`, parseBigInteger), BigInt(value));
  }
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 53n)]) {
    t.ok(Number.isNaN(within(`${value}`, parseInteger)), `${value} is not a safe number`);
    t.equal(within(`${value}`, parseBigInteger), value);
  }
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n, 10n ** 19n, 10n ** 30n]) {
    t.ok(Number.isNaN(within(`${value}`, parseInteger)));
    t.equal(within(`${value}`, parseBigInteger), undefined);
  }
  fc.assert(fc.property(fc.maxSafeInteger(), (n) => within(`${n}`, parseInteger) === n));
  fc.assert(
    fc.property(
      fc.bigInt(-(2n ** 65n), 2n ** 65n),
      (n) => within(`${n}`, parseBigInteger) === (BigInt.asIntN(64, n) === n ? n : undefined),
    ),
  );
});

t.test('doubles are read as strtod reads them', async (t) => {
  for (const [text, value] of [
    ['0', 0],
    ['-0', -0],
    ['+5', 5],
    ['00.50', 0.5],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['1E-3', 0.001],
    ['0e99999', 0],
    ['inf', Infinity],
    ['+Infinity', Infinity],
    ['-INF', -Infinity],
    ['0x10', 16],
    ['-0x1.8p3', -12],
    ['0x.8', 0.5],
    ['0x1p-1074', 5e-324],
    ['0x1.00000000000008p0', 1],
    ['0x1.00000000000018p0', 1 + 2 ** -51],
    ['4.9e-324', 5e-324],
    ['1.7976931348623157e308', Number.MAX_VALUE],
  ] as const)
    t.ok(Object.is(within(text, parseDouble), value), text);
  for (const text of [
    ...['', '.', '-', '+', 'e5', '1e', '1e+', ' 1', '1 ', '1_0', '1,5', 'nan', '-nan', 'infinit'],
    ...['0x', '0x.', '0x1p', '0x1p1024', '0x1p-1076', '1e309', '-1e309', '1e-400', 'x', '1\0'],
    ...['1'.repeat(10_000)],
  ])
    t.ok(Number.isNaN(within(text, parseDouble)), JSON.stringify(text.slice(0, 20)));
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      return Object.is(within(formatDouble(value), parseDouble), value);
    }),
    { numRuns: 5000 },
  );
});

t.test('doubles are written as %.17g writes them', async (t) => {
  for (const [value, text] of [
    [0, '0'],
    [-0, '-0'],
    [3, '3'],
    [-1.5, '-1.5'],
    [0.1, '0.10000000000000001'],
    [1e15, '1000000000000000'],
    [2 ** 53, '9007199254740992'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [-1.5e20, '-1.5e+20'],
    [1e-4, '0.0001'],
    [0.000123, '0.00012300000000000001'],
    [1e-5, '1.0000000000000001e-05'],
    [1e300, '1.0000000000000001e+300'],
    [5e-324, '4.9406564584124654e-324'],
    [698277625380406 + 0.125, '698277625380406.12'],
    [698277625380406 + 0.375, '698277625380406.38'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [Number.NaN, 'nan'],
  ] as const)
    t.equal(formatDouble(value), text);
});

function increment(a: string, b: string): string {
  const left = within(a, parseLongDouble);
  const right = within(b, parseLongDouble);
  if (left === undefined || right === undefined) return 'not a float';
  const sum = addLongDoubles(left, right);
  return isFiniteFloat(sum) ? formatLongDouble(sum) : 'infinite';
}

t.test('long doubles add up as INCRBYFLOAT does', async (t) => {
  for (const [a, b, sum] of [
    ['0.1', '0.2', '0.3'],
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['3', '-3', '0'],
    ['-0', '-0', '0'],
    ['0', '-1e-20', '0'],
    ['1e-17', '0', '0.00000000000000001'],
    ['9223372036854775807', '1', '9223372036854775808'],
    ['18446744073709551615', '0', '18446744073709551615'],
    ['18446744073709551615', '2', '18446744073709551616'],
    ['1e30', '1', '1000000000000000000024696061952'],
    ['0x1p3', '.5', '8.5'],
    ['1e4932', '1e4932', 'infinite'],
    ['inf', '1', 'infinite'],
    ['-inf', 'inf', 'infinite'],
    ['1e5000', '0', 'not a float'],
    ['1e-5000', '0', 'not a float'],
    ['0x1p-16445', '0', '0'],
    ['0x1p-16446', '0', 'not a float'],
    ['nan', '0', 'not a float'],
    ['', '0', 'not a float'],
    [' 1', '0', 'not a float'],
    ['1e99999999999', '0', 'not a float'],
    ['0e99999999999', '0', '0'],
    ['1'.repeat(5120), '0', 'not a float'],
  ] as const)
    t.equal(increment(a, b), sum, `${a.slice(0, 30)} + ${b}`);
});

t.test('prices add up without a surprise', async () => {
  // Above 32 the 17th decimal shows the error of a mantissa of 64 bits, here and in Redis.
  const cents = fc.integer({ min: -3200, max: 3200 });
  fc.assert(
    fc.property(cents, cents, (a, b) => {
      return increment(`${a}e-2`, `${b}e-2`) === `${Math.round(a + b) / 100}`;
    }),
    { numRuns: 2000 },
  );
});

t.test('hostile numbers cost no more than their length', { timeout: 5000 }, async (t) => {
  for (const text of [`${'1'.repeat(5000)}x`, `.${'1'.repeat(5000)}x`, `0x${'0'.repeat(5000)}g`])
    for (let i = 0; i < 200; i++) t.equal(increment(text, '0'), 'not a float');
  t.equal(increment(`1${'0'.repeat(4900)}e-4900`, `1e-${'0'.repeat(4000)}1`), '1.1');
});
