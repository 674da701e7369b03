// A page that counts its visits in a session, with stock packages: only the address of the store is Tandis's.
//
//     node examples/express/app.js [port 3000] [redis://127.0.0.1:7001]
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

const port = Number(process.argv[2] ?? 3000);
const client = createClient({ url: process.argv[3] ?? 'redis://127.0.0.1:7001' });
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
app.get('/', (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.send(`You have been here ${request.session.views} times.\n`);
});
app.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
