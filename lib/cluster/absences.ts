import { type Ref, Role, type Store, ValueType } from '../store/store.js';

/** Counts that keys share by their hash: 256 KB. Two keys of one count cost a transaction that is aborted for nothing. */
const COUNTS = 2 ** 16;
/** Keys of one name in several databases do not share one. */
const DATABASE_FACTOR = 0x9e3779b1;
/** Entries of a store that is dropped as a whole which are counted one by one. */
const WALKED_MAX = 5000;

/**
 * Keys that have ceased to be, counted by database and hash. Of a key that is absent nothing else may be left: its tombstone is
 * forgotten after a while, and a reservation is none. So WATCH of an absent key remembers the count at the key's anchor,
 * who learns of every delete before it is final: a key that was made and deleted since has changed it.
 */
export class Absences {
  readonly #counts = new Uint32Array(COUNTS);
  #dropped = 0;

  /** The key of this entry is deleted; what was only reserved was never there. */
  deleted(store: Store, ref: Ref): void {
    if (store.role(ref) === Role.Tombstone || store.type(ref) === ValueType.None) return;
    this.count(store.db(ref), store.hash(ref));
  }

  count(db: number, hash: number): void {
    this.#counts[placeOf(db, hash)]!++;
  }

  /** All entries are about to be dropped. */
  dropping(store: Store): void {
    if (store.size > WALKED_MAX) this.#dropped++;
    else {
      store.search(0, store.size, (ref) => {
        this.deleted(store, ref);
        return false;
      });
    }
  }

  /** What is equal as long as no key of this hash was deleted in this database. */
  of(db: number, hash: number): string {
    return `${this.#dropped}.${this.#counts[placeOf(db, hash)]!}`;
  }
}

const placeOf = (db: number, hash: number): number =>
  ((hash ^ Math.imul(db, DATABASE_FACTOR)) >>> 0) % COUNTS;
