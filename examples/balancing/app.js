// A page that counts its visits, behind a sticky balancer: it names the route of the application that has answered.
//
//     node examples/balancing/app.js <port> <redis://127.0.0.1:7001> <route: a, b or c>
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

const [port, url, route] = process.argv.slice(2);
const client = createClient({ url });
client.on('error', (error) => console.error(error.message));
await client.connect();

const app = express();
app.use(
  session({
    store: new RedisStore({ client, prefix: 'sess:' }),
    secret: 'replace this',
    resave: false,
    saveUninitialized: false,
  }),
);

// Who answers keeps the user: the session is read through the node beside this application, and that node becomes its
// primary. A user who was sent here as its own application is gone stays here from now on, also when that one returns.
app.use((request, response, next) => {
  const named = /(?:^|;\s*)route=\.(\w+)/.exec(request.headers.cookie ?? '')?.[1];
  if (named !== route) response.cookie('route', `.${route}`, { httpOnly: true, sameSite: 'lax' });
  next();
});

app.get('/', (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.json({ views: request.session.views, route });
});
app.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
