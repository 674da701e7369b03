import { KeyMode } from '../cluster/operation.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { SortedSet } from '../store/collections/sorted-set.js';
import { integerOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { By, type Range, rangeOrReply } from './sorted-set-bounds.js';
import { removeRanks, writeMemberOf } from './sorted-sets.js';
import type { Handler, Handlers } from './spec.js';

const set = new OpenSortedSet();
const { members } = set;

const zero = (reply: ReplyWriter): void => reply.integer(0);
const emptyArray = (reply: ReplyWriter): void => reply.array(0);

/** Options of ZRANGE and its kin. */
interface RangeOptions {
  readonly by: By;
  readonly isReverse: boolean;
  readonly withScores: boolean;
  readonly offset: number;
  /** Negative for all. */
  readonly limit: number;
}

/** What a command leaves no choice of: null where its options say it. */
interface RangeKind {
  readonly by: By | null;
  readonly isReverse: boolean | null;
  /** ZRANGESTORE: the first key is where the result goes. */
  readonly stores: boolean;
}

function optionsOrReply(
  request: Request,
  first: number,
  kind: RangeKind,
  reply: ReplyWriter,
): RangeOptions | null {
  let by = kind.by;
  let isReverse = kind.isReverse;
  let withScores = false;
  let offset: number | bigint = 0;
  let limit: number | bigint = -1;
  for (let i = first; i < request.argc; i++) {
    if (!kind.stores && request.is(i, 'WITHSCORES')) withScores = true;
    else if (request.argc - i > 2 && request.is(i, 'LIMIT')) {
      const from = integerOrReply(request, i + 1, reply);
      if (from === undefined) return null;
      const count = integerOrReply(request, i + 2, reply);
      if (count === undefined) return null;
      offset = from;
      limit = count;
      i += 2;
    } else if (kind.isReverse === null && request.is(i, 'REV')) isReverse = true;
    else if (kind.by === null && request.is(i, 'BYLEX')) by = By.Lex;
    else if (kind.by === null && request.is(i, 'BYSCORE')) by = By.Score;
    else {
      reply.error(Errors.syntax);
      return null;
    }
  }
  const options = {
    by: by ?? By.Rank,
    isReverse: isReverse ?? false,
    withScores,
    offset: Number(offset),
    limit: Number(limit),
  };
  const error = conflictOf(options);
  if (error !== null) reply.error(error);
  return error === null ? options : null;
}

function conflictOf({ by, limit, withScores }: RangeOptions): string | null {
  if (limit !== -1 && by === By.Rank) {
    return `${Errors.syntax}, LIMIT is only supported in combination with either BYSCORE or BYLEX`;
  }
  if (withScores && by === By.Lex) {
    return `${Errors.syntax}, WITHSCORES not supported in combination with BYLEX`;
  }
  return null;
}

/** Calls `visit` for each member of the range in its direction; returns how many there were. */
function visitRange(
  opened: SortedSet,
  range: Range,
  options: RangeOptions,
  begin: (count: number) => void,
  visit: () => void,
): void {
  const { isReverse, offset, limit } = options;
  const [first, last] = range(opened);
  const found = Math.max(0, last - first + 1);
  const behind = offset < 0 ? 0 : Math.max(0, found - offset);
  const count = limit < 0 ? behind : Math.min(limit, behind);
  begin(count);
  if (count === 0) return;
  opened.seek(isReverse ? last - offset : first + offset);
  for (let i = 0; i < count; i++) {
    visit();
    opened.step(isReverse ? -1 : 1);
  }
}

/** The range of a request whose key is argument `keyIndex`; null after an error reply. */
function givenRange(
  request: Request,
  keyIndex: number,
  { by, isReverse }: RangeOptions,
  reply: ReplyWriter,
): Range | null {
  const isSwapped = isReverse && by !== By.Rank;
  const min = keyIndex + (isSwapped ? 2 : 1);
  const max = keyIndex + (isSwapped ? 1 : 2);
  return rangeOrReply(request, min, max, by, isReverse, reply);
}

const rangeHandler =
  (by: By | null, isReverse: boolean | null): Handler =>
  (context, request, reply) => {
    const options = optionsOrReply(request, 4, { by, isReverse, stores: false }, reply);
    if (options === null) return;
    const range = givenRange(request, 1, options, reply);
    if (range === null || set.read(context, request, 1, reply, emptyArray) === null) return;
    const isPaired = options.withScores && reply.proto === 3;
    const each = options.withScores && !isPaired ? 2 : 1;
    visitRange(
      members,
      range,
      options,
      (count) => reply.array(count * each),
      () => {
        if (isPaired) reply.array(2);
        writeMemberOf(members, reply);
        if (options.withScores) reply.double(members.score);
      },
    );
  };

const result = new OpenSortedSet();

const zrangestore: Handler = (context, request, reply) => {
  const { keyspace, db } = context;
  const options = optionsOrReply(request, 5, { by: null, isReverse: null, stores: true }, reply);
  if (options === null) return;
  const range = givenRange(request, 2, options, reply);
  if (range === null) return;
  result.begin(context, request, 1);
  let isAbsent = false;
  const absent = (): void => {
    isAbsent = true;
  };
  if (set.read(context, request, 2, reply, absent) === null && !isAbsent) return;
  if (!isAbsent) {
    const visit = (): void =>
      result.insert(members.score, members.buffer, members.keyStart, members.keyEnd);
    visitRange(members, range, options, () => {}, visit);
  }
  const { count } = result.members;
  const ref = count === 0 ? keyspace.find(db, request, 1) : 0;
  if (ref !== 0) keyspace.remove(ref);
  result.commit();
  reply.integer(count);
};

const countHandler =
  (by: By): Handler =>
  (context, request, reply) => {
    const range = rangeOrReply(request, 2, 3, by, false, reply);
    if (range === null || set.read(context, request, 1, reply, zero) === null) return;
    const [first, last] = range(members);
    reply.integer(Math.max(0, last - first + 1));
  };

const removeHandler =
  (by: By): Handler =>
  (context, request, reply) => {
    const range = rangeOrReply(request, 2, 3, by, false, reply);
    if (range === null || set.write(context, request, 1, reply) === null) return;
    const [first, last] = range(members);
    const count = Math.max(0, last - first + 1);
    if (count > 0) removeRanks(context, set, first, last);
    reply.integer(count);
  };

export const sortedSetRangeHandlers: Handlers = {
  zrange: { run: rangeHandler(null, null) },
  zrevrange: { run: rangeHandler(By.Rank, true) },
  zrangebyscore: { run: rangeHandler(By.Score, false) },
  zrevrangebyscore: { run: rangeHandler(By.Score, true) },
  zrangebylex: { run: rangeHandler(By.Lex, false) },
  zrevrangebylex: { run: rangeHandler(By.Lex, true) },
  zrangestore: { run: zrangestore, creates: true, keyMode: KeyMode.Gather },
  zcount: { run: countHandler(By.Score) },
  zlexcount: { run: countHandler(By.Lex) },
  zremrangebyrank: { run: removeHandler(By.Rank) },
  zremrangebyscore: { run: removeHandler(By.Score) },
  zremrangebylex: { run: removeHandler(By.Lex) },
};
