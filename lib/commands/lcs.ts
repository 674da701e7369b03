import { KeyMode } from '../cluster/operation.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { integerOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { findForRead, isString } from './lookup.js';
import type { CommandContext, Handlers } from './spec.js';

/** Bytes of the table at most: filling it takes some 30 ms. Redis goes up to proto-max-bulk-len, 512 MB. */
const TABLE_BYTES_MAX = 64 * 1024 * 1024;

/** Bytes of a value. */
interface ByteRange {
  readonly buffer: Buffer;
  readonly start: number;
  end: number;
}

interface Options {
  readonly withLength: boolean;
  readonly withIndexes: boolean;
  readonly withMatchLength: boolean;
  readonly matchLengthMin: number;
}

/** Null after an error reply. */
function optionsOrReply(request: Request, reply: ReplyWriter): Options | null {
  let withLength = false;
  let withIndexes = false;
  let withMatchLength = false;
  let matchLengthMin = 0;
  for (let i = 3; i < request.argc; i++) {
    if (request.is(i, 'IDX')) withIndexes = true;
    else if (request.is(i, 'LEN')) withLength = true;
    else if (request.is(i, 'WITHMATCHLEN')) withMatchLength = true;
    else if (request.is(i, 'MINMATCHLEN') && i + 1 < request.argc) {
      const given = integerOrReply(request, ++i, reply);
      if (given === undefined) return null;
      matchLengthMin = Math.max(Number(given), 0);
    } else {
      reply.error(Errors.syntax);
      return null;
    }
  }
  if (!withIndexes || !withLength) {
    return { withLength, withIndexes, withMatchLength, matchLengthMin };
  }
  reply.error('ERR If you want both the length and indexes, please just use IDX.');
  return null;
}

/**
 * Lengths of the longest common subsequences of all pairs of beginnings: row i, column j is that of the first i bytes of the
 * one and the first j bytes of the other.
 */
class Table {
  readonly #columns: number;
  readonly #lengths: Uint32Array;

  constructor(a: ByteRange, b: ByteRange) {
    const rows = a.end - a.start + 1;
    const columns = b.end - b.start + 1;
    const lengths = new Uint32Array(rows * columns);
    for (let i = 1; i < rows; i++) {
      const byte = a.buffer[a.start + i - 1]!;
      const row = i * columns;
      for (let j = 1; j < columns; j++) {
        if (byte === b.buffer[b.start + j - 1]) {
          lengths[row + j] = lengths[row - columns + j - 1]! + 1;
        } else {
          const above = lengths[row - columns + j]!;
          const before = lengths[row + j - 1]!;
          lengths[row + j] = Math.max(above, before);
        }
      }
    }
    this.#columns = columns;
    this.#lengths = lengths;
  }

  at(i: number, j: number): number {
    return this.#lengths[i * this.#columns + j]!;
  }
}

/** A run of bytes that both have in common: the last byte included. */
interface Match {
  readonly aStart: number;
  readonly aEnd: number;
  readonly bStart: number;
  readonly bEnd: number;
}

/** Walks back through the table, from the last bytes on; `result` is filled from its end. */
function walkBack(a: ByteRange, b: ByteRange, table: Table, result: Buffer): Match[] {
  const matches: Match[] = [];
  let i = a.end - a.start;
  let j = b.end - b.start;
  let left = table.at(i, j);
  let open: { aStart: number; aEnd: number; bStart: number; bEnd: number } | null = null;
  const close = (): void => {
    if (open !== null) matches.push(open);
    open = null;
  };
  while (i > 0 && j > 0) {
    const byte = a.buffer[a.start + i - 1]!;
    if (byte === b.buffer[b.start + j - 1]) {
      result[--left] = byte;
      const isNext = open !== null && open.aStart === i && open.bStart === j;
      if (isNext) {
        open!.aStart--;
        open!.bStart--;
      } else {
        close();
        open = { aStart: i - 1, aEnd: i - 1, bStart: j - 1, bEnd: j - 1 };
      }
      i--;
      j--;
    } else {
      if (table.at(i - 1, j) > table.at(i, j - 1)) i--;
      else j--;
      close();
    }
  }
  close();
  return matches;
}

/** The bytes of a string that is read, empty where there is none; null after an error reply. */
function operandOrReply(
  context: CommandContext,
  request: Request,
  index: number,
): ByteRange | null {
  const { keyspace } = context;
  const ref = findForRead(context, request, index);
  if (ref === 0) return { buffer: request.buffer, start: 0, end: 0 };
  if (!isString(context, ref)) return null;
  const start = keyspace.valueStart(ref);
  return { buffer: keyspace.valueBuffer(ref), start, end: start + keyspace.valueLength(ref) };
}

function lcs(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const a = operandOrReply(context, request, 1);
  const b = operandOrReply(context, request, 2);
  if (a === null || b === null) {
    reply.error('ERR The specified keys must contain string values');
    return;
  }
  const options = optionsOrReply(request, reply);
  if (options === null) return;
  // With nothing on one side there is nothing in common, however much there is on the other one.
  if (a.start === a.end) b.end = b.start;
  if (b.start === b.end) a.end = a.start;
  const bytes = (a.end - a.start + 1) * (b.end - b.start + 1) * 4;
  if (bytes > Math.min(context.services.config.get('proto-max-bulk-len'), TABLE_BYTES_MAX)) {
    reply.error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
    return;
  }
  const table = new Table(a, b);
  const length = table.at(a.end - a.start, b.end - b.start);
  if (options.withLength) {
    reply.integer(length);
    return;
  }
  const result = Buffer.allocUnsafe(length);
  const matches = walkBack(a, b, table, result);
  if (options.withIndexes) writeIndexes(matches, length, options, reply);
  else reply.bulk(result, 0, length);
}

function writeIndexes(
  matches: readonly Match[],
  length: number,
  { matchLengthMin, withMatchLength }: Options,
  reply: ReplyWriter,
): void {
  const lengthOf = ({ aStart, aEnd }: Match): number => aEnd - aStart + 1;
  const shown = matches.filter((match) => lengthOf(match) >= matchLengthMin);
  reply.map(2);
  reply.bulkLatin1('matches');
  reply.array(shown.length);
  for (const match of shown) {
    reply.array(withMatchLength ? 3 : 2);
    for (const [start, end] of [
      [match.aStart, match.aEnd],
      [match.bStart, match.bEnd],
    ] as const) {
      reply.array(2);
      reply.integer(start);
      reply.integer(end);
    }
    if (withMatchLength) reply.integer(lengthOf(match));
  }
  reply.bulkLatin1('len');
  reply.integer(length);
}

export const lcsHandlers: Handlers = {
  lcs: { run: lcs, keyMode: KeyMode.Gather },
};
