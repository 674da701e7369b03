import { KeyMode } from '../cluster/operation.js';
import { parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import { Request } from '../protocol/request.js';
import { KeyedRecords, RecordKind } from '../store/collections/keyed-records.js';
import { EMPTY_LIST, ListValue } from '../store/collections/list-value.js';
import { type Ref, ValueType } from '../store/entry.js';
import { integerOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { findForRead } from './lookup.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { isUsableOrReply, OpenValue } from './open-value.js';
import type { CommandContext, Handler, Handlers, MovableKey } from './spec.js';

const STAR = 42;
const NOTHING = Buffer.alloc(0);
const ARROW = Buffer.from('->');

interface SortOptions {
  isDescending: boolean;
  isAlpha: boolean;
  start: number;
  /** Negative for all. */
  count: number;
  by: Buffer | null;
  readonly get: Buffer[];
  /** Argument that names the target, 0 for none. */
  store: number;
}

const value = new OpenValue();
const list = new ListValue();
const members = new KeyedRecords(RecordKind.Key);
const fields = new KeyedRecords(RecordKind.KeyValue);
const sorted = new OpenSortedSet();

/** The target of STORE as the handler will find it: it may stand anywhere among the options, and the last one counts. */
const targetOfSort: MovableKey = (request, first) => {
  let found = 0;
  for (let i = first + 2; i < request.argc; i++) {
    if (request.is(i, 'LIMIT')) i += 2;
    else if (request.is(i, 'GET') || request.is(i, 'BY')) i++;
    else if (request.is(i, 'STORE') && i + 1 < request.argc) found = ++i;
  }
  return found;
};

/** Other keys are looked at where one node has all of them. Null after an error reply. */
function patternOrReply(
  context: CommandContext,
  request: Request,
  index: number,
  option: 'BY' | 'GET',
  reply: ReplyWriter,
): Buffer | null {
  const pattern = request.bytes(index);
  const isOfKeys = option === 'BY' ? pattern.includes(STAR) : !isElement(pattern);
  if (!isOfKeys || context.services.cluster.members.length <= 1) return pattern;
  reply.error(`ERR ${option} option of SORT denied in cluster mode.`);
  return null;
}

const isElement = (pattern: Buffer): boolean => pattern.length === 1 && pattern[0] === 35;

/** Null after an error reply. */
function optionsOrReply(
  context: CommandContext,
  request: Request,
  canStore: boolean,
  reply: ReplyWriter,
): SortOptions | null {
  const options: SortOptions = {
    isDescending: false,
    isAlpha: false,
    start: 0,
    count: -1,
    by: null,
    get: [],
    store: 0,
  };
  for (let i = 2; i < request.argc; i++) {
    const left = request.argc - i - 1;
    if (request.is(i, 'ASC')) options.isDescending = false;
    else if (request.is(i, 'DESC')) options.isDescending = true;
    else if (request.is(i, 'ALPHA')) options.isAlpha = true;
    else if (left >= 2 && request.is(i, 'LIMIT')) {
      const start = integerOrReply(request, ++i, reply);
      const count = start === undefined ? undefined : integerOrReply(request, ++i, reply);
      if (count === undefined) return null;
      options.start = Number(start);
      options.count = Number(count);
    } else if (canStore && left >= 1 && request.is(i, 'STORE')) options.store = ++i;
    else if (left >= 1 && request.is(i, 'BY')) {
      options.by = patternOrReply(context, request, ++i, 'BY', reply);
      if (options.by === null) return null;
    } else if (left >= 1 && request.is(i, 'GET')) {
      const pattern = patternOrReply(context, request, ++i, 'GET', reply);
      if (pattern === null) return null;
      options.get.push(pattern);
    } else {
      reply.error(Errors.syntax);
      return null;
    }
  }
  return options;
}

/** The elements of a value in their order; of a sorted set from the highest score down where `isDescending`. */
function elementsOf(context: CommandContext, ref: Ref, isDescending: boolean): Buffer[] {
  const elements: Buffer[] = [];
  const add = (buffer: Buffer, start: number, end: number): void => {
    elements.push(Buffer.from(buffer.subarray(start, end)));
  };
  value.openForRead(context, ref);
  const type = context.keyspace.typeOf(ref);
  if (type === ValueType.List) {
    list.open(value);
    list.rewind();
    while (list.next()) add(list.buffer, list.elementStart, list.elementEnd);
  } else if (type === ValueType.Set) {
    members.open(value);
    members.rewind();
    while (members.next()) add(members.buffer, members.keyStart, members.keyEnd);
  } else {
    const scored = sorted.open(value);
    scored.seek(0);
    for (let rank = 0; rank < scored.count; rank++) {
      add(scored.buffer, scored.keyStart, scored.keyEnd);
      scored.step(1);
    }
  }
  // A list goes the same way.
  return isDescending && type !== ValueType.Set ? elements.reverse() : elements;
}

/** What a pattern stands for: the element itself, the string of the key that it makes, or a field of its hash. */
function lookUp(context: CommandContext, pattern: Buffer, element: Buffer): Buffer | null {
  if (isElement(pattern)) return element;
  const star = pattern.indexOf(STAR);
  if (star < 0) return null;
  const arrow = pattern.indexOf(ARROW, star + 1);
  const hasField = arrow >= 0 && arrow + ARROW.length < pattern.length;
  const tail = pattern.subarray(star + 1, hasField ? arrow : pattern.length);
  const key = Buffer.concat([pattern.subarray(0, star), element, tail]);
  const ref = context.keyspace.find(context.db, Request.of(key), 0);
  if (ref === 0) return null;
  const { keyspace } = context;
  const type = keyspace.typeOf(ref);
  if (!hasField) {
    if (type !== ValueType.String) return null;
    const start = keyspace.valueStart(ref);
    const end = start + keyspace.valueLength(ref);
    return Buffer.from(keyspace.valueBuffer(ref).subarray(start, end));
  }
  if (type !== ValueType.Hash) return null;
  const name = pattern.subarray(arrow + ARROW.length);
  fields.open(value.openForRead(context, ref));
  if (!fields.find(name, 0, name.length)) return null;
  return Buffer.from(fields.buffer.subarray(fields.valueStart, fields.valueEnd));
}

/** An element, and what it is sorted by: a number, or bytes, null for none. */
interface Weighed {
  readonly element: Buffer;
  readonly weight: number;
  readonly text: Buffer | null;
}

/** Null where a weight is no number. */
function weigh(
  context: CommandContext,
  elements: readonly Buffer[],
  { by, isAlpha }: SortOptions,
): Weighed[] | null {
  const weighed: Weighed[] = [];
  for (const element of elements) {
    const text = by === null ? element : lookUp(context, by, element);
    const isNumber = !isAlpha && text !== null;
    const weight = isNumber ? weightOf(text) : 0;
    if (Number.isNaN(weight)) return null;
    weighed.push({ element, weight, text });
  }
  return weighed;
}

/** As strtod reads it: nothing is 0. */
const weightOf = (text: Buffer): number =>
  text.length === 0 ? 0 : parseDouble(text, 0, text.length);

function compare(a: Weighed, b: Weighed, { isAlpha, by }: SortOptions): number {
  if (!isAlpha) {
    if (a.weight !== b.weight) return a.weight < b.weight ? -1 : 1;
    return a.element.compare(b.element);
  }
  if (by === null) return a.element.compare(b.element);
  if (a.text === null || b.text === null) return Number(a.text !== null) - Number(b.text !== null);
  return a.text.compare(b.text);
}

const sortHandler =
  (canStore: boolean): Handler =>
  (context, request, reply) => {
    const options = optionsOrReply(context, request, canStore, reply);
    if (options === null) return;
    const ref = findForRead(context, request, 1);
    const type = ref === 0 ? ValueType.List : context.keyspace.typeOf(ref);
    if (type === ValueType.String || type === ValueType.Hash) {
      reply.error(Errors.wrongType);
      return;
    }
    if (ref !== 0 && !isUsableOrReply(context, ref, reply)) return;
    let isSorting = options.by === null || options.by.includes(STAR);
    if (!isSorting && type === ValueType.Set && options.store !== 0) {
      // What is stored is to be the same on every node.
      isSorting = true;
      options.isAlpha = true;
      options.by = null;
    }
    const isReversed = !isSorting && options.isDescending;
    let elements = ref === 0 ? [] : elementsOf(context, ref, isReversed);
    if (isSorting) {
      const weighed = weigh(context, elements, options);
      if (weighed === null) {
        reply.error("ERR One or more scores can't be converted into double");
        return;
      }
      const sign = options.isDescending ? -1 : 1;
      weighed.sort((a, b) => sign * compare(a, b, options));
      elements = weighed.map(({ element }) => element);
    }
    const { length } = elements;
    const start = Math.min(Math.max(options.start, 0), length);
    const count = Math.min(Math.max(options.count, -1), length);
    const chosen = elements.slice(start, count < 0 ? length : start + count);
    const results =
      options.get.length === 0
        ? chosen
        : chosen.flatMap((element) => options.get.map((get) => lookUp(context, get, element)));
    if (options.store !== 0) return store(context, request, options.store, results, reply);
    reply.array(results.length);
    for (const result of results) {
      if (result === null) reply.nil();
      else reply.bulk(result, 0, result.length);
    }
  };

function store(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  results: readonly (Buffer | null)[],
  reply: ReplyWriter,
): void {
  const { keyspace, db } = context;
  if (results.length === 0) {
    const ref = keyspace.find(db, request, keyIndex);
    if (ref !== 0) keyspace.remove(ref);
  } else {
    list.open(value.openNew(context, request, keyIndex, ValueType.List, EMPTY_LIST, 0));
    for (const result of results) list.block.add(result ?? NOTHING, 0, result?.length ?? 0);
    list.appendBlock();
    list.close();
    value.commit(false);
  }
  reply.integer(results.length);
}

export const sortHandlers: Handlers = {
  sort: {
    run: sortHandler(true),
    creates: true,
    keyMode: KeyMode.Gather,
    movableKey: targetOfSort,
  },
  sort_ro: { run: sortHandler(false) },
};
