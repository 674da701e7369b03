import { randomUUID } from 'node:crypto';
import Koa from 'koa';
import koaRedis from 'koa-redis';
import { createSession } from 'koa-session';
import { listening } from './listening.js';
import type { WebApplication } from './web-life.js';

type Page = (context: Koa.Context, session: Koa.Session, argument: string) => void | Promise<void>;

const PAGES: Readonly<Record<string, Page>> = {
  'POST /login': (_context, session, user) => {
    session['user'] = user;
    session['views'] = 0;
  },
  'GET /': (_context, session) => {
    if (session['user'] !== undefined) session['views'] = Number(session['views']) + 1;
  },
  'GET /look': () => undefined,
  'POST /regenerate': (_context, session) => session.regenerate(),
  'POST /short': (_context, session) => {
    session.maxAge = 1000;
  },
  'POST /logout': (context) => {
    context.session = null;
  },
};

/** A Koa application with koa-session over koa-redis and the client that comes with it. */
export async function koaApp(port: number, prefix: string): Promise<WebApplication> {
  const store = koaRedis({ host: '127.0.0.1', port });
  store.on('error', () => undefined);
  const app = new Koa();
  app.keys = ['secret'];
  app.on('error', () => undefined);
  const genid = (context: Koa.Context): string => {
    context.state['newKey'] = prefix + randomUUID();
    return context.state['newKey'];
  };
  app.use(createSession({ store, rolling: true, genid }, app));
  app.use(async (context) => {
    const [, page, argument = ''] = context.path.split('/');
    await PAGES[`${context.method} /${page}`]!(context, context.session!, argument);
    const { session } = context;
    if (session?.['user'] === undefined) {
      context.status = context.path === '/logout' ? 200 : 401;
      context.body = {};
      return;
    }
    const key = context.state['newKey'] ?? session.externalKey;
    context.body = {
      id: key.slice(prefix.length),
      user: session['user'],
      views: session['views'],
    };
  });
  const { url, close } = await listening(app.listen(0, '127.0.0.1'));
  const end = async () => {
    await close();
    store.client.disconnect();
  };
  return { url, list: null, clear: null, close: end };
}
