import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { integerOrReply } from './arguments.js';
import { Errors } from './errors.js';
import type { CommandContext, Handlers } from './spec.js';

const CURSOR_LIMIT = 2n ** 64n;
const COUNT_DEFAULT = 10;
/** Larger counts ask for no more: one reply stays of a bounded size. */
const COUNT_MAX = 1_000_000;

/** `*` means all keys: the empty one too, which matches no other pattern. */
const isAll = (pattern: Buffer) => pattern.length === 1 && pattern[0] === 42;

/** As strtoul reads a C string, up to a zero byte: an empty text is 0, a negative number wraps around. Undefined for no cursor. */
function parseCursor(text: string): bigint | undefined {
  if (text === '') return 0n;
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const negative = text.startsWith('-');
  const magnitude = BigInt(text.replace(/^[+-]/, ''));
  if (magnitude >= CURSOR_LIMIT) return undefined;
  return negative && magnitude !== 0n ? CURSOR_LIMIT - magnitude : magnitude;
}

function scan(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const cursor = parseCursor(request.latin1(1).split('\0', 1)[0]!);
  if (cursor === undefined) {
    reply.error('ERR invalid cursor');
    return;
  }
  let count = COUNT_DEFAULT;
  let pattern: Buffer | null = null;
  let type: string | null = null;
  for (let i = 2; i < request.argc; i += 2) {
    if (i + 1 === request.argc) {
      reply.error(Errors.syntax);
      return;
    }
    if (request.is(i, 'COUNT')) {
      const given = integerOrReply(request, i + 1, reply);
      if (given === undefined) return;
      if (given < 1) {
        reply.error(Errors.syntax);
        return;
      }
      count = given > COUNT_MAX ? COUNT_MAX : Number(given);
    } else if (request.is(i, 'MATCH')) {
      pattern = request.bytes(i + 1);
    } else if (request.is(i, 'TYPE')) {
      type = request.latin1(i + 1).toLowerCase();
    } else {
      reply.error(Errors.syntax);
      return;
    }
  }
  if (pattern !== null && isAll(pattern)) pattern = null;
  context.clusterWide({ kind: 'scan', cursor, pattern, count, type });
}

function keys(context: CommandContext, request: Request): void {
  const pattern = request.bytes(1);
  context.clusterWide({ kind: 'keys', pattern: isAll(pattern) ? null : pattern });
}

function randomkey(context: CommandContext): void {
  context.clusterWide({ kind: 'randomkey' });
}

function dbsize(context: CommandContext): void {
  context.clusterWide({ kind: 'dbsize' });
}

export const scanHandlers: Handlers = {
  scan: { run: scan },
  keys: { run: keys },
  randomkey: { run: randomkey },
  dbsize: { run: dbsize },
};
