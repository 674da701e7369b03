import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';
import type { ErrorReplies } from './error-replies.js';
import { type Exit, SILENCE } from './exit.js';
import type { Queueing } from './queueing.js';
import { type Refusals, runsByItself } from './refusals.js';
import type { RunningCommand } from './running-command.js';
import type { NodeServices } from './services.js';
import { type CommandSpec, QueueMode } from './spec.js';

/** The ways of a command whose reply goes out by `exit`; what is said at once is appended to `reply`. */
export interface Ways {
  /** Fills the context in for a command of a client. */
  enter(client: ClientSession, request: Request, spec: CommandSpec): RunningCommand;
  submit(
    client: ClientSession,
    request: Request,
    spec: CommandSpec,
    reply: ReplyWriter,
    exit: Exit,
  ): void;
  block(
    client: ClientSession,
    request: Request,
    spec: CommandSpec,
    reply: ReplyWriter,
    exit: Exit,
  ): void;
}

/** Runs the commands of clients that want no reply: CLIENT REPLY OFF and SKIP. */
export class MutedReplies {
  readonly #refusals: Refusals;
  readonly #queueing: Queueing;
  readonly #errors: ErrorReplies;
  readonly #services: NodeServices;
  readonly #ways: Ways;
  /** What is said to nobody. */
  readonly #scratch = new ReplyWriter();

  constructor(
    refusals: Refusals,
    queueing: Queueing,
    errors: ErrorReplies,
    services: NodeServices,
    ways: Ways,
  ) {
    this.#refusals = refusals;
    this.#queueing = queueing;
    this.#errors = errors;
    this.#services = services;
    this.#ways = ways;
  }

  run(client: ClientSession, request: Request, spec: CommandSpec | null): void {
    if (client.replyMode === 'skip') client.replyMode = 'on';
    const scratch = this.#scratch;
    scratch.reset();
    scratch.proto = client.reply.proto;
    if (spec === null || this.#refusals.isRefused(client, request, spec)) {
      this.#errors.refuse(scratch, this.#refusals.refuse(client, request, spec), spec);
      return;
    }
    client.lastCommand = spec.name;
    const { monitors } = this.#services;
    const isQueued = client.transaction !== null && spec.queueMode !== QueueMode.RunAtOnce;
    if (monitors.isActive && !isQueued) monitors.show(client.address, client.db, spec, request);
    if (isQueued) {
      this.#queueing.queue(client, request, spec, scratch);
    } else if (runsByItself(spec)) {
      this.#runKeyless(client, request, spec);
    } else if (spec.blocking !== null) {
      this.#ways.block(client, request, spec, scratch, SILENCE);
    } else {
      this.#ways.submit(client, request, spec, scratch, SILENCE);
    }
  }

  /** CLIENT REPLY ON answers although its client was silent up to now. */
  #runKeyless(client: ClientSession, request: Request, spec: CommandSpec): void {
    const scratch = this.#scratch;
    const context = this.#ways.enter(client, request, spec);
    context.muted = true;
    context.exit = SILENCE;
    context.run(request, spec, scratch);
    context.exit = null;
    const isAnswered = !context.muted;
    context.muted = false;
    if (context.deferred) return;
    this.#errors.note(scratch, 0, spec);
    if (!isAnswered) return;
    client.reply.raw(scratch.buffer, 0, scratch.length);
    client.endReply(0);
  }
}
