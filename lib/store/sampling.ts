import type { Ref } from './entry.js';
import { Role } from './entry.js';
import type { Store } from './store.js';

/** Draws before entries are searched one after the other. */
const DRAWS_MAX = 64;

/**
 * A primary entry of the database, each about as likely as the others; 0 when there is none. `random` gives numbers in
 * 0 <= x < 1. Where such entries are few among many others, all may have to be looked at.
 */
export function randomPrimary(store: Store, db: number, random: () => number): Ref {
  if (store.count(db, Role.Primary) === 0) return 0;
  const fits = (ref: Ref) => store.role(ref) === Role.Primary && store.db(ref) === db;
  for (let i = 0; i < DRAWS_MAX; i++) {
    const ref = randomEntry(store, random);
    if (fits(ref)) return ref;
  }
  const from = Math.floor(random() * store.size);
  return store.search(from, store.size, fits) || store.search(0, from, fits);
}

/** Any entry, each as likely as the others. The store is not empty. */
export function randomEntry(store: Store, random: () => number): Ref {
  return store.entryAt(Math.floor(random() * store.size));
}
