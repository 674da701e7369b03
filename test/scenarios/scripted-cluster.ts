import { KEYS_PER_TURN } from '../../lib/base/limits.js';
import { PART_BYTES } from '../../lib/cluster/large-frame.js';
import { sameViewId } from '../../lib/cluster/membership/views.js';
import { type Ref, Role } from '../../lib/store/store.js';
import { CalmChecks, checkPrimaries, checkRedundancy, showMachine } from '../simulation/checks.js';
import { Connection } from '../simulation/connection.js';
import { type Call, outcomeOf, showCall, showReply } from '../simulation/history.js';
import { KeyModel } from '../simulation/key-model.js';
import { linearize } from '../simulation/linearizability.js';
import { Network } from '../simulation/network.js';
import { Placements } from '../simulation/placements.js';
import { type Machine, Process, type ProcessOptions, type World } from '../simulation/process.js';
import { Scheduler } from '../simulation/scheduler.js';
import type { Disk } from '../simulation/snapshots.js';
import { Trace } from '../simulation/trace.js';

export interface ClusterOptions extends Partial<Omit<ProcessOptions, 'join' | 'disk'>> {
  readonly nodes: number;
  /** Machines that run nothing at first; nodes know their addresses. */
  readonly spares?: number;
  readonly delayMsMax?: number;
  /** Every machine has a disk for snapshots. */
  readonly disks?: boolean;
  /** Limits of memory of single machines, in their order; `maxMemoryBytes` for the others. */
  readonly memoryLimits?: readonly number[];
  /** The cluster will be cut in two: each side may have a primary, and what one acknowledged may lose to the other. */
  readonly sides?: boolean;
  /** Keys may go by eviction, or with both of their holders: histories are not looked at. */
  readonly loses?: boolean;
  /** Too long to be searched for an order: the script looks at what has come of its commands itself. */
  readonly longHistories?: boolean;
  /** Copies are made to differ on purpose: that the repair finds them is no fault. */
  readonly repairs?: boolean;
}

const DEFAULTS: Omit<ProcessOptions, 'join'> = {
  nodeTimeoutMs: 2000,
  partitionPolicy: 'available',
  takeOverAfter: 3,
  tombstoneTtlMs: 3_600_000,
  partBytes: PART_BYTES,
  stepKeys: KEYS_PER_TURN,
  lateShare: 0.02,
  maxMemoryBytes: 0,
  maxMemoryPolicy: 'noeviction',
  zone: '',
  locationList: 'anchor',
};
const UNIX_MS = 1_700_000_000_000;
/** What has not happened after so long never does. */
const WAIT_MS_MAX = 60_000;
/** Events between two looks for two primaries, and for keys with one copy; keys looked at. */
const LOOK_EVENTS = 7;
const REDUNDANCY_EVENTS = 50;
const WATCHED_KEYS = 8;
/** Wall clocks are equal; times to live are rounded, and counted from when a command has arrived. */
const EXPIRY_SLACK_MS = 200;
/** Commands that the model of a key knows. Keys that others have changed are not looked at by history. */
const MODELLED = new Set(
  'GET SET GETSET GETDEL DEL EXISTS STRLEN APPEND INCR PEXPIRE PERSIST PTTL'.split(' '),
);
const NEUTRAL = new Set('TTL TYPE OBJECT TOUCH'.split(' '));

/**
 * A simulated cluster (see test/simulation) that follows a script instead of drawn faults: every step is a call, and time
 * goes on only in `run`, `until` and what waits for an answer. All along no key may have two primaries, and who says that
 * every key has two copies must be right.
 */
export class ScriptedCluster implements World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace = new Trace();
  readonly placements = new Placements();
  readonly machines: Machine[] = [];
  readonly calls: Call[] = [];
  readonly #options: ClusterOptions;
  readonly #lives: number[] = [];
  readonly #disks: Disk[] = [];
  readonly #keys = new Set<string>();
  readonly #unmodelled = new Set<string>();
  #violation: Error | null = null;
  #connections = 0;

  constructor(seed: number, options: ClusterOptions) {
    this.#options = options;
    this.scheduler = new Scheduler(seed);
    this.network = new Network(this.scheduler, {
      delayMsMax: options.delayMsMax ?? 1,
      lateShare: options.lateShare ?? DEFAULTS.lateShare,
      dialTimeoutMs: options.nodeTimeoutMs ?? DEFAULTS.nodeTimeoutMs,
      cutShare: 0.15,
    });
    const random = this.scheduler.random('machines');
    for (let index = 0; index < options.nodes + (options.spares ?? 0); index++) {
      const address = { host: `10.0.0.${index + 1}`, port: 6379, busPort: 16379 };
      this.network.addMachine(address);
      this.#lives.push(0);
      this.#disks.push({ snapshot: null, old: null, did: () => undefined });
      this.machines.push({
        index,
        address,
        rate: 1 + random.between(-0.004, 0.004),
        monotonicOffset: random.between(1, 1e6),
        wallOffset: UNIX_MS,
        process: null,
      });
    }
  }

  // --- the machines

  /** Starts all that are no spares, all at the same moment, and waits until they are one cluster. */
  form(): void {
    for (let machine = 0; machine < this.#options.nodes; machine++) this.start(machine);
    this.settled();
  }

  start(machine: number): Process {
    const place = this.machines[machine]!;
    const join = this.machines.map(({ address }) => address);
    const life = ++this.#lives[machine]!;
    const options = { ...DEFAULTS, ...this.#options };
    const maxMemoryBytes = this.#options.memoryLimits?.[machine] ?? options.maxMemoryBytes;
    const process = new Process(this, place, life, {
      ...options,
      maxMemoryBytes,
      join,
      ...(this.#options.disks ? { disk: this.#disks[machine]! } : {}),
    });
    place.process = process;
    this.network.listen(machine, process);
    return process;
  }

  process(machine: number): Process {
    return this.machines[machine]!.process!;
  }

  isUp(machine: number): boolean {
    return this.machines[machine]!.process !== null;
  }

  get running(): Process[] {
    return this.machines.flatMap(({ process }) => (process === null ? [] : [process]));
  }

  kill(machine: number): void {
    this.process(machine).kill();
  }

  /** All who run leave at one moment, each writes what it holds, and is started again: what they had is loaded. */
  stopAndStart(whileStopped: () => void = () => undefined): void {
    const machines = this.running.map(({ machine }) => machine);
    this.stop(machines);
    whileStopped();
    for (const machine of machines) this.start(machine);
    this.until('loaded', () => machines.every((machine) => this.#hasLoaded(this.process(machine))));
  }

  stop(machines: readonly number[]): void {
    for (const machine of machines) this.process(machine).leave();
    this.until('stopped', () => machines.every((one) => this.machines[one]!.process === null));
  }

  /** What it has written is not there: its disk was full, or it was killed meanwhile. */
  loseSnapshot(machine: number): void {
    this.#disks[machine]!.snapshot = null;
  }

  #hasLoaded({ node, hasLoaded }: Process): boolean {
    return node.state.view !== null && hasLoaded;
  }

  /** The process is gone, and so is the machine: nothing refuses a connection. */
  unplug(machine: number): void {
    for (const { index } of this.machines) if (index !== machine) this.network.cut(index, machine);
    this.kill(machine);
  }

  plug(machine: number): void {
    for (const { index } of this.machines) this.network.mend(index, machine);
  }

  pause(machine: number): void {
    this.process(machine).pause();
  }

  resume(machine: number): void {
    this.process(machine).resume();
  }

  /** Cuts every link between the two sides. */
  split(one: readonly number[], other: readonly number[]): void {
    for (const a of one) for (const b of other) this.network.cut(a, b);
  }

  // --- time

  get now(): number {
    return this.scheduler.now;
  }

  run(forMs: number): void {
    const until = this.now + forMs;
    while (this.scheduler.step(until)) this.#look();
  }

  /** Runs until the condition holds; throws when it does not within `limitMs`. */
  until(what: string, condition: () => boolean, limitMs = WAIT_MS_MAX): void {
    const until = this.now + limitMs;
    while (!condition()) {
      if (!this.scheduler.step(until)) {
        throw new Error(`not after ${limitMs} ms: ${what}\n${this.describe()}`);
      }
      this.#look();
    }
  }

  /** Does it now and every so many milliseconds, until it is told to stop. */
  repeat(everyMs: number, act: (round: number) => void): () => void {
    let isOn = true;
    const next = (round: number): void => {
      if (!isOn) return;
      act(round);
      this.scheduler.at(everyMs, () => next(round + 1));
    };
    next(0);
    return () => {
      isOn = false;
    };
  }

  /** Waits until all who run are in one view, serve, and every key is where it belongs, at rest. */
  settled(limitMs = WAIT_MS_MAX): void {
    const isWhole = (): boolean => this.isSettled && this.#whatIsNotWhole() === null;
    this.until('settled', isWhole, limitMs);
  }

  get isSettled(): boolean {
    const all = this.running;
    const view = all[0]?.node.state.view ?? null;
    if (view === null || view.members.length !== all.length) return false;
    return all.every((process) => {
      const own = process.node.state.view;
      if (!process.serves || process.isPaused || own === null) return false;
      return sameViewId(own.id, view.id) && process.node.isSettled && this.hasTwoCopies(process);
    });
  }

  /** Whether that node says that every key of the cluster has two copies. */
  hasTwoCopies({ node }: Process): boolean {
    return node.keysWithoutBackup() === 0 || this.running.length === 1;
  }

  // --- commands

  /** Sends one command on a connection of its own. */
  send(machine: number, ...args: string[]): Call {
    const process = this.process(machine);
    const call: Call = {
      id: this.calls.length,
      client: this.calls.length,
      node: process.name,
      args,
      keys: this.#keysOf(args),
      invokedAt: this.now,
      returnedAt: Number.POSITIVE_INFINITY,
      outcome: 'pending',
      reply: null,
    };
    this.calls.push(call);
    const random = this.scheduler.random(`client ${call.id}`);
    const connection = new Connection(++this.#connections, process, this.scheduler, random, {
      replied: (reply) => {
        call.reply = reply;
        call.outcome = outcomeOf(reply);
        call.returnedAt = this.now;
        connection.close();
      },
      lost: () => {
        call.outcome = 'unknown';
      },
    });
    connection.send(args);
    return call;
  }

  /** The reply of one command: its text, null for nil, errors with their minus. */
  ask(machine: number, ...args: string[]): string | null {
    return this.answers([this.send(machine, ...args)])[0]!;
  }

  /** Waits for the replies of commands that were sent. */
  answers(calls: readonly Call[]): (string | null)[] {
    this.until('all answered', () => calls.every(({ outcome }) => outcome !== 'pending'));
    return calls.map(answerOf);
  }

  /** The same key by key, through that node. */
  askEach(machine: number, keys: readonly string[], name: string, ...rest: string[]) {
    return this.answers(keys.map((key) => this.send(machine, name, key, ...rest)));
  }

  // --- where keys are

  refOf(process: Process, key: string): Ref {
    const bytes = Buffer.from(key, 'latin1');
    return process.store.find(0, bytes, 0, bytes.length);
  }

  /** Machines that hold a copy of the key: as primary, and as backup. */
  holders(key: string): { primary: number[]; backup: number[] } {
    const by = (role: number): number[] =>
      this.running
        .filter((process) => {
          const ref = this.refOf(process, key);
          return ref !== 0 && process.store.role(ref) === role;
        })
        .map(({ machine }) => machine);
    return { primary: by(Role.Primary), backup: by(Role.Backup) };
  }

  /** The machine of its only primary, and of its only backup. */
  pair(key: string): [primary: number, backup: number] {
    const { primary, backup } = this.holders(key);
    if (primary.length !== 1 || backup.length !== 1) {
      throw new Error(`${key} has not two copies: ${JSON.stringify({ primary, backup })}`);
    }
    return [primary[0]!, backup[0]!];
  }

  // --- the end

  /** Waits until nothing is open, and looks at everything. Returns what does not hold. */
  finish(): string[] {
    const open = (): Call[] => this.calls.filter(({ outcome }) => outcome === 'pending');
    this.until('all answered in the end', () => open().length === 0);
    const wrong: string[] = [];
    try {
      this.settled();
    } catch (error) {
      wrong.push(this.#whatIsNotWhole() ?? String(error));
    }
    for (const { name, node } of this.running) {
      const { slotsRepaired } = node.state.statistics;
      if (slotsRepaired > 0 && !this.#options.repairs)
        wrong.push(`${name} found ${slotsRepaired} slots that differed`);
    }
    const { sides, loses, longHistories } = this.#options;
    if (!sides && !loses && !longHistories) wrong.push(...this.#checkHistories());
    return wrong;
  }

  describe(): string {
    return this.machines.map(showMachine).join('\n');
  }

  ended(): void {}

  violated(what: string): void {
    this.#violation ??= new Error(what);
  }

  #whatIsNotWhole(): string | null {
    return new CalmChecks(this.running, [...this.#keys]).run()?.what ?? null;
  }

  #keysOf(args: readonly string[]): string[] {
    const [name, key] = args;
    if (key === undefined || (!MODELLED.has(name!) && !NEUTRAL.has(name!))) {
      if (key !== undefined) this.#unmodelled.add(key);
      return [];
    }
    if (!MODELLED.has(name!)) return [];
    this.#keys.add(key);
    return [key];
  }

  #look(): void {
    if (this.#violation !== null) throw this.#violation;
    const { events } = this.scheduler;
    if (events % LOOK_EVENTS === 0) {
      this.#found(checkPrimaries(this.running, this.#watched(), this.#options.sides === true));
    }
    if (events % REDUNDANCY_EVENTS === 0 && !this.#options.loses && !this.#options.sides) {
      this.#found(checkRedundancy(this.running, this.#watched()));
    }
  }

  #watched(): string[] {
    const watched: string[] = [];
    for (const key of this.#keys) {
      if (watched.length === WATCHED_KEYS) break;
      watched.push(key);
    }
    return watched;
  }

  #found(found: { readonly what: string } | null): void {
    if (found !== null) throw new Error(`at ${this.now.toFixed(1)} ms: ${found.what}`);
  }

  #checkHistories(): string[] {
    const wrong: string[] = [];
    for (const key of this.#keys) {
      if (this.#unmodelled.has(key)) continue;
      const calls = this.calls.filter(({ keys }) => keys.includes(key));
      const verdict = linearize(calls, new KeyModel(EXPIRY_SLACK_MS));
      if (verdict.kind === 'linearizable') continue;
      const last = verdict.kind === 'undecided' ? [] : verdict.blocked.map(showCall);
      wrong.push(`history of ${key}: ${verdict.kind}\n${last.join('\n')}`);
    }
    return wrong;
  }
}

/** A command's reply as text: null for nil, errors with their minus; '' for an outcome that is not known. */
export function answerOf({ reply }: Call): string | null {
  if (reply === null) return '';
  if ('items' in reply) return showReply(reply);
  if (reply.type === '_') return null;
  return reply.type === '-' ? `-${reply.text}` : reply.text;
}
