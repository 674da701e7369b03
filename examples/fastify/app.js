// A page that counts its visits in a session, with stock packages: only the address of the store is Tandis's.
//
//     node examples/fastify/app.js [port 3000] [redis://127.0.0.1:7001]
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { RedisStore } from 'connect-redis';
import fastify from 'fastify';
import { createClient } from 'redis';

const port = Number(process.argv[2] ?? 3000);
const client = createClient({ url: process.argv[3] ?? 'redis://127.0.0.1:7001' });
client.on('error', (error) => console.error(error.message));
await client.connect();

const app = fastify();
await app.register(cookie);
await app.register(session, {
  store: new RedisStore({ client, prefix: 'fastify:' }),
  secret: 'replace this by at least thirty-two characters',
  cookie: { secure: false, maxAge: 86_400_000 },
});
app.get('/', async (request) => {
  request.session.views = (request.session.views ?? 0) + 1;
  return `You have been here ${request.session.views} times.\n`;
});
await app.listen({ port, host: '127.0.0.1' });
console.log(`http://127.0.0.1:${port}`);
