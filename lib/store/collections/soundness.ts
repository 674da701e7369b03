import { f64At, u16At, u32At } from '../../protocol/bytes.js';
import { ValueType } from '../entry.js';
import type { Attachment } from '../large-payloads.js';
import { BACK_FOUR, BACK_TWO, LIST_GAP, LIST_HEADER_BYTES, listBackBytes } from './list-layout.js';
import { numberAt, numberBytes, numberBytesOf } from './numbers.js';
import { HEADER_BYTES, RecordKind } from './record-cursor.js';

/** Kept with a large value whose bytes were found sound, until they change. */
export const SOUND: Attachment = { bytes: 0 };
/** Kept with one whose bytes were found not to be. */
export const DAMAGED: Attachment = { bytes: 0 };

const SCORE_BYTES = 8;
/** Bit of a sorted set's encoding: its records do not lie in their order. */
export const UNSORTED = 2;
const DEAD = 1;
const ONE_BYTE_MAX = 0x7f;
/** The highest encoding of each type, as encodings.ts of the commands has them. */
export const ENCODING_MAX: Readonly<Record<number, number>> = {
  [ValueType.List]: 0,
  [ValueType.Set]: 1,
  [ValueType.ZSet]: 3,
  [ValueType.Hash]: 1,
};

/**
 * Whether `buffer[start, end)` is a value of this type such as the commands of this node make it: then they read and change
 * nothing outside of it, and come to an end. Of strings everything is. What only makes answers odd, a field that is there
 * twice, is not looked for. Some nanoseconds per element.
 */
export function isSound(
  type: ValueType,
  encoding: number,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  if (type === ValueType.String) return true;
  if (type === ValueType.None) return start === end;
  if (encoding > ENCODING_MAX[type]!) return false;
  switch (type) {
    case ValueType.List:
      return isList(buffer, start, end);
    case ValueType.Set:
      return areRecords(RecordKind.Key, buffer, start, end);
    case ValueType.Hash:
      return areRecords(RecordKind.KeyValue, buffer, start, end);
    default:
      return (
        areRecords(RecordKind.KeyScore, buffer, start, end) &&
        ((encoding & UNSORTED) !== 0 || areInOrder(buffer, start, end))
      );
  }
}

/** Bytes of the number at `at`, 0 where it does not end before `end`, or could be shorter. */
function numberIn(buffer: Buffer, at: number, end: number): number {
  const first = buffer[at]!;
  const bytes = numberBytesOf(first);
  if (at + bytes > end) return 0;
  if (bytes === 1) return 1;
  if (bytes === 5 && first !== 0xc0) return 0;
  return numberBytes(numberAt(buffer, at)) === bytes ? bytes : 0;
}

/** Where the record that begins at `at` ends; 0 where it is none, or goes beyond `end`. */
export function recordEnd(kind: RecordKind, buffer: Buffer, at: number, end: number): number {
  let head = buffer[at]!;
  let next = at + 1;
  // Most numbers are one byte; their functions are called for the others only.
  if (head > ONE_BYTE_MAX) {
    const bytes = numberIn(buffer, at, end);
    if (bytes === 0) return 0;
    head = numberAt(buffer, at);
    next = at + bytes;
  }
  next += head >>> 1;
  if (kind === RecordKind.KeyValue) {
    if (next >= end) return 0;
    const length = buffer[next]!;
    if (length <= ONE_BYTE_MAX) next += 1 + length;
    else {
      const bytes = numberIn(buffer, next, end);
      if (bytes === 0) return 0;
      next += bytes + numberAt(buffer, next);
    }
  } else if (kind === RecordKind.KeyScore) {
    if (next + SCORE_BYTES > end || Number.isNaN(f64At(buffer, next))) return 0;
    next += SCORE_BYTES;
  }
  return next > end ? 0 : next;
}

function areRecords(kind: RecordKind, buffer: Buffer, start: number, end: number): boolean {
  if (end - start <= HEADER_BYTES) return false;
  let records = u32At(buffer, start);
  let dead = u32At(buffer, start + 4);
  if (records === 0) return false;
  for (let at = start + HEADER_BYTES; at < end; ) {
    const next = recordEnd(kind, buffer, at, end);
    if (next === 0) return false;
    if (isDead(buffer, at)) dead -= next - at;
    else records--;
    at = next;
  }
  return records === 0 && dead === 0;
}

/** Of the record that begins at `at`. */
export function isDead(buffer: Buffer, at: number): boolean {
  const first = buffer[at]!;
  return ((first <= ONE_BYTE_MAX ? first : numberAt(buffer, at)) & DEAD) !== 0;
}

/** Whether the records of a sorted set, which are sound, lie in their order. */
function areInOrder(buffer: Buffer, start: number, end: number): boolean {
  let before = Number.NEGATIVE_INFINITY;
  let keyStart = 0;
  let keyEnd = 0;
  for (let at = start + HEADER_BYTES; at < end; ) {
    const head = numberAt(buffer, at);
    const from = at + numberBytesOf(buffer[at]!);
    const to = from + (head >>> 1);
    at = to + SCORE_BYTES;
    if ((head & DEAD) !== 0) continue;
    const score = f64At(buffer, to);
    if (score < before) return false;
    if (score === before && keyStart !== 0) {
      if (buffer.compare(buffer, from, to, keyStart, keyEnd) > 0) return false;
    }
    before = score;
    keyStart = from;
    keyEnd = to;
  }
  return true;
}

function isList(buffer: Buffer, start: number, end: number): boolean {
  if (end - start <= LIST_HEADER_BYTES) return false;
  let elements = u32At(buffer, start);
  const head = u32At(buffer, start + 4);
  if (elements === 0 || head < LIST_HEADER_BYTES) return false;
  for (let at = start + head; at < end; ) {
    if (buffer[at] === LIST_GAP) {
      at++;
      continue;
    }
    at = elementEnd(buffer, at, end);
    if (at === 0) return false;
    elements--;
  }
  return elements === 0;
}

/** Where the element of a list that begins at `at` ends; 0 where it is none, or goes beyond `end`. */
export function elementEnd(buffer: Buffer, at: number, end: number): number {
  const lengthBytes = numberIn(buffer, at, end);
  if (lengthBytes === 0) return 0;
  const forward = lengthBytes + numberAt(buffer, at);
  const backBytes = listBackBytes(forward);
  const next = at + forward + backBytes;
  return next <= end && backLengthBefore(buffer, next, backBytes) === forward ? next : 0;
}

/** The length that stands before `at` in so many bytes; -1 where its last byte says that there are others. */
function backLengthBefore(buffer: Buffer, at: number, bytes: number): number {
  const last = buffer[at - 1]!;
  if (bytes === 1) return last;
  if (bytes === 3) return last === BACK_TWO ? u16At(buffer, at - 3) : -1;
  return last === BACK_FOUR ? u32At(buffer, at - 5) : -1;
}
