import { KeyMode } from '../cluster/operation.js';
import { parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { ListBlocks } from '../store/collections/list-blocks.js';
import { SOUND } from '../store/collections/soundness.js';
import { DATABASES_MAX, type Ref, type ValueType } from '../store/entry.js';
import { intOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { findForRead } from './lookup.js';
import { isUsableOrReply } from './open-value.js';
import type { CommandContext, Handlers, KeyDatabases } from './spec.js';

const SAME_OBJECT = 'ERR source and destination objects are the same';

/** A database's number as an argument; undefined where its command will be refused. */
function databaseAt(request: Request, index: number): number | undefined {
  const db = parseInteger(request.buffer, request.start[index]!, request.end[index]!);
  return db >= 0 && db < DATABASES_MAX ? db : undefined;
}

/** As the handler of COPY reads its options: the last DB counts. */
const databasesOfCopy: KeyDatabases = (request, db) => {
  let target: number | undefined;
  for (let i = 3; i + 1 < request.argc; i++) {
    if (!request.is(i, 'DB')) continue;
    target = databaseAt(request, ++i);
    if (target === undefined) return undefined;
  }
  return target === undefined || target === db ? undefined : [db, target];
};

/** The key is in two: where it is, and where it goes. */
const databasesOfMove: KeyDatabases = (request, db) => {
  const target = databaseAt(request, 2);
  return target === undefined || target === db ? undefined : [db, target];
};

/** The number of a database that there is; undefined after an error reply. */
function databaseOrReply(
  context: CommandContext,
  request: Request,
  index: number,
  reply: ReplyWriter,
): number | undefined {
  const db = intOrReply(request, index, reply);
  if (db === undefined) return undefined;
  if (db >= 0 && db < context.services.config.get('databases')) return db;
  reply.error(Errors.databaseRange);
  return undefined;
}

/** Gives the value and expiry of an entry to the key of argument `keyIndex` in another database, or under another name. */
function copyTo(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  target: number,
  ref: Ref,
): void {
  const { keyspace } = context;
  const start = keyspace.valueStart(ref);
  const length = keyspace.valueLength(ref);
  // The store may move the entry while it makes room for the other one.
  const value = Buffer.from(keyspace.valueBuffer(ref).subarray(start, start + length));
  const type = keyspace.typeOf(ref) as ValueType;
  const encoding = keyspace.encodingOf(ref);
  const expireAt = keyspace.expireAt(ref);
  const attached = keyspace.attached(ref);
  const copied = keyspace.setValue(
    target,
    request,
    keyIndex,
    type,
    encoding,
    value,
    0,
    length,
    expireAt,
  );
  // The index of a list is small; those of others are made again before they are needed.
  if (attached !== null) {
    keyspace.attach(copied, attached instanceof ListBlocks ? attached.copy() : SOUND);
  }
}

function copy(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  let target = db;
  let replaces = false;
  for (let i = 3; i < request.argc; i++) {
    if (request.is(i, 'REPLACE')) replaces = true;
    else if (request.is(i, 'DB') && i + 1 < request.argc) {
      const given = databaseOrReply(context, request, ++i, reply);
      if (given === undefined) return;
      target = given;
    } else {
      reply.error(Errors.syntax);
      return;
    }
  }
  if (target === db && request.sameArguments(1, 2)) {
    reply.error(SAME_OBJECT);
    return;
  }
  const ref = findForRead(context, request, 1);
  if (ref === 0 || (keyspace.find(target, request, 2) !== 0 && !replaces)) {
    reply.integer(0);
    return;
  }
  if (!isUsableOrReply(context, ref, reply)) return;
  copyTo(context, request, 2, target, ref);
  reply.integer(1);
}

function move(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const target = databaseOrReply(context, request, 2, reply);
  if (target === undefined) return;
  if (target === db) {
    reply.error(SAME_OBJECT);
  } else if (keyspace.find(db, request, 1) === 0 || keyspace.find(target, request, 1) !== 0) {
    reply.integer(0);
  } else {
    keyspace.move(db, request, 1, target);
    reply.integer(1);
  }
}

export const copyHandlers: Handlers = {
  copy: {
    run: copy,
    creates: true,
    usesElements: true,
    keyMode: KeyMode.Gather,
    keyDatabases: databasesOfCopy,
  },
  move: {
    run: move,
    creates: true,
    keyMode: KeyMode.Gather,
    keyDatabases: databasesOfMove,
  },
};
