import { KeyMode, type Router } from '../cluster/operation.js';
import type { Request } from '../protocol/request.js';
import { KEY_LENGTH_MAX } from '../store/entry.js';
import { forbiddenError, isForbidden } from './acl/access.js';
import type { ClientSession } from './client-session.js';
import {
  Errors,
  execAbortedBy,
  onlyWhenNotSubscribed,
  unknownCommand,
  wrongArity,
} from './errors.js';
import type { NodeServices } from './services.js';
import type { CommandSpec } from './spec.js';
import { arityFits, type CommandTable, keyIndexes } from './table.js';
import { endTransaction } from './transactions.js';

/**
 * What speaks against a command before it runs, in the order of Redis's processCommand: existence, arity, authentication,
 * permissions, state of the client, state of the node.
 */
export class Refusals {
  readonly #table: CommandTable;
  readonly #router: Router;
  readonly #services: NodeServices;

  constructor(table: CommandTable, router: Router, services: NodeServices) {
    this.#table = table;
    this.#router = router;
    this.#services = services;
  }

  /** The hot check: whether anything speaks against the command; `refuse` then says what. */
  isRefused(client: ClientSession, request: Request, spec: CommandSpec): boolean {
    if (spec.run === null || !arityFits(spec, request.argc)) return true;
    if (!client.authenticated && this.#mustAuthenticate(spec)) return true;
    if (!client.user.isUnrestricted && isForbidden(client, request, spec)) return true;
    if (client.subscriptions !== null && isOutOfPlace(client, spec)) return true;
    if (request.end[request.argc - 1]! - request.start[0]! > KEY_LENGTH_MAX) {
      if (hasTooLongKey(spec, request)) return true;
    }
    if (!this.#router.isOpen && this.#isToWait(spec)) return true;
    // For commands on keys the router is asked only when they may not run here: mayRun implies that the node serves.
    return runsByItself(spec) && !spec.loading && this.#router.refusal() !== null;
  }

  /** A snapshot is loaded before anything on keys is served: nothing that was deleted since it was written may come with it. */
  #isToWait(spec: CommandSpec): boolean {
    if (spec.loading) return false;
    if (this.#router.refusal() !== null) return true;
    if (spec.hasKeys || spec.write) this.#router.open();
    return false;
  }

  /** Why a command is refused, as an error text: the transaction that it is in, or that it would run, is discarded. */
  refuse(client: ClientSession, request: Request, spec: CommandSpec | null): string {
    const error = this.#errorOf(client, request, spec);
    if (client.transaction !== null) client.transaction.isDirty = true;
    if (spec?.name !== 'exec') return error;
    endTransaction(client);
    return execAbortedBy(error);
  }

  #mustAuthenticate(spec: CommandSpec): boolean {
    return !spec.noAuth && this.#services.users.authRequired;
  }

  #errorOf(client: ClientSession, request: Request, spec: CommandSpec | null): string {
    if (spec === null) return unknownCommand(request, this.#table.base(request, 0));
    if (spec.run === null || !arityFits(spec, request.argc)) return wrongArity(spec.name);
    if (!client.authenticated && this.#mustAuthenticate(spec)) return Errors.noAuth;
    const forbidden = forbiddenError(this.#services, client, request, spec);
    if (forbidden !== null) return forbidden;
    if (isOutOfPlace(client, spec)) return onlyWhenNotSubscribed(spec.name);
    if (hasTooLongKey(spec, request)) return Errors.keyTooLong;
    return this.#router.refusal()!;
  }
}

/** Commands that run where their client is: those without keys, and those that ask for their keys themselves. */
export function runsByItself(spec: CommandSpec): boolean {
  return !spec.hasKeys || spec.keyMode === KeyMode.Handler;
}

/** A browser that was made to send a request here must not get as far as the commands in its body. */
export function isHttp(request: Request): boolean {
  return request.is(0, 'POST') || request.is(0, 'HOST:');
}

/** In RESP2 whoever is subscribed could not tell other replies from messages. */
function isOutOfPlace(client: ClientSession, spec: CommandSpec): boolean {
  return client.subscriptions !== null && client.reply.proto === 2 && !spec.whileSubscribed;
}

function hasTooLongKey(spec: CommandSpec, request: Request): boolean {
  return keyIndexes(spec, request, 0).some((index) => request.length(index) > KEY_LENGTH_MAX);
}
