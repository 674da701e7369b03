import {
  Agent,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';

/** Bytes of a request that may be sent to a second application when the first one is gone; larger ones get 413. */
const BODY_BYTES_MAX = 64 * 1024;
/** An application that is silent for so long counts as gone, milliseconds. */
const ANSWER_MS = 20_000;
/** Headers that concern one connection, not the message. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

/** One application behind the balancer. */
export interface Target {
  /** What the route cookie says. */
  readonly route: string;
  /** Where it listens; null while it does not. */
  readonly applicationPort: number | null;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: Buffer;
}

/** A target that may not have run the request, or must be asked again where asking twice does no harm. */
class Unanswered extends Error {
  readonly wasSent: boolean;
  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message);
    this.wasSent = cause.code !== 'ECONNREFUSED';
  }
}

async function bodyOf(message: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * A sticky load balancer as they all are: the first request of a user goes to the applications in turn, and a cookie keeps the
 * user there. An application that refuses or resets the connection is passed over, and the cookie names the next one
 * from then on. A request that has been sent is sent again only when it is a GET.
 */
export class Balancer {
  /** Requests that were answered by another application than the one that their cookie names. */
  failedOver = 0;
  readonly #targets: readonly Target[];
  readonly #cookie: string;
  readonly #agent = new Agent({ keepAlive: true });
  #turn = 0;

  constructor(targets: readonly Target[], cookie: string) {
    this.#targets = targets;
    this.#cookie = cookie;
  }

  close(): void {
    this.#agent.destroy();
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request, BODY_BYTES_MAX);
    if (body === null) return plain(response, 413, 'too long');
    const cookies = request.headers.cookie ?? '';
    const routed = new RegExp(`(?:^|;\\s*)${this.#cookie}=(\\w+)`).exec(cookies)?.[1];
    for (const target of this.#inOrder(routed)) {
      try {
        const answer = await this.#ask(target, request, body);
        if (routed !== undefined && routed !== target.route) this.failedOver++;
        if (routed !== target.route) this.#setCookie(answer, target);
        response.writeHead(answer.status, answer.headers);
        response.end(answer.body);
        return;
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        if (error.wasSent && request.method !== 'GET') return plain(response, 502, error.message);
      }
    }
    plain(response, 503, 'no application answers');
  }

  /** The one that the user is stuck to first, then the others, each time another one first: its users are spread. */
  #inOrder(routed: string | undefined): Target[] {
    const count = this.#targets.length;
    const turn = this.#turn++;
    const order = this.#targets.map((_, i) => this.#targets[(turn + i) % count]!);
    const first = order.filter(({ route }) => route === routed);
    return [...first, ...order.filter(({ route }) => route !== routed)];
  }

  #setCookie(answer: Answer, { route }: Target): void {
    const cookies = [answer.headers['set-cookie'] ?? []].flat();
    answer.headers['set-cookie'] = [...cookies, `${this.#cookie}=${route}; Path=/; SameSite=Lax`];
  }

  #ask(target: Target, { method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(new Unanswered(error));
      const { applicationPort: port } = target;
      if (port === null) {
        failed(Object.assign(new Error('does not run'), { code: 'ECONNREFUSED' }));
        return;
      }
      const place = { host: '127.0.0.1', port, agent: this.#agent, timeout: ANSWER_MS };
      const sent = httpRequest({ ...place, method, path: url, headers }, (message) => {
        // Whole or not at all: half an answer would be one that cannot be asked for again elsewhere.
        bodyOf(message, Number.POSITIVE_INFINITY).then((whole) => {
          const kept = Object.entries(message.headers).filter(([name]) => !HOP_BY_HOP.has(name));
          const headers = Object.fromEntries(kept) as Answer['headers'];
          resolve({ status: message.statusCode!, headers, body: whole! });
        }, failed);
      });
      sent.on('timeout', () => sent.destroy(new Error('silent')));
      sent.on('error', failed);
      sent.end(body);
    });
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(`${text}\n`);
}
