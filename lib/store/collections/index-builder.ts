import { type Ref, ValueType } from '../entry.js';
import type { Attachment } from '../large-payloads.js';
import type { Store } from '../store.js';
import { ListWalk } from './list-walk.js';
import { HEADER_BYTES, RecordKind } from './record-cursor.js';
import { type HashOf, RecordWalk, ScoredWalk } from './record-walk.js';
import type { Room } from './slices.js';
import { DAMAGED, ENCODING_MAX, SOUND, UNSORTED } from './soundness.js';

type Walk = RecordWalk | ListWalk;

/**
 * Makes the index of a large collection, and checks its bytes, in as many turns as it takes. In between it is what is kept with
 * the value: so it goes where the value goes, and ends where the value is replaced, or changed by another node. Whoever changes
 * the bytes otherwise has made the index himself before.
 */
export class IndexBuilder implements Attachment {
  /** Of the value. */
  readonly length: number;
  /** Null where the bytes cannot be such a value. */
  readonly #walk: Walk | null;

  constructor(store: Store, ref: Ref) {
    this.length = store.valueLength(ref);
    this.#walk = walkOf(store, ref);
  }

  get bytes(): number {
    return this.#walk?.bytes ?? 0;
  }

  /** Goes on as far as there is room. What is to be kept with the value from now on, its index or DAMAGED; null where there is more to be done. */
  run(room: Room, store: Store, ref: Ref): Attachment | null {
    if (this.#walk === null) return DAMAGED;
    const buffer = store.valueBuffer(ref);
    const start = store.valueStart(ref);
    const hashOf: HashOf = (key, from, to) => store.hashOf(key, from, to);
    return this.#walk.run(room, buffer, start, start + this.length, hashOf);
  }
}

/** Whether what is kept with a large collection spares commands a look at all of it. */
export const isPrepared = (attached: Attachment | null): boolean =>
  attached !== null && attached !== SOUND && !(attached instanceof IndexBuilder);

function walkOf(store: Store, ref: Ref): Walk | null {
  const type = store.type(ref);
  const encoding = store.encodingFlags(ref);
  const length = store.valueLength(ref);
  if (length <= HEADER_BYTES || encoding > (ENCODING_MAX[type] ?? -1)) return null;
  const buffer = store.valueBuffer(ref);
  const start = store.valueStart(ref);
  const end = start + length;
  switch (type) {
    case ValueType.List:
      return new ListWalk(buffer, start);
    case ValueType.Set:
      return new RecordWalk(RecordKind.Key, buffer, start, end);
    case ValueType.Hash:
      return new RecordWalk(RecordKind.KeyValue, buffer, start, end);
    default:
      return new ScoredWalk((encoding & UNSORTED) === 0, buffer, start, end);
  }
}
