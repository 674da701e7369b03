import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { PACKAGE_ROOT } from '../base/package.js';

/** Pages that look on at the same time. */
const WATCHERS_MAX = 50;
/** Where the page's files are: in the source tree, which the package has, too. */
const FILES = new URL('lib/demo/page/', PACKAGE_ROOT);
const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;
const NAMES: Readonly<Record<string, string>> = {
  '/': 'index.html',
  '/page.css': 'page.css',
  '/page.js': 'page.js',
  '/icon.svg': 'icon.svg',
};
/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const SECURITY = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};
const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** What the page can ask for. */
export interface Actions {
  /** Hands a request for /app/ on to the applications. */
  toApplication(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** `kill` or `start` a place by its route. Resolves to null, or why not. */
  order(what: 'kill' | 'start', route: string): Promise<string | null>;
}

/** The page, its events, and its two orders; everything under /app/ goes to the applications. */
export class PageServer {
  readonly #server: Server;
  readonly #actions: Actions;
  readonly #watchers = new Set<ServerResponse>();
  readonly #host: string;
  #status = '';

  constructor(host: string, actions: Actions) {
    this.#host = host;
    this.#actions = actions;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: Error) => {
        if (!response.headersSent) answer(response, 500, error.message);
        else response.destroy();
      });
    });
  }

  /** Resolves to the port. Throws what `listen` does. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, this.#host, () => {
        const address = this.#server.address();
        resolve(address !== null && typeof address === 'object' ? address.port : port);
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** What every page is told from now on. */
  tell(status: object): void {
    this.#status = `data: ${JSON.stringify(status)}\n\n`;
    for (const watcher of this.#watchers) watcher.write(this.#status);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SECURITY)) response.setHeader(name, value);
    const { method, url = '/', headers } = request;
    // A name of somebody else's that leads here would let that page give orders.
    const isHere = !LOOPBACK.test(this.#host) || LOOPBACK.test(headers.host ?? '');
    if (!isHere) return answer(response, 421, 'by this name nothing is served here');
    if (url.startsWith('/app/')) return this.#actions.toApplication(request, response);
    const order = /^\/demo\/(kill|start)\/(\w+)$/.exec(url);
    if (order !== null && method === 'POST') return this.#order(order, request, response);
    if (method !== 'GET') return answer(response, 405, 'GET only');
    if (url === '/demo/events') return this.#watch(response);
    const name = NAMES[url];
    if (name === undefined) return answer(response, 404, 'there is nothing here');
    const type = TYPES[name.slice(name.indexOf('.') + 1) as keyof typeof TYPES];
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache' });
    response.end(readFileSync(new URL(name, FILES)));
  }

  async #order(
    [, what, route]: RegExpExecArray,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    // Only a page of this origin can set it.
    if (request.headers['x-tandis-demo'] === undefined)
      return answer(response, 403, 'not from here');
    const refusal = await this.#actions.order(what as 'kill' | 'start', route!);
    answer(response, refusal === null ? 200 : 409, refusal ?? 'done');
  }

  #watch(response: ServerResponse): void {
    if (this.#watchers.size >= WATCHERS_MAX) return answer(response, 503, 'too many look on');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(this.#status);
    this.#watchers.add(response);
    response.on('close', () => this.#watchers.delete(response));
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
