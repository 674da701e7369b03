import { KeyMode } from '../cluster/operation.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { ValueType } from '../store/entry.js';
import { countOfKeysOrReply, integerOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { findOfType, findToChange, mayGrowOrReply } from './open-value.js';
import { OpenSet, writeMember } from './sets.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

/** What is done with several sets; operands of keys that are not there are null. */
type Operation = (operands: readonly (OpenSet | null)[], visit: (from: OpenSet) => boolean) => void;

/** Sets of keys `first` to `last`; null after WRONGTYPE. */
function operandsOrReply(
  context: CommandContext,
  request: Request,
  first: number,
  last: number,
  reply: ReplyWriter,
): (OpenSet | null)[] | null {
  const operands: (OpenSet | null)[] = [];
  for (let i = first; i <= last; i++) {
    const ref = findOfType(context, request, i, ValueType.Set, reply);
    if (ref < 0) return null;
    if (ref === 0) operands.push(null);
    else {
      const set = new OpenSet();
      set.members.open(set.value.openForRead(context, ref));
      operands.push(set);
    }
  }
  return operands;
}

/** Whether the set has the member that the record found in `other` is. */
function hasFound(set: OpenSet, { members }: OpenSet): boolean {
  return set.members.find(members.buffer, members.keyStart, members.keyEnd);
}

/** Members of the smallest set that all others have; until `visit` says that it is enough. */
const intersect: Operation = (operands, visit) => {
  const sets = operands.flatMap((set) => (set === null ? [] : [set]));
  if (sets.length < operands.length) return;
  sets.sort((a, b) => a.members.count - b.members.count);
  const [smallest, ...others] = sets;
  // The same key twice is the same set.
  const { members } = smallest!;
  members.rewind();
  while (members.next()) {
    if (others.every((set) => hasFound(set, smallest!)) && !visit(smallest!)) return;
  }
};

/** Visits members that several sets have as often. */
const unite: Operation = (operands, visit) => {
  for (const set of operands) {
    if (set === null) continue;
    set.members.rewind();
    while (set.members.next()) visit(set);
  }
};

/** Members of the first set that no other has. */
const subtract: Operation = ([first, ...rest], visit) => {
  if (first === null || first === undefined) return;
  const others = rest.flatMap((set) => (set === null ? [] : [set]));
  first.members.rewind();
  while (first.members.next()) if (!others.some((set) => hasFound(set, first))) visit(first);
};

const result = new OpenSet();
const elements = new ReplyWriter();

const replyHandler =
  (operation: Operation): Handler =>
  (context, request, reply) => {
    const operands = operandsOrReply(context, request, 1, request.argc - 1, reply);
    if (operands === null) return;
    elements.reset();
    let count = 0;
    operation(operands, ({ members }) => {
      writeMember(members, elements);
      count++;
      return true;
    });
    reply.set(count);
    reply.raw(elements.buffer, 0, elements.length);
  };

/** Makes the set that several sets unite to; the key of argument `keyIndex` is only named. */
function collect(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  operation: Operation,
  operands: readonly (OpenSet | null)[],
): void {
  result.begin(context, request, keyIndex);
  operation(operands, ({ members }) => {
    result.add(members.buffer, members.keyStart, members.keyEnd);
    return true;
  });
}

function sunion(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const operands = operandsOrReply(context, request, 1, request.argc - 1, reply);
  if (operands === null) return;
  collect(context, request, 1, unite, operands);
  const { members } = result;
  reply.set(members.count);
  members.rewind();
  while (members.next()) writeMember(members, reply);
}

const storeHandler =
  (operation: Operation): Handler =>
  (context, request, reply) => {
    const { keyspace, db } = context;
    const operands = operandsOrReply(context, request, 2, request.argc - 1, reply);
    if (operands === null) return;
    collect(context, request, 1, operation, operands);
    const { count } = result.members;
    const ref = count === 0 ? keyspace.find(db, request, 1) : 0;
    if (ref !== 0) keyspace.remove(ref);
    result.commit(context);
    reply.integer(count);
  };

function sintercard(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const keys = countOfKeysOrReply(request, 1, reply);
  if (keys === null) return;
  let limit = 0;
  for (let i = 2 + keys; i < request.argc; i++) {
    if (!request.is(i, 'LIMIT') || i + 1 === request.argc) {
      reply.error(Errors.syntax);
      return;
    }
    const given = integerOrReply(request, ++i, reply, Errors.negativeLimit);
    if (given === undefined) return;
    if (given < 0) {
      reply.error(Errors.negativeLimit);
      return;
    }
    limit = Number(given);
  }
  const operands = operandsOrReply(context, request, 2, 1 + keys, reply);
  if (operands === null) return;
  let count = 0;
  intersect(operands, () => ++count !== limit);
  reply.integer(count);
}

const source = new OpenSet();
const target = new OpenSet();

function smove(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { buffer, start, end } = request;
  const from = context.keyspace.find(context.db, request, 1);
  if (from === 0) {
    reply.integer(0);
    return;
  }
  if (findToChange(context, request, 1, ValueType.Set, reply) < 0) return;
  const to = findToChange(context, request, 2, ValueType.Set, reply);
  // Nothing is taken that has nowhere to go.
  if (to < 0 || !mayGrowOrReply(context, request, to, 0, reply)) return;
  if (source.write(context, request, 1, reply) === null) return;
  const isThere = source.members.find(buffer, start[3]!, end[3]!);
  if (!isThere || request.sameArguments(1, 2)) {
    reply.integer(isThere ? 1 : 0);
    return;
  }
  source.members.removeFound(buffer, start[3]!, end[3]!);
  context.keyspace.events.nameNext('srem');
  source.commit(context);
  if (target.write(context, request, 2, reply) === null) return;
  if (target.add(buffer, start[3]!, end[3]!)) context.keyspace.events.nameNext('sadd');
  target.commit(context);
  reply.integer(1);
}

const keyMode = KeyMode.Gather;

export const setOperationHandlers: Handlers = {
  sinter: { run: replyHandler(intersect), keyMode },
  sunion: { run: sunion, keyMode },
  sdiff: { run: replyHandler(subtract), keyMode },
  sinterstore: { run: storeHandler(intersect), creates: true, keyMode },
  sunionstore: { run: storeHandler(unite), creates: true, keyMode },
  sdiffstore: { run: storeHandler(subtract), creates: true, keyMode },
  sintercard: { run: sintercard, keyMode },
  smove: { run: smove, creates: true, keyMode },
};
