// A page that counts its visits in a session, with the node that keeps it in the same process.
//
//     node examples/in-process/app.js [port 3000] [bus port 17001] [bus address of another, host:port ...]
import express from 'express';
import session from 'express-session';
import { createNode } from 'tandis';
import { createStore } from 'tandis/express';

const [port = '3000', busPort = '17001', ...join] = process.argv.slice(2);
const node = await createNode({ clusterPort: Number(busPort), join });
await node.ready();

const app = express();
app.use(
  session({
    store: createStore(session, { node }),
    secret: 'replace this',
    resave: false,
    saveUninitialized: false,
  }),
);
app.get('/', (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.send(`You have been here ${request.session.views} times.\n`);
});
const server = app.listen(Number(port), '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${server.address().port}`),
);

// First the last requests, then the node, which hands over what it holds.
process.once('SIGTERM', () => {
  server.close(() => node.close());
  server.closeIdleConnections();
});
