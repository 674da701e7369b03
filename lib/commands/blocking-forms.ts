import { parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import { Request } from '../protocol/request.js';
import { ValueType } from '../store/entry.js';
import { popCountOrReply, rangeOrReply } from './arguments.js';
import { Errors } from './errors.js';

const LONG_MAX = 2n ** 63n - 1n;
/** Redis's `long long`: the largest timeout in milliseconds. */
const TIMEOUT_MS_MAX = 2 ** 63;
const MINUS = 45;

/** A blocking command as what it tries on one key after the other, and goes on trying while it waits. */
export interface BlockingForm {
  /** What it waits for. */
  readonly type: ValueType;
  /** Milliseconds that it may wait, rounded up; 0 for ever; undefined after an error reply. */
  timeoutOrReply(request: Request, reply: ReplyWriter): number | undefined;
  /** Of its key arguments, how many are waited for: BLMOVE does not wait for its destination. */
  readonly keysMax: number;
  /**
   * Where the attempt needs more than the one key: a command that only looks, and answers 0 where there is nothing. So that
   * keys are brought together only when there is something to move.
   */
  look(request: Request, key: number): Request | null;
  /** The command that takes something from the key at argument `key`, or answers that it is not there. */
  attempt(request: Request, key: number): Request;
  /** The reply to that attempt's reply, which is no error; null where there was nothing. */
  result(request: Request, key: number, reply: Buffer): Buffer | null;
  /** What the command replies inside of MULTI when there was nothing. */
  nothing(reply: ReplyWriter): void;
}

export const isErrorReply = (reply: Buffer): boolean => reply[0] === MINUS;

const NILS = ['$-1\r\n', '*-1\r\n', '_\r\n', '*0\r\n'].map((text) => Buffer.from(text));

/** A reply that says that a key, or what was wanted of it, is not there. */
const isNothing = (reply: Buffer): boolean => NILS.some((nil) => nil.equals(reply));

const ZERO = Buffer.from(':0\r\n');

/** The answer to `look` says that there is nothing. */
export const isZero = (reply: Buffer): boolean => ZERO.equals(reply);

const nil = (reply: ReplyWriter): void => reply.nil();
const nilArray = (reply: ReplyWriter): void => reply.nilArray();

/** Seconds at argument `index`; the range is Redis's, which takes what is too large for negative. */
function secondsOrReply(request: Request, index: number, reply: ReplyWriter): number | undefined {
  const seconds = parseDouble(request.buffer, request.start[index]!, request.end[index]!);
  if (Number.isNaN(seconds)) {
    reply.error('ERR timeout is not a float or out of range');
    return undefined;
  }
  const milliseconds = Math.ceil(seconds * 1000);
  if (milliseconds < 0 || milliseconds >= TIMEOUT_MS_MAX) {
    reply.error('ERR timeout is negative');
    return undefined;
  }
  return milliseconds;
}

/** `[key, ...]` with what the attempt's reply has from byte `from` on. */
function withKey(count: number, request: Request, key: number, rest: Buffer, from: number): Buffer {
  const head = Buffer.from(`*${count}\r\n$${request.length(key)}\r\n`);
  return Buffer.concat([head, request.bytes(key), CRLF, rest.subarray(from)]);
}

const CRLF = Buffer.from('\r\n');

/** BLPOP, BRPOP, BZPOPMIN, BZPOPMAX: keys, then a timeout. */
const popOf = (name: string, type: ValueType): BlockingForm => ({
  type,
  keysMax: Number.POSITIVE_INFINITY,
  timeoutOrReply: (request, reply) => secondsOrReply(request, request.argc - 1, reply),
  look: () => null,
  attempt: (request, key) => Request.of(name, request.bytes(key)),
  result(request, key, reply) {
    if (isNothing(reply)) return null;
    if (type === ValueType.List) return withKey(2, request, key, reply, 0);
    // A member and its score come as an array of two.
    return withKey(3, request, key, reply, reply.indexOf(CRLF) + CRLF.length);
  },
  nothing: nilArray,
});

/** BLMPOP, BZMPOP: a timeout, counted keys, an end and a count. */
const manyOf = (name: string, type: ValueType, ends: readonly string[]): BlockingForm => ({
  type,
  keysMax: Number.POSITIVE_INFINITY,
  timeoutOrReply(request, reply) {
    const keys = rangeOrReply(request, 2, 1n, LONG_MAX, reply, Errors.noKeys);
    if (keys === undefined) return undefined;
    const at = Number(keys) + 3;
    if (at >= request.argc || !ends.some((end) => request.is(at, end))) {
      reply.error(Errors.syntax);
      return undefined;
    }
    if (popCountOrReply(request, at + 1, reply) === undefined) return undefined;
    return secondsOrReply(request, 1, reply);
  },
  look: () => null,
  attempt(request, key) {
    const at = Number(request.latin1(2)) + 3;
    const options = Array.from({ length: request.argc - at }, (_, i) => request.bytes(at + i));
    return Request.of(name, '1', request.bytes(key), ...options);
  },
  result: (_request, _key, reply) => (isNothing(reply) ? null : reply),
  nothing: nilArray,
});

/** BLMOVE and BRPOPLPUSH: the attempt is the command without its timeout. */
const moveOf = (name: string, hasEnds: boolean): BlockingForm => ({
  type: ValueType.List,
  keysMax: 1,
  timeoutOrReply(request, reply) {
    for (const index of hasEnds ? [3, 4] : []) {
      if (request.is(index, 'LEFT') || request.is(index, 'RIGHT')) continue;
      reply.error(Errors.syntax);
      return undefined;
    }
    return secondsOrReply(request, request.argc - 1, reply);
  },
  look: (request, key) => Request.of('LLEN', request.bytes(key)),
  attempt(request) {
    const words = Array.from({ length: request.argc - 2 }, (_, i) => request.bytes(i + 1));
    return Request.of(name, ...words);
  },
  result: (_request, _key, reply) => (isNothing(reply) ? null : reply),
  nothing: nil,
});

const LIST_ENDS = ['LEFT', 'RIGHT'];
const SORTED_SET_ENDS = ['MIN', 'MAX'];

/** By lower-case name. */
export const BLOCKING_FORMS: Readonly<Record<string, BlockingForm>> = {
  blpop: popOf('LPOP', ValueType.List),
  brpop: popOf('RPOP', ValueType.List),
  blmpop: manyOf('LMPOP', ValueType.List, LIST_ENDS),
  blmove: moveOf('LMOVE', true),
  brpoplpush: moveOf('RPOPLPUSH', false),
  bzpopmin: popOf('ZPOPMIN', ValueType.ZSet),
  bzpopmax: popOf('ZPOPMAX', ValueType.ZSet),
  bzmpop: manyOf('ZMPOP', ValueType.ZSet, SORTED_SET_ENDS),
};
