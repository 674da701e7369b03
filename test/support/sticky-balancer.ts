import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Headers that concern one connection, not the message. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding'];

/**
 * A load balancer as they all are: the first request of a user goes to the instances in turn, a cookie keeps the user
 * there. An instance that refuses or resets the connection is passed over; a GET is then tried at another one. When none
 * has answered the user gets a 502 with what each has said.
 *
 * Each request has a connection of its own: one that is kept may reach its idle limit at an instance just as a request is
 * sent, and an instance that is well would be passed over.
 */
export class StickyBalancer {
  /** Ports of the instances; what a route cookie names is the place in this list. */
  readonly instances: number[];
  /** Requests that were answered by another instance than the one they were routed to. */
  failedOver = 0;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: false });
  #turn = 0;

  private constructor(instances: readonly number[]) {
    this.instances = [...instances];
    this.#server = createServer((request, response) => this.#handle(request, response));
  }

  static async start(instances: readonly number[]): Promise<StickyBalancer> {
    const balancer = new StickyBalancer(instances);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const cookie = /\broute=(\d+)/.exec(request.headers.cookie ?? '')?.[1];
    const routed = cookie === undefined ? this.#turn++ % this.instances.length : Number(cookie);
    const others = this.instances.map((_, i) => i).filter((i) => i !== routed);
    // Users of a lost instance are spread over all others.
    if (this.#turn++ % 2 === 1) others.reverse();
    this.#tryInOrder([routed, ...others], request, response, []);
  }

  #tryInOrder(
    order: readonly number[],
    request: IncomingMessage,
    response: ServerResponse,
    failures: readonly string[],
  ): void {
    const [instance, ...others] = order as [number, ...number[]];
    const { method, url, headers } = request;
    const options = { host: '127.0.0.1', port: this.instances[instance]!, agent: this.#agent };
    let isOver = false;
    const failed = (error: NodeJS.ErrnoException): void => {
      if (isOver) return;
      isOver = true;
      const mayRetry = method === 'GET' || error.code === 'ECONNREFUSED';
      const all = [...failures, `instance ${instance}: ${error}`];
      if (!mayRetry || others.length === 0) {
        response.writeHead(502, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: all }));
        return;
      }
      this.failedOver++;
      this.#tryInOrder(others, request, response, all);
    };
    const sent = httpRequest({ ...options, method, path: url, headers }, (answer) => {
      // Whole or not at all: half a page would be one that cannot be asked for again elsewhere.
      buffer(answer).then((body) => {
        isOver = true;
        for (const name of HOP_BY_HOP) delete answer.headers[name];
        const cookies = [...(answer.headers['set-cookie'] ?? []), `route=${instance}; Path=/`];
        response.writeHead(answer.statusCode!, { ...answer.headers, 'set-cookie': cookies });
        response.end(body);
      }, failed);
    });
    sent.on('error', failed);
    sent.end();
  }
}
