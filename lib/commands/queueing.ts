import type { WriteBarrier } from '../cluster/write-barrier.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';
import type { ErrorReplies } from './error-replies.js';
import { Errors, notInStep } from './errors.js';
import type { NodeServices } from './services.js';
import { type CommandSpec, QueueMode } from './spec.js';

/** Between MULTI and EXEC commands are kept, or refused, and then EXEC discards all of them. */
export class Queueing {
  readonly #barrier: WriteBarrier;
  readonly #services: NodeServices;
  readonly #errors: ErrorReplies;

  constructor(barrier: WriteBarrier, services: NodeServices, errors: ErrorReplies) {
    this.#barrier = barrier;
    this.#services = services;
    this.#errors = errors;
  }

  /** Keeps a command, whose bytes may be overwritten after the call, and replies. */
  queue(client: ClientSession, request: Request, spec: CommandSpec, reply: ReplyWriter): void {
    const error = this.#errorOf(client, request, spec);
    if (error === null) reply.queued();
    else {
      client.transaction!.isDirty = true;
      this.#errors.refuse(reply, error, spec);
    }
  }

  #errorOf(client: ClientSession, request: Request, spec: CommandSpec): string | null {
    if (spec.queueMode === QueueMode.NotAllowed) return Errors.notInTransaction;
    if (spec.queueMode === QueueMode.NotAlone) return notInStep(spec.name);
    if (spec.denyOom) {
      this.#barrier.begin();
      if (this.#barrier.outOfMemory()) return Errors.outOfMemory;
    }
    const { config } = this.#services;
    const bytesMax = config.get('client-query-buffer-limit');
    const isKept = client.transaction!.add(spec, request, bytesMax, config.get('databases'));
    if (isKept) return null;
    this.#services.statistics.limits.add('transaction');
    return Errors.transactionTooLarge;
  }
}
