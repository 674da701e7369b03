import KeyvRedis, { createKeyv } from '@keyv/redis';
import { createCache } from 'cache-manager';
import { Redis } from 'iovalkey';
import { Keyv } from 'keyv';
import t from 'tap';
import { createStorage } from 'unstorage';
import redisDriver from 'unstorage/drivers/redis';
import { type CacheKit, cacheLives, type Session } from './cache-life.js';

/** Caches that keep sessions, each over the client that comes with it. */

const host = '127.0.0.1';
const ignore = () => undefined;

async function idsOf(keyv: Keyv): Promise<string[]> {
  const ids: string[] = [];
  for await (const [id] of keyv.iterator!(undefined)) ids.push(id);
  return ids;
}

const keyv: CacheKit = {
  name: 'keyv 5 with @keyv/redis 5',
  keyOf: (id) => `keyv::${id}`,
  connect: async (port) => {
    const keyv = createKeyv(`redis://${host}:${port}`, { namespace: 'keyv' });
    keyv.on('error', ignore);
    return {
      save: (id, session, ttlMs) => keyv.set(id, session, ttlMs),
      read: (id) => keyv.get<Session>(id),
      remove: (id) => keyv.delete(id),
      list: () => idsOf(keyv),
      saveAll: (ids, session) =>
        keyv.setMany(ids.map((key) => ({ key, value: session, ttl: 60_000 }))),
      removeAll: (ids) => keyv.delete([...ids]),
      clear: () => keyv.clear(),
      close: () => (keyv.store as KeyvRedis<unknown>).disconnect(true),
    };
  },
};

const cacheManager: CacheKit = {
  name: 'cache-manager 7 over keyv 5 with @keyv/redis 5',
  keyOf: (id) => `cm::cm:${id}`,
  connect: async (port) => {
    const store = new KeyvRedis(`redis://${host}:${port}`);
    const keyv = new Keyv({ store, namespace: 'cm' });
    keyv.on('error', ignore);
    const cache = createCache({ stores: [keyv] });
    return {
      save: (id, session, ttlMs) => cache.set(id, session, ttlMs),
      read: (id) => cache.get<Session>(id),
      remove: (id) => cache.del(id),
      list: () => idsOf(keyv),
      saveAll: (ids, session) =>
        cache.mset(ids.map((key) => ({ key, value: session, ttl: 60_000 }))),
      removeAll: (ids) => cache.mdel([...ids]),
      clear: () => cache.clear(),
      close: () => store.disconnect(true),
    };
  },
};

const unstorage: CacheKit = {
  name: 'unstorage over ioredis 6',
  keyOf: (id) => `un:${id}`,
  connect: async (port) => {
    const driver = redisDriver({ host, port, base: 'un' });
    driver.getInstance!().on('error', ignore);
    const storage = createStorage<Session>({ driver });
    return {
      save: (id, session, ttlMs) => storage.setItem(id, session, { ttl: ttlMs / 1000 }),
      read: (id) => storage.getItem(id),
      remove: (id) => storage.removeItem(id),
      list: () => storage.getKeys(),
      clear: () => storage.clear(),
      close: () => storage.dispose(),
    };
  },
};

const iovalkey: CacheKit = {
  name: 'iovalkey, with commands of the application itself',
  keyOf: (id) => `io:${id}`,
  connect: async (port) => {
    const client = new Redis({ host, port });
    client.on('error', ignore);
    const list = async () => {
      const keys: string[] = [];
      for await (const some of client.scanStream({ match: 'io:*' })) keys.push(...some);
      return [...new Set(keys)];
    };
    return {
      save: (id, session, ttlMs) => client.set(`io:${id}`, JSON.stringify(session), 'PX', ttlMs),
      read: async (id) => JSON.parse((await client.get(`io:${id}`)) ?? 'null'),
      remove: (id) => client.del(`io:${id}`),
      list: async () => (await list()).map((key) => key.slice('io:'.length)),
      clear: async () => client.unlink(await list()),
      close: () => client.disconnect(),
    };
  },
};

t.test('caches', (t) => cacheLives(t, [keyv, cacheManager, unstorage, iovalkey]));
