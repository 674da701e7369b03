import { RedisStore } from 'connect-redis';
import connectRedis6 from 'connect-redis-6';
import RedisStore7 from 'connect-redis-7';
import { RedisStore as RedisStore8 } from 'connect-redis-8';
import session, { type Store } from 'express-session';
import t from 'tap';
import {
  type Connect,
  ioredis4,
  ioredis5,
  ioredis6,
  redis3,
  redis4,
  redis4Legacy,
  redis5,
  redis6,
} from './clients.js';
import { expressApp } from './express-app.js';
import { type WebKit, webLives } from './web-life.js';

/** express-session with connect-redis, each version over the clients that it takes. */

const ConnectRedis6 = connectRedis6(session);
/** The stores' types name one version of one client; what they take is what their documentation says. */
type MakeStore = (client: never, prefix: string) => Store;
const store6: MakeStore = (client, prefix) => new ConnectRedis6({ client, prefix });
const store7: MakeStore = (client, prefix) => new RedisStore7({ client, prefix });
const store8: MakeStore = (client, prefix) => new RedisStore8({ client, prefix });
const store9: MakeStore = (client, prefix) => new RedisStore({ client, prefix });

const COMBINATIONS: readonly [name: string, store: MakeStore, connect: Connect][] = [
  ['connect-redis 6 over redis 3', store6, redis3],
  ['connect-redis 6 over redis 4 (legacyMode)', store6, redis4Legacy],
  ['connect-redis 6 over ioredis 4', store6, ioredis4],
  ['connect-redis 7 over redis 4', store7, redis4],
  ['connect-redis 7 over ioredis 5', store7, ioredis5],
  ['connect-redis 8 over redis 4', store8, redis4],
  ['connect-redis 8 over ioredis 4', store8, ioredis4],
  ['connect-redis 8 over ioredis 5', store8, ioredis5],
  ['connect-redis 8 over ioredis 6', store8, ioredis6],
  ['connect-redis 9 over redis 5', store9, redis5],
  ['connect-redis 9 over redis 6', store9, redis6],
];

const kits = COMBINATIONS.map(([name, makeStore, connect], index): WebKit => {
  const prefix = `sess${index}:`;
  const start = async (port: number) => {
    const { client, disconnect } = await connect(port);
    return expressApp(makeStore(client as never, prefix), disconnect);
  };
  return { name, prefix, start };
});

t.test('connect-redis', (t) => webLives(t, kits));
