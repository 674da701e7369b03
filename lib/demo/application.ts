import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
import express, { type Request, type Response } from 'express';
import session from 'express-session';
import { createClient } from 'redis';

/*
 * The web application of the demo, as its documentation would have it: logins, and a session with a counter and a basket. It
 * knows nothing of Tandis but a port, save for /app/where, which asks where the session is.
 *
 *     node application.js <route> <port of its node>, with the secret in DEMO_SECRET
 *
 * It is a child with a channel: it says its port there, and ends with its parent.
 */

const PREFIX = 'sess:';
/** Characters of a name or a thing in the basket. */
const WORD_MAX = 40;
/** A node that is still joining is asked again after so long, milliseconds. */
const RETRY_MS = 50;
/** Things in the basket. */
const BASKET_MAX = 8;

declare module 'express-session' {
  interface SessionData {
    user: string;
    views: number;
    since: number;
    basket: string[];
  }
}

const [route, port] = process.argv.slice(2) as [string, string];
const secret = process.env['DEMO_SECRET']!;
process.on('disconnect', () => process.exit());

const client = createClient({ url: `redis://127.0.0.1:${port}` });
client.on('error', () => undefined);
await client.connect();
while (!(await serves())) await delay(RETRY_MS);

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(express.json({ limit: '2kb' }));
app.use(
  session({
    store: new RedisStore({ client, prefix: PREFIX }),
    name: 'tandis-demo',
    secret,
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax' },
  }),
);

/** Whether the node has joined its cluster; until then it answers LOADING. */
async function serves(): Promise<boolean> {
  try {
    await client.ttl(`${PREFIX}none`);
    return true;
  } catch (error) {
    if ((error as Error).message.startsWith('LOADING')) return false;
    throw error;
  }
}

function word(value: unknown): string {
  return typeof value === 'string' ? value.trim().slice(0, WORD_MAX) : '';
}

/** Answers with what the session holds, once it is kept: what the user has seen is on two nodes. */
async function answer({ session: kept }: Request, response: Response): Promise<void> {
  await promisify(kept.save.bind(kept))();
  const { user, views, since, basket } = kept;
  response.set('cache-control', 'no-store');
  response.json({ user, views, since, basket, by: route });
}

/** Whether somebody is logged in; says so when not. */
function isLoggedIn({ session: { user } }: Request, response: Response): boolean {
  if (user !== undefined) return true;
  response.status(401).json({ error: 'not logged in', by: route });
  return false;
}

app.post('/app/login', async (request, response) => {
  await promisify(request.session.regenerate.bind(request.session))();
  const { session: fresh } = request;
  fresh.user = word(request.body?.user) || 'somebody';
  fresh.views = 0;
  fresh.since = Date.now();
  fresh.basket = [];
  await answer(request, response);
});

app.get('/app/visit', async (request, response) => {
  if (!isLoggedIn(request, response)) return;
  request.session.views = (request.session.views ?? 0) + 1;
  await answer(request, response);
});

app.post('/app/basket', async (request, response) => {
  if (!isLoggedIn(request, response)) return;
  const thing = word(request.body?.thing);
  if (thing !== '') {
    request.session.basket = [...(request.session.basket ?? []), thing].slice(-BASKET_MAX);
  }
  await answer(request, response);
});

app.post('/app/logout', async (request, response) => {
  await promisify(request.session.destroy.bind(request.session))();
  response.json({ by: route });
});

/** CLUSTER LOCATE answers pairs, or with RESP3 a map. */
function fieldsOf(reply: unknown): Record<string, unknown> {
  if (!Array.isArray(reply)) return reply as Record<string, unknown>;
  return Object.fromEntries(
    Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]),
  );
}

app.get('/app/where', async (request, response) => {
  if (!isLoggedIn(request, response)) return;
  const key = PREFIX + request.sessionID;
  const { primary, backup, version, settled } = fieldsOf(
    await client.sendCommand(['CLUSTER', 'LOCATE', key]),
  );
  // Who knows a session's id is its user: the page is told the beginning of it.
  const shown = `${key.slice(0, PREFIX.length + 6)}…`;
  response.set('cache-control', 'no-store');
  response.json({ key: shown, primary, backup, version, settled: settled === 1 });
});

app.use((error: Error, _request: Request, response: Response, next: () => void) => {
  if (response.headersSent) return next();
  response.status(503).json({ error: error.message, by: route });
});

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send!({ port: address.port });
});
