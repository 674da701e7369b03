import { connect, type Socket } from 'node:net';
import RedisParser from 'redis-parser';
import { encode } from '../load/request-bytes.js';
import type { Endpoint } from '../load/run-spec.js';

export type Reply = string | number | null | Error | Reply[];

const REPLY_MS_MAX = 5000;

/** Asks a server single questions; not for load. */
export class AdminClient {
  private readonly socket: Socket;
  private readonly waiting: ((reply: Reply) => void)[] = [];

  constructor(endpoint: Endpoint) {
    this.socket = connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
    const parser = new RedisParser({
      returnReply: (reply: Reply) => this.waiting.shift()?.(reply),
      returnError: (error: Error) => this.waiting.shift()?.(error),
      returnFatalError: (error: Error) => this.socket.destroy(error),
    });
    this.socket.on('data', (data) => parser.execute(data));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      for (const resolve of this.waiting.splice(0)) resolve(new Error('connection closed'));
    });
  }

  /**
   * The reply to a command; an Error, never a rejection, for error replies, broken connections and
   * silence.
   */
  ask(...args: string[]): Promise<Reply> {
    return this.send(encode(...args), REPLY_MS_MAX);
  }

  /** The same of an encoded command, latin1, that may take so long. */
  send(encoded: string, replyMsMax: number): Promise<Reply> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) {
        resolve(new Error('connection closed'));
        return;
      }
      const timer = setTimeout(() => this.socket.destroy(), replyMsMax);
      this.waiting.push((reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
      this.socket.write(encoded, 'latin1');
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

/** One question on a connection of its own. */
export async function askOnce(endpoint: Endpoint, ...args: string[]): Promise<Reply> {
  const client = new AdminClient(endpoint);
  try {
    return await client.ask(...args);
  } finally {
    client.close();
  }
}
