import { EMPTY_RECORDS, KeyedRecords } from '../../lib/store/collections/keyed-records.js';
import { EMPTY_LIST, ListValue } from '../../lib/store/collections/list-value.js';
import { RecordKind } from '../../lib/store/collections/record-cursor.js';
import { SortedSet } from '../../lib/store/collections/sorted-set.js';
import type { ValueBytes } from '../../lib/store/collections/value-bytes.js';
import { ValueType } from '../../lib/store/entry.js';
import { KeyHash } from '../../lib/store/key-hash.js';
import type { Attachment } from '../../lib/store/large-payloads.js';

/** Bytes of others, before and behind a value as in the store's pages. */
export const MARGIN = 64;
const CANARY = 0xa5;
export const LARGE_BYTES = 1500;
const HASH = new KeyHash(7);

/** A value between bytes of others: reading and writing outside of it is an error. */
export class Guarded implements ValueBytes {
  buffer: Buffer;
  length: number;
  readonly start = MARGIN;
  /** Where, bytes removed, bytes inserted. */
  readonly splices: [at: number, removed: number, inserted: Buffer][] = [];
  attached: Attachment | null = null;

  constructor(value: Buffer) {
    this.length = value.length;
    this.buffer = Buffer.concat([MARGINS, value, MARGINS]);
  }

  get value(): Buffer {
    return this.buffer.subarray(MARGIN, MARGIN + this.length);
  }

  get isLarge(): boolean {
    return this.length > LARGE_BYTES;
  }

  attach(index: Attachment | null): void {
    this.attached = this.isLarge ? index : null;
  }

  splice(at: number, removed: number, source: Buffer, from: number, to: number): void {
    if (at < 0 || removed < 0 || at + removed > this.length)
      throw new Error('outside of the value');
    if (from < 0 || to < from || to > source.length) throw new Error('outside of the source');
    const { value } = this;
    const inserted = Buffer.from(source.subarray(from, to));
    this.splices.push([at, removed, inserted]);
    const made = Buffer.concat([value.subarray(0, at), inserted, value.subarray(at + removed)]);
    this.buffer = Buffer.concat([MARGINS, made, MARGINS]);
    this.length = made.length;
    if (!this.isLarge) this.attached = null;
  }

  replace(value: Buffer): void {
    this.splice(0, this.length, value, 0, value.length);
    this.attached = null;
  }

  hashOf(buffer: Buffer, start: number, end: number): number {
    return HASH.of(buffer, start, end);
  }
}

const MARGINS = Buffer.alloc(MARGIN, CANARY);
const NOTHING = Buffer.alloc(0);

/** A whole number below a limit. */
export type Random = (limit: number) => number;

/** One collection of a type: how it is made, and used whatever its bytes are. */
export interface Kind {
  readonly type: ValueType;
  readonly encodings: readonly number[];
  make(below: Random): Buffer;
  /** Reads all of it, and changes it; throws where it meets what is outside. */
  use(value: Guarded, encoding: number, below: Random): void;
}

const within = (value: Guarded, from: number, to: number): void => {
  if (from < MARGIN || to < from || to > MARGIN + value.length) {
    throw new Error(`${from} to ${to} is outside`);
  }
};

const someBytes = (below: Random): Buffer => {
  const length = below(12) === 0 ? below(2500) : below(40);
  return Buffer.alloc(length, 97 + below(26));
};

const readRecords = (records: KeyedRecords, value: Guarded): void => {
  let count = 0;
  records.rewind();
  for (; records.next(); count++) within(value, records.keyStart, records.valueEnd);
  if (count !== records.count) throw new Error(`${count} records, not ${records.count}`);
};

function recordsKind(type: ValueType, kind: RecordKind): Kind {
  const records = new KeyedRecords(kind);
  const someValue = (below: Random) => (kind === RecordKind.KeyValue ? someBytes(below) : NOTHING);
  const change = (below: Random): void => {
    const key = someBytes(below);
    if (below(4) === 0) records.remove(key, 0, key.length);
    else {
      const value = someValue(below);
      records.put(key, 0, key.length, value, 0, value.length);
    }
  };
  return {
    type,
    encodings: [0, 1],
    make(below) {
      const value = new Guarded(EMPTY_RECORDS);
      records.open(value);
      for (let i = below(60) + 1; i > 0 || records.count === 0; i--) change(below);
      records.close();
      return value.value;
    },
    use(value, _encoding, below) {
      records.open(value);
      readRecords(records, value);
      records.pick(() => below(2 ** 32) / 2 ** 32);
      records.sample(below(records.count), () => below(2 ** 32) / 2 ** 32, NEVER);
      for (let cursor = 0, i = 0; i === 0 || cursor !== 0; i++) {
        cursor = records.scan(cursor, 10, NEVER);
        if (cursor >= 2 ** 32) break;
      }
      for (let i = 0; i < 10 && records.count > 0; i++) change(below);
      records.close();
      if (records.count > 0) readRecords(records, value);
    },
  };
}

const NEVER = (): void => undefined;

const sorted = new SortedSet();
const SCORES = [0, 1, 1, 2, -1, 0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

const changeSorted = (below: Random): void => {
  const member = someBytes(below);
  const score = SCORES[below(SCORES.length)]!;
  const isThere = sorted.find(member, 0, member.length);
  if (isThere && below(3) === 0 && sorted.count > 1) sorted.removeFound(member, 0, member.length);
  else if (isThere) sorted.setScore(score, member, 0, member.length);
  else sorted.insert(score, member, 0, member.length);
};

const sortedSets: Kind = {
  type: ValueType.ZSet,
  encodings: [0, 1, 2, 3],
  make(below) {
    const value = new Guarded(EMPTY_RECORDS);
    sorted.openSorted(value, true);
    for (let i = below(60) + 1; i > 0; i--) changeSorted(below);
    sorted.close();
    return value.value;
  },
  use(value, encoding, below) {
    sorted.openSorted(value, (encoding & 2) === 0);
    readRecords(sorted, value);
    const from = sorted.countBefore((score) => score < 1);
    if (from < sorted.count) {
      sorted.seek(from);
      for (let i = from; i < sorted.count; i++) {
        within(value, sorted.keyStart, sorted.valueEnd);
        sorted.step(1);
      }
    }
    if (sorted.count > 2) sorted.removeRanks(0, below(sorted.count - 1));
    for (let i = 0; i < 10; i++) changeSorted(below);
    sorted.close();
    readRecords(sorted, value);
  },
};

const list = new ListValue();

const changeList = (below: Random): void => {
  const element = someBytes(below);
  list.block.add(element, 0, element.length);
  const what = below(6);
  if (what < 2) list.prependBlock();
  else if (what < 4 || list.count === 0) list.appendBlock();
  else {
    list.seek(below(list.count));
    if (what === 4) list.insertBlock(below(2) === 0);
    else list.replaceByBlock();
  }
};

const readList = (value: Guarded): void => {
  let forward = 0;
  list.rewind();
  for (; list.next(); forward++) within(value, list.elementStart, list.elementEnd);
  let backward = 0;
  list.rewindToEnd();
  for (; list.previous(); backward++) within(value, list.elementStart, list.elementEnd);
  if (forward !== list.count || backward !== list.count) throw new Error('elements are missing');
};

const lists: Kind = {
  type: ValueType.List,
  encodings: [0],
  make(below) {
    const value = new Guarded(EMPTY_LIST);
    list.open(value);
    for (let i = below(60) + 1; i > 0; i--) changeList(below);
    if (list.count > 3 && below(3) === 0) list.removeFirst(below(list.count - 1));
    list.close();
    return value.value;
  },
  use(value, _encoding, below) {
    list.open(value);
    readList(value);
    const element = someBytes(below);
    list.removeEqual(element, 0, element.length, 3, below(2) === 0);
    if (list.count > 2) list.removeFirst(below(list.count - 1));
    if (list.count > 2) list.removeLast(below(list.count - 1));
    for (let i = 0; i < 10; i++) changeList(below);
    list.close();
    readList(value);
  },
};

/** Changes some of the bytes, mostly of the lengths that are in front; or makes the value shorter or longer. */
export function mutated(value: Buffer, below: Random): Buffer {
  const copy = Buffer.from(value);
  const what = below(10);
  if (what === 0) return copy.subarray(0, below(copy.length + 1));
  if (what === 1) return Buffer.concat([copy, Buffer.alloc(1 + below(8), below(256))]);
  for (let i = below(3); i >= 0; i--) {
    const at = below(3) === 0 ? below(copy.length) : below(Math.min(copy.length, 16));
    copy[at] = below(2) === 0 ? below(256) : copy[at]! + [1, -1, 2, -2, 128][below(5)]!;
  }
  return copy;
}

export const KINDS: Readonly<Record<string, Kind>> = {
  hash: recordsKind(ValueType.Hash, RecordKind.KeyValue),
  set: recordsKind(ValueType.Set, RecordKind.Key),
  'sorted set': sortedSets,
  list: lists,
};
