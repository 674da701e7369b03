const MINUS = 45;
const ZERO = 48;
/** Digits of the largest safe integer of a number: all integers of that length are still told apart by `>`. */
const DIGITS_SAFE_MAX = 16;
/** Digits of the largest 64-bit integer. */
const DIGITS_MAX = 19;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/**
 * The integer that `buffer[start, end)` spells in the strict form that Redis takes: an optional minus, no plus, no
 * leading zeros, no white space. NaN for everything else, and for integers beyond 2^53 - 1: only then it is worth to
 * ask `parseBigInteger`. Makes no object.
 */
export function parseInteger(buffer: Uint8Array, start: number, end: number): number {
  const negative = start < end && buffer[start] === MINUS;
  let at = negative ? start + 1 : start;
  const digits = end - at;
  if (digits <= 0 || digits > DIGITS_SAFE_MAX) return Number.NaN;
  if (buffer[at] === ZERO) return digits === 1 && !negative ? 0 : Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = buffer[at]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return negative ? -value : value;
}

/** The same in the range of 64-bit signed integers, as Redis's string2ll; undefined where it is none. */
export function parseBigInteger(
  buffer: Uint8Array,
  start: number,
  end: number,
): bigint | undefined {
  const first = start < end && buffer[start] === MINUS ? start + 1 : start;
  const digits = end - first;
  if (digits <= 0 || digits > DIGITS_MAX) return undefined;
  if (buffer[first] === ZERO) return digits === 1 && first === start ? 0n : undefined;
  let text = first === start ? '' : '-';
  for (let at = first; at < end; at++) {
    const digit = buffer[at]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    text += digit;
  }
  const value = BigInt(text);
  return value < INT64_MIN || value > INT64_MAX ? undefined : value;
}

/** Decimal digits that tell every double apart. */
const DOUBLE_DIGITS = 17;

/** `value` as Redis writes a double (C's `%.17g`): shortest of fixed and exponent form, no trailing zeros. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? '-0' : value.toString();
  const scientific = value.toExponential(DOUBLE_DIGITS - 1);
  const mark = scientific.indexOf('e');
  const exponent = Number(scientific.slice(mark + 1));
  if (exponent >= -4 && exponent < DOUBLE_DIGITS)
    return withoutTrailingZeros(value.toFixed(DOUBLE_DIGITS - 1 - exponent));
  const sign = exponent < 0 ? '-' : '+';
  const digits = Math.abs(exponent).toString().padStart(2, '0');
  return `${withoutTrailingZeros(scientific.slice(0, mark))}e${sign}${digits}`;
}

/** Cuts the zeros that end a fraction, and the point when nothing is left of it. */
export function withoutTrailingZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
