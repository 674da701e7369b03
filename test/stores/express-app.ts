import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import session, { type Store } from 'express-session';
import { listsOf } from './connect-redis-lists.js';
import { listening } from './listening.js';
import type { WebApplication } from './web-life.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
    views: number;
  }
}

function answer(request: Request, response: Response): void {
  const { user, views } = request.session;
  if (user === undefined) response.status(401).json({});
  else response.json({ id: request.sessionID, user, views });
}

const onError: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(500).json({ error: String(error) });
};

function pages(store: Store): express.Express {
  const app = express();
  app.use(session({ store, secret: 'secret', resave: false, saveUninitialized: false }));
  app.post('/login/:user', (request, response) => {
    request.session.user = request.params.user;
    request.session.views = 0;
    answer(request, response);
  });
  app.get('/', (request, response) => {
    if (request.session.user !== undefined) request.session.views = request.session.views! + 1;
    answer(request, response);
  });
  app.get('/look', answer);
  app.post('/regenerate', (request, response, next) => {
    const { user, views } = request.session;
    request.session.regenerate((error) => {
      if (error) return next(error);
      Object.assign(request.session, { user, views });
      return answer(request, response);
    });
  });
  app.post('/short', (request, response) => {
    request.session.cookie.maxAge = 1000;
    answer(request, response);
  });
  app.post('/logout', (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.json({})));
  });
  app.use(onError);
  return app;
}

/** An Express application that keeps its sessions in this store; `disconnect` ends the store's client. */
export async function expressApp(store: Store, disconnect: () => unknown): Promise<WebApplication> {
  const { url, close } = await listening(pages(store).listen(0, '127.0.0.1'));
  return {
    url,
    ...listsOf(store),
    close: async () => {
      await close();
      await disconnect();
    },
  };
}
