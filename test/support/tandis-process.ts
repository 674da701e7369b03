import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from './redis-server.js';

const PROGRAM = fileURLToPath(new URL('../../bin/tandis.js', import.meta.url));

/** A real Tandis node in a process of its own, on ports of its own. */
export class TandisProcess {
  readonly port: number;
  readonly busPort: number;
  readonly #process: ChildProcess;

  private constructor(port: number, busPort: number, process: ChildProcess) {
    this.port = port;
    this.busPort = busPort;
    this.#process = process;
  }

  static async start(...options: string[]): Promise<TandisProcess> {
    return TandisProcess.#startOn(await freePort(), await freePort(), options);
  }

  /** So many nodes that know each other's addresses. */
  static async startCluster(nodes: number): Promise<TandisProcess[]> {
    const ports: [port: number, busPort: number][] = [];
    for (let i = 0; i < nodes; i++) ports.push([await freePort(), await freePort()]);
    const join = ports.flatMap(([, busPort]) => ['--join', `127.0.0.1:${busPort}`]);
    return ports.map(([port, busPort]) => TandisProcess.#startOn(port, busPort, join));
  }

  static #startOn(port: number, busPort: number, options: readonly string[]): TandisProcess {
    const ports = ['--port', String(port), '--cluster-port', String(busPort)];
    const args = [PROGRAM, 'server', ...ports, '--loglevel', 'warning', ...options];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    return new TandisProcess(port, busPort, child);
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
  }
}
