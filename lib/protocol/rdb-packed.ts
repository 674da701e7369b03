/** The bytes of a payload are not what its type says. */
export class BadPayload extends Error {}

export const bad = (): never => {
  throw new BadPayload('bad payload');
};

/** Told of each element of a packed value, in order. */
export type VisitElement = (buffer: Buffer, start: number, end: number) => void;

const END = 0xff;

function visitInteger(value: number | bigint, visit: VisitElement): void {
  const text = Buffer.from(String(value), 'latin1');
  visit(text, 0, text.length);
}

function visitString(
  source: Buffer,
  start: number,
  bytes: number,
  end: number,
  visit: VisitElement,
): number {
  if (bytes > end - start) bad();
  visit(source, start, start + bytes);
  return start + bytes;
}

/** A signed integer of 1 to 4 or 8 bytes. */
function integerAt(source: Buffer, at: number, bytes: number, end: number): number | bigint {
  if (at + bytes > end) bad();
  return bytes === 8 ? source.readBigInt64LE(at) : source.readIntLE(at, bytes);
}

/** Integers in the order of their size. */
export function readIntset(source: Buffer, visit: VisitElement): void {
  if (source.length < 8) bad();
  const bytes = source.readUInt32LE(0);
  const count = source.readUInt32LE(4);
  if ((bytes !== 2 && bytes !== 4 && bytes !== 8) || source.length !== 8 + count * bytes) bad();
  for (let i = 0; i < count; i++) {
    visitInteger(integerAt(source, 8 + i * bytes, bytes, source.length), visit);
  }
}

/** Bytes of an entry's own length, as it stands behind the entry of a listpack. */
function backBytes(length: number): number {
  if (length <= 127) return 1;
  if (length < 16_383) return 2;
  if (length < 2_097_151) return 3;
  return length < 268_435_455 ? 4 : 5;
}

const LISTPACK_HEADER_BYTES = 6;
/** What a listpack and a ziplist say when there are more elements than their header can count. */
const UNCOUNTED = 0xffff;

export function readListpack(source: Buffer, visit: VisitElement): void {
  const end = source.length - 1;
  if (end < LISTPACK_HEADER_BYTES || source.readUInt32LE(0) !== source.length) bad();
  if (source[end] !== END) bad();
  let count = 0;
  let at = LISTPACK_HEADER_BYTES;
  for (; at < end; count++) {
    const begin = at;
    at = readListpackEntry(source, at, end, visit);
    at += backBytes(at - begin);
  }
  const counted = source.readUInt16LE(4);
  if (at !== end || (counted !== UNCOUNTED && counted !== count)) bad();
}

/** Bytes of the integers behind 0xf1 to 0xf4. */
const LISTPACK_INTEGERS = [2, 3, 4, 8];

function readListpackEntry(source: Buffer, at: number, end: number, visit: VisitElement): number {
  const first = source[at]!;
  const second = at + 1 < end ? source[at + 1]! : 0;
  if (first < 0x80) {
    visitInteger(first, visit);
    return at + 1;
  }
  if (first < 0xc0) return visitString(source, at + 1, first & 0x3f, end, visit);
  if (first < 0xe0) {
    const value = ((first & 0x1f) << 8) | second;
    visitInteger(value >= 4096 ? value - 8192 : value, visit);
    return at + 2;
  }
  if (first < 0xf0) return visitString(source, at + 2, ((first & 0xf) << 8) | second, end, visit);
  if (first === 0xf0) {
    if (at + 5 > end) bad();
    return visitString(source, at + 5, source.readUInt32LE(at + 1), end, visit);
  }
  const bytes = LISTPACK_INTEGERS[first - 0xf1] ?? bad();
  visitInteger(integerAt(source, at + 1, bytes, end), visit);
  return at + 1 + bytes;
}

const ZIPLIST_HEADER_BYTES = 10;

export function readZiplist(source: Buffer, visit: VisitElement): void {
  const end = source.length - 1;
  if (end < ZIPLIST_HEADER_BYTES || source.readUInt32LE(0) !== source.length) bad();
  if (source[end] !== END) bad();
  let count = 0;
  let at = ZIPLIST_HEADER_BYTES;
  for (; at < end; count++) {
    at += source[at]! < 254 ? 1 : 5;
    if (at >= end) bad();
    at = readZiplistEntry(source, at, end, visit);
  }
  const counted = source.readUInt16LE(8);
  if (at !== end || (counted !== UNCOUNTED && counted !== count)) bad();
}

/** Bytes of the integers behind these first bytes. */
const ZIPLIST_INTEGERS: Readonly<Record<number, number>> = {
  192: 2,
  208: 4,
  224: 8,
  240: 3,
  254: 1,
};

function readZiplistEntry(source: Buffer, at: number, end: number, visit: VisitElement): number {
  const first = source[at]!;
  if (first < 0x40) return visitString(source, at + 1, first, end, visit);
  if (first < 0x80) {
    const second = at + 1 < end ? source[at + 1]! : 0;
    return visitString(source, at + 2, ((first & 0x3f) << 8) | second, end, visit);
  }
  if (first < 0xc0) {
    if (at + 5 > end) bad();
    return visitString(source, at + 5, source.readUInt32BE(at + 1), end, visit);
  }
  if (first > 0xf0 && first < 0xfe) {
    visitInteger((first & 0xf) - 1, visit);
    return at + 1;
  }
  const bytes = ZIPLIST_INTEGERS[first] ?? bad();
  visitInteger(integerAt(source, at + 1, bytes, end), visit);
  return at + 1 + bytes;
}
