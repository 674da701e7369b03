import { putU32, u32At } from '../../protocol/bytes.js';

/*
 * Lengths within packed values: one byte below 128, two below 16384 (10 in the first two bits, high byte first), else five
 * (11 in the first two bits, then u32).
 */

const TWO = 0x80;
const FIVE = 0xc0;
const ONE_BYTE_MAX = 0x7f;
const TWO_BYTES_MAX = 0x3fff;

export function numberBytes(value: number): number {
  return value <= ONE_BYTE_MAX ? 1 : value <= TWO_BYTES_MAX ? 2 : 5;
}

/** Returns the offset behind it. */
export function putNumber(target: Buffer, at: number, value: number): number {
  if (value <= ONE_BYTE_MAX) {
    target[at] = value;
    return at + 1;
  }
  if (value <= TWO_BYTES_MAX) {
    target[at] = TWO | (value >>> 8);
    target[at + 1] = value;
    return at + 2;
  }
  target[at] = FIVE;
  putU32(target, at + 1, value);
  return at + 5;
}

/** The bytes of the number that begins with this one. */
export const numberBytesOf = (first: number): number => (first < TWO ? 1 : first < FIVE ? 2 : 5);

export function numberAt(source: Buffer, at: number): number {
  const first = source[at]!;
  if (first < TWO) return first;
  if (first < FIVE) return ((first & 0x3f) << 8) | source[at + 1]!;
  return u32At(source, at + 1);
}
