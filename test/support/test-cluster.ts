import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { freePorts } from './free-ports.js';
import { withoutWarmUp } from './without-warm-up.js';

export { freePorts };

/** The built command line, beside the built tests. */
const PROGRAM = fileURLToPath(new URL('../../bin/tandis.js', import.meta.url));
/** The same in the modules that it is made of, for those that are loaded before it: some of them change modules. */
const MODULES = fileURLToPath(new URL('../../benchmarks/profile/program.js', import.meta.url));

const END_WITH_PARENT = new URL('./end-with-parent.js', import.meta.url).href;

/** Nodes are asked again so often: they log views, and nothing when copies have moved or all is settled. */
const POLL_MS = 20;
/** A cluster that is not settled by then never is. */
const SETTLE_MS = 30_000;
/** A process that was told to end must be gone by then. */
const EXIT_MS = 20_000;
/** Of each node's log, so much is kept to be printed when a test fails. */
const LOG_CHARACTERS = 64 * 1024;
export const delay = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** A client that gives up at once instead of trying again. */
export function clientOf(port: number): Redis {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    protocol: 2,
    retryStrategy: null,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  return client;
}

/** How a process is run. */
export interface ProcessSetup {
  /** Modules that Node loads before the program. */
  readonly preload?: readonly string[];
  /** The file that its output goes to, instead of to this process. */
  readonly outputPath?: string;
}

/** Runs a program of Node's that ends with this process, however that ends. Its output is handed to `print`. */
export function run(
  args: readonly string[],
  print: (text: string) => void,
  { preload = [], outputPath }: ProcessSetup = {},
): ChildProcess {
  const imports = [END_WITH_PARENT, ...preload].flatMap((module) => ['--import', module]);
  const output = outputPath === undefined ? 'pipe' : openSync(outputPath, 'a');
  const child = spawn(process.execPath, [...imports, ...args], {
    stdio: ['pipe', output, output],
    env: withoutWarmUp(),
  });
  if (typeof output === 'number') closeSync(output);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => print(chunk.toString()));
  }
  return child;
}

/** What INFO says in its section "Tandis". */
export type Facts = Readonly<Record<string, string>>;

/** Where the copies of a key are: client ports; null for nobody. */
export interface Location {
  readonly anchor: number;
  readonly primary: number | null;
  readonly backup: number | null;
  readonly version: number;
  readonly settled: boolean;
}

/** One place in the cluster: two ports, and the process that listens there now. */
export class NodeProcess {
  readonly port: number;
  readonly busPort: number;
  /** Says 'start' and 'exit' when a process of it does so, and 'log' when it has printed something. */
  readonly events = new EventEmitter();
  /** What its processes have printed, the newest end of it. */
  log = '';
  /** Called with everything that its processes print. */
  onLog: ((text: string) => void) | null = null;
  /** Processes that were started here. */
  lives = 0;
  /** How its next process is run. */
  setup: ProcessSetup = {};
  #options: readonly string[];
  #child: ChildProcess | null = null;
  #client: Redis | null = null;

  constructor(port: number, busPort: number, options: readonly string[]) {
    this.port = port;
    this.busPort = busPort;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** A connection for the test's own commands; a new one after every start. */
  get client(): Redis {
    if (this.#client === null || this.#client.status === 'end') this.#client = clientOf(this.port);
    return this.#client;
  }

  start(): void {
    const ports = ['--port', String(this.port), '--cluster-port', String(this.busPort)];
    const print = (text: string) => this.#print(text);
    const program = this.setup.preload === undefined ? PROGRAM : MODULES;
    const child = run([program, 'server', ...ports, ...this.#options], print, this.setup);
    child.once('exit', (code, signal) => {
      print(`[process ${child.pid} ended: ${signal ?? code}]\n`);
      if (this.#child === child) this.#child = null;
      this.events.emit('exit', signal ?? code);
    });
    this.#child = child;
    this.lives++;
    this.events.emit('start');
  }

  #print(text: string): void {
    this.log = (this.log + text).slice(-LOG_CHARACTERS);
    this.onLog?.(text);
    this.events.emit('log');
  }

  /** Resolves when its log has this. */
  async logged(pattern: RegExp): Promise<void> {
    const signal = AbortSignal.timeout(SETTLE_MS);
    while (!pattern.test(this.log)) await once(this.events, 'log', { signal });
  }

  /** Sends a line to the standard input of its process, for modules that were preloaded there. */
  tell(line: string): void {
    this.#child!.stdin!.write(`${line}\n`);
  }

  /** Whoever reads its log goes away. */
  closeLog(): void {
    this.#child!.stdout?.destroy();
  }

  /** Sends the signal, and resolves to how the process ended: its status, or the signal. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | string> {
    const ended = this.exit();
    this.#child!.kill(signal);
    return ended;
  }

  /** Resolves when the process that runs now has ended, to how: its status, or the signal. */
  async exit(): Promise<number | string> {
    const signal = AbortSignal.timeout(EXIT_MS);
    const [code, by] = (await once(this.#child!, 'exit', { signal })) as [
      number | null,
      string | null,
    ];
    this.#child = null;
    this.#client?.disconnect();
    this.#client = null;
    return code ?? by ?? '';
  }

  /** Stops it in its tracks; it keeps its connections. */
  freeze(): void {
    this.#child!.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child!.kill('SIGCONT');
  }

  async facts(): Promise<Facts> {
    const text = await this.client.info('tandis');
    const lines = text.split('\r\n').filter((line) => line.includes(':'));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
    );
  }

  async locate(key: string): Promise<Location> {
    const reply = (await this.client.call('CLUSTER', 'LOCATE', key)) as unknown[];
    const fields = new Map<unknown, unknown>();
    for (let i = 0; i < reply.length; i += 2) fields.set(reply[i], reply[i + 1]);
    const port = (name: string): number | null => {
      const address = fields.get(name) as string | null;
      return address === null ? null : Number(address.slice(address.lastIndexOf(':') + 1));
    };
    return {
      anchor: port('anchor')!,
      primary: port('primary'),
      backup: port('backup'),
      version: Number(fields.get('version')),
      settled: fields.get('settled') === 1,
    };
  }
}

/** What tells why a node is not settled. */
function inShort(facts: Facts | string): Facts | string {
  if (typeof facts === 'string') return facts;
  return Object.fromEntries(Object.entries(facts).filter(([name]) => !/^bus_/.test(name)));
}

/** Whom a cluster belongs to: a test, as a rule. */
export interface Owner {
  teardown(end: () => Promise<void>): void;
  /** Whether nothing has failed so far. */
  passing(): boolean;
}

/**
 * Real nodes, each a process of its own, that know each other by --join. It ends with its test: every process by its own
 * id. The logs are printed when the test has failed.
 */
export class TestCluster {
  readonly nodes: readonly NodeProcess[];

  private constructor(nodes: readonly NodeProcess[]) {
    this.nodes = nodes;
  }

  /** Starts `count` nodes and waits until they are one settled cluster. */
  static async start(t: Owner, count: number, ...options: string[]): Promise<TestCluster> {
    const cluster = await TestCluster.prepare(t, new Array(count).fill(options));
    for (const node of cluster.nodes) node.start();
    await cluster.settled();
    return cluster;
  }

  /** One node for each list of options; none is started yet. They join each other at `host`. */
  static async prepare(
    t: Owner,
    options: readonly (readonly string[])[],
    host = '127.0.0.1',
  ): Promise<TestCluster> {
    const count = options.length;
    const ports = await freePorts(count * 2);
    const busPorts = ports.slice(count);
    const join = count > 1 ? busPorts.flatMap((port) => ['--join', `${host}:${port}`]) : [];
    const nodes = options.map((own, index) => {
      const all = ['--log-format', 'text', ...join, ...own];
      return new NodeProcess(ports[index]!, busPorts[index]!, all);
    });
    const cluster = new TestCluster(nodes);
    t.teardown(async () => {
      await cluster.end();
      if (!t.passing()) cluster.#printLogs();
    });
    return cluster;
  }

  get running(): NodeProcess[] {
    return this.nodes.filter((node) => node.isRunning);
  }

  byPort(port: number | null): NodeProcess {
    const node = this.nodes.find((one) => one.port === port);
    if (node === undefined) throw new Error(`no node of this cluster has port ${port}`);
    return node;
  }

  /** Waits until every node that runs sees all of them, every key where it belongs and on two nodes. */
  async settled(timeoutMs: number = SETTLE_MS): Promise<void> {
    const members = String(this.running.length);
    const isSettled = (facts: Facts): boolean =>
      facts['members'] === members &&
      facts['settled'] === '1' &&
      (facts['keys_without_backup'] === '0' || members === '1');
    let seen: (Facts | string)[] = [];
    await this.until(async () => {
      seen = await Promise.all(this.running.map((node) => node.facts().catch(String)));
      return seen.every((facts) => typeof facts === 'object' && isSettled(facts));
    }, timeoutMs).catch(() => {
      throw new Error(`not settled after ${timeoutMs} ms: ${JSON.stringify(seen.map(inShort))}`);
    });
  }

  /** Asks again until the answer is yes. */
  async until(question: () => Promise<boolean>, timeoutMs: number = SETTLE_MS): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (!(await question())) {
      if (Date.now() >= end) throw new Error(`not so after ${timeoutMs} ms`);
      await delay(POLL_MS);
    }
  }

  /** Ends all processes that still run. */
  async end(): Promise<void> {
    for (const node of this.running) node.thaw();
    await Promise.all(this.running.map((node) => node.end('SIGKILL')));
  }

  #printLogs(): void {
    for (const node of this.nodes) {
      process.stderr.write(`--- log of ${node.port} (bus ${node.busPort})\n${node.log}\n`);
    }
  }
}
