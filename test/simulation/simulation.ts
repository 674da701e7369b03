import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import { Bounds, Silence } from './bounds.js';
import {
  CalmChecks,
  checkMemory,
  checkPrimaries,
  checkRedundancy,
  checkWaits,
  countKeys,
  showMachine,
} from './checks.js';
import { readAll } from './collections.js';
import { FaultDriver } from './faults.js';
import { type Call, showCall, showReply, textOf } from './history.js';
import { HistoryChecks } from './history-checks.js';
import { Machines, UNIX_MS } from './machines.js';
import { Network } from './network.js';
import { PAIR_KEYS } from './pairs.js';
import { Placements } from './placements.js';
import type { Process, World } from './process.js';
import type { Profile } from './profiles.js';
import { pushTo } from './queues.js';
import { STEADY_KEYS } from './scans.js';
import { Scheduler } from './scheduler.js';
import { Splits, type Stage } from './splits.js';
import { Tally, type Totals } from './tally.js';
import { KeyTrace, Trace } from './trace.js';
import { type Found, throwFound, Violation } from './violation.js';
import { WAKE_MS_MAX, WakeUps } from './wake-ups.js';
import { Client, type Nodes, Workload } from './workload.js';
import { checkZones } from './zones.js';

export interface Result extends Totals {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly calls: number;
  /** Virtual milliseconds when it ended. */
  readonly endedAt: number;
  readonly failure: Found | null;
  /** The story of the key asked for. */
  readonly lines: readonly string[];
}

/** A run that is shorter than its profile says; up to where the first of these is met it is the same run. */
export interface Limits {
  /** Clients and faults end at this virtual time. */
  readonly untilMs: number;
  readonly faults: number;
  readonly commands: number;
  /** Partitions. */
  readonly splits: number;
}

export const NO_LIMITS: Limits = {
  untilMs: Number.POSITIVE_INFINITY,
  faults: Number.POSITIVE_INFINITY,
  commands: Number.POSITIVE_INFINITY,
  splits: Number.POSITIVE_INFINITY,
};

/** A command without an answer for so long has been forgotten. */
const ANSWER_MS_MAX = 30_000;
/** By then the first nodes have found each other. */
const FORMED_MS = 1000;
/** A node that was killed in a merge is started again after so long. */
const RESTART_MS = 400;
/** After the last fault the cluster has that long to become whole. */
const CALM_MS_MAX = 60_000;
/** What does not hold then is looked at again so often, so much later each time. */
const CALM_LOOKS = 5;
const CALM_LOOK_MS = 20;
/** It is at rest when it was for so long, or for a node-timeout if that is less. */
const QUIET_MS_MAX = 2000;
/** Between two looks whether the cluster has come to rest. */
const QUIET_LOOK_MS = 2;
/** Events between two looks for two primaries. */
const LOOK_EVENTS = 7;
/** The same for keys with one copy. */
const REDUNDANCY_EVENTS = 50;
/** The same for bounds of memory and messages. */
const BOUNDS_EVENTS = 250;
/** Of so many nodes: what is looked at grows with their square, and so do the events, most of which are heartbeats. */
const LOOK_NODES = 10;
/** Keys looked at at a time. */
const LOOK_KEYS = 24;
/** In the end all is read through so many nodes. */
const READ_NODES_MAX = 9;
/** So long a cluster at rest is watched. */
const SILENCE_MS = 1000;
/** Number of the client that asks on behalf of the checks. */
const ASKER = 3000;

/** One run: a cluster, its clients, its faults, its checks, all from one seed. */
export class Simulation implements Nodes, World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace: Trace;
  readonly placements = new Placements();
  readonly machines: Machines;
  readonly workload: Workload;
  readonly #profile: Profile;
  readonly #limits: Limits;
  readonly #faults: FaultDriver;
  readonly #tally = new Tally();
  readonly #histories: HistoryChecks;
  readonly #bounds: Bounds;
  readonly #wakeUps = new WakeUps();
  #violation: Violation | null = null;
  /** Times the events between two looks, and the time between two looks for rest. */
  readonly #rarer: number;
  #wasQuiet = false;
  #looked = 0;

  constructor(seed: number, profile: Profile, traceKey: string | null = null, limits = NO_LIMITS) {
    this.#profile = profile;
    this.#limits = limits;
    this.#rarer = Math.max(1, Math.floor(((profile.nodes + profile.spares) / LOOK_NODES) ** 2));
    this.scheduler = new Scheduler(seed);
    this.trace = traceKey === null ? new Trace() : new KeyTrace(this.scheduler, traceKey);
    this.network = new Network(this.scheduler, {
      delayMsMax: profile.delayMsMax,
      lateShare: profile.lateShare,
      dialTimeoutMs: profile.nodeTimeoutMs,
      cutShare: profile.cutShare,
    });
    this.machines = new Machines(this, profile, this.#tally, (since) =>
      this.workload.vanished(since),
    );
    this.workload = new Workload(this, profile, limits.commands);
    const { clockSkewMs, clockJumpMs, maxMemoryPolicy } = profile;
    const isEvicting = maxMemoryPolicy !== 'noeviction';
    this.#histories = new HistoryChecks(
      this.workload,
      { clockSkewMs, clockJumpMs, isEvicting },
      this.#tally,
    );
    this.#bounds = new Bounds(
      this.#tally,
      this.#keysMax,
      this.machines.all.length,
      profile.nodeTimeoutMs,
    );
    this.workload.start();
    this.#faults = new FaultDriver(
      this.machines,
      profile,
      this.scheduler.random('faults'),
      limits.faults,
    );
  }

  /** Runs it all; the failure, if any, is in the result. */
  run(): Result {
    let failure: Found | null = null;
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
    for (const { outcome } of workload.calls) this.#tally.count(outcome);
    for (const { node } of this.processes())
      this.#tally.count('evicted', node.state.statistics.evicted);
    const { faults, checks, counts } = this.#tally;
    return {
      seed: scheduler.seed,
      hash: scheduler.hash,
      events: scheduler.events,
      calls: workload.calls.length,
      endedAt: this.now,
      faults,
      checks,
      counts,
      failure,
      lines: trace instanceof KeyTrace ? trace.lines : [],
    };
  }

  #runWhole(): void {
    this.#runUntil(Math.min(this.#profile.durationMs, this.#limits.untilMs));
    this.#calmDown();
    this.#checkCalm();
    this.#wakeAll();
    this.#readEverything();
    this.#checkSilence();
    this.#histories.run();
    this.#checkWaits();
    if (this.#profile.subscribers > 0) this.#histories.checkMessages(this.machines.peace);
  }

  #checkWaits(): void {
    const { waitMsMax } = this.#profile;
    if (waitMsMax === 0) return;
    const calls = this.workload.calls.filter(({ invokedAt }) => invokedAt > FORMED_MS);
    this.#tally.check('prompt', calls.length);
    throwFound(checkWaits(calls, waitMsMax));
  }

  #runSplits(): void {
    const random = this.scheduler.random('splits');
    const { nodeTimeoutMs, splits, splitLasts, splitSides, mergeCrashes, forgets } = this.#profile;
    const [shortest, longest] = splitLasts;
    this.#runUntil(3000);
    this.#calmDown();
    const lasts = [nodeTimeoutMs * shortest, nodeTimeoutMs * longest] as const;
    const options = { lastsMs: lasts, crashes: mergeCrashes, sides: splitSides, forgets };
    new Splits(this.#stage(random), random, options).run(Math.min(splits, this.#limits.splits));
    this.#checkSilence();
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
      cut: (one, other) => this.machines.cut(one, other, false),
      heal: () => this.machines.heal(),
      crash: (machine, afterMs) => {
        this.machines.at(afterMs, () => this.machines.kill(machine));
        this.machines.at(afterMs + RESTART_MS, () => this.machines.start(machine));
      },
      go: () => {
        this.#faults.goOn();
        this.workload.start();
      },
      hush: () => this.workload.stop(),
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
      forget: (machines, gone) => {
        const at = random.pick(machines);
        const outcome = this.machines.forget(at, this.machines.memberAt(gone)!, false);
        this.machines.note(`machine ${at} is to forget machine ${gone}: ${outcome}`);
      },
      check: (what, key, histories) => this.#histories.checkKey(what, key, histories),
      violated: (what, key) => {
        throw new Violation(what, key);
      },
      toTrueTime: (unixMs) => unixMs - UNIX_MS - this.#profile.clockSkewMs / 2,
      note: (text) => this.machines.note(text),
      count: (what) => this.#tally.count(what),
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
    if (this.#isTime(LOOK_EVENTS) && this.#profile.oneAtATime) {
      this.#tally.check('looks');
      throwFound(checkPrimaries(this.processes(), this.#someKeys(), this.#profile.splits > 0));
    }
    if (this.#isTime(REDUNDANCY_EVENTS)) this.#checkRedundancy();
    if (this.#isTime(BOUNDS_EVENTS)) this.#checkBounds();
    if (this.#isTime(1000)) this.#checkAnswers();
  }

  #isTime(everyEvents: number): boolean {
    return this.scheduler.events % (everyEvents * this.#rarer) === 0;
  }

  #checkBounds(): void {
    const { messages } = this.network;
    const { calls } = this.workload;
    throwFound(this.#bounds.look(this.now, this.processes(), messages, calls.length));
  }

  #checkRedundancy(): void {
    const processes = this.processes();
    throwFound(checkMemory(processes));
    throwFound(checkZones(processes, this.#tally));
    this.#checkWaiting(processes);
    if (this.#profile.oneAtATime) throwFound(checkRedundancy(processes, this.workload.keys));
    // Keys that move from node to node have two copies all the time.
    if (Object.keys(this.#profile.faults).length > 0) return;
    const isQuiet = this.machines.isQuiet();
    if (this.#wasQuiet && !isQuiet)
      throw new Violation(`not settled any more:\n${this.describe()}`);
    this.#wasQuiet = isQuiet;
  }

  /** Those who wait for a key, or for messages. */
  #checkWaiting(processes: readonly Process[]): void {
    const { waiting } = this.workload;
    if (this.#profile.kinds.includes('Q')) {
      this.#tally.check('waits', waiting.length);
      throwFound(this.#wakeUps.look(this.now, this.machines.isQuiet(), processes, waiting));
    }
    if (this.#profile.subscribers === 0) return;
    const { machines } = this;
    machines.peace.look(this.now, this.#faults.isBroken, machines.isQuiet(), processes);
  }

  /** Whoever still waits for a key is given an element, one after the other. */
  #wakeAll(): void {
    const random = this.scheduler.random('wake all');
    for (let [call] = this.workload.waiting; call !== undefined; [call] = this.workload.waiting) {
      const { calls } = this.workload;
      const key = call.keys[0]!;
      const blocked = this.workload.blocked.filter(({ keys }) => keys.includes(key));
      this.#answerOf(
        random.pick(this.processes()),
        pushTo(random, key, `v${calls.length}.`, calls.length),
      );
      const isNobodyWoken = () => blocked.every(({ outcome }) => outcome === 'pending');
      if (this.#runWhile(isNobodyWoken, WAKE_MS_MAX)) continue;
      throw new Violation(
        `an element came to ${key}, and nobody was woken: ${showCall(call)}`,
        key,
      );
    }
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
    for (const process of this.processes())
      if (process.isPaused) this.machines.resume(process.machine, 0);
    let since = this.now;
    let lookAt = this.now;
    // Quiet is what stays so: machines may still be about to start.
    const isOver = (): boolean => {
      look();
      // Every node answers for every other one: not after each event.
      if (this.now < lookAt) return false;
      lookAt = this.now + QUIET_LOOK_MS * Math.sqrt(this.#rarer);
      const isOpen = this.#faults.open > 0 || this.workload.hasPending;
      const isKnown = (): boolean => this.processes().every(({ node }) => node.isKnown());
      if (isOpen || !isKnown() || !this.machines.isQuiet()) since = this.now;
      return this.now - since >= Math.min(this.#profile.nodeTimeoutMs, QUIET_MS_MAX);
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
    this.#tally.check('whole');
    let found = checks.run();
    // A key may have expired in this moment: others are about to learn of it.
    for (let i = 0; found !== null && i < CALM_LOOKS; i++) {
      this.#runUntil(this.now + CALM_LOOK_MS);
      found = checks.run();
    }
    throwFound(found ?? checkZones(this.processes(), this.#tally));
  }

  /** What DBSIZE says through each node, and what a cluster sends and keeps when nobody does anything. */
  #checkSilence(): void {
    // Some of those that are there may expire meanwhile.
    const { most } = countKeys(this.processes());
    const sizes = this.#someProcesses().map((process) => this.#answerOf(process, ['DBSIZE']));
    const { least } = countKeys(this.processes());
    const wrong = sizes.find(
      (reply) => !(Number(textOf(reply)) >= least && Number(textOf(reply)) <= most),
    );
    if (wrong !== undefined) {
      throw new Violation(`DBSIZE says ${showReply(wrong)} in calm, of ${least} to ${most} keys`);
    }
    const silence = new Silence(this.processes(), this.#keysMax);
    this.#runUntil(this.now + SILENCE_MS);
    throwFound(silence.check());
  }

  /** Sends a command in calm, and waits for its reply. */
  #answerOf(process: Process, args: readonly string[]): Reply | null {
    let answered: Call | null = null;
    const random = this.scheduler.random(`asker ${process.name}`);
    new Client(this.workload, ASKER, random).run(process, args, (call) => {
      answered = call;
    });
    if (!this.#runWhile(() => answered === null, ANSWER_MS_MAX)) {
      throw new Violation(`no answer to ${args.join(' ')} in calm`, args[1] ?? null);
    }
    return (answered as Call | null)!.reply;
  }

  /** Where there are many keys, some of them at a time. */
  #someKeys(): readonly string[] {
    const { keys } = this.workload;
    if (keys.length <= LOOK_KEYS) return keys;
    this.#looked = (this.#looked + LOOK_KEYS) % keys.length;
    return keys.slice(this.#looked, this.#looked + LOOK_KEYS);
  }

  /** All keys that there may ever be. */
  get #keysMax(): number {
    return this.workload.keys.length + PAIR_KEYS.length + STEADY_KEYS.length;
  }

  /** Where there are many nodes, some of them. */
  #someProcesses(): readonly Process[] {
    const processes = this.processes();
    const step = Math.max(1, processes.length / READ_NODES_MAX);
    return processes.filter((_, i) => Math.floor(i / step) > Math.floor((i - 1) / step));
  }

  /** Every key is read through every node, one after the other. */
  #readEverything(): void {
    for (const process of this.#someProcesses()) {
      for (const key of [...this.workload.keys, ...PAIR_KEYS])
        this.#answerOf(process, readAll(key));
    }
  }

  // --- Nodes

  processes(): Process[] {
    return this.machines.processes();
  }

  listening(): Process[] {
    return this.processes();
  }

  // --- World

  ended(process: Process): void {
    this.machines.ended(process);
  }

  // --- parts

  get now(): number {
    return this.scheduler.now;
  }

  describe(): string {
    return this.machines.all.map(showMachine).join('\n');
  }
}
