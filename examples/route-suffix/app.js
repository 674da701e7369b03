// A page that counts its visits, behind a balancer that reads the route from the end of the session cookie.
//
//     node examples/route-suffix/app.js <port> <redis://127.0.0.1:7001> <route: a, b or c>
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { routeSuffix } from './route-suffix.js';

const [port, url, route] = process.argv.slice(2);
const client = createClient({ url });
client.on('error', (error) => console.error(error.message));
await client.connect();

const app = express();
app.use(routeSuffix('sid', route));
app.use(
  session({
    name: 'sid',
    store: new RedisStore({ client, prefix: 'sess:' }),
    secret: 'replace this',
    resave: false,
    saveUninitialized: false,
  }),
);

app.get('/', (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.json({ views: request.session.views, route, id: request.sessionID });
});
app.post('/logout', (request, response) => {
  request.session.destroy(() => response.clearCookie('sid').json({ route }));
});
app.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
