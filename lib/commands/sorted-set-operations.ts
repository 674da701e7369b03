import { KeyMode } from '../cluster/operation.js';
import { parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { KeyedRecords } from '../store/collections/keyed-records.js';
import { RecordKind } from '../store/collections/record-cursor.js';
import type { SortedSet } from '../store/collections/sorted-set.js';
import { ValueType } from '../store/entry.js';
import { integerOrReply, rangeOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { findForRead } from './lookup.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { isUsableOrReply } from './open-value.js';
import { OpenSet } from './sets.js';
import { writeMemberOf } from './sorted-sets.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

const LONG_MAX = 2n ** 63n - 1n;

type Aggregate = (one: number, other: number) => number;

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  // Infinity and its opposite are nothing.
  SUM: (one, other) => (Number.isNaN(one + other) ? 0 : one + other),
  MIN: Math.min,
  MAX: Math.max,
};

/** One of the sets that are brought together. */
interface Operand {
  readonly records: KeyedRecords;
  weight: number;
}

interface Task {
  /** In the order of the keys; keys that are not there are null. */
  readonly operands: readonly (Operand | null)[];
  readonly aggregate: Aggregate;
  readonly withScores: boolean;
  /** 0 for none. */
  readonly limit: number;
}

/** Calls `visit` with the record found in an operand and the score of it; until that says that it is enough. */
type Operation = (
  task: Task,
  visit: (records: KeyedRecords, score: number) => boolean | undefined,
) => void;

/** The score of the record found: members of plain sets have 1. */
function weighted({ records, weight }: Operand): number {
  const score = records.kind === RecordKind.KeyScore ? (records as SortedSet).score : 1;
  const product = weight * score;
  return Number.isNaN(product) ? 0 : product;
}

const hasFound = ({ records }: Operand, { buffer, keyStart, keyEnd }: KeyedRecords): boolean =>
  records.find(buffer, keyStart, keyEnd);

const present = (operands: readonly (Operand | null)[]): Operand[] =>
  operands.flatMap((operand) => (operand === null ? [] : [operand]));

/** As in Redis the smallest comes first: so are sums of scores rounded. */
const bySize = (operands: Operand[]): Operand[] =>
  operands.sort((a, b) => a.records.count - b.records.count);

const intersect: Operation = ({ operands, aggregate }, visit) => {
  const all = bySize(present(operands));
  if (all.length < operands.length) return;
  const [smallest, ...others] = all;
  const { records } = smallest!;
  records.rewind();
  while (records.next()) {
    let score = weighted(smallest!);
    const isInAll = others.every((other) => {
      if (!hasFound(other, records)) return false;
      score = aggregate(score, weighted(other));
      return true;
    });
    if (isInAll && visit(records, score) === false) return;
  }
};

const subtract: Operation = ({ operands: [first, ...rest] }, visit) => {
  if (first === null || first === undefined) return;
  const others = present(rest);
  first.records.rewind();
  while (first.records.next()) {
    if (!others.some((other) => hasFound(other, first.records))) {
      visit(first.records, weighted(first));
    }
  }
};

const result = new OpenSortedSet();

/** Members that are there already get the sum, or whatever it is, of both scores. */
const unite: Operation = ({ operands, aggregate }, visit) => {
  for (const operand of bySize(present(operands))) {
    const { records } = operand;
    records.rewind();
    while (records.next()) {
      const score = weighted(operand);
      const { members } = result;
      if (!members.find(records.buffer, records.keyStart, records.keyEnd)) visit(records, score);
      else {
        const both = aggregate(members.score, score);
        members.setScore(both, records.buffer, records.keyStart, records.keyEnd);
      }
    }
  }
};

function operandOf(context: CommandContext, request: Request, index: number): Operand | null {
  const ref = findForRead(context, request, index);
  if (ref === 0) return null;
  if (context.keyspace.typeOf(ref) === ValueType.Set) {
    const set = new OpenSet();
    set.members.open(set.value.openForRead(context, ref));
    return { records: set.members, weight: 1 };
  }
  const set = new OpenSortedSet();
  return { records: set.open(set.value.openForRead(context, ref)), weight: 1 };
}

/** Which options a command takes. */
interface OptionKind {
  readonly weights: boolean;
  readonly scores: boolean;
  readonly limit: boolean;
}

/** The task of a request whose number of keys is argument `at`; null after an error reply. */
function taskOrReply(
  context: CommandContext,
  request: Request,
  at: number,
  kind: OptionKind,
  reply: ReplyWriter,
): Task | null {
  const count = integerOrReply(request, at, reply);
  if (count === undefined) return null;
  if (count < 1) {
    reply.error(`ERR at least 1 input key is needed for '${context.spec.name}' command`);
    return null;
  }
  if (count > request.argc - at - 1) {
    reply.error(Errors.syntax);
    return null;
  }
  const operands: (Operand | null)[] = [];
  for (let i = at + 1; i <= at + Number(count); i++) {
    const ref = context.keyspace.peek(context.db, request, i);
    const type = ref === 0 ? ValueType.ZSet : context.keyspace.typeOf(ref);
    if (type !== ValueType.ZSet && type !== ValueType.Set) {
      reply.error(Errors.wrongType);
      return null;
    }
    if (ref !== 0 && !isUsableOrReply(context, ref, reply)) return null;
    operands.push(operandOf(context, request, i));
  }
  return optionsOrReply(request, at + 1 + Number(count), operands, kind, reply);
}

function optionsOrReply(
  request: Request,
  first: number,
  operands: readonly (Operand | null)[],
  kind: OptionKind,
  reply: ReplyWriter,
): Task | null {
  let aggregate = AGGREGATES['SUM']!;
  let withScores = false;
  let limit = 0;
  for (let i = first; i < request.argc; i++) {
    const rest = request.argc - i;
    if (kind.weights && rest > operands.length && request.is(i, 'WEIGHTS')) {
      if (!readWeights(request, i + 1, operands, reply)) return null;
      i += operands.length;
    } else if (kind.weights && rest >= 2 && request.is(i, 'AGGREGATE')) {
      const found = AGGREGATES[request.latin1(++i).toUpperCase()];
      if (found === undefined) {
        reply.error(Errors.syntax);
        return null;
      }
      aggregate = found;
    } else if (kind.scores && request.is(i, 'WITHSCORES')) withScores = true;
    else if (kind.limit && rest >= 2 && request.is(i, 'LIMIT')) {
      const given = rangeOrReply(request, ++i, 0n, LONG_MAX, reply, Errors.negativeLimit);
      if (given === undefined) return null;
      limit = Number(given);
    } else {
      reply.error(Errors.syntax);
      return null;
    }
  }
  return { operands, aggregate, withScores, limit };
}

function readWeights(
  request: Request,
  first: number,
  operands: readonly (Operand | null)[],
  reply: ReplyWriter,
): boolean {
  for (const [i, operand] of operands.entries()) {
    const at = first + i;
    const weight = parseDouble(request.buffer, request.start[at]!, request.end[at]!);
    if (Number.isNaN(weight)) {
      reply.error('ERR weight value is not a float');
      return false;
    }
    if (operand !== null) operand.weight = weight;
  }
  return true;
}

/** Makes the sorted set that comes of it; the key of argument 1 is only named. */
function collect(
  context: CommandContext,
  request: Request,
  operation: Operation,
  task: Task,
): SortedSet {
  const members = result.begin(context, request, 1);
  operation(task, (records, score) => {
    result.collect(score, records.buffer, records.keyStart, records.keyEnd);
    return true;
  });
  return members;
}

const replyHandler =
  (operation: Operation, weights: boolean): Handler =>
  (context, request, reply) => {
    const kind = { weights, scores: true, limit: false };
    const task = taskOrReply(context, request, 1, kind, reply);
    if (task === null) return;
    const members = collect(context, request, operation, task);
    const { withScores } = task;
    const isPaired = withScores && reply.proto === 3;
    reply.array(withScores && !isPaired ? members.count * 2 : members.count);
    if (members.count === 0) return;
    members.seek(0);
    for (let i = 0; i < members.count; i++) {
      if (isPaired) reply.array(2);
      writeMemberOf(members, reply);
      if (withScores) reply.double(members.score);
      members.step(1);
    }
  };

const storeHandler =
  (operation: Operation, weights: boolean): Handler =>
  (context, request, reply) => {
    const { keyspace, db } = context;
    const kind = { weights, scores: false, limit: false };
    const task = taskOrReply(context, request, 2, kind, reply);
    if (task === null) return;
    const { count } = collect(context, request, operation, task);
    const ref = count === 0 ? keyspace.find(db, request, 1) : 0;
    if (ref !== 0) keyspace.remove(ref);
    result.commitResult();
    reply.integer(count);
  };

const zintercard: Handler = (context, request, reply) => {
  const kind = { weights: false, scores: false, limit: true };
  const task = taskOrReply(context, request, 1, kind, reply);
  if (task === null) return;
  let count = 0;
  intersect(task, () => ++count !== task.limit);
  reply.integer(count);
};

const keyMode = KeyMode.Gather;

export const sortedSetOperationHandlers: Handlers = {
  zunion: { run: replyHandler(unite, true), keyMode },
  zinter: { run: replyHandler(intersect, true), keyMode },
  zdiff: { run: replyHandler(subtract, false), keyMode },
  zunionstore: { run: storeHandler(unite, true), creates: true, keyMode },
  zinterstore: { run: storeHandler(intersect, true), creates: true, keyMode },
  zdiffstore: { run: storeHandler(subtract, false), creates: true, keyMode },
  zintercard: { run: zintercard, keyMode },
};
