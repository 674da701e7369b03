import type { WebApplication } from './web-life.js';

/** connect-redis answers by callback or promise, by its version. */
interface ListingStore {
  ids(done: (error: Error | null, ids: string[]) => void): unknown;
  clear(done: (error: Error | null) => void): unknown;
}

/** What connect-redis can do with all sessions at once. */
export function listsOf(store: object): Pick<WebApplication, 'list' | 'clear'> {
  const listing = store as ListingStore;
  return {
    list: () =>
      new Promise((resolve, reject) =>
        listing.ids((error, ids) => (error ? reject(error) : resolve(ids))),
      ),
    clear: () =>
      new Promise<void>((resolve, reject) =>
        listing.clear((error) => (error ? reject(error) : resolve())),
      ),
  };
}
