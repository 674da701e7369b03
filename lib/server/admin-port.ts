import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Console as ConsolePage, ConsoleParts } from '../admin/console/console.js';
import type { NodeServices } from '../commands/services.js';

/** Who scrapes and probes; more connections are closed at once. */
const CONNECTIONS_MAX = 64;
const REQUEST_MS_MAX = 10_000;
const HEADER_BYTES_MAX = 8192;
const CONSOLE_PATH = '/console/';
const TEXT = 'text/plain; charset=utf-8';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly location?: string;
}

const text = (status: number, body: string): Answer => ({ status, type: TEXT, body: `${body}\n` });

/** Why stopping this node, or sending it traffic, would be wrong now; null when it is ready. */
function notReady({ cluster }: NodeServices): string | null {
  if (!cluster.serving) return 'serves no keys';
  if (cluster.self.leaving) return 'is leaving';
  const { settled, keysWithoutBackup } = cluster.tandis();
  if (keysWithoutBackup > 0) return `${keysWithoutBackup} keys without a backup`;
  return settled ? null : 'copies are on their way';
}

/**
 * HTTP for those who watch the node: the console, /healthz (the process answers), /readyz (200 while stopping this node would lose
 * no copy, else 503 with the reason), /metrics (Prometheus).
 */
export class AdminPort {
  readonly #server: Server;
  /** Null until the node has started. */
  #parts: ConsoleParts | null = null;
  #console: Promise<ConsolePage> | null = null;
  #metrics: Promise<{ readonly contentType: string; render(): Promise<string> }> | null = null;

  constructor() {
    const limits = { requestTimeout: REQUEST_MS_MAX, maxHeaderSize: HEADER_BYTES_MAX };
    this.#server = createServer(
      limits,
      // Whoever goes away in the middle of a request is told nothing.
      (request, response) => void this.#answer(request, response).catch(() => response.destroy()),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('drop', () => {
      this.#parts?.services.statistics.limits.add('admin-connections');
    });
  }

  /** Rejects with the system's error. */
  async listen(host: string, port: number): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  /** From now on it tells of this node. */
  open(parts: ConsoleParts): void {
    this.#parts = parts;
  }

  close(): void {
    void this.#console?.then((page) => page.close());
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0]!;
    if (this.#parts !== null && path.startsWith(CONSOLE_PATH)) {
      const page = await this.#openConsole(this.#parts);
      await page.answer(request, response, path.slice(CONSOLE_PATH.length));
      return;
    }
    const { status, type, body, location } = await this.#respond(request, path);
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
      ...(location === undefined ? {} : { Location: location }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  /** A node whose console nobody opens does without its memory. */
  #openConsole(parts: ConsoleParts): Promise<ConsolePage> {
    this.#console ??= import('../admin/console/console.js').then(
      ({ Console }) => new Console(parts),
    );
    return this.#console;
  }

  async #respond({ method }: IncomingMessage, path: string): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'GET or HEAD');
    if (this.#parts === null) return text(503, 'starting');
    const { services } = this.#parts;
    switch (path) {
      case '/':
      case '/console':
        return { ...text(302, CONSOLE_PATH), location: CONSOLE_PATH };
      case '/healthz':
        return text(200, 'ok');
      case '/readyz': {
        const reason = notReady(services);
        return reason === null ? text(200, 'ready') : text(503, reason);
      }
      case '/metrics': {
        // A node that nobody scrapes does without the library's memory and its watch over the event loop.
        this.#metrics ??= import('../admin/metrics.js').then(
          ({ Metrics }) => new Metrics(services),
        );
        const metrics = await this.#metrics;
        return { status: 200, type: metrics.contentType, body: await metrics.render() };
      }
      default:
        return text(404, '/console/, /healthz, /readyz, /metrics');
    }
  }
}
