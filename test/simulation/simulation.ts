import { sameViewId } from '../../lib/cluster/membership/views.js';
import type { Random } from '../support/control-network.js';
import { CalmChecks, checkMemory, checkPrimaries, checkRedundancy, showMachine } from './checks.js';
import { FaultDriver, type Victims } from './faults.js';
import { type Call, showCall } from './history.js';
import { KeyModel } from './key-model.js';
import { linearize } from './linearizability.js';
import { Network } from './network.js';
import { checkPairs, PAIR_KEYS } from './pairs.js';
import { type Machine, Process, type ProcessOptions, type World } from './process.js';
import type { Profile } from './profiles.js';
import { Scheduler } from './scheduler.js';
import { Splits, type Stage } from './splits.js';
import { KeyTrace, Trace } from './trace.js';
import { Client, type Nodes, Workload } from './workload.js';

export interface Failure {
  /** What did not hold. */
  readonly what: string;
  /** The key that it is about, where it is about one. */
  readonly key: string | null;
}

export interface Result {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly calls: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly failure: Failure | null;
  /** The story of the key asked for. */
  readonly lines: readonly string[];
}

/** A command without an answer for so long has been forgotten. */
const ANSWER_MS_MAX = 30_000;
/** After the last fault the cluster has that long to become whole. */
const CALM_MS_MAX = 60_000;
/** Events between two looks for two primaries. */
const LOOK_EVENTS = 7;
/** The same for keys with one copy. */
const REDUNDANCY_EVENTS = 50;
const UNIX_MS = 1_700_000_000_000;

/** Thrown where something does not hold. */
class Violation extends Error {
  readonly key: string | null;

  constructor(what: string, key: string | null = null) {
    super(what);
    this.key = key;
  }
}

/** One run: a cluster, its clients, its faults, its checks, all from one seed. */
export class Simulation implements Victims, Nodes, World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace: Trace;
  readonly machines: Machine[] = [];
  readonly workload: Workload;
  readonly #profile: Profile;
  readonly #faults: FaultDriver;
  readonly #lives: number[] = [];
  readonly #counts: Record<string, number> = {};
  #violation: Violation | null = null;
  #safe: Process[] = [];
  #wasQuiet = false;

  constructor(seed: number, profile: Profile, traceKey: string | null = null) {
    this.#profile = profile;
    this.scheduler = new Scheduler(seed);
    this.trace = traceKey === null ? new Trace() : new KeyTrace(this.scheduler, traceKey);
    this.network = new Network(this.scheduler, {
      delayMsMax: profile.delayMsMax,
      dialTimeoutMs: profile.nodeTimeoutMs,
      cutShare: profile.cutShare,
    });
    const random = this.scheduler.random('machines');
    for (let i = 0; i < profile.nodes + profile.spares; i++) this.#addMachine(random);
    this.workload = new Workload(this, profile);
    for (let i = 0; i < profile.nodes; i++) {
      this.scheduler.at(random.between(0, 300), () => this.start(i));
    }
    this.workload.start();
    this.#faults = new FaultDriver(this, profile, this.scheduler.random('faults'));
  }

  #addMachine(random: { between(low: number, high: number): number }): void {
    const index = this.machines.length;
    const address = { host: `10.0.0.${index + 1}`, port: 6379, busPort: 16379 };
    this.network.addMachine(address);
    this.#lives.push(0);
    this.machines.push({
      index,
      address,
      rate: 1 + random.between(-0.004, 0.004),
      monotonicOffset: random.between(1, 1e6),
      wallOffset: UNIX_MS + random.between(0, this.#profile.clockSkewMs),
      process: null,
    });
  }

  /** Runs it all; the failure, if any, is in the result. */
  run(): Result {
    let failure: Failure | null = null;
    try {
      if (this.#profile.splits > 0) this.#runSplits();
      else this.#runWhole();
    } catch (error) {
      const key = error instanceof Violation ? error.key : null;
      const what = error instanceof Violation ? error.message : String((error as Error).stack);
      failure = { what: `at ${this.now.toFixed(1)} ms: ${what}`, key };
    }
    const { scheduler, trace, workload } = this;
    if (trace instanceof KeyTrace) trace.close();
    return {
      seed: scheduler.seed,
      hash: scheduler.hash,
      events: scheduler.events,
      calls: workload.calls.length,
      counts: this.#counts,
      failure,
      lines: trace instanceof KeyTrace ? trace.lines : [],
    };
  }

  #runWhole(): void {
    this.#runUntil(this.#profile.durationMs);
    this.#calmDown();
    this.#checkCalm();
    this.#readEverything();
    this.#checkHistory();
  }

  #runSplits(): void {
    const random = this.scheduler.random('splits');
    const { nodeTimeoutMs, splits, splitLasts } = this.#profile;
    const [shortest, longest] = splitLasts;
    this.#runUntil(3000);
    this.#calmDown();
    const lasts = [nodeTimeoutMs * shortest, nodeTimeoutMs * longest] as const;
    new Splits(this.#stage(random), random, lasts).run(splits);
    for (const call of this.workload.calls) this.#count(call.outcome);
  }

  #stage(random: Random): Stage {
    const simulation = this;
    const client = new Client(this.workload, 2000, random);
    const run = (process: Process, args: readonly string[], done: () => void): void =>
      new Client(this.workload, 2001, random).run(process, args, done);
    return {
      get now() {
        return simulation.now;
      },
      keys: this.workload.keys,
      calls: this.workload.calls,
      processes: () => this.processes(),
      run: (forMs, look = () => undefined) => {
        const until = this.now + forMs;
        while (this.scheduler.step(until)) {
          this.#look();
          look();
        }
      },
      cut: (one, other) => this.cut(one, other, false),
      heal: () => this.heal(),
      go: () => {
        this.#faults.goOn();
        this.workload.start();
      },
      calmDown: (look) => this.#calmDown(look),
      checkWhole: () => {
        this.#checkCalm();
        this.#readEverything();
      },
      command: (args) => {
        let isOpen = true;
        client.run(random.pick(this.processes()), args, () => {
          isOpen = false;
        });
        if (!this.#runWhile(() => isOpen, ANSWER_MS_MAX)) throw new Violation('no answer in calm');
      },
      send: (machines, args) => {
        const process = this.processes().find(({ machine }) => machines.includes(machine))!;
        run(process, args, () => undefined);
      },
      check: (what, key, histories) => this.#checkKey(what, key, histories),
      violated: (what, key) => {
        throw new Violation(what, key);
      },
      toTrueTime: (unixMs) => unixMs - UNIX_MS - this.#profile.clockSkewMs / 2,
      note: (text) => this.note(text),
      count: (what) => this.#count(what),
    };
  }

  violated(what: string, key: string | null = null): void {
    this.#violation ??= new Violation(what, key);
  }

  // --- running

  #runUntil(until: number): void {
    while (this.scheduler.step(until)) this.#look();
  }

  /** Runs until the condition holds; false when it does not within that time. */
  #runWhile(condition: () => boolean, limitMs: number): boolean {
    const until = this.now + limitMs;
    while (condition()) {
      if (!this.scheduler.step(until)) return false;
      this.#look();
    }
    return true;
  }

  #look(): void {
    if (this.#violation !== null) throw this.#violation;
    if (this.scheduler.events % LOOK_EVENTS === 0 && this.#profile.oneAtATime) {
      const found = checkPrimaries(this.processes(), this.workload.keys, this.#profile.splits > 0);
      if (found !== null) throw new Violation(found.what, found.key);
    }
    if (this.scheduler.events % REDUNDANCY_EVENTS === 0) this.#checkRedundancy();
    if (this.scheduler.events % 1000 === 0) this.#checkAnswers();
  }

  #checkRedundancy(): void {
    const full = checkMemory(this.processes());
    if (full !== null) throw new Violation(full.what, full.key);
    if (this.#profile.oneAtATime) {
      const found = checkRedundancy(this.processes(), this.workload.keys);
      if (found !== null) throw new Violation(found.what, found.key);
    }
    // Keys that move from node to node have two copies all the time.
    if (Object.keys(this.#profile.faults).length > 0) return;
    const isQuiet = this.isQuiet();
    if (this.#wasQuiet && !isQuiet)
      throw new Violation(`not settled any more:\n${this.describe()}`);
    this.#wasQuiet = isQuiet;
  }

  #checkAnswers(): void {
    for (const call of this.workload.pending) {
      if (this.now - call.invokedAt < ANSWER_MS_MAX) continue;
      throw new Violation(`no answer to ${showCall(call)}`, call.keys[0]!);
    }
  }

  #calmDown(look: () => void = () => undefined): void {
    this.#faults.stop();
    this.workload.stop();
    this.network.heal();
    for (const process of this.processes()) if (process.isPaused) this.resume(process.machine, 0);
    let since = this.now;
    // Quiet is what stays so: machines may still be about to start.
    const isOver = (): boolean => {
      look();
      const isKnown = this.processes().every(({ node }) => node.isKnown());
      const isOpen = this.workload.pending.length > 0 || this.#faults.open > 0;
      if (isOpen || !isKnown || !this.isQuiet()) {
        since = this.now;
      }
      return this.now - since >= this.#profile.nodeTimeoutMs;
    };
    if (this.#runWhile(() => !isOver(), CALM_MS_MAX)) return;
    this.#checkAnswers();
    const checks = new CalmChecks(this.processes(), this.workload.keys);
    const found = checks.run();
    const more = found === null ? '' : `\n${found.what}`;
    const what = `not whole after ${CALM_MS_MAX} ms of calm:\n${this.describe()}${more}`;
    throw new Violation(what, found?.key ?? null);
  }

  #checkCalm(): void {
    const checks = new CalmChecks(this.processes(), [...this.workload.keys, ...PAIR_KEYS]);
    const found = checks.run();
    if (found !== null) throw new Violation(found.what, found.key);
  }

  /** Every key is read through every node, one after the other. */
  #readEverything(): void {
    const readers = this.processes().map((process, i) => ({
      process,
      client: new Client(this.workload, 1000 + i, this.scheduler.random(`reader ${i}`)),
    }));
    for (const { process, client } of readers) {
      for (const key of [...this.workload.keys, ...PAIR_KEYS]) {
        let isOpen = true;
        client.run(process, ['GET', key], () => {
          isOpen = false;
        });
        if (!this.#runWhile(() => isOpen, ANSWER_MS_MAX)) {
          throw new Violation(`no answer to a read in calm`, key);
        }
      }
    }
  }

  #checkHistory(): void {
    this.#checkKeyspace();
    const byKey = new Map<string, Call[]>(this.workload.keys.map((key) => [key, []]));
    for (const call of this.workload.calls) {
      this.#count(call.outcome);
      if (call.reply?.type === '-' && call.reply.text.startsWith('OOM')) this.#count('oom');
      for (const key of call.keys) byKey.get(key)!.push(call);
    }
    for (const { node } of this.processes()) this.#count('evicted', node.state.statistics.evicted);
    for (const [key, calls] of byKey) this.#checkKey(`key ${key}`, key, [calls]);
  }

  /** One of these must be linearizable: more than one where it cannot be known which of two changes won. */
  #checkKey(what: string, key: string, histories: readonly (readonly Call[])[]): void {
    const model = new KeyModel(
      this.#profile.clockSkewMs + 200,
      this.#profile.maxMemoryPolicy !== 'noeviction',
    );
    const verdicts = histories.map((calls) => linearize(calls, model));
    if (verdicts.some(({ kind }) => kind === 'undecided')) this.#count('undecided');
    if (verdicts.some(({ kind }) => kind !== 'violation')) return;
    const verdict = verdicts[0]!;
    if (verdict.kind !== 'violation') return;
    const order = verdict.order.slice(-12).map(showCall);
    const blocked = verdict.blocked.map(showCall);
    throw new Violation(
      `${what} is not linearizable. The longest order ends with\n  ${order.join('\n  ')}\n` +
        `and leaves ${model.show(verdict.state)}; none of these fits on:\n  ${blocked.join('\n  ')}`,
      key,
    );
  }

  #checkKeyspace(): void {
    const { calls, scans } = this.workload;
    this.#count('scans', scans.count);
    const missed = scans.check(calls);
    if (missed !== null) throw new Violation(missed.what, missed.key);
    if (this.#profile.maxMemoryPolicy !== 'noeviction') return;
    const pairs = checkPairs(calls);
    if (pairs !== null) throw new Violation(pairs, PAIR_KEYS[0]);
  }

  #count(what: string, by = 1): void {
    if (by > 0) this.#counts[what] = (this.#counts[what] ?? 0) + by;
  }

  // --- Nodes

  processes(): Process[] {
    return this.machines.flatMap(({ process }) => (process === null ? [] : [process]));
  }

  listening(): Process[] {
    return this.processes();
  }

  // --- Victims

  get now(): number {
    return this.scheduler.now;
  }

  at(delayMs: number, run: () => void): void {
    this.scheduler.at(delayMs, run);
  }

  up(): number[] {
    return this.processes()
      .filter((process) => !process.isLeaving && !process.isPaused)
      .map(({ machine }) => machine);
  }

  down(): number[] {
    return this.machines.filter(({ process }) => process === null).map(({ index }) => index);
  }

  isQuiet(): boolean {
    const processes = this.processes();
    const view = processes[0]?.node.state.view ?? null;
    if (view === null || view.members.length !== processes.length) return false;
    return processes.every((process) => {
      const own = process.node.state.view;
      if (own === null || !sameViewId(own.id, view.id) || process.isPaused) return false;
      if (!view.members.some(({ id }) => id === process.incarnation)) return false;
      const isSafe = process.node.keysWithoutBackup() === 0 || processes.length === 1;
      return isSafe && process.serves;
    });
  }

  markSafe(): void {
    this.#safe = this.processes().filter((process) => !process.isLeaving);
    // A node alone has no second copy of anything.
    if (this.processes().length < 2) this.#safe = [];
  }

  isSafe(): boolean {
    return this.#safe.filter((process) => !process.hasEnded && !process.isLeaving).length >= 2;
  }

  start(machine: number): void {
    const place = this.machines[machine]!;
    if (place.process !== null) return;
    const { nodeTimeoutMs, partitionPolicy, takeOverAfter, partBytes } = this.#profile;
    const { maxMemoryBytes, maxMemoryPolicy } = this.#profile;
    const options: ProcessOptions = {
      tombstoneTtlMs: this.#profile.tombstoneTtlMs,
      nodeTimeoutMs,
      partitionPolicy,
      takeOverAfter,
      partBytes,
      // Unequal nodes: what one may take the other one need not have room for.
      maxMemoryBytes: machine === 0 ? maxMemoryBytes / 4 : maxMemoryBytes,
      maxMemoryPolicy,
      join: this.machines.map(({ address }) => address),
    };
    const process = new Process(this, place, ++this.#lives[machine]!, options);
    place.process = process;
    this.network.listen(machine, process);
  }

  kill(machine: number): void {
    this.#count('kills');
    this.machines[machine]!.process?.kill();
  }

  unplug(machine: number): void {
    for (const { index } of this.machines) if (index !== machine) this.network.cut(index, machine);
    this.kill(machine);
  }

  plug(machine: number): void {
    for (const { index } of this.machines) this.network.mend(index, machine);
  }

  leave(machine: number, ended: (hasLeft: boolean) => void): void {
    this.#count('leaves');
    const process = this.machines[machine]!.process!;
    process.leave();
    const look = (): void => {
      if (process.hasEnded || !process.isLeaving) ended(process.hasEnded);
      else this.at(50, look);
    };
    look();
  }

  stay(machine: number): void {
    if (this.machines[machine]!.process?.stay()) this.#count('stays');
  }

  pause(machine: number): void {
    this.#count('pauses');
    this.machines[machine]!.process?.pause();
  }

  resume(machine: number, clockStoodMs: number): void {
    const place = this.machines[machine]!;
    place.monotonicOffset -= clockStoodMs * place.rate;
    place.process?.resume();
    // Whatever it does first, it reads its clocks before.
    if (clockStoodMs > 0) place.process?.input('woken', () => undefined);
  }

  cut(from: number, to: number, oneWay: boolean): void {
    this.#count('cuts');
    this.network.cut(from, to, oneWay);
  }

  heal(): void {
    this.network.heal();
  }

  reset(kind: 'control' | 'data'): void {
    if (this.network.resetSome(kind, this.scheduler.random(`reset ${this.now}`))) {
      this.#count('resets');
    }
  }

  stepClock(machine: number, byMs: number): void {
    const place = this.machines[machine]!;
    const { clockSkewMs } = this.#profile;
    const offset = place.wallOffset - UNIX_MS + byMs;
    place.wallOffset = UNIX_MS + Math.max(0, Math.min(clockSkewMs, offset));
  }

  note(text: string): void {
    this.trace.fault(text);
  }

  describe(): string {
    return this.machines.map(showMachine).join('\n');
  }
}
