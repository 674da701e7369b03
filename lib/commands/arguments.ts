import { parseBigInteger, parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { Errors } from './errors.js';

const INT64_MAX = 2n ** 63n - 1n;
const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;
/** Latest expiry kept, Unix milliseconds: far beyond any clock, and exact as a number. */
const EXPIRE_AT_MAX = Number.MAX_SAFE_INTEGER;

/** A 64-bit integer: a number where it is a safe one (no object is made), undefined where it is none. */
export function readInteger(request: Request, index: number): number | bigint | undefined {
  const { buffer } = request;
  const start = request.start[index]!;
  const end = request.end[index]!;
  const value = parseInteger(buffer, start, end);
  return Number.isNaN(value) ? parseBigInteger(buffer, start, end) : value;
}

/** As readInteger; writes the error, by default that of Redis, where it is none. */
export function integerOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
  error: string = Errors.notInteger,
): number | bigint | undefined {
  const value = readInteger(request, index);
  if (value === undefined) reply.error(error);
  return value;
}

/** As Redis's getIntFromObjectOrReply: 32 bits, `error` for everything else. */
export function intOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
  error?: string,
): number | undefined {
  const value = integerOrReply(request, index, reply, error);
  if (value === undefined) return undefined;
  if (value >= INT_MIN && value <= INT_MAX) return Number(value);
  reply.error(error ?? `ERR value is out of range, value must between ${INT_MIN} and ${INT_MAX}`);
  return undefined;
}

/** As Redis's getRangeLongFromObjectOrReply; `error`, if given, is said of everything else. */
export function rangeOrReply(
  request: Request,
  index: number,
  min: bigint,
  max: bigint,
  reply: ReplyWriter,
  error?: string,
): number | bigint | undefined {
  const value = integerOrReply(request, index, reply, error);
  if (value === undefined || (value >= min && value <= max)) return value;
  reply.error(error ?? `ERR value is out of range, value must between ${min} and ${max}`);
  return undefined;
}

/** As Redis's getPositiveLongFromObjectOrReply. */
export function positiveOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
): number | bigint | undefined {
  return rangeOrReply(request, index, 0n, INT64_MAX, reply, Errors.notPositive);
}

/** The number of keys that follow argument `index`, of which there must be one; null after an error reply. */
export function countOfKeysOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
): number | null {
  const count = rangeOrReply(request, index, 1n, INT64_MAX, reply, Errors.noKeys);
  if (count === undefined) return null;
  if (count <= request.argc - index - 1) return Number(count);
  reply.error("ERR Number of keys can't be greater than number of args");
  return null;
}

/** COUNT of LMPOP and ZMPOP, which is all that may follow from argument `first` on; undefined after an error reply. */
export function popCountOrReply(
  request: Request,
  first: number,
  reply: ReplyWriter,
): number | undefined {
  if (request.argc === first) return 1;
  const isCount = request.is(first, 'COUNT') && request.argc > first + 1;
  const error = Errors.countNotPositive;
  const count = isCount ? rangeOrReply(request, first + 1, 1n, INT64_MAX, reply, error) : 0;
  if (count === undefined) return undefined;
  if (isCount && request.argc === first + 2) return Number(count);
  reply.error(Errors.syntax);
  return undefined;
}

/**
 * Unix milliseconds of an expiry that is given as `value` units of `unitMs` after `base`; NaN where 64 bits do not hold it.
 * May be past or negative. Moments later than EXPIRE_AT_MAX, 285,000 years from now, are kept as that.
 */
export function expiryOf(value: number | bigint, unitMs: 1 | 1000, base: number): number {
  if (typeof value === 'number') {
    return Math.max(-EXPIRE_AT_MAX, Math.min(value * unitMs + base, EXPIRE_AT_MAX));
  }
  if (unitMs === 1000 && (value > INT64_MAX / 1000n || value < -(INT64_MAX / 1000n))) {
    return Number.NaN;
  }
  const at = value * BigInt(unitMs) + BigInt(Math.trunc(base));
  if (at > INT64_MAX) return Number.NaN;
  return value > 0n ? EXPIRE_AT_MAX : -EXPIRE_AT_MAX;
}
