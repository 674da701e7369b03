import { once } from 'node:events';
import { Socket } from 'node:net';
import { encodeCommand, type Reply, ReplyReader } from '../support/resp.js';

/** The connection ended before the reply came. */
export class ConnectionLost extends Error {}

/** One client connection, one command at a time. */
export class Connection {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  #waiting: { resolve(reply: Reply): void; reject(error: Error): void } | null = null;
  isOpen = true;

  /** Rejects with the system's error. */
  static async open(port: number): Promise<Connection> {
    const socket = new Socket();
    socket.setNoDelay(true);
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Connection(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => undefined);
    // A node that says goodbye ends its side first: nothing is sent to it any more.
    socket.on('end', () => this.close());
    socket.on('close', () => this.close());
  }

  /** Rejects with ConnectionLost. */
  call(args: readonly string[]): Promise<Reply> {
    if (!this.isOpen) return Promise.reject(new ConnectionLost());
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(encodeCommand(args));
    });
  }

  close(): void {
    this.isOpen = false;
    this.#socket.destroy();
    this.#waiting?.reject(new ConnectionLost());
    this.#waiting = null;
  }

  #read(chunk: Buffer): void {
    this.#reader.feed(chunk);
    for (let next = this.#reader.next(); next !== null; next = this.#reader.next()) {
      const waiting = this.#waiting;
      this.#waiting = null;
      if (waiting === null) throw new Error(`a reply that nobody asked for: ${next.bytes}`);
      waiting.resolve(next.reply);
    }
  }
}
