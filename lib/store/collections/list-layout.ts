import { numberAt, numberBytesOf } from './numbers.js';

/** Elements u32, offset of the first one u32. */
export const LIST_HEADER_BYTES = 8;
/** The last byte of an element's length, as read from behind: this for u16 before it, `BACK_FOUR` for u32. */
export const BACK_TWO = 0x80;
export const BACK_FOUR = 0xc0;

/** A byte between two elements that belongs to none: no element begins or ends with it. */
export const LIST_GAP = 0xff;

/** Elements of fewer bytes have one byte before and one behind them. */
export const SHORT_BELOW: number = BACK_TWO - 1;

/** Bytes of an element's length as it stands behind the element. */
export const listBackBytes = (length: number): number =>
  length < BACK_TWO ? 1 : length <= 0xffff ? 3 : 5;

/** All bytes of the element that begins at `at`. */
export function listElementBytes(buffer: Buffer, at: number): number {
  const first = buffer[at]!;
  // Most elements are short.
  if (first < SHORT_BELOW) return first + 2;
  const forward = numberBytesOf(first) + numberAt(buffer, at);
  return forward + listBackBytes(forward);
}
