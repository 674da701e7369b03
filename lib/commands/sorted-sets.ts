import { KeyMode } from '../cluster/operation.js';
import { parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { KeyedRecords } from '../store/collections/keyed-records.js';
import type { SortedSet } from '../store/collections/sorted-set.js';
import { ValueType } from '../store/entry.js';
import { popCountOrReply, positiveOrReply, rangeOrReply } from './arguments.js';
import { SortedSetEncoding } from './encodings.js';
import { Errors } from './errors.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { findOfType } from './open-value.js';
import { countOrReply, writeRandom } from './random-elements.js';
import { scanHandler } from './scan-records.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

const LONG_MAX = 2n ** 63n - 1n;

const set = new OpenSortedSet();
const { members } = set;

const nil = (reply: ReplyWriter): void => reply.nil();
const zero = (reply: ReplyWriter): void => reply.integer(0);
const emptyArray = (reply: ReplyWriter): void => reply.array(0);

function hasArgument(request: Request, index: number): boolean {
  return members.find(request.buffer, request.start[index]!, request.end[index]!);
}

/** Options of ZADD. */
export const Option = { Nx: 1, Xx: 2, Ch: 4, Incr: 8, Gt: 16, Lt: 32 } as const;
const NAMES: readonly (readonly [string, number])[] = [
  ['NX', Option.Nx],
  ['XX', Option.Xx],
  ['CH', Option.Ch],
  ['INCR', Option.Incr],
  ['GT', Option.Gt],
  ['LT', Option.Lt],
];

/** What came of one member. */
const Outcome = { Nothing: 0, Same: 1, Added: 2, Updated: 3, NotANumber: 4 } as const;
type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** The score that `addOne` has stored last. */
let stored = 0;

function addOne(request: Request, index: number, given: number, options: number): Outcome {
  const { buffer } = request;
  const start = request.start[index]!;
  const end = request.end[index]!;
  const isThere = members.find(buffer, start, end);
  if (!isThere) {
    if ((options & Option.Xx) !== 0) return Outcome.Nothing;
    stored = given;
    set.insert(given, buffer, start, end);
    return Outcome.Added;
  }
  if ((options & Option.Nx) !== 0) return Outcome.Nothing;
  const present = members.score;
  const score = (options & Option.Incr) !== 0 ? present + given : given;
  if (Number.isNaN(score)) return Outcome.NotANumber;
  if ((options & Option.Lt) !== 0 && score >= present) return Outcome.Nothing;
  if ((options & Option.Gt) !== 0 && score <= present) return Outcome.Nothing;
  stored = score;
  if (score === present) return Outcome.Same;
  set.setScore(score, buffer, start, end);
  return Outcome.Updated;
}

/** Options from argument 2 on, with the index of the first score behind them. */
function zaddOptions(request: Request, preset: number): [options: number, first: number] {
  let options = preset;
  for (let i = 2; i < request.argc; i++) {
    const option = NAMES.find(([name]) => request.is(i, name));
    if (option === undefined) return [options, i];
    options |= option[1];
  }
  return [options, request.argc];
}

function optionError(options: number, count: number): string | null {
  const has = (option: number): boolean => (options & option) !== 0;
  if (count === 0 || count % 2 === 1) return Errors.syntax;
  if (has(Option.Nx) && has(Option.Xx)) {
    return 'ERR XX and NX options at the same time are not compatible';
  }
  if (
    (has(Option.Gt) && has(Option.Lt)) ||
    ((has(Option.Gt) || has(Option.Lt)) && has(Option.Nx))
  ) {
    return 'ERR GT, LT, and/or NX options at the same time are not compatible';
  }
  if (has(Option.Incr) && count > 2) {
    return 'ERR INCR option supports a single increment-element pair';
  }
  return null;
}

const addHandler =
  (preset: number): Handler =>
  (context, request, reply) => {
    const [options, first] = zaddOptions(request, preset);
    const error = optionError(options, request.argc - first);
    if (error !== null) {
      reply.error(error);
      return;
    }
    const scores: number[] = [];
    for (let i = first; i < request.argc; i += 2) {
      const score = parseDouble(request.buffer, request.start[i]!, request.end[i]!);
      if (Number.isNaN(score)) {
        reply.error(Errors.notFloat);
        return;
      }
      scores.push(score);
    }
    addMembers(context, request, scores, first + 1, 2, options, reply);
  };

/** Adds a member with each score: argument `first`, and those that are `step` arguments behind one another. */
export function addMembers(
  context: CommandContext,
  request: Request,
  scores: readonly number[],
  first: number,
  step: number,
  options: number,
  reply: ReplyWriter,
): void {
  if (set.write(context, request, 1, reply) === null) return;
  const increments = (options & Option.Incr) !== 0;
  let added = 0;
  let updated = 0;
  let last: Outcome = Outcome.Nothing;
  for (const [i, score] of scores.entries()) {
    last = addOne(request, first + step * i, score, options);
    if (last === Outcome.NotANumber) {
      reply.error(Errors.scoreNotNumber);
      return;
    }
    if (last === Outcome.Added) added++;
    else if (last === Outcome.Updated) updated++;
  }
  if (increments && added + updated > 0) context.keyspace.events.nameNext('zincr');
  set.commit();
  if (!increments) reply.integer((options & Option.Ch) !== 0 ? added + updated : added);
  else if (last === Outcome.Nothing) reply.nil();
  else reply.double(stored);
}

function zrem(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { buffer, start, end } = request;
  if (set.write(context, request, 1, reply) === null) return;
  let removed = 0;
  for (let i = 2; i < request.argc && members.count > 0; i++) {
    if (members.remove(buffer, start[i]!, end[i]!)) removed++;
  }
  set.commit();
  reply.integer(removed);
}

function zcard(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (set.read(context, request, 1, reply, zero) !== null) reply.integer(members.count);
}

function zscore(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (set.read(context, request, 1, reply, nil) === null) return;
  if (hasArgument(request, 2)) reply.double(members.score);
  else reply.nil();
}

function zmscore(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findOfType(context, request, 1, ValueType.ZSet, reply);
  if (ref < 0) return;
  if (ref > 0) set.open(set.value.openForRead(context, ref));
  reply.array(request.argc - 2);
  for (let i = 2; i < request.argc; i++) {
    if (ref > 0 && hasArgument(request, i)) reply.double(members.score);
    else reply.nil();
  }
}

const rankHandler =
  (isReverse: boolean): Handler =>
  (context, request, reply) => {
    if (set.read(context, request, 1, reply, nil) === null) return;
    if (!hasArgument(request, 2)) {
      reply.nil();
      return;
    }
    const rank = members.rankOfFound();
    reply.integer(isReverse ? members.count - 1 - rank : rank);
  };

export function writeMemberOf(records: KeyedRecords, reply: ReplyWriter): void {
  reply.bulk(records.buffer, records.keyStart, records.keyEnd);
}

/** Removes members of these ranks, all of them perhaps. */
export function removeRanks(
  context: CommandContext,
  opened: OpenSortedSet,
  first: number,
  last: number,
): void {
  if (last - first + 1 >= opened.members.count) {
    context.keyspace.remove(opened.value.ref);
    return;
  }
  opened.members.removeRanks(first, last);
  opened.commit();
}

/** Writes members with their scores from one end on, and removes them. */
function pop(
  context: CommandContext,
  isMax: boolean,
  count: number,
  isNested: boolean,
  reply: ReplyWriter,
): void {
  const popped = Math.min(count, members.count);
  const last = members.count - 1;
  reply.array(isNested ? popped : popped * 2);
  members.seek(isMax ? last : 0);
  for (let i = 0; i < popped; i++) {
    if (isNested) reply.array(2);
    writeMemberOf(members, reply);
    reply.double(members.score);
    members.step(isMax ? -1 : 1);
  }
  context.keyspace.events.nameNext(isMax ? 'zpopmax' : 'zpopmin');
  if (isMax) removeRanks(context, set, last - popped + 1, last);
  else removeRanks(context, set, 0, popped - 1);
}

const popHandler =
  (isMax: boolean): Handler =>
  (context, request, reply) => {
    if (request.argc > 3) {
      reply.error(Errors.syntax);
      return;
    }
    const hasCount = request.argc === 3;
    const count = hasCount ? positiveOrReply(request, 2, reply) : 1;
    if (count === undefined) return;
    if (set.write(context, request, 1, reply) === null) return;
    if (set.value.ref === 0 || count === 0) reply.array(0);
    else pop(context, isMax, Number(count), hasCount && reply.proto === 3, reply);
  };

function zmpop(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const keys = rangeOrReply(request, 1, 1n, LONG_MAX, reply, Errors.noKeys);
  if (keys === undefined) return;
  const at = Number(keys) + 2;
  const isMax = at < request.argc && request.is(at, 'MAX');
  if (at >= request.argc || (!isMax && !request.is(at, 'MIN'))) {
    reply.error(Errors.syntax);
    return;
  }
  const count = popCountOrReply(request, at + 1, reply);
  if (count === undefined) return;
  for (let i = 2; i < at; i++) {
    if (set.write(context, request, i, reply) === null) return;
    if (set.value.ref === 0) continue;
    reply.array(2);
    reply.bulk(request.buffer, request.start[i]!, request.end[i]!);
    return pop(context, isMax, count, true, reply);
  }
  reply.nilArray();
}

function zrandmember(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc === 2) {
    if (set.read(context, request, 1, reply, nil) === null) return;
    members.pick(() => context.services.random());
    writeMemberOf(members, reply);
    return;
  }
  const wanted = countOrReply(request, 'WITHSCORES', reply);
  if (wanted === null) return;
  if (set.read(context, request, 1, reply, emptyArray) === null) return;
  writeRandom(context, members, wanted, (to) => to.double(members.score), reply);
}

const scanned = new OpenSortedSet();

/** The largest score that a listpack of Redis keeps as an integer. */
const INTEGER_SCORE_MAX = 2 ** 62;

/** ZSCAN alone shows how Redis keeps a score: an integer of a listpack has all its digits, where other replies say 2e+17. */
function writeScanned(records: KeyedRecords, reply: ReplyWriter, encoding: number): number {
  writeMemberOf(records, reply);
  const { score } = records as SortedSet;
  const isInteger = Number.isInteger(score) && Math.abs(score) <= INTEGER_SCORE_MAX;
  if (isInteger && (encoding & 1) === SortedSetEncoding.Listpack) {
    reply.bulkInteger(BigInt(score));
    return 2;
  }
  const { proto } = reply;
  reply.proto = 2;
  reply.double(score);
  reply.proto = proto;
  return 2;
}

export const sortedSetHandlers: Handlers = {
  zadd: { run: addHandler(0), creates: true },
  zincrby: { run: addHandler(Option.Incr), creates: true },
  zrem: { run: zrem },
  zcard: { run: zcard },
  zscore: { run: zscore },
  zmscore: { run: zmscore },
  zrank: { run: rankHandler(false) },
  zrevrank: { run: rankHandler(true) },
  zpopmin: { run: popHandler(false) },
  zpopmax: { run: popHandler(true) },
  zmpop: { run: zmpop, keyMode: KeyMode.Gather },
  zrandmember: { run: zrandmember },
  zscan: { run: scanHandler(ValueType.ZSet, scanned.members, writeScanned) },
};
