import { KeyMode } from '../cluster/operation.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { type Ref, VALUE_LENGTH_MAX, ValueType } from '../store/entry.js';
import { integerOrReply, readInteger } from './arguments.js';
import { BitOperation, type ByteRange, combineBits, countBits, findBit } from './bit-bytes.js';
import { StringEncoding } from './encodings.js';
import { Errors } from './errors.js';
import { findForRead, isString } from './lookup.js';
import type { CommandContext, Handlers } from './spec.js';

const NOTHING = Buffer.alloc(0);

/** Bits of the longest string. */
const bitsMax = (context: CommandContext): number =>
  8 * Math.min(context.services.config.get('proto-max-bulk-len'), VALUE_LENGTH_MAX);

/** An offset in bits; undefined after an error reply. */
export function bitOffsetOrReply(
  context: CommandContext,
  given: number | bigint | undefined,
  reply: ReplyWriter,
): number | undefined {
  if (given !== undefined && given >= 0 && given < bitsMax(context)) return Number(given);
  reply.error('ERR bit offset is not an integer or out of range');
  return undefined;
}

/** The value of an entry of type string, 0 for none; null after WRONGTYPE. */
export function bytesOrReply(
  context: CommandContext,
  ref: Ref,
  reply: ReplyWriter,
): ByteRange | null {
  const { keyspace } = context;
  if (ref === 0) return { buffer: NOTHING, start: 0, end: 0 };
  if (!isString(context, ref)) {
    reply.error(Errors.wrongType);
    return null;
  }
  const start = keyspace.valueStart(ref);
  return { buffer: keyspace.valueBuffer(ref), start, end: start + keyspace.valueLength(ref) };
}

const one = Buffer.alloc(1);

function setbit(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const offset = bitOffsetOrReply(context, readInteger(request, 2), reply);
  if (offset === undefined) return;
  const bit = readInteger(request, 3);
  if (bit !== 0 && bit !== 1) {
    reply.error('ERR bit is not an integer or out of range');
    return;
  }
  const ref = keyspace.find(db, request, 1);
  const bytes = bytesOrReply(context, ref, reply);
  if (bytes === null) return;
  const at = Math.floor(offset / 8);
  const isWithin = bytes.start + at < bytes.end;
  const before = isWithin ? bytes.buffer[bytes.start + at]! : 0;
  const mask = 0x80 >>> (offset & 7);
  one[0] = bit === 1 ? before | mask : before & ~mask;
  const isChanged = !isWithin || before !== one[0] || !keyspace.isRaw(ref);
  if (isChanged) keyspace.writeRange(db, request, 1, at, one, 0, 1);
  reply.integer((before & mask) === 0 ? 0 : 1);
}

function getbit(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const offset = bitOffsetOrReply(context, readInteger(request, 2), reply);
  if (offset === undefined) return;
  const bytes = bytesOrReply(context, findForRead(context, request, 1), reply);
  if (bytes === null) return;
  const at = bytes.start + Math.floor(offset / 8);
  const isSet = at < bytes.end && (bytes.buffer[at]! & (0x80 >>> (offset & 7))) !== 0;
  reply.integer(isSet ? 1 : 0);
}

/** Bits `first` to `last`, both included, of a value. */
interface BitRange {
  readonly first: number;
  readonly last: number;
}

const EMPTY_RANGE: BitRange = { first: 0, last: -1 };

/** Elements `start` to `end` of `unit` bits each, counted from the end where they are negative, of so many bytes. */
function bitRange(
  start: number | bigint,
  end: number | bigint,
  unit: 1 | 8,
  bytes: number,
): BitRange {
  const total = (bytes * 8) / unit;
  const from = Math.max(start < 0 ? total + Number(start) : Number(start), 0);
  const to = Math.min(Math.max(end < 0 ? total + Number(end) : Number(end), 0), total - 1);
  return from > to ? EMPTY_RANGE : { first: from * unit, last: (to + 1) * unit - 1 };
}

/** Null after an error reply. */
function rangeOfCountOrReply(request: Request, bytes: number, reply: ReplyWriter): BitRange | null {
  const { argc } = request;
  if (argc === 2) return bitRange(0, -1, 8, bytes);
  if (argc > 5 || argc === 3) {
    reply.error(Errors.syntax);
    return null;
  }
  const start = integerOrReply(request, 2, reply);
  if (start === undefined) return null;
  const end = integerOrReply(request, 3, reply);
  if (end === undefined) return null;
  // Redis finds such a range empty before it looks at the unit.
  if (start < 0 && end < 0 && start > end) return EMPTY_RANGE;
  const unit = argc === 5 ? unitOf(request, 4) : 8;
  if (unit === null) reply.error(Errors.syntax);
  return unit === null ? null : bitRange(start, end, unit, bytes);
}

/** Null after an error reply. */
function rangeOfPositionOrReply(
  request: Request,
  bytes: number,
  reply: ReplyWriter,
): BitRange | null {
  const { argc } = request;
  if (argc === 3) return bitRange(0, -1, 8, bytes);
  const start = argc > 6 ? undefined : integerOrReply(request, 3, reply);
  const unit = argc > 6 ? null : argc === 6 ? unitOf(request, 5) : 8;
  if (unit === null && (argc > 6 || start !== undefined)) reply.error(Errors.syntax);
  if (unit === null || start === undefined) return null;
  const end = argc === 4 ? -1 : integerOrReply(request, 4, reply);
  return end === undefined ? null : bitRange(start, end, unit, bytes);
}

/** Bits of what the range counts in; null for a syntax error. */
function unitOf(request: Request, index: number): 1 | 8 | null {
  if (request.is(index, 'BIT')) return 1;
  return request.is(index, 'BYTE') ? 8 : null;
}

/** The bits of one byte that are in the range. */
function maskOf({ first, last }: BitRange, byte: number): number {
  let mask = 0xff;
  if (Math.floor(first / 8) === byte) mask &= 0xff >>> (first & 7);
  if (Math.floor(last / 8) === byte) mask &= 0xff << (7 - (last & 7));
  return mask;
}

function bitcount(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findForRead(context, request, 1);
  if (ref === 0) {
    reply.integer(0);
    return;
  }
  const bytes = bytesOrReply(context, ref, reply);
  if (bytes === null) return;
  const { buffer, start, end } = bytes;
  const range = rangeOfCountOrReply(request, end - start, reply);
  if (range === null) return;
  if (range.first > range.last) {
    reply.integer(0);
    return;
  }
  const from = Math.floor(range.first / 8);
  const to = Math.floor(range.last / 8);
  one[0] = buffer[start + from]! & maskOf(range, from);
  let bits = countBits(one, 0, 1);
  if (to > from) {
    bits += countBits(buffer, start + from + 1, start + to);
    one[0] = buffer[start + to]! & maskOf(range, to);
    bits += countBits(one, 0, 1);
  }
  reply.integer(bits);
}

function bitpos(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const bit = integerOrReply(request, 2, reply);
  if (bit === undefined) return;
  if (bit !== 0 && bit !== 1) {
    reply.error('ERR The bit argument must be 1 or 0.');
    return;
  }
  const ref = findForRead(context, request, 1);
  if (ref === 0) {
    reply.integer(bit === 1 ? -1 : 0);
    return;
  }
  const bytes = bytesOrReply(context, ref, reply);
  if (bytes === null) return;
  const range = rangeOfPositionOrReply(request, bytes.end - bytes.start, reply);
  if (range === null) return;
  const found = range.first > range.last ? -1 : findInRange(bytes, range, bit);
  // Where no end was given, the string is followed by zeros.
  const isOpen = request.argc < 5 && bit === 0 && range.first <= range.last;
  reply.integer(found < 0 && isOpen ? range.last + 1 : found);
}

function findInRange({ buffer, start }: ByteRange, range: BitRange, bit: 0 | 1): number {
  const from = Math.floor(range.first / 8);
  const to = Math.floor(range.last / 8);
  // What is outside of the range is made to be no find.
  const masked = (byte: number): number => {
    const mask = maskOf(range, byte);
    const bits = buffer[start + byte]!;
    one[0] = bit === 1 ? bits & mask : bits | (~mask & 0xff);
    const found = findBit(one, 0, 1, bit);
    return found < 0 ? -1 : byte * 8 + found;
  };
  const first = masked(from);
  if (first >= 0 || from === to) return first;
  const found = findBit(buffer, start + from + 1, start + to, bit);
  return found >= 0 ? (from + 1) * 8 + found : masked(to);
}

const OPERATIONS: Readonly<Record<string, BitOperation>> = {
  AND: BitOperation.And,
  OR: BitOperation.Or,
  XOR: BitOperation.Xor,
  NOT: BitOperation.Not,
};

function bitop(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const operation = OPERATIONS[request.latin1(1).toUpperCase()];
  if (operation === undefined) {
    reply.error(Errors.syntax);
    return;
  }
  if (operation === BitOperation.Not && request.argc !== 4) {
    reply.error('ERR BITOP NOT must be called with a single source key.');
    return;
  }
  const sources: ByteRange[] = [];
  for (let i = 3; i < request.argc; i++) {
    const bytes = bytesOrReply(context, findForRead(context, request, i), reply);
    if (bytes === null) return;
    sources.push(bytes);
  }
  const result = combineBits(operation, sources);
  const { length } = result;
  if (length > 0) {
    const { Raw } = StringEncoding;
    keyspace.setValue(db, request, 2, ValueType.String, Raw, result, 0, length, 0);
  } else {
    const ref = keyspace.find(db, request, 2);
    if (ref !== 0) keyspace.remove(ref);
  }
  reply.integer(length);
}

export const bitmapHandlers: Handlers = {
  setbit: { run: setbit, creates: true },
  getbit: { run: getbit },
  bitcount: { run: bitcount },
  bitpos: { run: bitpos },
  bitop: { run: bitop, creates: true, keyMode: KeyMode.Gather },
};
