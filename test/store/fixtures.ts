import { type Ref, type Store, ValueType } from '../../lib/store/store.js';

/** Creates an entry in database 0 with a value of `length` equal bytes. */
export function put(store: Store, key: string, length = 10, fill = 1): Ref {
  const bytes = Buffer.from(key);
  const ref = store.create(0, bytes, 0, bytes.length, ValueType.String, length);
  store.valueBuffer(ref).fill(fill, store.valueStart(ref), store.valueStart(ref) + length);
  return ref;
}

export function find(store: Store, key: string, db = 0): Ref {
  const bytes = Buffer.from(key);
  return store.find(db, bytes, 0, bytes.length);
}

export function keyOf(store: Store, ref: Ref): string {
  const start = store.keyStart(ref);
  return store.keyBuffer(ref).toString('latin1', start, start + store.keyLength(ref));
}

export function contentOf(store: Store, ref: Ref): Buffer {
  const start = store.valueStart(ref);
  return Buffer.from(store.valueBuffer(ref).subarray(start, start + store.valueLength(ref)));
}

/** Keys that share one slot. */
export function tagged(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `{tag}:${i}`);
}
