import { KEEP_EXPIRY } from '../cluster/keyspace-contract.js';
import { KeyMode, Pairs } from '../cluster/operation.js';
import {
  addLongDoubles,
  type BinaryFloat,
  formatLongDouble,
  isFiniteFloat,
  parseLongDouble,
} from '../protocol/long-double.js';
import { parseBigInteger, parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { VALUE_LENGTH_MAX } from '../store/entry.js';
import { expiryOf, integerOrReply } from './arguments.js';
import { Errors, invalidExpireTime, wrongArity } from './errors.js';
import { findForRead, isString, replyString } from './lookup.js';
import type { CommandContext, Handlers } from './spec.js';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Options of SET and GETEX. */
const Option = {
  Nx: 1,
  Xx: 2,
  Get: 4,
  KeepTtl: 8,
  Persist: 16,
  Ex: 32,
  Px: 64,
  ExAt: 128,
  PxAt: 256,
} as const;
const ANY_EXPIRY = Option.Ex | Option.Px | Option.ExAt | Option.PxAt;

/** What parseOptions found, kept here because an object per SET would cost more than the parsing. */
let flags = 0;
/** Index of the argument with the expiry, 0 for none. */
let expiryIndex = 0;

/**
 * Options from argument `first` on, with the exclusions of Redis's parseExtendedStringArgumentsOrReply: an option
 * may be repeated, the last one wins. `allowed` are the flags that the command knows. False after a syntax error.
 */
function parseOptions(request: Request, first: number, allowed: number): boolean {
  flags = 0;
  expiryIndex = 0;
  for (let i = first; i < request.argc; i++) {
    const option = optionAt(request, i);
    if ((option & allowed) === 0 || (flags & exclusions(option)) !== 0) return false;
    flags |= option;
    if ((option & ANY_EXPIRY) !== 0) {
      if (i + 1 === request.argc) return false;
      expiryIndex = ++i;
    }
  }
  return true;
}

function optionAt(request: Request, index: number): number {
  switch (request.length(index)) {
    case 2:
      if (request.is(index, 'EX')) return Option.Ex;
      if (request.is(index, 'PX')) return Option.Px;
      if (request.is(index, 'NX')) return Option.Nx;
      return request.is(index, 'XX') ? Option.Xx : 0;
    case 3:
      return request.is(index, 'GET') ? Option.Get : 0;
    case 4:
      if (request.is(index, 'EXAT')) return Option.ExAt;
      return request.is(index, 'PXAT') ? Option.PxAt : 0;
    case 7:
      if (request.is(index, 'KEEPTTL')) return Option.KeepTtl;
      return request.is(index, 'PERSIST') ? Option.Persist : 0;
    default:
      return 0;
  }
}

/** Options that may not stand before this one. */
function exclusions(option: number): number {
  if (option === Option.Nx) return Option.Xx;
  if (option === Option.Xx) return Option.Nx;
  if (option === Option.Get) return 0;
  const all = ANY_EXPIRY | Option.KeepTtl | Option.Persist;
  return all & ~option;
}

/** The expiry that parseOptions found, in Unix milliseconds; NaN after an error reply. */
function expiryOrReply(context: CommandContext, request: Request, reply: ReplyWriter): number {
  const value = integerOrReply(request, expiryIndex, reply);
  if (value === undefined) return Number.NaN;
  const unitMs = (flags & (Option.Ex | Option.ExAt)) !== 0 ? 1000 : 1;
  const base = (flags & (Option.Ex | Option.Px)) !== 0 ? context.keyspace.now : 0;
  const at = value > 0 ? expiryOf(value, unitMs, base) : Number.NaN;
  if (Number.isNaN(at)) reply.error(invalidExpireTime(context.spec.name));
  return at;
}

const SET_OPTIONS = ANY_EXPIRY | Option.Nx | Option.Xx | Option.Get | Option.KeepTtl;

function set(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  let expireAt = 0;
  if (request.argc > 3) {
    if (!parseOptions(request, 3, SET_OPTIONS)) {
      reply.error(Errors.syntax);
      return;
    }
    if (expiryIndex !== 0) {
      expireAt = expiryOrReply(context, request, reply);
      if (Number.isNaN(expireAt)) return;
    } else if ((flags & Option.KeepTtl) !== 0) {
      expireAt = KEEP_EXPIRY;
    }
    if ((flags & (Option.Nx | Option.Xx | Option.Get)) !== 0) {
      setConditionally(context, request, reply, expireAt);
      return;
    }
  }
  keyspace.setString(db, request, 1, request.buffer, request.start[2]!, request.end[2]!, expireAt);
  reply.ok();
}

function setConditionally(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  expireAt: number,
): void {
  const { keyspace, db } = context;
  const get = (flags & Option.Get) !== 0;
  const ref = get ? findForRead(context, request, 1) : keyspace.find(db, request, 1);
  if (get) {
    if (ref === 0) reply.nil();
    else if (!replyString(context, ref, reply)) return;
  }
  if (((flags & Option.Nx) !== 0 && ref !== 0) || ((flags & Option.Xx) !== 0 && ref === 0)) {
    if (!get) reply.nil();
    return;
  }
  keyspace.setString(db, request, 1, request.buffer, request.start[2]!, request.end[2]!, expireAt);
  if (!get) reply.ok();
}

function setWithExpiry(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  option: number,
): void {
  flags = option;
  expiryIndex = 2;
  const at = expiryOrReply(context, request, reply);
  if (Number.isNaN(at)) return;
  const { buffer } = request;
  context.keyspace.setString(
    context.db,
    request,
    1,
    buffer,
    request.start[3]!,
    request.end[3]!,
    at,
  );
  reply.ok();
}

function setex(context: CommandContext, request: Request, reply: ReplyWriter): void {
  setWithExpiry(context, request, reply, Option.Ex);
}

function psetex(context: CommandContext, request: Request, reply: ReplyWriter): void {
  setWithExpiry(context, request, reply, Option.Px);
}

function setnx(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  if (keyspace.find(db, request, 1) !== 0) {
    reply.integer(0);
    return;
  }
  keyspace.setString(db, request, 1, request.buffer, request.start[2]!, request.end[2]!, 0);
  reply.integer(1);
}

function get(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findForRead(context, request, 1);
  if (ref === 0) reply.nil();
  else replyString(context, ref, reply);
}

function getset(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const ref = findForRead(context, request, 1);
  if (ref === 0) reply.nil();
  else if (!replyString(context, ref, reply)) return;
  keyspace.setString(db, request, 1, request.buffer, request.start[2]!, request.end[2]!, 0);
}

function getdel(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findForRead(context, request, 1);
  if (ref === 0) reply.nil();
  else if (replyString(context, ref, reply)) context.keyspace.remove(ref);
}

function getex(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace } = context;
  if (!parseOptions(request, 2, ANY_EXPIRY | Option.Persist)) {
    reply.error(Errors.syntax);
    return;
  }
  const ref = findForRead(context, request, 1);
  if (ref === 0) {
    reply.nil();
    return;
  }
  if (!isString(context, ref)) {
    reply.error(Errors.wrongType);
    return;
  }
  const at = expiryIndex === 0 ? 0 : expiryOrReply(context, request, reply);
  if (Number.isNaN(at)) return;
  replyString(context, ref, reply);
  if (expiryIndex !== 0) {
    if (at <= keyspace.now) keyspace.remove(ref);
    else keyspace.setExpiry(ref, at);
  } else if ((flags & Option.Persist) !== 0 && keyspace.expireAt(ref) !== 0) {
    keyspace.setExpiry(ref, 0);
  }
}

function mget(context: CommandContext, request: Request, reply: ReplyWriter): void {
  reply.array(request.argc - 1);
  for (let i = 1; i < request.argc; i++) {
    const ref = findForRead(context, request, i);
    if (ref === 0 || !isString(context, ref)) reply.nil();
    else replyString(context, ref, reply);
  }
}

function setAll(context: CommandContext, request: Request): void {
  const { keyspace, db } = context;
  const { buffer } = request;
  if (request.argc === 3) {
    keyspace.setString(db, request, 1, buffer, request.start[2]!, request.end[2]!, 0);
    return;
  }
  keyspace.atomically(() => {
    for (let i = 1; i < request.argc; i += 2) {
      keyspace.setString(db, request, i, buffer, request.start[i + 1]!, request.end[i + 1]!, 0);
    }
  });
}

function mset(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc % 2 === 0) {
    reply.error(wrongArity(context.spec.name));
    return;
  }
  setAll(context, request);
  reply.ok();
}

function msetnx(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc % 2 === 0) {
    reply.error(wrongArity(context.spec.name));
    return;
  }
  for (let i = 1; i < request.argc; i += 2) {
    if (context.keyspace.find(context.db, request, i) !== 0) {
      reply.integer(0);
      return;
    }
  }
  setAll(context, request);
  reply.integer(1);
}

function strlen(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findForRead(context, request, 1);
  if (ref === 0) reply.integer(0);
  else if (!isString(context, ref)) reply.error(Errors.wrongType);
  else reply.integer(context.keyspace.valueLength(ref));
}

/** False after an error, when a string of that many bytes may not be. */
function fits(context: CommandContext, bytes: number, reply: ReplyWriter): boolean {
  if (bytes <= Math.min(context.services.config.get('proto-max-bulk-len'), VALUE_LENGTH_MAX)) {
    return true;
  }
  reply.error(Errors.stringTooLong);
  return false;
}

function append(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const { buffer } = request;
  const start = request.start[2]!;
  const end = request.end[2]!;
  const ref = keyspace.find(db, request, 1);
  if (ref === 0) {
    keyspace.setString(db, request, 1, buffer, start, end, 0);
    reply.integer(end - start);
    return;
  }
  if (!isString(context, ref)) {
    reply.error(Errors.wrongType);
    return;
  }
  const length = keyspace.valueLength(ref);
  if (!fits(context, length + end - start, reply)) return;
  keyspace.writeRange(db, request, 1, length, buffer, start, end);
  reply.integer(length + end - start);
}

/** `value` as an offset into a string; beyond what strings can be it is clamped, with its sign. */
function clampOffset(value: number | bigint): number {
  return typeof value === 'number' ? value : value < 0n ? -Infinity : Infinity;
}

function getrange(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace } = context;
  const first = integerOrReply(request, 2, reply);
  if (first === undefined) return;
  const last = integerOrReply(request, 3, reply);
  if (last === undefined) return;
  const ref = findForRead(context, request, 1);
  if (ref === 0) {
    reply.bulk(request.buffer, 0, 0);
    return;
  }
  if (!isString(context, ref)) {
    reply.error(Errors.wrongType);
    return;
  }
  const length = keyspace.valueLength(ref);
  if (first < 0 && last < 0 && first > last) {
    reply.bulk(request.buffer, 0, 0);
    return;
  }
  const from = Math.max(first < 0 ? length + clampOffset(first) : clampOffset(first), 0);
  const to = Math.max(last < 0 ? length + clampOffset(last) : clampOffset(last), 0);
  const end = Math.min(to, length - 1);
  if (from > end || length === 0) {
    reply.bulk(request.buffer, 0, 0);
    return;
  }
  const start = keyspace.valueStart(ref);
  reply.bulk(keyspace.valueBuffer(ref), start + from, start + end + 1);
}

function setrange(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const given = integerOrReply(request, 2, reply);
  if (given === undefined) return;
  if (given < 0) {
    reply.error('ERR offset is out of range');
    return;
  }
  const offset = clampOffset(given);
  const bytes = request.length(3);
  const ref = keyspace.find(db, request, 1);
  if (ref !== 0 && !isString(context, ref)) {
    reply.error(Errors.wrongType);
    return;
  }
  const length = ref === 0 ? 0 : keyspace.valueLength(ref);
  if (bytes === 0) {
    reply.integer(length);
    return;
  }
  if (!fits(context, offset + bytes, reply)) return;
  keyspace.writeRange(db, request, 1, offset, request.buffer, request.start[3]!, request.end[3]!);
  reply.integer(Math.max(length, offset + bytes));
}

function add(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  increment: number | bigint,
): void {
  const { keyspace, db } = context;
  const ref = keyspace.find(db, request, 1);
  let old: number | bigint | undefined = 0;
  if (ref !== 0) {
    if (!isString(context, ref)) {
      reply.error(Errors.wrongType);
      return;
    }
    const buffer = keyspace.valueBuffer(ref);
    const start = keyspace.valueStart(ref);
    const end = start + keyspace.valueLength(ref);
    old = parseInteger(buffer, start, end);
    if (Number.isNaN(old)) old = parseBigInteger(buffer, start, end);
    if (old === undefined) {
      reply.error(Errors.notInteger);
      return;
    }
  }
  let sum: number | bigint = Number.NaN;
  if (typeof old === 'number' && typeof increment === 'number') sum = old + increment;
  if (!Number.isSafeInteger(sum)) sum = BigInt(old) + BigInt(increment);
  if (sum > INT64_MAX || sum < INT64_MIN) {
    reply.error(Errors.overflow);
    return;
  }
  const text = Buffer.from(sum.toString(), 'latin1');
  keyspace.setString(db, request, 1, text, 0, text.length, KEEP_EXPIRY);
  reply.integer(sum);
}

function incr(context: CommandContext, request: Request, reply: ReplyWriter): void {
  add(context, request, reply, 1);
}

function decr(context: CommandContext, request: Request, reply: ReplyWriter): void {
  add(context, request, reply, -1);
}

function incrby(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const increment = integerOrReply(request, 2, reply);
  if (increment !== undefined) add(context, request, reply, increment);
}

function decrby(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const decrement = integerOrReply(request, 2, reply);
  if (decrement === undefined) return;
  if (decrement === INT64_MIN) reply.error(Errors.decrementOverflow);
  else add(context, request, reply, -decrement);
}

function incrbyfloat(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const ref = keyspace.find(db, request, 1);
  let value: BinaryFloat | undefined = { mantissa: 0n, exponent: 0 };
  if (ref !== 0) {
    if (!isString(context, ref)) {
      reply.error(Errors.wrongType);
      return;
    }
    const start = keyspace.valueStart(ref);
    value = parseLongDouble(keyspace.valueBuffer(ref), start, start + keyspace.valueLength(ref));
  }
  const increment = parseLongDouble(request.buffer, request.start[2]!, request.end[2]!);
  if (value === undefined || increment === undefined) {
    reply.error(Errors.notFloat);
    return;
  }
  const sum = addLongDoubles(value, increment);
  if (!isFiniteFloat(sum)) {
    reply.error(Errors.notFinite);
    return;
  }
  const text = Buffer.from(formatLongDouble(sum), 'latin1');
  keyspace.setString(db, request, 1, text, 0, text.length, KEEP_EXPIRY);
  reply.bulk(text, 0, text.length);
}

export const stringHandlers: Handlers = {
  get: { run: get },
  set: { run: set, creates: true },
  setex: { run: setex, creates: true },
  psetex: { run: psetex, creates: true },
  setnx: { run: setnx, creates: true },
  getset: { run: getset, creates: true },
  getex: { run: getex },
  getdel: { run: getdel },
  mget: { run: mget, keyMode: KeyMode.ScatterArray },
  mset: { run: mset, creates: true, keyMode: KeyMode.Gather, pairs: Pairs.Set },
  msetnx: { run: msetnx, creates: true, keyMode: KeyMode.Gather, pairs: Pairs.SetIfNone },
  strlen: { run: strlen },
  append: { run: append, creates: true },
  getrange: { run: getrange },
  substr: { run: getrange },
  setrange: { run: setrange, creates: true },
  incr: { run: incr, creates: true },
  decr: { run: decr, creates: true },
  incrby: { run: incrby, creates: true },
  decrby: { run: decrby, creates: true },
  incrbyfloat: { run: incrbyfloat, creates: true },
};
