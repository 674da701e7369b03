import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A server that has not ended so long after SIGTERM gets SIGKILL, unless another time is given. */
const TERM_MS_MAX = 5000;
/** Output of a server that is kept for error messages. */
const OUTPUT_BYTES_MAX = 4096;

const running = new Set<Child>();

/** A server process of ours in a temporary directory of its own; it never outlives this process. */
export class Child {
  readonly pid: number;
  readonly directory: string;
  private readonly process: ChildProcess;
  private readonly ended: Promise<unknown>;
  private output = '';
  private isOver = false;

  constructor(command: string, args: readonly string[]) {
    this.directory = mkdtempSync(join(tmpdir(), 'tandis-bench-'));
    this.process = spawn(command, args, {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in the terminal reaches only us, and we end it in order.
      detached: true,
    });
    this.pid = this.process.pid ?? -1;
    // Closed: ended, and all output read. A command that could not be started gives an error
    // instead.
    this.ended = once(this.process, 'close')
      .catch((error: Error) => {
        this.output += error.message;
      })
      .then(() => {
        this.isOver = true;
      });
    const keep = (chunk: Buffer) => {
      this.output = (this.output + chunk.toString('latin1')).slice(-OUTPUT_BYTES_MAX);
    };
    this.process.stdout!.on('data', keep);
    this.process.stderr!.on('data', keep);
    running.add(this);
  }

  get hasEnded(): boolean {
    return this.isOver;
  }

  /** The last output, for messages. */
  get lastOutput(): string {
    return this.output.trim();
  }

  /**
   * Ends the process by SIGTERM, or by SIGKILL when that takes too long, and removes its directory.
   */
  async stop(termMsMax = TERM_MS_MAX): Promise<void> {
    if (!this.hasEnded) {
      this.process.kill('SIGTERM');
      const timer = setTimeout(() => this.process.kill('SIGKILL'), termMsMax);
      await this.ended;
      clearTimeout(timer);
    }
    this.forget();
  }

  /** Sends a signal and waits for nothing. */
  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** The same at once, for the exit of this process. */
  kill(): void {
    if (!this.hasEnded) this.process.kill('SIGKILL');
    this.forget();
  }

  private forget(): void {
    running.delete(this);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Ends all servers when this process ends, also by Ctrl-C. */
export function endChildrenOnExit(): void {
  process.on('exit', () => {
    for (const child of [...running]) child.kill();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => process.exit(130));
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      if (!server.listening) await once(server, 'listening');
      return (server.address() as { port: number }).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
