import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import RedisParser from 'redis-parser';
import type { Access } from './asking.js';

/** Milliseconds that a node has to take a connection. */
const CONNECT_MS = 5000;

/** A command as the bytes that a client sends. */
export function encode(...words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = Buffer.from(word);
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

interface Awaited {
  readonly done: (reply: unknown) => void;
  readonly failed: (error: Error) => void;
}

/** A bare connection: what it costs is little beside what it measures. Replies come in the order of the commands. */
export class BenchConnection {
  readonly #socket: Socket;
  readonly #awaited: Awaited[] = [];
  #end: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const next = (): Awaited | undefined => this.#awaited.shift();
    const parser = new RedisParser({
      returnReply: (reply) => next()?.done(reply),
      returnError: (error) => next()?.failed(error),
      returnFatalError: (error) => socket.destroy(error),
    });
    socket.on('data', (bytes) => parser.execute(bytes));
    socket.on('error', (error) => {
      this.#end ??= error;
    });
    socket.on('close', () => {
      this.#end ??= new Error('the node has closed the connection');
      for (const { failed } of this.#awaited.splice(0)) failed(this.#end);
    });
  }

  /** Connects and logs in. Throws when it is not let in. */
  static async open(host: string, port: number, access: Access): Promise<BenchConnection> {
    const { user, password, tls } = access;
    const socket = tls === undefined ? connect(port, host) : connectTls({ ...tls, host, port });
    await new Promise<void>((resolve, reject) => {
      socket.once(tls === undefined ? 'connect' : 'secureConnect', resolve);
      socket.once('error', reject);
      socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no connection in time')));
    });
    socket.setTimeout(0);
    socket.setNoDelay(true);
    const connection = new BenchConnection(socket);
    const names = user === '' ? [] : [user];
    try {
      if (password !== '') await connection.ask(encode('AUTH', ...names, password));
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  get isOpen(): boolean {
    return this.#end === null;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Rejects with the error that the node answers, or that ended the connection. */
  ask(command: Buffer): Promise<unknown> {
    if (this.#end !== null) return Promise.reject(this.#end);
    return new Promise((done, failed) => {
      this.#awaited.push({ done, failed });
      this.#socket.write(command);
    });
  }
}
