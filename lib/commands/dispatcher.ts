import assert from 'node:assert';
import { KEYS_PER_TURN } from '../base/limits.js';
import type { Keyspace } from '../cluster/keyspace-contract.js';
import type { CommandEvents } from '../cluster/keyspace-events.js';
import {
  type CommandTraits,
  type Executor,
  KeyMode,
  type Router,
  type RunTime,
} from '../cluster/operation.js';
import type { WriteBarrier } from '../cluster/write-barrier.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { Blocking } from './blocking.js';
import type { ClientSession } from './client-session.js';
import { hashesOf, hashesOfKeys, type KeyHashes } from './command-order.js';
import { ErrorReplies } from './error-replies.js';
import { Errors, notInStep } from './errors.js';
import type { Exit } from './exit.js';
import type { HotKeys } from './hot-keys.js';
import { MutedReplies } from './muted-replies.js';
import { PauseGate } from './pause-gate.js';
import { Queueing } from './queueing.js';
import { isHttp, Refusals, runsByItself } from './refusals.js';
import { RunningCommand } from './running-command.js';
import { isWritingScript } from './scripting/may-write.js';
import type { NodeServices } from './services.js';
import { SCRIPT_CALLER, type SlowLog } from './slow-log.js';
import { type CommandSpec, QueueMode, type StepCommands } from './spec.js';
import {
  arityFits,
  type CommandTable,
  keyCount,
  keyIndex,
  keyIndexes,
  keyPlaces,
} from './table.js';
import { TimedCommand } from './timed-command.js';

const NOTHING: KeyHashes = [];

/** What a dispatcher works with. */
export interface DispatcherParts {
  readonly table: CommandTable;
  readonly keyspace: Keyspace;
  readonly router: Router;
  readonly barrier: WriteBarrier;
  readonly services: NodeServices;
}

/** Runs the commands of clients, and those that the cluster hands to this node. */
export class Dispatcher implements Executor, StepCommands {
  readonly #table: CommandTable;
  readonly #router: Router;
  readonly #barrier: WriteBarrier;
  readonly #services: NodeServices;
  readonly #context: RunningCommand;
  readonly #gate: PauseGate;
  readonly #blocking: Blocking;
  readonly #refusals: Refusals;
  readonly #queueing: Queueing;
  readonly #muted: MutedReplies;
  readonly #errors: ErrorReplies;

  constructor(parts: DispatcherParts) {
    this.#table = parts.table;
    this.#router = parts.router;
    this.#barrier = parts.barrier;
    this.#services = parts.services;
    for (const spec of parts.table.all())
      parts.services.statistics.commands.set(spec.name, spec.use);
    this.#gate = new PauseGate(parts.services, (isPaused) => parts.router.keepExpired(isPaused));
    this.#context = new RunningCommand(parts, this.#gate, this);
    this.#blocking = new Blocking(parts, this.#gate, this.slowLog);
    this.#errors = new ErrorReplies(parts.services.statistics);
    this.#refusals = new Refusals(parts.table, parts.router, parts.services);
    this.#queueing = new Queueing(parts.barrier, parts.services, this.#errors);
    const { services } = parts;
    this.#muted = new MutedReplies(this.#refusals, this.#queueing, this.#errors, services, {
      enter: (...command) => this.#enter(...command),
      submit: (...command) => this.#submit(...command),
      block: (...command) => this.#block(...command),
    });
  }

  /**
   * Runs one command of a client, or sends it on its way. The checks come in the order of Redis's processCommand:
   * existence, arity, authentication, memory, state of the node, pause; before them, the order of its client's commands. The request is not used after the call returns.
   */
  dispatch(client: ClientSession, request: Request): void {
    const spec = this.#table.find(request);
    if (client.blocked !== null || (spec !== null && this.#mustWait(client, request, spec))) {
      client.hold(request.copy());
      return;
    }
    client.commandsRun++;
    this.#services.statistics.commandsProcessed++;
    if (client.replyMode !== 'on') {
      this.#muted.run(client, request, spec);
      return;
    }
    if (spec === null && isHttp(request)) {
      this.#services.log('warn', 'http request on client port', { client: client.address });
      client.kill();
      return;
    }
    if (spec === null || this.#refusals.isRefused(client, request, spec)) {
      this.#errors.refuse(client.reply, this.#refusals.refuse(client, request, spec), spec);
      client.endReply(0);
      return;
    }
    client.lastCommand = spec.name;
    if (client.transaction !== null && spec.queueMode !== QueueMode.RunAtOnce) {
      this.#queueing.queue(client, request, spec, client.reply);
      client.endReply(0);
      return;
    }
    const { monitors } = this.#services;
    if (monitors.isActive && spec.isShownFirst) {
      monitors.show(client.address, client.db, spec, request);
    }
    if (client.tracking !== null) {
      this.#services.tracking.begins(client.tracking, spec, request, client.transaction);
    }
    if (runsByItself(spec)) this.#runKeyless(client, request, spec);
    else if (spec.blocking !== null) this.#block(client, request, spec, client.reply, null);
    else if (this.#mayRun(client.db, request, spec)) this.#runHere(client, request, spec);
    else this.#submit(client, request, spec, client.reply, null);
    if (monitors.isActive && !spec.isShownFirst) {
      monitors.show(client.address, client.db, spec, request);
    }
  }

  classify(request: Request): { traits: CommandTraits; keys: readonly number[] } | null {
    if (request.argc === 0) return null;
    const spec = this.#table.find(request);
    if (spec === null || !spec.hasKeys || !arityFits(spec, request.argc)) return null;
    return { traits: spec, keys: keyIndexes(spec, request, 0) };
  }

  execute(
    request: Request,
    db: number,
    reply: ReplyWriter,
    origin: object | null = null,
    runTime: RunTime | null = null,
  ): void {
    const spec = this.#table.find(request);
    assert(spec?.run, 'only commands that were classified are executed');
    const context = this.#context;
    // This may happen inside `submit` or `clusterWide`, after which handlers do not look at their context again.
    context.session = null;
    context.origin = origin;
    context.runTime = runTime;
    context.current = spec;
    context.request = request;
    context.db = db;
    const start = reply.length;
    if (spec.denyOom && this.#barrier.outOfMemory()) {
      this.#errors.refuse(reply, Errors.outOfMemory, spec);
      return;
    }
    const waiter = this.#blocking.waiterOf(request);
    if (waiter === null) context.run(request, spec, reply);
    else context.attempt(request, spec, reply, waiter);
    this.#errors.note(reply, start, waiter?.spec ?? spec);
  }

  get slowLog(): SlowLog {
    return this.#context.slowLog;
  }

  get hotKeys(): HotKeys {
    return this.#context.hotKeys;
  }

  /** What the changes of the command that runs, or ran last, are called. */
  get events(): CommandEvents | null {
    return this.#context.current?.events ?? null;
  }

  /** On whose behalf it runs. */
  get origin(): object | null {
    return this.#context.session ?? this.#context.origin;
  }

  run(
    client: ClientSession,
    spec: CommandSpec,
    request: Request,
    db: number,
    reply: ReplyWriter,
    caller: string,
  ): void {
    const context = this.#context;
    const start = reply.length;
    context.session = client;
    context.current = spec;
    context.request = request;
    context.db = db;
    context.deferred = false;
    context.isInStep = true;
    context.run(request, spec, reply, caller === client.address ? client : SCRIPT_CALLER);
    const { monitors } = this.#services;
    if (monitors.isActive) monitors.show(caller, db, spec, request);
    context.isInStep = false;
    context.muted = false;
    // A step waits for nothing. Commands that do were refused when they were queued; a script has called this one.
    if (context.deferred) {
      reply.truncate(start);
      reply.error(notInStep(spec.name));
    }
    this.#errors.note(reply, start, spec);
  }

  /** What a command touches now; what is queued touches nothing yet. */
  #touched(
    { transaction, watched }: ClientSession,
    spec: CommandSpec,
    request: Request,
  ): KeyHashes {
    // RESET changes the client at once, whatever is queued.
    if (transaction === null || spec.noAuth) return hashesOf(spec, request);
    if (spec.name !== 'exec') return NOTHING;
    return hashesOfKeys(transaction.keys, watched?.keys() ?? []);
  }

  /** Whether something is to happen before this command runs; the client is released when it has. */
  #mustWait(client: ClientSession, request: Request, spec: CommandSpec): boolean {
    const { order } = client;
    if (order.open > 0 && order.mustWait(this.#touched(client, spec, request))) return true;
    // As in Redis a command that is refused anyway does not wait.
    const isWrite =
      spec.isPausedAsWrite ||
      (spec.name === 'exec' && client.transaction?.isPausedAsWrite === true) ||
      (this.#gate.active && isWritingScript(spec, request, this.#services.scripts));
    if (!this.#gate.stops(isWrite) || this.#refusals.isRefused(client, request, spec)) return false;
    this.#gate.wait(client);
    return true;
  }

  #mayRun(db: number, request: Request, spec: CommandSpec): boolean {
    const router = this.#router;
    if (spec.keyMode === KeyMode.Single) return router.mayRun(db, request, spec.firstKey, spec);
    // One argument may name a key in two databases.
    if (spec.keyDatabases !== null) return false;
    const keys = keyCount(spec, request);
    // Several keys as one step need their owners brought together, very many go in slices: that is the router's.
    if (keys > (spec.keyMode === KeyMode.Gather && spec.write ? 1 : KEYS_PER_TURN)) return false;
    for (let i = 0; i < keys; i++) {
      if (!router.mayRun(db, request, keyIndex(spec, request, i), spec)) return false;
    }
    return true;
  }

  #enter(client: ClientSession, request: Request, spec: CommandSpec): RunningCommand {
    const context = this.#context;
    context.session = client;
    context.current = spec;
    context.request = request;
    context.db = client.db;
    context.deferred = false;
    return context;
  }

  #runHere(client: ClientSession, request: Request, spec: CommandSpec): void {
    const context = this.#enter(client, request, spec);
    const barrier = this.#barrier;
    const { reply } = client;
    const start = reply.length;
    barrier.begin();
    if (spec.denyOom && barrier.outOfMemory()) {
      this.#errors.refuse(reply, Errors.outOfMemory, spec);
    } else {
      context.run(request, spec, reply);
      this.#errors.note(reply, start, spec);
    }
    const acks = barrier.count();
    const token = client.endReply(acks);
    if (acks > 0) barrier.register(client, token);
    // Whoever waits for what came is served before the next command, as in Redis.
    if (this.#blocking.isDue) this.#blocking.run();
  }

  #runKeyless(client: ClientSession, request: Request, spec: CommandSpec): void {
    const context = this.#enter(client, request, spec);
    const { reply } = client;
    const start = reply.length;
    context.run(request, spec, reply);
    if (context.deferred) return;
    this.#errors.note(reply, start, spec);
    client.endReply(0);
  }

  /** `exit` null: the reply takes the next place in the client's order. What is said at once is appended to `reply`. */
  #submit(
    client: ClientSession,
    request: Request,
    spec: CommandSpec,
    reply: ReplyWriter,
    exit: Exit | null,
  ): void {
    const refusal = this.#router.refusal();
    if (refusal !== null) {
      this.#errors.refuse(reply, refusal, spec);
      if (exit === null) client.endReply(0);
      return;
    }
    const { sink, token } = exit ?? { sink: client, token: client.deferReply() };
    const kept = request.copy();
    const ordered = client.order.begin(hashesOf(spec, request), sink);
    const { slowLog } = this;
    const timed = slowLog.times(spec)
      ? new TimedCommand(slowLog, client, spec, kept, ordered)
      : null;
    const { keys, databases } = keyPlaces(spec, request, client.db);
    this.#router.submit({
      request: kept,
      traits: spec,
      keys,
      databases,
      db: client.db,
      proto: client.reply.proto,
      sink: timed ?? ordered,
      token,
      origin: client,
      runTime: timed,
    });
  }

  /** The way of commands that may wait. `reply` and `exit` as for `#submit`. */
  #block(
    client: ClientSession,
    request: Request,
    spec: CommandSpec,
    reply: ReplyWriter,
    exit: Exit | null,
  ): void {
    const start = reply.length;
    const refusal = this.#router.refusal();
    if (refusal !== null) reply.error(refusal);
    const timeoutMs = refusal ?? spec.blocking!.timeoutOrReply(request, reply);
    if (typeof timeoutMs === 'number') {
      const place = exit ?? { sink: client, token: client.deferReply() };
      this.#blocking.begin(client, request.copy(), spec, timeoutMs, place);
      return;
    }
    this.#errors.note(reply, start, spec);
    if (exit === null) client.endReply(0);
  }
}
