import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { type Ref, ValueType } from '../store/entry.js';
import { Errors } from './errors.js';
import type { CommandContext } from './spec.js';

/** The entry of a key that is read: as Redis does, a hit or a miss is counted. 0 when there is none. */
export function findForRead(context: CommandContext, request: Request, index: number): Ref {
  const ref = context.keyspace.find(context.db, request, index);
  const { statistics } = context.services;
  if (ref === 0) missed(context, request, index);
  else statistics.keyspaceHits++;
  return ref;
}

/** As findForRead, for TTL, TYPE and other commands that do not count as a use. */
export function peekForRead(context: CommandContext, request: Request, index: number): Ref {
  const ref = context.keyspace.peek(context.db, request, index);
  const { statistics } = context.services;
  if (ref === 0) missed(context, request, index);
  else statistics.keyspaceHits++;
  return ref;
}

function missed(context: CommandContext, request: Request, index: number): void {
  context.services.statistics.keyspaceMisses++;
  context.keyspace.events.missed(context.db, request, index);
}

export function isString(context: CommandContext, ref: Ref): boolean {
  return context.keyspace.typeOf(ref) === ValueType.String;
}

/** Appends the value of a string, or WRONGTYPE; false after that error. */
export function replyString(context: CommandContext, ref: Ref, reply: ReplyWriter): boolean {
  const { keyspace } = context;
  if (!isString(context, ref)) {
    reply.error(Errors.wrongType);
    return false;
  }
  const start = keyspace.valueStart(ref);
  reply.bulk(keyspace.valueBuffer(ref), start, start + keyspace.valueLength(ref));
  return true;
}
