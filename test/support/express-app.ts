import type { AddressInfo } from 'node:net';
import { RedisStore } from 'connect-redis';
import { RedisStore as OlderRedisStore } from 'connect-redis-8';
import express from 'express';
import session, { type Store } from 'express-session';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

/*
 * A web application as its documentation would have it: logins and a count of page views, kept in the session. It knows
 * nothing of Tandis but a port.
 *
 *     node express-app.js redis|ioredis <port of its node>
 */

declare module 'express-session' {
  interface SessionData {
    user: string;
    views: number;
  }
}

async function createStore(client: string, port: number): Promise<Store> {
  if (client === 'ioredis') return new OlderRedisStore({ client: new Redis({ port }) });
  const redis = createClient({ socket: { host: '127.0.0.1', port } });
  redis.on('error', (error) => console.error(String(error)));
  await redis.connect();
  return new RedisStore({ client: redis });
}

async function main(client: string, port: number): Promise<void> {
  const app = express();
  const store = await createStore(client, port);
  app.use(session({ store, secret: 'secret', resave: false, saveUninitialized: false }));
  app.post('/login/:user', (request, response) => {
    request.session.user = request.params.user;
    request.session.views = 0;
    response.json({ user: request.session.user, views: 0 });
  });
  app.get('/', (request, response) => {
    const { user, views = 0 } = request.session;
    if (user === undefined) {
      response.status(401).json({ error: 'not logged in' });
      return;
    }
    request.session.views = views + 1;
    response.json({ user, views: views + 1 });
  });
  const server = app.listen(0, '127.0.0.1', () => {
    console.log(`listening on ${(server.address() as AddressInfo).port}`);
  });
}

await main(process.argv[2]!, Number(process.argv[3]));
