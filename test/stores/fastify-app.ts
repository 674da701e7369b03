import cookie from '@fastify/cookie';
import session from '@fastify/session';
import fastify, { type FastifyRequest } from 'fastify';
import { listsOf } from './connect-redis-lists.js';
import { listening } from './listening.js';
import type { SessionPage, WebApplication } from './web-life.js';

declare module 'fastify' {
  interface Session {
    user?: string;
    views?: number;
  }
}

const SECRET = 'a secret of at least thirty-two characters';

function answer({ session }: FastifyRequest): SessionPage {
  const { user, views } = session;
  if (user === undefined || views === undefined) {
    throw Object.assign(new Error('logged out'), { statusCode: 401 });
  }
  return { id: session.sessionId, user, views };
}

/** A Fastify application with @fastify/session over a store of connect-redis; `disconnect` ends its client. */
export async function fastifyApp(
  store: session.SessionStore,
  disconnect: () => unknown,
): Promise<WebApplication> {
  const app = fastify();
  await app.register(cookie);
  await app.register(session, {
    store,
    secret: SECRET,
    cookie: { secure: false, maxAge: 86_400_000 },
    saveUninitialized: false,
  });
  app.post<{ Params: { user: string } }>('/login/:user', async (request) => {
    request.session.user = request.params.user;
    request.session.views = 0;
    return answer(request);
  });
  app.get('/', async (request) => {
    const { views } = request.session;
    if (views !== undefined) request.session.views = views + 1;
    return answer(request);
  });
  app.get('/look', async (request) => answer(request));
  app.post('/regenerate', async (request) => {
    await request.session.regenerate(['user', 'views']);
    return answer(request);
  });
  app.post('/short', async (request) => {
    request.session.options({ maxAge: 1000 });
    return answer(request);
  });
  app.post('/logout', async (request) => {
    await request.session.destroy();
    return {};
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { url } = await listening(app.server);
  const close = async () => {
    app.server.closeAllConnections();
    await app.close();
    await disconnect();
  };
  return { url, ...listsOf(store), close };
}
