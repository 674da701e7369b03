import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import { OptionError } from '../../base/option-values.js';
import { connectionTls, redisCliTls, serverTls, type TlsFlags } from './tls-client.js';

/** Nodes that the launcher starts at most: it is for trying things out on one machine. */
const NODES_MAX = 20;
const BUS_OFFSET = 10_000;
const COLOURS = [36, 33, 35, 32, 34, 31];
/** Milliseconds between two looks whether the cluster answers. */
const LOOK_MS = 100;

export interface ClusterOptions extends TlsFlags {
  readonly nodes: number;
  /** Client port of the first node; the others follow. */
  readonly port: number;
  readonly host: string;
  /** Path of the program that runs a node by `server`. */
  readonly program: string;
  /** Options that every node gets. */
  readonly serverOptions: readonly string[];
}

/** Whether all nodes answer and know of each other. */
async function answers(
  host: string,
  ports: readonly number[],
  tls: ConnectionOptions | undefined,
): Promise<boolean> {
  const counts = await Promise.all(
    ports.map(async (port) => {
      const client = new Redis({
        host,
        port,
        ...(tls === undefined ? {} : { tls }),
        lazyConnect: true,
        enableReadyCheck: false,
        retryStrategy: null,
        maxRetriesPerRequest: 0,
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        await client.ttl('tandis-launcher');
        return String(await client.cluster('NODES'))
          .trim()
          .split('\n').length;
      } catch {
        return 0;
      } finally {
        client.disconnect();
      }
    }),
  );
  return counts.every((count) => count === ports.length);
}

function wantsColours(): boolean {
  const { NO_COLOR } = process.env;
  return process.stdout.isTTY === true && NO_COLOR === undefined;
}

/** Starts the nodes of a small cluster as child processes of this one, shows what they log, and ends with them. */
class Launcher {
  readonly #options: ClusterOptions;
  readonly #ports: readonly number[];
  readonly #children = new Map<number, ChildProcess>();
  readonly #colours = wantsColours();
  #signals = 0;
  #done: (status: number) => void = () => undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#ports = Array.from({ length: options.nodes }, (_, i) => options.port + i);
  }

  /** Resolves to the exit status once all nodes have ended. */
  run(): Promise<number> {
    return new Promise((resolve) => {
      this.#done = resolve;
      for (const port of this.#ports) this.#startNode(port);
      process.on('SIGINT', () => this.#end('SIGINT'));
      process.on('SIGTERM', () => this.#end('SIGTERM'));
      void this.#announce();
    });
  }

  #startNode(port: number): void {
    const { host, program, serverOptions } = this.#options;
    const joins = this.#ports
      .filter((other) => other !== port)
      .flatMap((other) => ['--join', `${host}:${other + BUS_OFFSET}`]);
    // They end together, and nobody starts one again: none has to wait long for others to take its keys.
    const leaving = ['--leave-timeout', '2'];
    const own = [
      'server',
      ...serverTls(this.#options, port),
      '--bind',
      host,
      '--log-format',
      'text',
      ...leaving,
    ];
    const child = spawn(
      process.execPath,
      [...process.execArgv, program, ...own, ...joins, ...serverOptions],
      // A group of its own: Ctrl-C reaches the launcher alone, which ends the nodes. The channel ends them if it dies.
      { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true },
    );
    this.#children.set(port, child);
    this.#show(port, child.stdout!);
    this.#show(port, child.stderr!);
    child.on('close', (code, signal) => this.#ended(port, code, signal));
  }

  #show(port: number, lines: Readable): void {
    createInterface({ input: lines }).on('line', (line) => this.#print(port, line));
  }

  #print(port: number, line: string): void {
    const colour = COLOURS[(port - this.#options.port) % COLOURS.length];
    const prefix = this.#colours ? `\x1b[${colour}m${port} |\x1b[0m` : `${port} |`;
    process.stdout.write(`${prefix} ${line}\n`);
  }

  #ended(port: number, code: number | null, signal: string | null): void {
    this.#children.delete(port);
    const how = signal === null ? `exit status ${code}` : signal;
    this.#print(
      port,
      `node ${port} has ended (${how})${this.#signals > 0 ? '' : '; it stays dead'}`,
    );
    if (this.#children.size === 0) this.#done(this.#signals > 0 ? 0 : 1);
  }

  #end(signal: string): void {
    this.#signals += 1;
    const again = this.#signals > 1;
    const how = again ? 'ending them at once' : 'ending the nodes; once more ends them at once';
    process.stdout.write(`${signal}: ${how}\n`);
    for (const child of this.#children.values()) child.kill(again ? 'SIGKILL' : 'SIGTERM');
  }

  async #announce(): Promise<void> {
    const { host } = this.#options;
    const tls = connectionTls(this.#options);
    while (this.#signals === 0 && this.#children.size === this.#ports.length) {
      if (await answers(host, this.#ports, tls)) {
        process.stdout.write(this.#whatToTry());
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  #whatToTry(): string {
    const first = this.#ports[0]!;
    const second = this.#ports[1] ?? first;
    const last = this.#ports[this.#ports.length - 1]!;
    const tls = redisCliTls(this.#options);
    const cli = (port: number): string => `  redis-cli${tls} -p ${port}`;
    const lines = [
      `The cluster answers: ${this.#ports.length} nodes, ${this.#options.host}:${first} to ${last}. Try:`,
      `${cli(first)} set sess:1 hello EX 600    create a session through one node`,
      `${cli(second)} get sess:1                 read it through another`,
      `  kill -9 ${this.#children.get(first)?.pid ?? 'PID'}                                kill the node it was created on`,
      `${cli(last)} get sess:1                 it is still there`,
      `  ${process.argv0} ${this.#options.program} status${tls} -p ${last}`,
      'Ctrl-C ends all nodes.',
    ];
    return `\n${lines.join('\n')}\n\n`;
  }
}

/** `tandis cluster`: resolves to the exit status. Throws OptionError for ports that do not fit. */
export function runCluster(options: ClusterOptions): Promise<number> {
  if (options.nodes < 1 || options.nodes > NODES_MAX)
    throw new OptionError(`--nodes must be between 1 and ${NODES_MAX}`);
  if (options.port < 1 || options.port + options.nodes - 1 + BUS_OFFSET > 65_535)
    throw new OptionError(`--port ${options.port} leaves no bus ports 10000 above`);
  connectionTls(options);
  return new Launcher(options).run();
}
