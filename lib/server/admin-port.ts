import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { NodeServices } from '../commands/services.js';

/** Who scrapes and probes; more connections are closed at once. */
const CONNECTIONS_MAX = 64;
const REQUEST_MS_MAX = 10_000;
const HEADER_BYTES_MAX = 8192;
const TEXT = 'text/plain; charset=utf-8';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
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
 * HTTP for those who watch the node: /healthz (the process answers), /readyz (200 while stopping this node would lose
 * no copy, else 503 with the reason), /metrics (Prometheus).
 */
export class AdminPort {
  readonly #server: Server;
  /** Null until the node has started. */
  #services: NodeServices | null = null;
  #metrics: Promise<{ readonly contentType: string; render(): Promise<string> }> | null = null;

  constructor() {
    const limits = { requestTimeout: REQUEST_MS_MAX, maxHeaderSize: HEADER_BYTES_MAX };
    this.#server = createServer(
      limits,
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Rejects with the system's error. */
  async listen(host: string, port: number): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  /** From now on it tells of this node. */
  open(services: NodeServices): void {
    this.#services = services;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#respond(request);
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async #respond({ method, url = '' }: IncomingMessage): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'GET or HEAD');
    const services = this.#services;
    if (services === null) return text(503, 'starting');
    switch (url.split('?', 1)[0]) {
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
        return text(404, '/healthz, /readyz, /metrics');
    }
  }
}
