import assert from 'node:assert';
import type { Key } from '../cluster/key.js';
import type { KeyList } from '../cluster/key-list.js';
import type { Keyspace } from '../cluster/keyspace-contract.js';
import type { ClusterWideCommand, CommandTraits, Router, RunTime } from '../cluster/operation.js';
import type { Step, WatchMark } from '../cluster/step.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';
import { hashesOf, hashesOfKeys } from './command-order.js';
import { type Exit, SILENCE } from './exit.js';
import { HotKeys } from './hot-keys.js';
import type { LatencyMonitor } from './latency-monitor.js';
import type { PauseGate } from './pause-gate.js';
import type { NodeServices } from './services.js';
import type { Caller, SlowLog } from './slow-log.js';
import type { CommandContext, CommandSpec, StepCommands } from './spec.js';
import { type CommandTable, keyCount, keyIndex } from './table.js';
import { TimedStep } from './timed-step.js';
import type { BlockedClient } from './waiter.js';

const OK = Buffer.from('+OK\r\n', 'latin1');
const FAULT = 'ERR this command has met a fault of the server, which its log tells more of';

/** What a context is made of. */
export interface ContextParts {
  readonly table: CommandTable;
  readonly keyspace: Keyspace;
  readonly router: Router;
  readonly services: NodeServices;
}

/** The command that runs, as its handler sees it: one object for all commands of a node. */
export class RunningCommand implements CommandContext {
  readonly keyspace: Keyspace;
  readonly services: NodeServices;
  readonly table: CommandTable;
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  readonly hotKeys: HotKeys = new HotKeys();
  readonly #router: Router;
  readonly #gate: PauseGate;
  session: ClientSession | null = null;
  /** Of a command without a session: on whose behalf it runs. */
  origin: object | null = null;
  /** The same: is told how long it has run. */
  runTime: RunTime | null = null;
  current: CommandSpec | null = null;
  request: Request | null = null;
  db = 0;
  muted = false;
  deferred = false;
  isInStep = false;
  exit: Exit | null = null;
  readonly stepCommands: StepCommands;
  /** What the command that runs has begun. */
  #step: TimedStep | null = null;

  constructor(parts: ContextParts, gate: PauseGate, stepCommands: StepCommands) {
    this.stepCommands = stepCommands;
    this.keyspace = parts.keyspace;
    this.services = parts.services;
    this.table = parts.table;
    this.slowLog = parts.services.slowLog;
    this.latency = parts.services.latency;
    this.#router = parts.router;
    this.#gate = gate;
  }

  get spec(): CommandSpec {
    return this.current!;
  }

  get client(): ClientSession {
    assert(this.session !== null, 'a command for the cluster has no client');
    return this.session;
  }

  get isInSubscriberMode(): boolean {
    return this.session?.subscriptions != null && this.session.reply.proto === 2;
  }

  #takeExit(): Exit {
    assert(!this.deferred, 'a reply is deferred once');
    this.deferred = true;
    if (this.isInStep) return SILENCE;
    if (this.exit !== null) return this.exit;
    return { sink: this.client, token: this.client.deferReply() };
  }

  defer(isExclusive = false): (write: (reply: ReplyWriter) => void) => void {
    const { sink: exit, token } = this.#takeExit();
    const { order, reply } = this.client;
    const sink = isExclusive ? order.begin([], exit, true) : exit;
    const { proto } = reply;
    return (write) => {
      const reply = new ReplyWriter();
      reply.proto = proto;
      write(reply);
      sink.complete(token, Buffer.from(reply.buffer.subarray(0, reply.length)));
    };
  }

  clusterWide(command: ClusterWideCommand): void {
    const { sink, token } = this.#takeExit();
    this.#router.clusterWide(command, {
      request: this.request!.copy(),
      traits: this.spec,
      keys: [],
      db: this.db,
      proto: this.client.reply.proto,
      sink: this.client.order.begin(null, sink),
      token,
    });
  }

  runStep(keys: KeyList, traits: CommandTraits, step: Step, changesClient: boolean): void {
    const { sink, token } = this.#takeExit();
    const { client, db } = this;
    const timed = new TimedStep(step, this.services);
    this.#step = timed;
    this.#router.submit({
      request: keys.request(),
      traits,
      keys: keys.indexes,
      databases: keys.databases,
      db,
      proto: client.reply.proto,
      sink: client.order.begin(hashesOfKeys(keys), sink, changesClient),
      token,
      step: timed,
      origin: client,
    });
  }

  watch(keys: readonly Key[], marked: (key: Key, mark: WatchMark | null) => void): void {
    const exit = this.#takeExit();
    const { client } = this;
    const sink = client.order.begin(hashesOf(this.spec, this.request!), exit.sink);
    let missing = keys.length;
    for (const key of keys) {
      this.#router.watch(key, (mark) => {
        marked(key, mark);
        if (--missing === 0) sink.complete(exit.token, OK);
      });
    }
  }

  pause(until: number, writesOnly: boolean): void {
    this.#gate.pause(until, writesOnly);
  }

  unpause(): void {
    this.#gate.end();
  }

  /** Runs the handler, counts it, and keeps what took long. */
  run(
    request: Request,
    spec: CommandSpec,
    reply: ReplyWriter,
    caller: Caller | null = this.session,
  ): void {
    const { slowLog, latency, hotKeys } = this;
    const mayBeSlow = slowLog.times(spec) || latency.times(spec.isQuick);
    const isSampled = spec.use.begin();
    if (!isSampled && !mayBeSlow) {
      this.#handle(request, spec, reply);
      return;
    }
    const outer = this.#step;
    this.#step = null;
    const { runTime, services } = this;
    const before = services.elapsedMs();
    if (isSampled && before < hotKeys.wantedUntil && keyCount(spec, request) > 0) {
      const index = keyIndex(spec, request, 0);
      hotKeys.note(request.buffer, request.start[index]!, request.end[index]!);
    }
    this.#handle(request, spec, reply);
    const tookMs = services.elapsedMs() - before;
    const step = this.#step as TimedStep | null;
    this.#step = outer;
    if (step === null) this.#took(request, spec, tookMs, mayBeSlow, caller, runTime);
    else {
      const kept = step.isOver ? request : request.copy();
      step.whenOver((ranMs) => this.#took(kept, spec, ranMs, mayBeSlow, caller, null));
    }
  }

  /**
   * A fault in a command that changes nothing costs the client an error, and no node: whoever sends it again would end one
   * after the other. One that changes something may have left half of that: this node ends, and the backups go on.
   */
  #handle(request: Request, spec: CommandSpec, reply: ReplyWriter): void {
    const from = reply.length;
    try {
      spec.run!(this, request, reply);
    } catch (error) {
      if (spec.write || this.deferred || !(error instanceof Error)) throw error;
      reply.length = from;
      reply.error(FAULT);
      this.services.log('warn', 'command-fault', { command: spec.name, error: error.stack });
    }
  }

  #took(
    request: Request,
    spec: CommandSpec,
    milliseconds: number,
    mayBeSlow: boolean,
    caller: Caller | null,
    runTime: RunTime | null,
  ): void {
    const { slowLog, latency } = this;
    spec.use.took(milliseconds);
    if (!mayBeSlow) return;
    if (latency.threshold > 0) {
      latency.note(spec.isQuick ? 'fast-command' : 'command', milliseconds, this.services.now());
    }
    if (caller !== null) slowLog.note(request, spec, milliseconds, caller);
    else runTime?.add(milliseconds, slowLog.isSlow(milliseconds));
  }

  /** Runs a command in the place of the one that `waiter` waits with, which is what is counted and kept. */
  attempt(request: Request, spec: CommandSpec, reply: ReplyWriter, waiter: BlockedClient): void {
    const before = this.services.elapsedMs();
    this.#handle(request, spec, reply);
    waiter.add(this.services.elapsedMs() - before, false);
  }
}
