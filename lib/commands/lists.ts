import { KeyMode } from '../cluster/operation.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { EMPTY_LIST, ListValue } from '../store/collections/list-value.js';
import { ValueType } from '../store/entry.js';
import { integerOrReply, popCountOrReply, positiveOrReply, rangeOrReply } from './arguments.js';
import { Errors, wrongArity } from './errors.js';
import { findOfType, findToChange, mayGrowOrReply, OpenValue } from './open-value.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

const LONG_MAX = 2n ** 63n - 1n;

/** An end of a list. */
const Side = { Left: 0, Right: 1 } as const;
type Side = (typeof Side)[keyof typeof Side];

const value = new OpenValue();
const list = new ListValue();

/** The list of a key that is there; false after WRONGTYPE or `absent`. */
function openForRead(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  absent: (reply: ReplyWriter) => void,
): boolean {
  const ref = findOfType(context, request, 1, ValueType.List, reply);
  if (ref === 0) absent(reply);
  if (ref > 0) list.open(value.openForRead(context, ref));
  return ref > 0;
}

function openForWrite(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  reply: ReplyWriter,
): boolean {
  const opened = value.openForWrite(
    context,
    request,
    keyIndex,
    ValueType.List,
    EMPTY_LIST,
    0,
    reply,
  );
  if (opened !== null) list.open(opened);
  return opened !== null;
}

function commit(): void {
  list.close();
  value.commit(list.count === 0);
}

function removeAll(context: CommandContext): void {
  context.keyspace.remove(value.ref);
}

const nil = (reply: ReplyWriter): void => reply.nil();
const nilArray = (reply: ReplyWriter): void => reply.nilArray();
const zero = (reply: ReplyWriter): void => reply.integer(0);
const emptyArray = (reply: ReplyWriter): void => reply.array(0);

function replyElement(reply: ReplyWriter): void {
  reply.bulk(list.buffer, list.elementStart, list.elementEnd);
}

const pushHandler =
  (side: Side, onlyIfThere: boolean): Handler =>
  (context, request, reply) => {
    if (!openForWrite(context, request, 1, reply)) return;
    if (onlyIfThere && value.ref === 0) {
      reply.integer(0);
      return;
    }
    const { block } = list;
    const { buffer, start, end, argc } = request;
    if (side === Side.Right) {
      for (let i = 2; i < argc; i++) block.add(buffer, start[i]!, end[i]!);
      list.appendBlock();
    } else {
      for (let i = argc - 1; i >= 2; i--) block.add(buffer, start[i]!, end[i]!);
      list.prependBlock();
    }
    commit();
    reply.integer(list.count);
  };

/** Writes up to `count` elements from one end on, and removes them. */
function popMany(context: CommandContext, side: Side, count: number, reply: ReplyWriter): void {
  const popped = Math.min(count, list.count);
  reply.array(popped);
  if (side === Side.Left) list.rewind();
  else list.rewindToEnd();
  for (let i = 0; i < popped; i++) {
    if (side === Side.Left) list.next();
    else list.previous();
    replyElement(reply);
  }
  context.keyspace.events.nameNext(side === Side.Left ? 'lpop' : 'rpop');
  if (popped === list.count) return removeAll(context);
  if (side === Side.Left) list.removeFirst(popped);
  else list.removeLast(popped);
  commit();
}

/** Writes the element at one end, and removes it. */
function popOne(context: CommandContext, side: Side, reply: ReplyWriter): void {
  list.seek(side === Side.Left ? 0 : list.count - 1);
  replyElement(reply);
  if (list.count === 1) return removeAll(context);
  if (side === Side.Left) list.removeFirst(1);
  else list.removeLast(1);
  commit();
}

const popHandler =
  (side: Side): Handler =>
  (context, request, reply) => {
    if (request.argc > 3) {
      reply.error(wrongArity(context.spec.name));
      return;
    }
    const hasCount = request.argc === 3;
    let count: number | bigint = 1;
    if (hasCount) {
      const given = positiveOrReply(request, 2, reply);
      if (given === undefined) return;
      count = given;
    }
    if (!openForWrite(context, request, 1, reply)) return;
    if (value.ref === 0) (hasCount ? nilArray : nil)(reply);
    else if (count === 0) reply.array(0);
    else if (hasCount) popMany(context, side, Number(count), reply);
    else popOne(context, side, reply);
  };

function llen(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, zero)) reply.integer(list.count);
}

/** The index of an element, counted from the end where negative; NaN where there is none. */
function indexOf(given: number | bigint): number {
  const index = Number(given) < 0 ? list.count + Number(given) : Number(given);
  return index >= 0 && index < list.count ? index : Number.NaN;
}

function lindex(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (!openForRead(context, request, reply, nil)) return;
  const given = integerOrReply(request, 2, reply);
  if (given === undefined) return;
  const index = indexOf(given);
  if (Number.isNaN(index)) {
    reply.nil();
    return;
  }
  list.seek(index);
  replyElement(reply);
}

function lset(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findToChange(context, request, 1, ValueType.List, reply);
  if (ref === 0) reply.error(Errors.noSuchKey);
  if (ref <= 0) return;
  const given = integerOrReply(request, 2, reply);
  if (given === undefined || !openForWrite(context, request, 1, reply)) return;
  const index = indexOf(given);
  if (Number.isNaN(index)) {
    reply.error('ERR index out of range');
    return;
  }
  list.block.add(request.buffer, request.start[3]!, request.end[3]!);
  list.seek(index);
  list.replaceByBlock();
  commit();
  reply.ok();
}

/** First and last index of a range, cut to the list; the last is before the first where it is empty. */
function cut(first: number | bigint, last: number | bigint): [first: number, last: number] {
  const from = Math.max(0, Number(first) < 0 ? list.count + Number(first) : Number(first));
  const to = Math.min(list.count - 1, Number(last) < 0 ? list.count + Number(last) : Number(last));
  return [from, to];
}

function lrange(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const first = integerOrReply(request, 2, reply);
  if (first === undefined) return;
  const last = integerOrReply(request, 3, reply);
  if (last === undefined) return;
  if (!openForRead(context, request, reply, emptyArray)) return;
  const [from, to] = cut(first, last);
  reply.array(Math.max(0, to - from + 1));
  if (from > to) return;
  list.seek(from);
  replyElement(reply);
  for (let i = from + 1; i <= to; i++) {
    list.next();
    replyElement(reply);
  }
}

function ltrim(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const first = integerOrReply(request, 2, reply);
  if (first === undefined) return;
  const last = integerOrReply(request, 3, reply);
  if (last === undefined) return;
  if (!openForWrite(context, request, 1, reply)) return;
  if (value.ref !== 0) {
    const [from, to] = cut(first, last);
    if (from > to) removeAll(context);
    else if (from === 0 && to === list.count - 1) {
      context.keyspace.events.tell(context.db, request, 1, 'ltrim');
    } else {
      list.removeLast(list.count - 1 - to);
      list.removeFirst(from);
      commit();
    }
  }
  reply.ok();
}

function linsert(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const isBehind = request.is(2, 'AFTER');
  if (!isBehind && !request.is(2, 'BEFORE')) {
    reply.error(Errors.syntax);
    return;
  }
  const { buffer, start, end } = request;
  if (!openForWrite(context, request, 1, reply)) return;
  list.rewind();
  while (list.next()) {
    if (!list.isElement(buffer, start[3]!, end[3]!)) continue;
    list.block.add(buffer, start[4]!, end[4]!);
    list.insertBlock(isBehind);
    commit();
    reply.integer(list.count);
    return;
  }
  reply.integer(value.ref === 0 ? 0 : -1);
}

function lrem(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const count = integerOrReply(request, 2, reply);
  if (count === undefined) return;
  const { buffer, start, end } = request;
  if (!openForWrite(context, request, 1, reply)) return;
  const limit = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(Number(count));
  const removed = list.removeEqual(buffer, start[3]!, end[3]!, limit, count < 0);
  commit();
  reply.integer(removed);
}

interface PositionOptions {
  rank: number;
  /** -1 when it was not given; 0 for all. */
  count: number;
  /** 0 for all. */
  lengthMax: number;
}

function positionOptionsOrReply(request: Request, reply: ReplyWriter): PositionOptions | null {
  const options: PositionOptions = { rank: 1, count: -1, lengthMax: 0 };
  for (let i = 3; i < request.argc; i += 2) {
    const isLast = i + 1 === request.argc;
    if (!isLast && request.is(i, 'RANK')) {
      const rank = integerOrReply(request, i + 1, reply);
      if (rank === undefined) return null;
      if (rank === 0) {
        reply.error(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
            'or use negative to start from the end of the list',
        );
        return null;
      }
      // Redis negates it, and the smallest integer has no negative.
      options.rank = rank < -LONG_MAX ? -1 : Number(rank);
    } else if (!isLast && (request.is(i, 'COUNT') || request.is(i, 'MAXLEN'))) {
      const isCount = request.is(i, 'COUNT');
      const error = `ERR ${isCount ? 'COUNT' : 'MAXLEN'} can't be negative`;
      const given = rangeOrReply(request, i + 1, 0n, LONG_MAX, reply, error);
      if (given === undefined) return null;
      if (isCount) options.count = Number(given);
      else options.lengthMax = Number(given);
    } else {
      reply.error(Errors.syntax);
      return null;
    }
  }
  return options;
}

function lpos(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const options = positionOptionsOrReply(request, reply);
  if (options === null) return;
  const { rank, count, lengthMax } = options;
  if (!openForRead(context, request, reply, count === -1 ? nil : emptyArray)) return;
  const { buffer, start, end } = request;
  const wanted = count === -1 ? 1 : count === 0 ? Number.POSITIVE_INFINITY : count;
  const found: number[] = [];
  let matches = 0;
  const last = lengthMax === 0 ? list.count : Math.min(lengthMax, list.count);
  if (rank > 0) list.rewind();
  else list.rewindToEnd();
  for (let i = 0; i < last && found.length < wanted; i++) {
    if (rank > 0) list.next();
    else list.previous();
    if (!list.isElement(buffer, start[2]!, end[2]!)) continue;
    if (++matches >= Math.abs(rank)) found.push(rank > 0 ? i : list.count - 1 - i);
  }
  if (count !== -1) {
    reply.array(found.length);
    for (const index of found) reply.integer(index);
  } else if (found.length === 0) reply.nil();
  else reply.integer(found[0]!);
}

/** Undefined after a syntax error. */
function sideOrReply(request: Request, index: number, reply: ReplyWriter): Side | undefined {
  if (request.is(index, 'LEFT')) return Side.Left;
  if (request.is(index, 'RIGHT')) return Side.Right;
  reply.error(Errors.syntax);
  return undefined;
}

const moved = new ReplyWriter();

function move(
  context: CommandContext,
  request: Request,
  from: Side,
  to: Side,
  reply: ReplyWriter,
): void {
  const ref = findToChange(context, request, 1, ValueType.List, reply);
  if (ref === 0) reply.nil();
  if (ref <= 0) return;
  const target = findToChange(context, request, 2, ValueType.List, reply);
  if (target < 0 || !openForWrite(context, request, 1, reply)) return;
  list.seek(from === Side.Left ? 0 : list.count - 1);
  moved.reset();
  replyElement(moved);
  const element = Buffer.from(list.buffer.subarray(list.elementStart, list.elementEnd));
  // Nothing is taken that has nowhere to go.
  if (!mayGrowOrReply(context, request, target, element.length, reply)) return;
  const isSame = request.sameArguments(1, 2);
  const { events } = context.keyspace;
  const pushed = to === Side.Left ? 'lpush' : 'rpush';
  const popped = from === Side.Left ? 'lpop' : 'rpop';
  if (isSame) {
    if (from !== to && list.count > 1) {
      events.nameNext(pushed);
      rotate(from, element);
    } else events.tell(context.db, request, 1, pushed);
    events.tell(context.db, request, 1, popped);
  } else {
    events.tellLast(() => {
      events.nameNext(popped);
      takeFrom(context, from);
    });
    events.nameNext(pushed);
    if (!openForWrite(context, request, 2, reply)) return;
    put(to, element);
    commit();
  }
  reply.raw(moved.buffer, 0, moved.length);
}

/** Removes the element at one end. */
function takeFrom(context: CommandContext, side: Side): void {
  if (list.count === 1) return removeAll(context);
  if (side === Side.Left) list.removeFirst(1);
  else list.removeLast(1);
  commit();
}

function put(side: Side, element: Buffer): void {
  list.block.add(element, 0, element.length);
  if (side === Side.Left) list.prependBlock();
  else list.appendBlock();
}

/** The element at one end goes to the other one, as one change. */
function rotate(from: Side, element: Buffer): void {
  if (from === Side.Left) list.removeFirst(1);
  else list.removeLast(1);
  put(from === Side.Left ? Side.Right : Side.Left, element);
  commit();
}

function lmove(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const from = sideOrReply(request, 3, reply);
  if (from === undefined) return;
  const to = sideOrReply(request, 4, reply);
  if (to !== undefined) move(context, request, from, to, reply);
}

function rpoplpush(context: CommandContext, request: Request, reply: ReplyWriter): void {
  move(context, request, Side.Right, Side.Left, reply);
}

function lmpop(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const keys = rangeOrReply(request, 1, 1n, LONG_MAX, reply, Errors.noKeys);
  if (keys === undefined) return;
  const at = Number(keys) + 2;
  if (at >= request.argc) {
    reply.error(Errors.syntax);
    return;
  }
  const side = sideOrReply(request, at, reply);
  if (side === undefined) return;
  const count = popCountOrReply(request, at + 1, reply);
  if (count === undefined) return;
  for (let i = 2; i < at; i++) {
    if (!openForWrite(context, request, i, reply)) return;
    if (value.ref === 0) continue;
    reply.array(2);
    reply.bulk(request.buffer, request.start[i]!, request.end[i]!);
    return popMany(context, side, count, reply);
  }
  reply.nilArray();
}

const keyMode = KeyMode.Gather;

export const listHandlers: Handlers = {
  lpush: { run: pushHandler(Side.Left, false), creates: true },
  rpush: { run: pushHandler(Side.Right, false), creates: true },
  lpushx: { run: pushHandler(Side.Left, true) },
  rpushx: { run: pushHandler(Side.Right, true) },
  lpop: { run: popHandler(Side.Left) },
  rpop: { run: popHandler(Side.Right) },
  llen: { run: llen },
  lindex: { run: lindex },
  lset: { run: lset },
  lrange: { run: lrange },
  ltrim: { run: ltrim },
  linsert: { run: linsert },
  lrem: { run: lrem },
  lpos: { run: lpos },
  lmove: { run: lmove, creates: true, keyMode },
  rpoplpush: { run: rpoplpush, creates: true, keyMode },
  lmpop: { run: lmpop, keyMode },
};
