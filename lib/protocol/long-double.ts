/*
 * INCRBYFLOAT and HINCRBYFLOAT of Redis calculate with C's long double, which on x86-64 has a mantissa of 64 bits:
 * enough that 0.1 + 0.2, printed with 17 decimals, is 0.3. Here that type is reproduced exactly, in integer
 * arithmetic: parsing and adding round to the nearest value with ties to even, as the processor does.
 *
 * (Redis on other processors has 128 or 64 bits; there its last decimals differ from these.)
 */

/** The value `mantissa` times 2 to the power of `exponent`; an exponent of Infinity is infinity. */
export interface BinaryFloat {
  readonly mantissa: bigint;
  readonly exponent: number;
}

interface Format {
  readonly mantissaBits: number;
  /** Exponent of the lowest bit of the smallest (subnormal) value. */
  readonly exponentMin: number;
  /** Values from 2 to this power on are infinite. */
  readonly overflowExponent: number;
  /** Decimal exponents beyond these are infinite or zero without looking at the digits. */
  readonly decimalExponentMax: number;
}

const LONG_DOUBLE: Format = {
  mantissaBits: 64,
  exponentMin: -16445,
  overflowExponent: 16384,
  decimalExponentMax: 4960,
};

const DOUBLE: Format = {
  mantissaBits: 53,
  exponentMin: -1074,
  overflowExponent: 1024,
  decimalExponentMax: 330,
};

/** Longest number that is read, bytes: for a long double as in Redis, which reads a double of any length. */
export const NUMBER_BYTES_MAX = 5 * 1024 - 1;
/** Decimals that Redis prints. */
const DECIMALS = 17;
const SCALE = 10n ** BigInt(DECIMALS);

const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const DECIMAL = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x(?=\.?[\da-f])([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i;

/**
 * What C's strtold makes of the whole of `buffer[start, end)`: decimal, hexadecimal or infinite, without white space
 * around. Undefined where Redis says "value is not a valid float": no number, too long, or a finite one out of range.
 */
export function parseLongDouble(
  buffer: Buffer,
  start: number,
  end: number,
): BinaryFloat | undefined {
  if (end - start > NUMBER_BYTES_MAX) return undefined;
  return parse(buffer.latin1Slice(start, end), LONG_DOUBLE);
}

/** What strtod makes of the whole of `text`, at most `NUMBER_BYTES_MAX` of it; NaN for undefined. */
export function parseDoubleText(text: string): number {
  if (DECIMAL.test(text)) {
    const value = Number(text);
    const vanished = value === 0 && /^[^e]*[1-9]/i.test(text);
    return vanished || !Number.isFinite(value) ? Number.NaN : value;
  }
  const float = parse(text, DOUBLE);
  if (float === undefined) return Number.NaN;
  if (!isFiniteFloat(float)) return float.mantissa < 0n ? -Infinity : Infinity;
  // In two steps, for the power alone may be smaller than any double.
  const half = Math.trunc(float.exponent / 2);
  return Number(float.mantissa) * 2 ** half * 2 ** (float.exponent - half);
}

export function isFiniteFloat(value: BinaryFloat): boolean {
  return value.exponent !== Number.POSITIVE_INFINITY;
}

/** Infinite where a summand or the sum is; what infinities of both signs add up to is no number, and infinite too. */
export function addLongDoubles(a: BinaryFloat, b: BinaryFloat): BinaryFloat {
  if (!isFiniteFloat(a)) return a;
  if (!isFiniteFloat(b)) return b;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return round(sum, exponent, LONG_DOUBLE);
}

/** A finite value with up to 17 decimals, no trailing zeros and no exponent, as Redis stores and answers it. */
export function formatLongDouble(value: BinaryFloat): string {
  const magnitude = value.mantissa < 0n ? -value.mantissa : value.mantissa;
  const scaled = magnitude * SCALE;
  const units =
    value.exponent >= 0 ? scaled << BigInt(value.exponent) : shiftRight(scaled, -value.exponent);
  if (units === 0n) return '0';
  const digits = units.toString().padStart(DECIMALS + 1, '0');
  const decimals = digits.slice(-DECIMALS).replace(/0+$/, '');
  const sign = value.mantissa < 0n ? '-' : '';
  return `${sign}${digits.slice(0, -DECIMALS)}${decimals === '' ? '' : '.'}${decimals}`;
}

function parse(text: string, format: Format): BinaryFloat | undefined {
  const infinite = INFINITE.exec(text);
  if (infinite !== null)
    return { mantissa: infinite[1] === '-' ? -1n : 1n, exponent: Number.POSITIVE_INFINITY };
  const decimal = DECIMAL.exec(text);
  const match = decimal ?? HEXADECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return { mantissa: 0n, exponent: 0 };
  const value =
    decimal !== null
      ? fromDecimal(digits, Number(power) - fraction.length, format)
      : fromHexadecimal(digits, Number(power) - 4 * fraction.length, format);
  if (value === undefined || value.mantissa === 0n || !isFiniteFloat(value)) return undefined;
  return sign === '-' ? { mantissa: -value.mantissa, exponent: value.exponent } : value;
}

/** `digits` times 10 to the power of `exponent`; undefined where it is too large or too small by far. */
function fromDecimal(digits: string, exponent: number, format: Format): BinaryFloat | undefined {
  const magnitude = digits.length + exponent;
  if (Math.abs(magnitude) > format.decimalExponentMax) return undefined;
  if (exponent >= 0) return round(BigInt(digits) * 10n ** BigInt(exponent), 0, format);
  const divisor = 10n ** BigInt(-exponent);
  const dividend = BigInt(digits);
  // The quotient gets more bits than the format has, and one below them that says whether anything was left.
  const shift = Math.max(0, format.mantissaBits + 2 + bitLength(divisor) - bitLength(dividend));
  const shifted = dividend << BigInt(shift);
  const quotient = shifted / divisor;
  const rest = shifted - quotient * divisor === 0n ? 0n : 1n;
  return round((quotient << 1n) | rest, -shift - 1, format);
}

function fromHexadecimal(
  digits: string,
  exponent: number,
  format: Format,
): BinaryFloat | undefined {
  const magnitude = digits.length * 4 + exponent;
  if (magnitude > format.overflowExponent + 4 || magnitude < format.exponentMin - 4)
    return undefined;
  return round(BigInt(`0x${digits}`), exponent, format);
}

/** The value of `format` nearest to `mantissa` times 2 to the power of `exponent`. */
function round(mantissa: bigint, exponent: number, format: Format): BinaryFloat {
  const negative = mantissa < 0n;
  const magnitude = negative ? -mantissa : mantissa;
  const surplus = bitLength(magnitude) - format.mantissaBits;
  const drop = Math.max(0, surplus, format.exponentMin - exponent);
  const rounded = shiftRight(magnitude, drop);
  const infinite = bitLength(rounded) + exponent + drop > format.overflowExponent;
  return {
    mantissa: negative ? -rounded : rounded,
    exponent: infinite ? Number.POSITIVE_INFINITY : exponent + drop,
  };
}

/** `value` over 2 to the power of `bits`, rounded to the nearest integer, ties to even. */
function shiftRight(value: bigint, bits: number): bigint {
  if (bits === 0) return value;
  const quotient = value >> BigInt(bits);
  const rest = value - (quotient << BigInt(bits));
  const half = 1n << BigInt(bits - 1);
  const up = rest > half || (rest === half && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const digits = value.toString(16);
  return digits.length * 4 - Math.clz32(Number.parseInt(digits[0]!, 16)) + 28;
}
