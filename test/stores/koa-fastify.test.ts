import { RedisStore } from 'connect-redis';
import { RedisStore as RedisStore8 } from 'connect-redis-8';
import t from 'tap';
import { ioredis6, redis6 } from './clients.js';
import { fastifyApp } from './fastify-app.js';
import { koaApp } from './koa-app.js';
import { type WebKit, webLives } from './web-life.js';

/** The other web applications, with the session stores that their users take. */

const KITS: readonly WebKit[] = [
  {
    name: 'koa-session with koa-redis (and its ioredis 4)',
    prefix: 'koa:',
    start: (port) => koaApp(port, 'koa:'),
  },
  {
    name: '@fastify/session with connect-redis 9 over redis 6',
    prefix: 'fastify9:',
    start: async (port) => {
      const { client, disconnect } = await redis6(port);
      const store = new RedisStore({ client: client as never, prefix: 'fastify9:' });
      return fastifyApp(store as never, disconnect);
    },
  },
  {
    name: '@fastify/session with connect-redis 8 over ioredis 6',
    prefix: 'fastify8:',
    start: async (port) => {
      const { client, disconnect } = await ioredis6(port);
      const store = new RedisStore8({ client, prefix: 'fastify8:' });
      return fastifyApp(store as never, disconnect);
    },
  },
];

t.test('Koa and Fastify', (t) => webLives(t, KITS));
