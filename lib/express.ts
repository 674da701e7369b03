import type session from 'express-session';
import type { TandisNode } from './server/embedded-node.js';
import { SessionKeys } from './server/session-keys.js';

/** How sessions are kept. */
export interface StoreOptions {
  /** The node in this process that keeps them. */
  readonly node: TandisNode;
  /** Before the session id in the names of keys; that of connect-redis unless given. */
  readonly prefix?: string;
  /** Seconds that a session lives whose cookie has no expiry: it ends with the browser. A day unless given. */
  readonly ttl?: number;
}

/** What express-session asks of a store, with what it leaves optional. */
export type TandisStore = session.Store &
  Required<Pick<session.Store, 'all' | 'length' | 'clear' | 'touch'>>;

type SessionData = session.SessionData;
type Done<Value = void> = (error: unknown, value?: Value) => void;

const PREFIX = 'sess:';
const DAY_SECONDS = 86_400;

/** Settles by a callback as express-session wants it: what the callback throws is the caller's, and no rejection. */
function settle<Value>(work: Promise<Value>, done: Done<Value> | undefined): void {
  work.then(
    (value) => done && process.nextTick(done, null, value),
    (error: unknown) => done && process.nextTick(done, error),
  );
}

/** Seconds that a session has yet to live, 0 or less when it has expired. */
function secondsLeft({ cookie }: SessionData, ttl: number): number {
  const expires = cookie?.expires ?? null;
  if (expires === null) return ttl;
  return Math.ceil((new Date(expires).getTime() - Date.now()) / 1000);
}

/**
 * A store for express-session on a node in this process: `session({ store: createStore(session, { node }), ... })`. Sessions
 * are kept as connect-redis keeps them, JSON under `sess:<id>`, so that each reads what the other has written. Errors go to
 * the callbacks.
 */
export function createStore(
  { Store }: Pick<typeof session, 'Store'>,
  { node, prefix = PREFIX, ttl = DAY_SECONDS }: StoreOptions,
): TandisStore {
  const keys = new SessionKeys(node, prefix);
  const write = async (id: string, data: SessionData): Promise<void> => {
    const seconds = secondsLeft(data, ttl);
    if (seconds > 0) await node.set(prefix + id, JSON.stringify(data), { ex: seconds });
    else await node.del(prefix + id);
  };
  class SessionStore extends Store {
    get(id: string, done: Done<SessionData | null>): void {
      settle(node.get(prefix + id).then(parsed), done);
    }

    set(id: string, data: SessionData, done?: Done): void {
      settle(write(id, data), done);
    }

    override touch(id: string, data: SessionData, done?: Done): void {
      // Past its end the key is deleted by it, as in Redis.
      settle(node.call('EXPIRE', prefix + id, secondsLeft(data, ttl)).then(nothing), done);
    }

    destroy(id: string, done?: Done): void {
      settle(node.del(prefix + id).then(nothing), done);
    }

    /** Each with its `id`. */
    override all(done: Done<SessionData[]>): void {
      const read = keys
        .values()
        .then((found) => found.map(([id, text]) => Object.assign(parsed(text)!, { id })));
      settle(read, done);
    }

    override length(done: Done<number>): void {
      settle(
        keys.ids().then((ids) => ids.size),
        done,
      );
    }

    override clear(done?: Done): void {
      settle(keys.clear(), done);
    }
  }
  return new SessionStore();
}

function parsed(text: string | null): SessionData | null {
  return text === null ? null : (JSON.parse(text) as SessionData);
}

function nothing(): void {}
