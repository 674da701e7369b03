import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import session, { type Store } from 'express-session';
import type { WebApplication } from './web-life.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
    views: number;
  }
}

/** A server's address, once it listens, and its end. */
export async function listening(server: Server): Promise<{ url: string; close(): Promise<void> }> {
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
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

/** connect-redis answers by callback or promise, by its version. */
interface ListingStore {
  ids(done: (error: Error | null, ids: string[]) => void): unknown;
  clear(done: (error: Error | null) => void): unknown;
}

/** An Express application that keeps its sessions in this store; `disconnect` ends the store's client. */
export async function expressApp(store: Store, disconnect: () => unknown): Promise<WebApplication> {
  const { url, close } = await listening(pages(store).listen(0, '127.0.0.1'));
  const listing = store as Store & ListingStore;
  return {
    url,
    list: () =>
      new Promise((resolve, reject) =>
        listing.ids((error, ids) => (error ? reject(error) : resolve(ids))),
      ),
    clear: () =>
      new Promise<void>((resolve, reject) =>
        listing.clear((error) => (error ? reject(error) : resolve())),
      ),
    close: async () => {
      await close();
      await disconnect();
    },
  };
}
