/** Of packages without types, what the tests use. */

declare module 'redis-3' {
  export interface RedisClient3 {
    on(event: 'error', listener: (error: Error) => void): void;
    end(flush: boolean): void;
  }
  export function createClient(options: { host: string; port: number }): RedisClient3;
}

declare module 'ioredis-4' {
  class Redis4 {
    constructor(options: { host: string; port: number });
    on(event: 'error', listener: (error: Error) => void): void;
    disconnect(): void;
  }
  export = Redis4;
}

declare module 'connect-redis-6' {
  import type session from 'express-session';

  const connectRedis: (
    of: typeof session,
  ) => new (options: {
    readonly client: unknown;
    readonly prefix: string;
  }) => session.Store;
  export = connectRedis;
}

declare module 'koa' {
  import type { IncomingMessage, Server, ServerResponse } from 'node:http';

  interface Session extends Record<string, unknown> {
    readonly externalKey: string;
    maxAge: number;
    regenerate(): Promise<void>;
  }
  interface Context {
    readonly req: IncomingMessage;
    readonly res: ServerResponse;
    readonly method: string;
    readonly path: string;
    readonly state: Record<string, string>;
    session: Session | null;
    status: number;
    body: unknown;
  }
  class Koa {
    keys: string[];
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void> | void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    listen(port: number, host: string): Server;
  }
  namespace Koa {
    export { Context, Session };
  }
  export = Koa;
}

declare module 'koa-redis' {
  interface Store {
    readonly client: { disconnect(): void };
    on(event: 'error', listener: (error: Error) => void): void;
    get(key: string): Promise<Record<string, unknown> | null>;
    set(key: string, value: unknown, ttlMs: number): Promise<void>;
    destroy(key: string): Promise<void>;
  }
  function koaRedis(options: { host: string; port: number }): Store;
  export = koaRedis;
}

declare module 'redlock' {
  import type { Redis } from 'ioredis';

  interface Lock {
    extend(ttlMs: number): Promise<Lock>;
    unlock(): Promise<void>;
  }
  class Redlock {
    constructor(clients: readonly Redis[], options: { readonly retryCount: number });
    lock(resource: string, ttlMs: number): Promise<Lock>;
  }
  export = Redlock;
}
