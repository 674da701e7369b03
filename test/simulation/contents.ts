import { f64At } from '../../lib/protocol/bytes.js';
import { KeyedRecords } from '../../lib/store/collections/keyed-records.js';
import { ListValue } from '../../lib/store/collections/list-value.js';
import { RecordKind } from '../../lib/store/collections/record-cursor.js';
import type { ValueBytes } from '../../lib/store/collections/value-bytes.js';
import { type Ref, type Store, ValueType } from '../../lib/store/store.js';
import type { State } from './collections.js';

/** What an entry's value means, as text: of a string its bytes, of a collection its state in `CollectionModel`, as JSON. */
export function contentOf(store: Store, ref: Ref): string {
  const type = store.type(ref);
  const start = store.valueStart(ref);
  const length = store.valueLength(ref);
  if (type === ValueType.String) return store.valueBuffer(ref).latin1Slice(start, start + length);
  const value = new WholeValue(store.valueBuffer(ref), start, length);
  return JSON.stringify(type === ValueType.List ? elementsOf(value) : recordsOf(value, type));
}

/** The bytes of a value, looked at from its beginning to its end: no index is needed for that. */
class WholeValue implements ValueBytes {
  readonly buffer: Buffer;
  readonly start: number;
  readonly length: number;
  readonly isLarge = false;
  readonly attached = null;

  constructor(buffer: Buffer, start: number, length: number) {
    this.buffer = buffer;
    this.start = start;
    this.length = length;
  }

  attach(): void {}

  splice(): void {
    throw new Error('it is only looked at');
  }

  replace(): void {
    throw new Error('it is only looked at');
  }

  hashOf(): number {
    return 0;
  }
}

function elementsOf(value: WholeValue): State {
  const list = new ListValue().open(value);
  const elements: [string, string][] = [];
  list.rewind();
  while (list.next()) {
    elements.push([list.buffer.latin1Slice(list.elementStart, list.elementEnd), '']);
  }
  return elements;
}

const KINDS: Readonly<Record<number, RecordKind>> = {
  [ValueType.Hash]: RecordKind.KeyValue,
  [ValueType.Set]: RecordKind.Key,
  [ValueType.ZSet]: RecordKind.KeyScore,
};

/** In the order of their names: that in which they lie is no part of what they mean. */
function recordsOf(value: WholeValue, type: number): State {
  const kind = KINDS[type]!;
  const records = new KeyedRecords(kind).open(value);
  const found: [string, string][] = [];
  records.rewind();
  while (records.next()) {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = records;
    const isScore = kind === RecordKind.KeyScore;
    const text = isScore
      ? String(f64At(buffer, valueStart))
      : buffer.latin1Slice(valueStart, valueEnd);
    found.push([buffer.latin1Slice(keyStart, keyEnd), kind === RecordKind.Key ? '' : text]);
  }
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}
