import assert from 'node:assert';
import { KEYS_PER_TURN } from '../base/limits.js';
import type { Key } from '../cluster/key.js';
import type { KeyList } from '../cluster/key-list.js';
import type { Keyspace } from '../cluster/keyspace-contract.js';
import type { CommandEvents } from '../cluster/keyspace-events.js';
import {
  type ClusterWideCommand,
  type CommandTraits,
  type Executor,
  KeyMode,
  type ReplySink,
  type Router,
} from '../cluster/operation.js';
import type { Step, WatchMark } from '../cluster/step.js';
import type { WriteBarrier } from '../cluster/write-barrier.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { KEY_LENGTH_MAX } from '../store/entry.js';
import { Blocking } from './blocking.js';
import type { ClientSession } from './client-session.js';
import { hashesOf, hashesOfKeys, type KeyHashes } from './command-order.js';
import {
  Errors,
  execAbortedBy,
  notInStep,
  onlyWhenNotSubscribed,
  unknownCommand,
  wrongArity,
} from './errors.js';
import { PauseGate } from './pause-gate.js';
import type { NodeServices } from './services.js';
import { SlowLog } from './slow-log.js';
import { type CommandContext, type CommandSpec, QueueMode, type StepCommands } from './spec.js';
import { arityFits, type CommandTable, keyCount, keyIndex, keyIndexes } from './table.js';
import { endTransaction } from './transactions.js';

/** First byte of an error reply. */
const MINUS = 45;
const NOTHING: KeyHashes = [];
const OK = Buffer.from('+OK\r\n', 'latin1');

/** How the reply of the running command goes out, where that is not by `client.endReply`. */
interface Exit {
  readonly sink: ReplySink;
  readonly token: number;
}

/** For replies that nobody wants: CLIENT REPLY OFF and SKIP. */
const SILENCE: Exit = { sink: { acknowledged() {}, complete() {}, fail() {} }, token: 0 };

/** What a dispatcher works with. */
export interface DispatcherParts {
  readonly table: CommandTable;
  readonly keyspace: Keyspace;
  readonly router: Router;
  readonly barrier: WriteBarrier;
  readonly services: NodeServices;
}

class Context implements CommandContext {
  readonly keyspace: Keyspace;
  readonly services: NodeServices;
  readonly table: CommandTable;
  readonly slowLog: SlowLog;
  readonly #router: Router;
  readonly #gate: PauseGate;
  session: ClientSession | null = null;
  current: CommandSpec | null = null;
  request: Request | null = null;
  db = 0;
  muted = false;
  deferred = false;
  isInStep = false;
  exit: Exit | null = null;
  readonly stepCommands: StepCommands;

  constructor(parts: DispatcherParts, gate: PauseGate, stepCommands: StepCommands) {
    this.stepCommands = stepCommands;
    this.keyspace = parts.keyspace;
    this.services = parts.services;
    this.table = parts.table;
    this.slowLog = new SlowLog(parts.services.config);
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

  defer(): (write: (reply: ReplyWriter) => void) => void {
    const { sink, token } = this.#takeExit();
    const { proto } = this.client.reply;
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
    this.#router.submit({
      request: keys.request(),
      traits,
      keys: keys.indexes,
      databases: keys.databases,
      db,
      proto: client.reply.proto,
      sink: client.order.begin(hashesOfKeys(keys), sink, changesClient),
      token,
      step,
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
}

/** Runs the commands of clients, and those that the cluster hands to this node. */
export class Dispatcher implements Executor, StepCommands {
  readonly #table: CommandTable;
  readonly #router: Router;
  readonly #barrier: WriteBarrier;
  readonly #services: NodeServices;
  readonly #context: Context;
  readonly #gate: PauseGate;
  readonly #blocking: Blocking;
  /** Replies that do not go straight into a connection's own writer. */
  readonly #scratch = new ReplyWriter();

  constructor(parts: DispatcherParts) {
    this.#table = parts.table;
    this.#router = parts.router;
    this.#barrier = parts.barrier;
    this.#services = parts.services;
    this.#gate = new PauseGate(parts.services);
    this.#context = new Context(parts, this.#gate, this);
    this.#blocking = new Blocking(parts.table, parts.router, parts.services, this.#gate);
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
      this.#runMuted(client, request, spec);
      return;
    }
    if (spec === null && this.#isHttp(request)) {
      this.#services.log('warn', 'http request on client port', { client: client.address });
      client.kill();
      return;
    }
    if (spec === null || this.#isRefused(client, request, spec)) {
      this.#reject(client.reply, this.#refusal(client, request, spec));
      client.endReply(0);
      return;
    }
    client.lastCommand = spec.name;
    if (client.transaction !== null && spec.queueMode !== QueueMode.RunAtOnce) {
      this.#queue(client, request, spec, client.reply);
      client.endReply(0);
      return;
    }
    if (runsByItself(spec)) this.#runKeyless(client, request, spec);
    else if (spec.blocking !== null) this.#block(client, request, spec, null);
    else if (this.#mayRun(client.db, request, spec)) this.#runHere(client, request, spec);
    else this.#submit(client, request, spec, null);
  }

  classify(request: Request): { traits: CommandTraits; keys: readonly number[] } | null {
    if (request.argc === 0) return null;
    const spec = this.#table.find(request);
    if (spec === null || !spec.hasKeys || !arityFits(spec, request.argc)) return null;
    return { traits: spec, keys: keyIndexes(spec, request, 0) };
  }

  execute(request: Request, db: number, reply: ReplyWriter): void {
    const spec = this.#table.find(request);
    assert(spec?.run, 'only commands that were classified are executed');
    const context = this.#context;
    // This may happen inside `submit` or `clusterWide`, after which handlers do not look at their context again.
    context.session = null;
    context.current = spec;
    context.request = request;
    context.db = db;
    const start = reply.length;
    if (spec.denyOom && this.#barrier.outOfMemory()) reply.error(Errors.outOfMemory);
    else this.#run(context, request, spec, reply);
    this.#noteError(reply, start);
  }

  /** What the changes of the command that runs, or ran last, are called. */
  get events(): CommandEvents | null {
    return this.#context.current?.events ?? null;
  }

  run(
    client: ClientSession,
    spec: CommandSpec,
    request: Request,
    db: number,
    reply: ReplyWriter,
  ): void {
    const context = this.#context;
    const start = reply.length;
    context.session = client;
    context.current = spec;
    context.request = request;
    context.db = db;
    context.deferred = false;
    context.isInStep = true;
    spec.run!(context, request, reply);
    context.isInStep = false;
    context.muted = false;
    // A step waits for nothing. Commands that do were refused when they were queued; a script has called this one.
    if (context.deferred) {
      reply.truncate(start);
      reply.error(notInStep(spec.name));
    }
    this.#noteError(reply, start);
  }

  /** Between MULTI and EXEC: the command is kept, or refused, and then EXEC discards all of them. */
  #queue(client: ClientSession, request: Request, spec: CommandSpec, reply: ReplyWriter): void {
    const transaction = client.transaction!;
    const error = this.#queueError(client, request, spec);
    if (error === null) reply.queued();
    else {
      transaction.isDirty = true;
      this.#reject(reply, error);
    }
  }

  #queueError(client: ClientSession, request: Request, spec: CommandSpec): string | null {
    if (spec.queueMode === QueueMode.NotAllowed) return Errors.notInTransaction;
    if (spec.queueMode === QueueMode.NotAlone) return notInStep(spec.name);
    if (spec.denyOom) {
      this.#barrier.begin();
      if (this.#barrier.outOfMemory()) return Errors.outOfMemory;
    }
    const { config } = this.#services;
    const bytesMax = config.get('client-query-buffer-limit');
    const isKept = client.transaction!.add(spec, request, bytesMax, config.get('databases'));
    return isKept ? null : Errors.transactionTooLarge;
  }

  /** What a command touches now; what is queued touches nothing yet. */
  #touched(
    { transaction, watched }: ClientSession,
    spec: CommandSpec,
    request: Request,
  ): KeyHashes {
    if (transaction === null) return hashesOf(spec, request);
    if (spec.name !== 'exec') return NOTHING;
    return hashesOfKeys(transaction.keys, watched?.keys() ?? []);
  }

  /** Whether something is to happen before this command runs; the client is released when it has. */
  #mustWait(client: ClientSession, request: Request, spec: CommandSpec): boolean {
    const { order } = client;
    if (order.open > 0 && order.mustWait(this.#touched(client, spec, request))) return true;
    // As in Redis a command that is refused anyway does not wait.
    const isWrite = spec.write || (spec.name === 'exec' && client.transaction?.writes === true);
    if (!this.#gate.stops(isWrite) || this.#isRefused(client, request, spec)) return false;
    this.#gate.wait(client);
    return true;
  }

  /** A browser that was made to send a request here must not get as far as the commands in its body. */
  #isHttp(request: Request): boolean {
    return request.is(0, 'POST') || request.is(0, 'HOST:');
  }

  /** The hot check: whether anything speaks against the command; `#refusal` then says what. */
  #isRefused(client: ClientSession, request: Request, spec: CommandSpec): boolean {
    if (spec.run === null || !arityFits(spec, request.argc)) return true;
    if (!client.authenticated && !spec.noAuth) return true;
    if (client.subscriptions !== null && isOutOfPlace(client, spec)) return true;
    if (request.end[request.argc - 1]! - request.start[0]! > KEY_LENGTH_MAX) {
      if (hasTooLongKey(spec, request)) return true;
    }
    // For commands on keys the router is asked only when they may not run here: mayRun implies that the node serves.
    return runsByItself(spec) && !spec.loading && this.#router.refusal() !== null;
  }

  /** Why a command is refused: the transaction that it is in, or that it would run, is discarded. */
  #refusal(client: ClientSession, request: Request, spec: CommandSpec | null): string {
    const error = this.#errorOf(client, request, spec);
    if (client.transaction !== null) client.transaction.isDirty = true;
    if (spec?.name !== 'exec') return error;
    endTransaction(client);
    return execAbortedBy(error);
  }

  #errorOf(client: ClientSession, request: Request, spec: CommandSpec | null): string {
    if (spec === null) return unknownCommand(request, this.#table.base(request, 0));
    if (spec.run === null || !arityFits(spec, request.argc)) return wrongArity(spec.name);
    if (!client.authenticated && !spec.noAuth) return Errors.noAuth;
    if (isOutOfPlace(client, spec)) return onlyWhenNotSubscribed(spec.name);
    if (hasTooLongKey(spec, request)) return Errors.keyTooLong;
    return this.#router.refusal()!;
  }

  #mayRun(db: number, request: Request, spec: CommandSpec): boolean {
    const router = this.#router;
    if (spec.keyMode === KeyMode.Single) return router.mayRun(db, request, spec.firstKey, spec);
    const keys = keyCount(spec, request);
    // Several keys as one step need their owners brought together, very many go in slices: that is the router's.
    if (keys > (spec.keyMode === KeyMode.Gather && spec.write ? 1 : KEYS_PER_TURN)) return false;
    for (let i = 0; i < keys; i++) {
      if (!router.mayRun(db, request, keyIndex(spec, request, i), spec)) return false;
    }
    return true;
  }

  #enter(client: ClientSession, request: Request, spec: CommandSpec): Context {
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
    if (spec.denyOom && barrier.outOfMemory()) reply.error(Errors.outOfMemory);
    else this.#run(context, request, spec, reply);
    this.#noteError(reply, start);
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
    this.#run(context, request, spec, reply);
    if (context.deferred) return;
    this.#noteError(reply, start);
    client.endReply(0);
  }

  /** Runs the handler, and keeps what took long. */
  #run(context: Context, request: Request, spec: CommandSpec, reply: ReplyWriter): void {
    const { slowLog, session } = context;
    // Those that need no authentication may bring a password.
    if (spec.noAuth || !slowLog.times(spec.isQuick)) {
      spec.run!(context, request, reply);
      return;
    }
    const before = performance.now();
    spec.run!(context, request, reply);
    const tookMs = performance.now() - before;
    slowLog.note(request, tookMs, this.#services, session?.address ?? '', session?.name ?? '');
  }

  /** `exit` null: the reply takes the next place in the client's order. */
  #submit(client: ClientSession, request: Request, spec: CommandSpec, exit: Exit | null): void {
    const refusal = this.#router.refusal();
    if (refusal !== null) {
      this.#reject(exit === null ? client.reply : this.#startScratch(client), refusal);
      if (exit === null) client.endReply(0);
      return;
    }
    const { sink, token } = exit ?? { sink: client, token: client.deferReply() };
    this.#router.submit({
      request: request.copy(),
      traits: spec,
      keys: keyIndexes(spec, request, 0),
      db: client.db,
      databases: spec.keyDatabases?.(request, client.db),
      proto: client.reply.proto,
      sink: client.order.begin(hashesOf(spec, request), sink),
      token,
    });
  }

  /** The way of commands that may wait. `exit` as for `#submit`. */
  #block(client: ClientSession, request: Request, spec: CommandSpec, exit: Exit | null): void {
    const reply = exit === null ? client.reply : this.#startScratch(client);
    const start = reply.length;
    const refusal = this.#router.refusal();
    if (refusal !== null) reply.error(refusal);
    const timeoutMs = refusal ?? spec.blocking!.timeoutOrReply(request, reply);
    if (typeof timeoutMs === 'number') {
      const place = exit ?? { sink: client, token: client.deferReply() };
      this.#blocking.begin(client, request.copy(), spec, timeoutMs, place);
      return;
    }
    this.#noteError(reply, start);
    if (exit === null) client.endReply(0);
  }

  /** The way of commands whose reply nobody wants. */
  #runMuted(client: ClientSession, request: Request, spec: CommandSpec | null): void {
    if (client.replyMode === 'skip') client.replyMode = 'on';
    const scratch = this.#startScratch(client);
    if (spec === null || this.#isRefused(client, request, spec)) {
      this.#reject(scratch, this.#refusal(client, request, spec));
      return;
    }
    client.lastCommand = spec.name;
    if (client.transaction !== null && spec.queueMode !== QueueMode.RunAtOnce) {
      this.#queue(client, request, spec, scratch);
      return;
    }
    if (!runsByItself(spec)) {
      if (spec.blocking !== null) this.#block(client, request, spec, SILENCE);
      else this.#submit(client, request, spec, SILENCE);
      return;
    }
    const context = this.#enter(client, request, spec);
    context.muted = true;
    context.exit = SILENCE;
    this.#run(context, request, spec, scratch);
    context.exit = null;
    // CLIENT REPLY ON answers although its client was silent up to now.
    const isAnswered = !context.muted;
    context.muted = false;
    if (context.deferred) return;
    this.#noteError(scratch, 0);
    if (!isAnswered) return;
    client.reply.raw(scratch.buffer, 0, scratch.length);
    client.endReply(0);
  }

  #startScratch(client: ClientSession): ReplyWriter {
    this.#scratch.reset();
    this.#scratch.proto = client.reply.proto;
    return this.#scratch;
  }

  #reject(reply: ReplyWriter, text: string): void {
    const start = reply.length;
    reply.error(text);
    this.#noteError(reply, start);
  }

  /** Counts the reply that begins at `start` if it is an error. */
  #noteError(reply: ReplyWriter, start: number): void {
    if (reply.buffer[start] !== MINUS || reply.length === start) return;
    const end = reply.buffer.indexOf(13, start);
    this.#services.statistics.countError(reply.buffer.latin1Slice(start + 1, end));
  }
}

/** In RESP2 whoever is subscribed could not tell other replies from messages. */
function isOutOfPlace(client: ClientSession, spec: CommandSpec): boolean {
  return client.subscriptions !== null && client.reply.proto === 2 && !spec.whileSubscribed;
}

/** Commands that run where their client is: those without keys, and those that ask for their keys themselves. */
function runsByItself(spec: CommandSpec): boolean {
  return !spec.hasKeys || spec.keyMode === KeyMode.Handler;
}

function hasTooLongKey(spec: CommandSpec, request: Request): boolean {
  return keyIndexes(spec, request, 0).some((index) => request.length(index) > KEY_LENGTH_MAX);
}
