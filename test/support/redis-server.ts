import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCommand, type Reply, ReplyReader } from './resp.js';

/** A Redis that does not say by then that it is ready never does. */
const START_MS = 10_000;
/** A reply that is not there by then never comes. */
const REPLY_MS = 5000;

/** Why there is no reference to compare with; null when there is one. Under CI=true a missing one is an error. */
export function missingRedis(): string | null {
  const { error } = spawnSync('redis-server', ['--version']);
  if (!error) return null;
  const reason = 'redis-server is not installed: nothing to compare with';
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A real redis-server on a port of its own, without persistence; `start` resolves when it accepts connections. */
export class RedisServer {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, process: ChildProcess, directory: string) {
    this.port = port;
    this.#process = process;
    this.#directory = directory;
  }

  static async start(...options: string[]): Promise<RedisServer> {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), 'redis-'));
    const base = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory];
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const child = spawn('redis-server', [...base, ...options], { stdio: [...stdio] });
    const server = new RedisServer(port, child, directory);
    try {
      await server.#ready();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async #ready(): Promise<void> {
    const output = this.#process.stdout!;
    const late = setTimeout(() => this.#process.kill('SIGKILL'), START_MS);
    let log = '';
    try {
      for await (const chunk of output.iterator({ destroyOnReturn: false })) {
        log += chunk;
        if (/ready to accept connections/i.test(log)) return;
      }
    } finally {
      clearTimeout(late);
      // What it says later is of no interest, and must not fill the pipe.
      output.resume();
    }
    throw new Error(`redis-server did not start:\n${log}`);
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode === null && signalCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    rmSync(this.#directory, { recursive: true });
  }
}

/** A plain connection on which one command is asked after the other. */
export class RespConnection {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();
  readonly #waiting: ((answer: { reply: Reply; bytes: string }) => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#reader.feed(chunk);
      for (let next = this.#reader.next(); next; next = this.#reader.next()) {
        this.#waiting.shift()?.(next);
      }
    });
  }

  static async open(port: number): Promise<RespConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RespConnection(socket);
  }

  ask(...args: (string | Buffer)[]): Promise<{ reply: Reply; bytes: string }> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`no reply to ${JSON.stringify(args)}`));
      const timeout = setTimeout(late, REPLY_MS);
      this.#waiting.push((answer) => {
        clearTimeout(timeout);
        resolve(answer);
      });
      this.#socket.write(encodeCommand(args));
    });
  }

  /** As `ask`, for a reply that may take as long as it likes. */
  wait(...args: (string | Buffer)[]): Promise<{ reply: Reply; bytes: string }> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.write(encodeCommand(args));
    });
  }

  /** Sends bytes as they are, without waiting for anything. */
  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }
}
