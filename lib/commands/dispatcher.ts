import assert from 'node:assert';
import { KEYS_PER_TURN } from '../base/limits.js';
import type { Keyspace } from '../cluster/keyspace-contract.js';
import {
  type ClusterWideCommand,
  type CommandTraits,
  type Executor,
  KeyMode,
  type ReplySink,
  type Router,
} from '../cluster/operation.js';
import type { WriteBarrier } from '../cluster/write-barrier.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { KEY_LENGTH_MAX } from '../store/entry.js';
import type { ClientSession } from './client-session.js';
import { hashesOf } from './command-order.js';
import { Errors, unknownCommand, wrongArity } from './errors.js';
import { type HeldCommand, PauseGate } from './pause-gate.js';
import type { NodeServices } from './services.js';
import type { CommandContext, CommandSpec } from './spec.js';
import { arityFits, type CommandTable, keyCount, keyIndexes } from './table.js';

/** First byte of an error reply. */
const MINUS = 45;
const NOTHING = Buffer.alloc(0);

/** For replies that nobody wants: CLIENT REPLY OFF and SKIP. */
const SILENCE: ReplySink = { acknowledged() {}, complete() {}, fail() {} };

/** What a dispatcher works with. */
export interface DispatcherParts {
  readonly table: CommandTable;
  readonly keyspace: Keyspace;
  readonly router: Router;
  readonly barrier: WriteBarrier;
  readonly services: NodeServices;
}

/** How the reply of the running command goes out, where that is not by `client.endReply`. */
interface Exit {
  readonly sink: ReplySink;
  readonly token: number;
}

class Context implements CommandContext {
  readonly keyspace: Keyspace;
  readonly services: NodeServices;
  readonly table: CommandTable;
  readonly #router: Router;
  readonly #gate: PauseGate;
  readonly #resume: () => void;
  session: ClientSession | null = null;
  current: CommandSpec | null = null;
  request: Request | null = null;
  db = 0;
  muted = false;
  deferred = false;
  exit: Exit | null = null;

  constructor(parts: DispatcherParts, gate: PauseGate, resume: () => void) {
    this.keyspace = parts.keyspace;
    this.services = parts.services;
    this.table = parts.table;
    this.#router = parts.router;
    this.#gate = gate;
    this.#resume = resume;
  }

  get spec(): CommandSpec {
    return this.current!;
  }

  get client(): ClientSession {
    assert(this.session !== null, 'a command for the cluster has no client');
    return this.session;
  }

  #takeExit(): Exit {
    assert(!this.deferred, 'a reply is deferred once');
    this.deferred = true;
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

  pause(until: number, writesOnly: boolean): void {
    this.#gate.pause(until, writesOnly);
    this.services.after(until - this.services.now(), this.#resume);
  }

  unpause(): void {
    this.#gate.end();
    // The others' commands run behind this one, not inside it.
    this.services.after(0, this.#resume);
  }
}

/** Runs the commands of clients, and those that the cluster hands to this node. */
export class Dispatcher implements Executor {
  readonly #table: CommandTable;
  readonly #router: Router;
  readonly #barrier: WriteBarrier;
  readonly #services: NodeServices;
  readonly #context: Context;
  readonly #gate = new PauseGate();
  /** Replies that do not go straight into a connection's own writer. */
  readonly #scratch = new ReplyWriter();

  constructor(parts: DispatcherParts) {
    this.#table = parts.table;
    this.#router = parts.router;
    this.#barrier = parts.barrier;
    this.#services = parts.services;
    this.#context = new Context(parts, this.#gate, () => this.#resume());
  }

  /**
   * Runs one command of a client, or sends it on its way. The checks come in the order of Redis's processCommand:
   * existence, arity, authentication, memory, state of the node, pause; before them, the order of its client's commands. The request is not used after the call returns.
   */
  dispatch(client: ClientSession, request: Request): void {
    const spec = this.#table.find(request);
    if (client.order.open > 0 && spec !== null && client.order.mustWait(hashesOf(spec, request))) {
      client.hold(request.copy());
      return;
    }
    client.commandsRun++;
    this.#services.statistics.commandsProcessed++;
    if (client.replyMode !== 'on' || this.#gate.active) {
      this.#dispatchAside(client, request);
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
    if (spec.firstKey === 0) this.#runKeyless(client, request, spec);
    else if (this.#mayRun(client.db, request, spec)) this.#runHere(client, request, spec);
    else this.#submit(client, request, spec, client, -1);
  }

  classify(request: Request): { traits: CommandTraits; keys: readonly number[] } | null {
    if (request.argc === 0) return null;
    const spec = this.#table.find(request);
    if (spec === null || spec.firstKey === 0 || !arityFits(spec, request.argc)) return null;
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
    else spec.run(context, request, reply);
    this.#noteError(reply, start);
  }

  /** A browser that was made to send a request here must not get as far as the commands in its body. */
  #isHttp(request: Request): boolean {
    return request.is(0, 'POST') || request.is(0, 'HOST:');
  }

  /** The hot check: whether anything speaks against the command; `#refusal` then says what. */
  #isRefused(client: ClientSession, request: Request, spec: CommandSpec): boolean {
    if (spec.run === null || !arityFits(spec, request.argc)) return true;
    if (!client.authenticated && !spec.noAuth) return true;
    if (request.end[request.argc - 1]! - request.start[0]! > KEY_LENGTH_MAX) {
      if (hasTooLongKey(spec, request)) return true;
    }
    // For commands on keys the router is asked only when they may not run here: mayRun implies that the node serves.
    return spec.firstKey === 0 && !spec.loading && this.#router.refusal() !== null;
  }

  #refusal(client: ClientSession, request: Request, spec: CommandSpec | null): string {
    if (spec === null) return unknownCommand(request, this.#table.base(request, 0));
    if (spec.run === null || !arityFits(spec, request.argc)) return wrongArity(spec.name);
    if (!client.authenticated && !spec.noAuth) return Errors.noAuth;
    if (hasTooLongKey(spec, request)) return Errors.keyTooLong;
    return this.#router.refusal()!;
  }

  #mayRun(db: number, request: Request, spec: CommandSpec): boolean {
    const router = this.#router;
    if (spec.keyMode === KeyMode.Single) return router.mayRun(db, request, spec.firstKey, spec);
    const keys = keyCount(spec, request.argc);
    // Several keys as one step need their owners brought together, very many go in slices: that is the router's.
    if (keys > (spec.keyMode === KeyMode.Gather ? 1 : KEYS_PER_TURN)) return false;
    for (let i = 0; i < keys; i++) {
      if (!router.mayRun(db, request, spec.firstKey + i * spec.keyStep, spec)) return false;
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
    else spec.run!(context, request, reply);
    this.#noteError(reply, start);
    const acks = barrier.count();
    const token = client.endReply(acks);
    if (acks > 0) barrier.register(client, token);
  }

  #runKeyless(client: ClientSession, request: Request, spec: CommandSpec): void {
    const context = this.#enter(client, request, spec);
    const { reply } = client;
    const start = reply.length;
    spec.run!(context, request, reply);
    if (context.deferred) return;
    this.#noteError(reply, start);
    client.endReply(0);
  }

  /** `token` -1 takes the next place in the client's order of replies. */
  #submit(
    client: ClientSession,
    request: Request,
    spec: CommandSpec,
    sink: ReplySink,
    token: number,
  ): void {
    const refusal = this.#router.refusal();
    if (refusal !== null) {
      this.#refuse(client, refusal, sink, token);
      return;
    }
    this.#router.submit({
      request: request.copy(),
      traits: spec,
      keys: keyIndexes(spec, request, 0),
      db: client.db,
      proto: client.reply.proto,
      sink: client.order.begin(hashesOf(spec, request), sink),
      token: token === -1 ? client.deferReply() : token,
    });
  }

  #refuse(client: ClientSession, text: string, sink: ReplySink, token: number): void {
    if (token === -1) {
      this.#reject(client.reply, text);
      client.endReply(0);
    } else {
      const scratch = this.#startScratch(client);
      this.#reject(scratch, text);
      sink.complete(token, takeBytes(scratch));
    }
  }

  /** The way of commands whose reply nobody wants, or that CLIENT PAUSE may hold back. */
  #dispatchAside(client: ClientSession, request: Request): void {
    const spec = this.#table.find(request);
    const refused = spec === null || this.#isRefused(client, request, spec);
    // As in Redis a command that is refused anyway does not wait, unless others of its client do.
    const held = this.#gate.holds(client) || (!refused && this.#gate.stops(spec.write));
    if (held) this.#gate.hold({ client, request: request.copy(), token: client.deferReply() });
    else this.#runAside(client, request, null);
  }

  /** Runs a command into the scratch writer; `held` says where its reply has its place already. */
  #runAside(client: ClientSession, request: Request, held: Exit | null): void {
    const context = this.#context;
    const spec = this.#table.find(request);
    const muted = client.replyMode !== 'on';
    if (client.replyMode === 'skip') client.replyMode = 'on';
    const exit = muted ? { sink: SILENCE, token: 0 } : held;
    // A kept place has to be filled also where nothing is said.
    if (muted && held !== null) held.sink.complete(held.token, NOTHING);
    const scratch = this.#startScratch(client);
    if (spec === null || this.#isRefused(client, request, spec)) {
      this.#reject(scratch, this.#refusal(client, request, spec));
      this.#finishAside(client, scratch, exit);
      return;
    }
    client.lastCommand = spec.name;
    if (spec.firstKey !== 0) {
      if (exit === null) this.#submit(client, request, spec, client, -1);
      else this.#submit(client, request, spec, exit.sink, exit.token);
      return;
    }
    this.#enter(client, request, spec);
    context.muted = muted;
    context.exit = exit;
    spec.run!(context, request, scratch);
    context.exit = null;
    if (context.deferred) return;
    // CLIENT REPLY ON answers although its client was silent up to now.
    this.#finishAside(client, scratch, muted && !context.muted ? null : exit);
    context.muted = false;
  }

  #finishAside(client: ClientSession, reply: ReplyWriter, exit: Exit | null): void {
    this.#noteError(reply, 0);
    if (exit !== null) {
      exit.sink.complete(exit.token, takeBytes(reply));
      return;
    }
    client.reply.raw(reply.buffer, 0, reply.length);
    client.endReply(0);
  }

  #startScratch(client: ClientSession): ReplyWriter {
    this.#scratch.reset();
    this.#scratch.proto = client.reply.proto;
    return this.#scratch;
  }

  /** The time of a pause is over, or CLIENT UNPAUSE ended it. */
  #resume(): void {
    const gate = this.#gate;
    if (gate.isPaused()) {
      if (this.#services.now() < gate.until) return;
      gate.end();
    }
    gate.release((held: HeldCommand) => {
      this.#runAside(held.client, held.request, { sink: held.client, token: held.token });
    });
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

function takeBytes(reply: ReplyWriter): Buffer {
  return Buffer.from(reply.buffer.subarray(0, reply.length));
}

function hasTooLongKey(spec: CommandSpec, request: Request): boolean {
  return keyIndexes(spec, request, 0).some((index) => request.length(index) > KEY_LENGTH_MAX);
}
