import { KeyMode } from '../cluster/operation.js';
import { parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import { Request } from '../protocol/request.js';
import { KeyedRecords } from '../store/collections/keyed-records.js';
import { EMPTY_LIST, ListValue } from '../store/collections/list-value.js';
import { RecordKind } from '../store/collections/record-cursor.js';
import { type Ref, ValueType } from '../store/entry.js';
import { integerOrReply } from './arguments.js';
import { ElementBytes } from './element-bytes.js';
import { Errors } from './errors.js';
import { findForRead } from './lookup.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { isUsable, isUsableOrReply, OpenValue } from './open-value.js';
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

/** Of the elements of a value in their order, `count` from `from` on, or what there is of these. */
interface Span {
  readonly from: number;
  readonly count: number;
}

/** Those elements of a value that `spanOf` its number of elements says. */
function elementsOf(
  context: CommandContext,
  ref: Ref,
  spanOf: (count: number) => Span,
): ElementBytes {
  const elements = new ElementBytes();
  value.openForRead(context, ref);
  const type = context.keyspace.typeOf(ref);
  if (type === ValueType.List) {
    list.open(value);
    const { from, count } = spanOf(list.count);
    if (count === 0) return elements;
    list.seek(from);
    do elements.add(list.buffer, list.elementStart, list.elementEnd);
    while (elements.count < count && list.next());
  } else if (type === ValueType.Set) {
    members.open(value);
    const { from, count } = spanOf(members.count);
    members.rewind();
    for (let i = 0; i < from + count; i++) {
      members.next();
      if (i >= from) elements.add(members.buffer, members.keyStart, members.keyEnd);
    }
  } else {
    const scored = sorted.open(value);
    const { from, count } = spanOf(scored.count);
    if (count === 0) return elements;
    scored.seek(from);
    for (let i = 0; i < count; i++) {
      elements.add(scored.buffer, scored.keyStart, scored.keyEnd);
      scored.step(1);
    }
  }
  return elements;
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
  if (type !== ValueType.Hash || !isUsable(context, ref)) return null;
  const name = pattern.subarray(arrow + ARROW.length);
  fields.open(value.openForRead(context, ref));
  if (!fields.find(name, 0, name.length)) return null;
  return Buffer.from(fields.buffer.subarray(fields.valueStart, fields.valueEnd));
}

/** As strtod reads it: nothing is 0. */
const weightOf = (text: Buffer, start: number, end: number): number =>
  start === end ? 0 : parseDouble(text, start, end);

/** What elements are sorted by as numbers; null where one is none. */
function weightsOf(
  context: CommandContext,
  elements: ElementBytes,
  by: Buffer | null,
): Float64Array | null {
  const weights = new Float64Array(elements.count);
  for (let i = 0; i < weights.length; i++) {
    let weight = 0;
    if (by === null) weight = weightOf(elements.buffer, elements.start(i), elements.end(i));
    else {
      const text = lookUp(context, by, elements.at(i));
      if (text !== null) weight = weightOf(text, 0, text.length);
    }
    if (Number.isNaN(weight)) return null;
    weights[i] = weight;
  }
  return weights;
}

/** Texts that elements are sorted by; those that have none come first. */
function compareTexts(a: Buffer | null, b: Buffer | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  return a.compare(b);
}

type Compare = (a: number, b: number) => number;

/** How the elements that these numbers name are compared; null where they are to be numbers and are none. */
function comparison(
  context: CommandContext,
  elements: ElementBytes,
  { by, isAlpha }: SortOptions,
): Compare | null {
  if (isAlpha) {
    if (by === null) return (a, b) => elements.compare(a, b);
    const texts = Array.from({ length: elements.count }, (_, i) =>
      lookUp(context, by, elements.at(i)),
    );
    return (a, b) => compareTexts(texts[a]!, texts[b]!);
  }
  const weights = weightsOf(context, elements, by);
  if (weights === null) return null;
  return (a, b) => {
    const x = weights[a]!;
    const y = weights[b]!;
    if (x === y) return elements.compare(a, b);
    return x < y ? -1 : 1;
  };
}

/** What LIMIT leaves of so many elements. */
function limited({ start, count }: SortOptions, length: number): Span {
  const from = Math.min(Math.max(start, 0), length);
  return { from, count: count < 0 ? length - from : Math.min(count, length - from) };
}

/** A value's elements, and the numbers of those that are asked for, in order. */
interface Chosen {
  readonly elements: ElementBytes;
  readonly order: Uint32Array;
}

/** An error text where they are to be numbers and are none. */
function chosenOf(context: CommandContext, ref: Ref, options: SortOptions): Chosen | string {
  const { isDescending } = options;
  if (options.by !== null && !options.by.includes(STAR)) {
    // From the highest score, or a list's end, down; a set has no order.
    const isReversed = isDescending && context.keyspace.typeOf(ref) !== ValueType.Set;
    const elements = elementsOf(context, ref, (length) => {
      const { from, count } = limited(options, length);
      return { from: isReversed ? length - from - count : from, count };
    });
    const order = new Uint32Array(elements.count).map((_, i) => i);
    return { elements, order: isReversed ? order.reverse() : order };
  }
  const elements = elementsOf(context, ref, (count) => ({ from: 0, count }));
  const compare = comparison(context, elements, options);
  if (compare === null) return "ERR One or more scores can't be converted into double";
  const order = new Uint32Array(elements.count).map((_, i) => i);
  order.sort(isDescending ? (a, b) => compare(b, a) : compare);
  const { from, count } = limited(options, elements.count);
  return { elements, order: order.subarray(from, from + count) };
}

const NO_ELEMENTS: Chosen = { elements: new ElementBytes(), order: new Uint32Array(0) };

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
    const isUnordered = options.by !== null && !options.by.includes(STAR);
    if (isUnordered && type === ValueType.Set && options.store !== 0) {
      // What is stored is to be the same on every node.
      options.isAlpha = true;
      options.by = null;
    }
    const chosen = ref === 0 ? NO_ELEMENTS : chosenOf(context, ref, options);
    if (typeof chosen === 'string') {
      reply.error(chosen);
      return;
    }
    const results = resultsOf(context, chosen, options.get);
    if (options.store !== 0) return store(context, request, options.store, results, reply);
    reply.array(results.count);
    results.visit((buffer, start, end) => {
      if (end < 0) reply.nil();
      else reply.bulk(buffer, start, end);
    });
  };

/** What is replied, or stored; `visit` tells of each in its order, `end` is negative for one that there is not. */
interface Results {
  readonly count: number;
  visit(each: (buffer: Buffer, start: number, end: number) => void): void;
}

function resultsOf(
  context: CommandContext,
  { elements, order }: Chosen,
  get: readonly Buffer[],
): Results {
  if (get.length === 0) {
    return {
      count: order.length,
      visit(each) {
        for (const i of order) each(elements.buffer, elements.start(i), elements.end(i));
      },
    };
  }
  const found = Array.from(order, (i) => get.map((one) => lookUp(context, one, elements.at(i))));
  return {
    count: order.length * get.length,
    visit(each) {
      for (const one of found.flat()) each(one ?? NOTHING, 0, one?.length ?? -1);
    },
  };
}

function store(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  results: Results,
  reply: ReplyWriter,
): void {
  const { keyspace, db } = context;
  if (results.count === 0) {
    const ref = keyspace.find(db, request, keyIndex);
    if (ref !== 0) keyspace.remove(ref);
  } else {
    list.open(value.openNew(context, request, keyIndex, ValueType.List, EMPTY_LIST, 0));
    results.visit((buffer, start, end) => list.block.add(buffer, start, Math.max(start, end)));
    list.appendBlock();
    list.close();
    value.commit(false);
  }
  reply.integer(results.count);
}

export const sortHandlers: Handlers = {
  sort: {
    run: sortHandler(true),
    creates: true,
    usesElements: true,
    keyMode: KeyMode.Gather,
    movableKey: targetOfSort,
  },
  sort_ro: { run: sortHandler(false), usesElements: true },
};
