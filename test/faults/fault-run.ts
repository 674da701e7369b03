import {
  appendFileSync,
  createWriteStream,
  mkdirSync,
  type WriteStream,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Call, showCall } from '../simulation/history.js';
import { BusProxy, PROXY_HOST } from '../support/bus-proxy.js';
import { Random } from '../support/control-network.js';
import { delay, type NodeProcess, TestCluster } from '../support/test-cluster.js';
import { type Balancer, Client, type Ending, type Routing } from './client.js';
import type { FaultKind, Policy, Stage } from './fault-kinds.js';
import { Probe } from './probe.js';
import { clockMs, Recorder } from './recorder.js';
import type { KindReport, Report } from './report.js';
import { judge } from './verdict.js';
import { Workload } from './workload.js';

const CLOCK_STEPS = new URL('../support/clock-steps.js', import.meta.url).href;

/** Beyond what is done to them, clocks of nodes agree, but tell each other only with heartbeats. */
const SKEW_MS = 200;
const SETTLE_MS = 60_000;
/** A patient client waits so long for a reply; one that is longer in coming never comes. */
const PATIENCE_MS = 25_000;
/** The others go elsewhere. */
const IMPATIENCE_MS = 1000;
/** Each time that a process is left out it waits longer before it joins again: not more often than so. */
const EXCLUSIONS_MAX = 2;
/** Keys that are kept from round to round, and new ones of them in each. */
const OLD_KEYS = 24;
const OLD_KEYS_NEW = 4;
const READS = new Set(['GET', 'PTTL', 'EXISTS']);

export interface RunOptions {
  readonly nodes: number;
  /** Of these so many run at first; all unless given. */
  readonly running?: number;
  readonly policy: Policy;
  readonly nodeTimeoutMs: number;
  readonly seed: number;
  readonly hasProxy: boolean;
  /** Clients of each way to choose a node. */
  readonly clients: Readonly<Record<Routing, number>>;
  /** The first node is never restarted. */
  readonly sparesFirst: boolean;
  /** Modules that nodes load before the program. */
  readonly preload: readonly string[];
  /** Where the logs of the nodes go. */
  readonly directory: string;
  print(line: string): void;
}

/** What is remembered of a process. */
interface Life {
  readonly pid: number;
  incarnation: string;
  /** How often it has become another incarnation, as one who was left out does. */
  exclusions: number;
}

/** Something that must not be. */
export class FaultFailure extends Error {}

/** A cluster of real processes, its clients, and one fault after the other. */
export class FaultRun implements Balancer, Stage {
  readonly avoided = new Set<NodeProcess>();
  readonly leaving = new Set<NodeProcess>();
  readonly random: Random;
  report!: KindReport;
  proxy: BusProxy | null = null;
  readonly #options: RunOptions;
  readonly #total: Report;
  readonly #recorder = new Recorder();
  readonly #workload = new Workload();
  readonly #disturbed = new Set<NodeProcess>();
  readonly #lives = new Map<NodeProcess, Life>();
  readonly #ends: (() => Promise<void>)[] = [];
  readonly #logs: WriteStream[] = [];
  #cluster!: TestCluster;
  #clients: Client[] = [];
  #old = new Map<string, string>();
  #kind!: FaultKind;
  #round = 0;
  #skewMs = SKEW_MS;
  #longestWaitMs = 0;
  #isCalm = true;

  constructor(options: RunOptions, total: Report) {
    this.#options = options;
    this.#total = total;
    this.random = new Random(options.seed);
  }

  get nodes(): readonly NodeProcess[] {
    return this.#cluster.nodes;
  }

  get nodeTimeoutMs(): number {
    return this.#options.nodeTimeoutMs;
  }

  /** All nodes are started at one moment; resolves when they are one settled cluster. */
  async begin(): Promise<void> {
    const { nodes, running = nodes, hasProxy, nodeTimeoutMs, policy, preload } = this.#options;
    const options = ['--node-timeout', String(nodeTimeoutMs), '--partition-policy', policy];
    if (hasProxy) options.push('--cluster-announce-ip', PROXY_HOST);
    const owner = {
      teardown: (end: () => Promise<void>) => this.#ends.push(end),
      passing: () => true,
    };
    const host = hasProxy ? PROXY_HOST : '127.0.0.1';
    this.#cluster = await TestCluster.prepare(owner, new Array(nodes).fill(options), host);
    mkdirSync(this.#options.directory, { recursive: true });
    for (const [i, node] of this.nodes.entries()) {
      const log = createWriteStream(join(this.#options.directory, `node-${i + 1}.log`));
      this.#logs.push(log);
      node.onLog = (text) => log.write(text);
      node.setup = { preload: [CLOCK_STEPS, ...preload] };
    }
    if (hasProxy) this.proxy = BusProxy.start(this.nodes);
    for (const node of this.nodes.slice(0, running)) node.start();
    this.#makeClients();
    await this.settled();
    await this.#look();
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.proxy?.close();
    for (const end of this.#ends) await end();
    for (const log of this.#logs) await new Promise((resolve) => log.end(resolve));
  }

  #makeClients(): void {
    const { clients } = this.#options;
    for (const routing of ['sticky', 'turns', 'random'] as const) {
      for (let i = 0; i < clients[routing]; i++) {
        const number = this.#clients.length;
        const patienceMs = i % 2 === 0 ? PATIENCE_MS : IMPATIENCE_MS;
        const client = new Client(number, this, this.#recorder, this.random, routing, patienceMs);
        client.moveTo(this.nodes[i % this.nodes.length]!);
        this.#clients.push(client);
      }
    }
  }

  /** One fault under load, everything read back, every history checked. Throws FaultFailure. */
  async round(kind: FaultKind): Promise<void> {
    this.#kind = kind;
    this.report = this.#total.of(kind.name);
    this.#round++;
    this.note(`round ${this.#round}: ${kind.name}`);
    this.#skewMs = SKEW_MS;
    this.#longestWaitMs = 0;
    this.#isCalm = false;
    if (kind.isFirst) {
      this.#old.clear();
      await kind.inject(this);
    }
    this.#recorder.clear(this.#old);
    const unknownBefore = this.#recorder.unknown;
    const prefix = `${this.#round}:`;
    this.#workload.start(prefix, [...this.#old.keys()], this.#clients, this.random);
    await delay(this.random.between(100, 500));
    const isDone = kind.isFirst || (await kind.inject(this));
    const since = clockMs();
    await this.settled();
    const wholeMs = clockMs() - since;
    await this.#look();
    this.#calm();
    await delay(this.random.between(50, 300));
    await this.#stopWorkload();
    await this.#check();
    if (!isDone) return;
    this.report.rounds++;
    this.report.whole.add(wholeMs);
    this.report.longestWait.add(this.#longestWaitMs);
    this.report.unknown += this.#recorder.unknown - unknownBefore;
  }

  async #stopWorkload(): Promise<void> {
    const late = new Promise<'late'>((resolve) =>
      setTimeout(resolve, PATIENCE_MS * 2, 'late').unref(),
    );
    if ((await Promise.race([this.#workload.stop(), late])) !== 'late') return;
    throw new FaultFailure('clients do not come to an end');
  }

  /** What was done is undone: from now on nobody is excused any more. */
  #calm(): void {
    this.#isCalm = true;
    this.#disturbed.clear();
    this.avoided.clear();
  }

  // --- the checks

  /** Notices who has become another process, or another incarnation, since the last look. */
  async #look(): Promise<void> {
    for (const node of this.#cluster.running) {
      const incarnation = (await node.facts())['node_id']!;
      const life = this.#lives.get(node);
      if (life === undefined || life.pid !== node.pid) {
        this.#lives.set(node, { pid: node.pid, incarnation, exclusions: 0 });
      } else if (life.incarnation !== incarnation) {
        life.incarnation = incarnation;
        life.exclusions++;
        if (!this.#disturbed.has(node)) this.#complain(`${this.nameOf(node)} was left out`);
      }
    }
  }

  async #check(): Promise<void> {
    await this.#readEverything();
    const { calls } = this.#recorder;
    const { keys, undecided, violation } = judge(calls, this.#skewMs);
    this.#total.histories += keys - undecided;
    this.#total.undecided += undecided;
    this.#count();
    if (violation !== null) {
      const path = join(this.#options.directory, 'history.json');
      writeFileSync(path, `${JSON.stringify(violation.history, null, 1)}\n`);
      throw new FaultFailure(violation.what);
    }
    await this.#forget();
  }

  #count(): void {
    const { begun, answered, notRun, unknown } = this.#recorder;
    Object.assign(this.#total, { commands: begun, answered, notRun, unknown });
  }

  async #readEverything(): Promise<void> {
    const keys = [...new Set(this.#recorder.calls.map((call) => call.keys[0]!))];
    await Promise.all(
      this.#cluster.running.map(async (node, i) => {
        const reader = new Client(
          200 + i,
          this,
          this.#recorder,
          this.random,
          'sticky',
          PATIENCE_MS,
        );
        reader.moveTo(node);
        for (const key of keys) await reader.call('GET', key);
        reader.close();
      }),
    );
  }

  /** Some keys live on, the others are deleted. */
  async #forget(): Promise<void> {
    const last = new Map<string, string>();
    const expiring = new Set<string>();
    for (const { args, reply } of this.#recorder.calls) {
      const [name, key] = args;
      if (args.includes('PX') || name === 'PEXPIRE') expiring.add(key!);
      if (name === 'GET' && reply?.type === '$') last.set(key!, reply.text);
    }
    const kept = [...last.keys()].filter((key) => !expiring.has(key));
    const fresh = kept.filter((key) => !this.#old.has(key));
    const stay = kept.filter((key) => this.#old.has(key));
    while (stay.length > OLD_KEYS - OLD_KEYS_NEW) stay.splice(this.random.below(stay.length), 1);
    for (let i = 0; i < OLD_KEYS_NEW && fresh.length > 0; i++) {
      stay.push(...fresh.splice(this.random.below(fresh.length), 1));
    }
    this.#old = new Map(stay.map((key) => [key, last.get(key)!]));
    const gone = [...new Set(this.#recorder.calls.map((call) => call.keys[0]!))];
    const deleted = gone.filter((key) => !this.#old.has(key));
    await this.#cluster.running[0]!.client.del(...deleted);
  }

  // --- what clients see

  nameOf(node: NodeProcess): string {
    return `n${this.nodes.indexOf(node) + 1}.${node.lives}`;
  }

  ended(call: Call, node: NodeProcess, how: Ending): void {
    if (this.#disturbed.has(node)) return;
    if (how === 'replied') {
      const waitMs = call.returnedAt - call.invokedAt;
      if (!this.#isCalm) this.#longestWaitMs = Math.max(this.#longestWaitMs, waitMs);
      if (call.reply?.type !== '-') return;
      const isWrite = !READS.has(call.args[0]!);
      if (call.outcome === 'unknown' && isWrite && this.#kind.mayLeaveUnknown) return;
      this.#complain(`${call.reply.text}: ${showCall(call)}`);
    } else if (how === 'lost') {
      this.#complain(`connection lost: ${showCall(call)}`);
    } else if (clockMs() - call.invokedAt >= PATIENCE_MS - 1) {
      this.#complain(`no answer: ${showCall(call)}`);
    }
  }

  refused(node: NodeProcess): void {
    const isExcused = this.#disturbed.has(node) || this.leaving.has(node) || !node.isRunning;
    if (!isExcused && !this.avoided.has(node))
      this.#complain(`${this.nameOf(node)} refuses clients`);
  }

  #complain(what: string): void {
    const text = `round ${this.#round} (${this.#kind.name}): ${what}`;
    this.#total.complaints.push(text);
    this.note(what);
    this.#options.print(text);
  }

  // --- what faults do

  /** Into a log of the run's own, beside those of the nodes. */
  note(what: string): void {
    const time = new Date().toISOString().replace('T', ' ').replace('Z', '');
    appendFileSync(join(this.#options.directory, 'run.log'), `${time} ${what}\n`);
  }

  victim(use: 'restart' | 'exclude' | 'any'): NodeProcess | null {
    const found = this.#cluster.running.filter((node) => {
      if (use === 'restart') return !this.#options.sparesFirst || node !== this.nodes[0];
      return use === 'any' || (this.#lives.get(node)?.exclusions ?? 0) < EXCLUSIONS_MAX;
    });
    if (found.length === 0) return null;
    const node = this.random.pick(found);
    return node;
  }

  disturb(node: NodeProcess): void {
    this.note(`${this.#kind.name} is about to happen to ${this.nameOf(node)}`);
    this.#disturbed.add(node);
  }

  avoid(node: NodeProcess): void {
    this.avoided.add(node);
  }

  async leave(node: NodeProcess): Promise<void> {
    this.leaving.add(node);
    const since = clockMs();
    const status = await node.end('SIGTERM');
    this.leaving.delete(node);
    this.report.left.add(clockMs() - since);
    if (status !== 0) throw new FaultFailure(`${this.nameOf(node)} left with status ${status}`);
  }

  start(node: NodeProcess): void {
    this.avoid(node);
    node.start();
  }

  probe(victim: NodeProcess): Promise<Probe> {
    return Probe.prepare(`${this.#round}:`, victim, this, this.#recorder, this.random);
  }

  async settled(): Promise<void> {
    await this.#cluster.settled(SETTLE_MS).catch((error: Error) => {
      throw new FaultFailure(error.message);
    });
  }

  skew(byMs: number): void {
    this.#skewMs += byMs;
  }
}
