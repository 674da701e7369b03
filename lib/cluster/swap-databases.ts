import type { Store } from '../store/store.js';
import { SLOTS } from './cluster-state.js';

interface Entry {
  readonly db: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly type: number;
  readonly role: number;
  readonly encoding: number;
  readonly version: number;
  readonly expireAt: number;
  readonly usedAt: number;
}

/** SWAPDB on a node that is the only member: every entry of the two databases takes the other's number. */
export function swapDatabases(store: Store, first: number, second: number): void {
  if (first === second) return;
  for (let slot = 0; slot < SLOTS; slot++) {
    if (store.countInSlot(slot) === 0) continue;
    const entries: Entry[] = [];
    store.eachInSlot(slot, (ref) => {
      const db = store.db(ref);
      if (db !== first && db !== second) return false;
      entries.push(entryOf(store, ref, db === first ? second : first));
      return true;
    });
    for (const entry of entries) restore(store, entry);
  }
}

function entryOf(store: Store, ref: number, db: number): Entry {
  const keyStart = store.keyStart(ref);
  const valueStart = store.valueStart(ref);
  return {
    db,
    key: Buffer.from(store.keyBuffer(ref).subarray(keyStart, keyStart + store.keyLength(ref))),
    value: Buffer.from(
      store.valueBuffer(ref).subarray(valueStart, valueStart + store.valueLength(ref)),
    ),
    type: store.type(ref),
    role: store.role(ref),
    encoding: store.encodingFlags(ref),
    version: store.version(ref),
    expireAt: store.expireAt(ref),
    usedAt: store.usedAt(ref),
  };
}

function restore(store: Store, entry: Entry): void {
  const { key, value } = entry;
  const type = entry.type as ReturnType<Store['type']>;
  const ref = store.create(entry.db, key, 0, key.length, type, value.length);
  value.copy(store.valueBuffer(ref), store.valueStart(ref));
  store.setRole(ref, entry.role as ReturnType<Store['role']>);
  store.setEncodingFlags(ref, entry.encoding);
  store.setVersion(ref, entry.version);
  store.setExpireAt(ref, entry.expireAt);
  store.setUsedAt(ref, entry.usedAt);
}
