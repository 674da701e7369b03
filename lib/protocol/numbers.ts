import { NUMBER_BYTES_MAX, parseDoubleText } from './long-double.js';

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

/**
 * The double that `buffer[start, end)` spells, as C's strtod reads it: decimal, hexadecimal, `inf`, `infinity`, with
 * any sign. NaN where Redis says "value is not a valid float": no number, white space around it, or out of range. (One
 * of more than 5119 bytes is NaN too, where Redis has no such bound.)
 */
export function parseDouble(buffer: Buffer, start: number, end: number): number {
  const integer = parseInteger(buffer, start, end);
  if (!Number.isNaN(integer)) return integer;
  if (end - start > NUMBER_BYTES_MAX) return Number.NaN;
  return parseDoubleText(buffer.latin1Slice(start, end));
}

/** Significant digits that tell all doubles apart, and that Redis prints. */
const DOUBLE_DIGITS = 17;
/** Digits to look at for a tie: where all of these end in zeros, so does the exact value. */
const TIE_DIGITS = 60;

/** `value` as Redis writes a double (C's `%.17g`): shorter of fixed and exponent form, no trailing zeros. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? '-0' : value.toString();
  const sign = value < 0 ? '-' : '';
  const [mantissa = '', power] = significant(Math.abs(value)).split('e');
  const digits = mantissa.replace('.', '').replace(/0+$/, '');
  const exponent = Number(power);
  if (exponent >= DOUBLE_DIGITS || exponent < -4) {
    const size = Math.abs(exponent).toString().padStart(2, '0');
    return `${sign}${withPoint(digits, 1)}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  return `${sign}${withPoint(digits.padEnd(exponent + 1, '0'), exponent + 1)}`;
}

/** 17 digits in exponent form, ties to even as C rounds them: JavaScript rounds them up. */
function significant(value: number): string {
  const exact = value.toExponential(TIE_DIGITS);
  const isTie = /^\d\.\d{15}[02468]50+e/.test(exact);
  if (!isTie) return value.toExponential(DOUBLE_DIGITS - 1);
  return exact.slice(0, DOUBLE_DIGITS + 1) + exact.slice(exact.indexOf('e'));
}

/** Sets a decimal point behind the first `whole` digits, unless nothing follows. */
function withPoint(digits: string, whole: number): string {
  if (digits.length <= whole) return digits;
  return `${digits.slice(0, whole)}.${digits.slice(whole)}`;
}

/** From here on `toFixed` uses exponents; such doubles are integers. */
const FIXED_MAX = 1e21;

/** `value` as C's `%.*f` writes it, with one decimal or more; ties to even: JavaScript rounds them up. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return formatDouble(value);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (size >= FIXED_MAX) return `${sign}${BigInt(size)}.${'0'.repeat(decimals)}`;
  const rounded = size.toFixed(decimals);
  // Only so short a fraction ends in the middle between two decimals.
  if (!Number.isInteger(size * 2 ** (decimals + 1))) return sign + rounded;
  const exact = size.toFixed(decimals + 1);
  return sign + (/[02468]5$/.test(exact) ? exact.slice(0, -1) : rounded);
}
