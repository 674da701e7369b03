import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../base/package.js';

const APPLICATION = fileURLToPath(new URL('dist/lib/demo/application.js', PACKAGE_ROOT));
/** A process that does not answer by then never will, milliseconds. */
const START_MS = 30_000;
/** Of what a process printed, so many characters are kept, to be shown when it ends by itself. */
const LOG_CHARACTERS = 4096;
/** They end together, and nobody starts one again: none has to wait long for others to take its keys. */
const LEAVE_SECONDS = '2';

/** Where a place is, and how its processes are started. */
export interface PlaceSetup {
  readonly route: string;
  /** Client port of its node. */
  readonly port: number;
  readonly busPort: number;
  /** Bus ports of all places. */
  readonly busPorts: readonly number[];
  /** Path of the program that runs a node by `server`. */
  readonly program: string;
  /** What the applications sign their cookies with. */
  readonly secret: string;
}

/** One machine of the demo: a Tandis node, and beside it the application that uses it. Both are processes. */
export class Place {
  readonly route: string;
  readonly port: number;
  readonly #setup: PlaceSetup;
  #node: ChildProcess | null = null;
  #application: ChildProcess | null = null;
  #applicationPort: number | null = null;
  #log = '';

  constructor(setup: PlaceSetup) {
    this.#setup = setup;
    this.route = setup.route;
    this.port = setup.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Of the node; null while none runs. */
  get pid(): number | null {
    return this.#node?.pid ?? null;
  }

  /** Of the application; null while it does not listen. */
  get applicationPort(): number | null {
    return this.#applicationPort;
  }

  get applicationPid(): number | null {
    return this.#application?.pid ?? null;
  }

  /** Resolves when the application takes requests, which is when the node serves. Throws when one of them ends before. */
  async start(): Promise<void> {
    const { port, busPort, busPorts, program, route, secret } = this.#setup;
    const joins = busPorts
      .filter((other) => other !== busPort)
      .flatMap((other) => ['--join', `127.0.0.1:${other}`]);
    const ports = ['--port', String(port), '--cluster-port', String(busPort)];
    const own = ['--log-format', 'json', '--leave-timeout', LEAVE_SECONDS];
    this.#log = '';
    const node = this.#spawn([program, 'server', ...ports, ...own, ...joins], {});
    this.#node = node;
    node.once('exit', () => {
      if (this.#node === node) this.#node = null;
    });
    await this.#hears(node, node.stdout!, 'data', () => this.#log.includes('"msg":"listening"'));
    const application = this.#spawn([APPLICATION, route, String(port)], { DEMO_SECRET: secret });
    this.#application = application;
    application.once('exit', () => {
      if (this.#application !== application) return;
      this.#application = null;
      this.#applicationPort = null;
    });
    await this.#hears(application, application, 'message', (message) => {
      this.#applicationPort = (message as { port: number }).port;
      return true;
    });
  }

  /** Ends both at once, as a power failure would: kill -9. Resolves when they are gone. */
  async kill(): Promise<void> {
    const children = [this.#application, this.#node].filter((child) => child !== null);
    this.#applicationPort = null;
    await Promise.all(
      children.map((child) => {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        return ended;
      }),
    );
  }

  #spawn(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(process.execPath, [...process.execArgv, ...args], {
      // A group of its own: Ctrl-C reaches the demo alone, which ends them. The channel ends them if it dies.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
      env: { ...process.env, ...env },
    });
    for (const output of [child.stdout!, child.stderr!]) {
      output.on('data', (chunk) => {
        this.#log = (this.#log + chunk).slice(-LOG_CHARACTERS);
      });
    }
    return child;
  }

  /** Waits for an event that is the one waited for. */
  #hears(
    child: ChildProcess,
    source: NodeJS.EventEmitter,
    event: string,
    isIt: (what: unknown) => boolean,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: Error): void => {
        clearTimeout(timer);
        source.off(event, heard);
        child.off('exit', ended);
        if (error === undefined) resolve();
        else reject(error);
      };
      const heard = (what: unknown): void => {
        if (isIt(what)) done();
      };
      const ended = (): void => {
        done(new Error(`place ${this.route}: a process has ended\n${this.#log.trim()}`));
      };
      const timer = setTimeout(() => {
        done(new Error(`place ${this.route}: not ready after ${START_MS / 1000} s\n${this.#log}`));
      }, START_MS);
      source.on(event, heard);
      child.on('exit', ended);
    });
  }
}
