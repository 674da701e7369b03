import type { Request } from '../protocol/request.js';
import type { Ref, Store } from '../store/store.js';

/** The entry that routing has just found, so that the handler need not look it up again. */
export class FoundEntry {
  request: Request | null = null;
  db = 0;
  index = 0;
  ref: Ref = 0;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  note(db: number, request: Request, index: number, ref: Ref): void {
    this.request = request;
    this.db = db;
    this.index = index;
    this.ref = ref;
  }

  /** Entries have moved or are gone: from here on each is looked up. */
  drop(): void {
    this.request = null;
  }

  /** The entry of key argument `index`, of whatever role; 0 for none. */
  of(db: number, request: Request, index: number): Ref {
    const isFound = this.request === request && this.index === index;
    if (isFound && this.db === db) return this.ref;
    return this.#store.findArgument(db, request, index);
  }
}
