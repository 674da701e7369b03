import { KEYS_PER_TURN } from '../base/limits.js';
import { keyOfArgument } from '../cluster/key.js';
import type { KeyList } from '../cluster/key-list.js';
import { KeyMode } from '../cluster/operation.js';
import { type Step, stepTraits, type WatchedKey } from '../cluster/step.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { forbiddenInStep } from './acl/access.js';
import type { ClientSession } from './client-session.js';
import { Errors, execAbortedBy } from './errors.js';
import type { NodeServices } from './services.js';
import {
  type CommandContext,
  type CommandSpec,
  type Handlers,
  QueueMode,
  type StepCommands,
} from './spec.js';
import { type QueuedCommand, Transaction, WatchedKeys } from './transaction.js';

function multi(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { client } = context;
  if (client.transaction !== null) {
    reply.error('ERR MULTI calls can not be nested');
    return;
  }
  client.transaction = new Transaction(client.db);
  reply.ok();
}

/** Ends the transaction, whatever has come of it; nothing is watched any more. */
export function endTransaction(client: ClientSession): void {
  client.transaction = null;
  client.watched = null;
}

function discard(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  if (context.client.transaction === null) {
    reply.error('ERR DISCARD without MULTI');
    return;
  }
  endTransaction(context.client);
  reply.ok();
}

/** Replies when it is known of each key what is to be remembered. */
function watch(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { client } = context;
  if (client.transaction !== null) {
    reply.error('ERR WATCH inside MULTI is not allowed');
    return;
  }
  client.watched ??= new WatchedKeys();
  const { watched } = client;
  const keys = [];
  for (let i = 1; i < request.argc; i++) {
    const key = keyOfArgument(context.db, request, i);
    if (watched.isFull) {
      context.services.statistics.limits.add('watched-keys');
      reply.error('ERR too many keys are watched');
      return;
    }
    if (watched.add(key)) keys.push(key);
  }
  if (keys.length === 0) reply.ok();
  else context.watch(keys, (key, mark) => watched.set(key, mark));
}

function unwatch(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  context.client.watched = null;
  reply.ok();
}

function exec(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { client } = context;
  const { transaction, watched } = client;
  if (transaction === null) {
    reply.error('ERR EXEC without MULTI');
    return;
  }
  endTransaction(client);
  if (transaction.isDirty) reply.error(Errors.execAbort);
  else if (watched?.isLost) reply.nilArray();
  else if (transaction.commands.length === 0 && watched === null) reply.array(0);
  else {
    const { keys, writes, denyOom, changesClient } = transaction;
    const watchedKeys = watched?.declare(keys) ?? [];
    const step = new ExecStep(context, transaction, keys, watchedKeys);
    context.runStep(keys, stepTraits('exec', writes, denyOom), step, changesClient);
  }
}

/** The commands of a transaction, in their order, as one step. */
class ExecStep implements Step {
  readonly watched: readonly WatchedKey[];
  readonly changedReply: Buffer;
  readonly outOfMemory = execAbortedBy(Errors.outOfMemory);
  readonly bytes: number;
  readonly isLong: boolean;
  readonly isReady = true;
  readonly #client: ClientSession;
  readonly #services: NodeServices;
  readonly #commands: readonly QueuedCommand[];
  readonly #runner: StepCommands;
  readonly #reply = new ReplyWriter();
  #next = 0;

  constructor(
    { client, services, stepCommands }: CommandContext,
    { commands, bytes }: Transaction,
    keys: KeyList,
    watched: readonly WatchedKey[],
  ) {
    this.#client = client;
    this.#services = services;
    this.#commands = commands;
    this.#runner = stepCommands;
    this.watched = watched;
    this.bytes = bytes;
    this.isLong = commands.length > KEYS_PER_TURN || keys.count > KEYS_PER_TURN;
    this.#reply.proto = client.reply.proto;
    this.#reply.nilArray();
    this.changedReply = Buffer.from(this.#reply.buffer.subarray(0, this.#reply.length));
    this.#reply.reset();
    this.#reply.array(commands.length);
  }

  run(keysMax: number): Buffer | null {
    const reply = this.#reply;
    for (let room = keysMax; room > 0 && this.#next < this.#commands.length; ) {
      const { spec, request, db } = this.#commands[this.#next++]!;
      room -= request.argc;
      const forbidden = this.#forbidden(spec, request);
      const { address } = this.#client;
      if (forbidden === null) this.#runner.run(this.#client, spec, request, db, reply, address);
      else {
        reply.error(forbidden);
        spec.use.rejected++;
        this.#services.statistics.countError(forbidden);
      }
    }
    return this.#next < this.#commands.length ? null : reply.buffer.subarray(0, reply.length);
  }

  /** What was allowed when it was queued need not be so any more: rules have changed, or a command before it was AUTH. */
  #forbidden(spec: CommandSpec, request: Request): string | null {
    const client = this.#client;
    const { user } = client;
    if (user.isUnrestricted) return null;
    return forbiddenInStep(this.#services, { client, user, request, spec, context: 'multi' });
  }
}

export const transactionHandlers: Handlers = {
  multi: { run: multi, queueMode: QueueMode.RunAtOnce },
  exec: { run: exec, queueMode: QueueMode.RunAtOnce },
  discard: { run: discard, queueMode: QueueMode.RunAtOnce },
  watch: { run: watch, queueMode: QueueMode.RunAtOnce, keyMode: KeyMode.Handler },
  unwatch: { run: unwatch },
};
