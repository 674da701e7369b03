import { matchesGlob } from '../protocol/glob.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { integerOrReply } from './arguments.js';
import { Errors } from './errors.js';

const CURSOR_LIMIT = 2n ** 64n;
const COUNT_DEFAULT = 10;
/** Larger counts ask for no more: one reply stays of a bounded size. */
const COUNT_MAX = 1_000_000;

/** MATCH, COUNT and TYPE of SCAN and its kin. */
export interface ScanOptions {
  /** Null for all. */
  readonly pattern: Buffer | null;
  readonly count: number;
  /** Lower case, null for all. */
  readonly type: string | null;
}

/** `*` means all keys: the empty one too, which matches no other pattern. */
export const isAll = (pattern: Buffer) => pattern.length === 1 && pattern[0] === 42;

/** As strtoul reads a C string, up to a zero byte: an empty text is 0, a negative number wraps around. Undefined for no cursor. */
function parseCursor(text: string): bigint | undefined {
  if (text === '') return 0n;
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const negative = text.startsWith('-');
  const magnitude = BigInt(text.replace(/^[+-]/, ''));
  if (magnitude >= CURSOR_LIMIT) return undefined;
  return negative && magnitude !== 0n ? CURSOR_LIMIT - magnitude : magnitude;
}

/** Undefined after an error reply. */
export function cursorOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
): bigint | undefined {
  const cursor = parseCursor(request.latin1(index).split('\0', 1)[0]!);
  if (cursor === undefined) reply.error('ERR invalid cursor');
  return cursor;
}

/** The options from argument `first` on; undefined after an error reply. */
export function scanOptionsOrReply(
  request: Request,
  first: number,
  hasType: boolean,
  reply: ReplyWriter,
): ScanOptions | undefined {
  let count = COUNT_DEFAULT;
  let pattern: Buffer | null = null;
  let type: string | null = null;
  for (let i = first; i < request.argc; i += 2) {
    if (i + 1 === request.argc) {
      reply.error(Errors.syntax);
      return undefined;
    }
    if (request.is(i, 'COUNT')) {
      const given = integerOrReply(request, i + 1, reply);
      if (given === undefined) return undefined;
      if (given < 1) {
        reply.error(Errors.syntax);
        return undefined;
      }
      count = given > COUNT_MAX ? COUNT_MAX : Number(given);
    } else if (request.is(i, 'MATCH')) {
      pattern = request.bytes(i + 1);
    } else if (hasType && request.is(i, 'TYPE')) {
      type = request.latin1(i + 1).toLowerCase();
    } else {
      reply.error(Errors.syntax);
      return undefined;
    }
  }
  if (pattern !== null && isAll(pattern)) pattern = null;
  return { pattern, count, type };
}

/** Whether `buffer[start, end)` is what a scan looks for. */
export function isWanted(
  pattern: Buffer | null,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  return pattern === null || matchesGlob(pattern, 0, pattern.length, buffer, start, end);
}
