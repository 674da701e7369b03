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
