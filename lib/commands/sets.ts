import { parseBigInteger, parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { EMPTY_RECORDS, KeyedRecords } from '../store/collections/keyed-records.js';
import { RecordKind } from '../store/collections/record-cursor.js';
import { ValueType } from '../store/entry.js';
import { positiveOrReply } from './arguments.js';
import { SetEncoding } from './encodings.js';
import { Errors } from './errors.js';
import { findOfType, OpenValue } from './open-value.js';
import { repeatedCountOrReply, writeRandom } from './random-elements.js';
import { scanHandler } from './scan-records.js';
import type { CommandContext, Handlers } from './spec.js';

/** Where it removes most of a set, SPOP makes one of what is left: when that is at most the count by this. */
const REMAKE_SHARE = 5;
const NOTHING = Buffer.alloc(0);

/** A set that is open for a command: its members, and its value. */
export class OpenSet {
  readonly value: OpenValue = new OpenValue();
  readonly members: KeyedRecords = new KeyedRecords(RecordKind.Key);

  /** Of a key that is there; null after WRONGTYPE or `absent`. */
  read(
    context: CommandContext,
    request: Request,
    keyIndex: number,
    reply: ReplyWriter,
    absent: (reply: ReplyWriter) => void,
  ): this | null {
    const ref = findOfType(context, request, keyIndex, ValueType.Set, reply);
    if (ref === 0) absent(reply);
    if (ref <= 0) return null;
    this.members.open(this.value.openForRead(context, ref));
    return this;
  }

  write(
    context: CommandContext,
    request: Request,
    keyIndex: number,
    reply: ReplyWriter,
  ): this | null {
    const { Intset } = SetEncoding;
    const opened = this.value.openForWrite(
      context,
      request,
      keyIndex,
      ValueType.Set,
      EMPTY_RECORDS,
      Intset,
      reply,
    );
    if (opened !== null) this.members.open(opened);
    return opened === null ? null : this;
  }

  /** A set that replaces whatever the key has. */
  begin(context: CommandContext, request: Request, keyIndex: number): this {
    const { Intset } = SetEncoding;
    this.members.open(
      this.value.openNew(context, request, keyIndex, ValueType.Set, EMPTY_RECORDS, Intset),
    );
    return this;
  }

  /** False when the member is there. */
  add(buffer: Buffer, start: number, end: number): boolean {
    if (!this.members.put(buffer, start, end, NOTHING, 0, 0)) return false;
    if (this.value.encoding === SetEncoding.Intset && !isInteger(buffer, start, end)) {
      this.value.encoding = SetEncoding.Hashtable;
    }
    return true;
  }

  commit(context: CommandContext, expireAt = 0): void {
    const { value, members } = this;
    members.close();
    if (members.count > context.services.config.get('set-max-intset-entries')) {
      value.encoding = SetEncoding.Hashtable;
    }
    value.commit(members.count === 0, expireAt);
  }
}

function isInteger(buffer: Buffer, start: number, end: number): boolean {
  if (!Number.isNaN(parseInteger(buffer, start, end))) return true;
  return parseBigInteger(buffer, start, end) !== undefined;
}

const set = new OpenSet();
const { members } = set;

const nil = (reply: ReplyWriter): void => reply.nil();
const zero = (reply: ReplyWriter): void => reply.integer(0);
const emptyArray = (reply: ReplyWriter): void => reply.array(0);
const emptySet = (reply: ReplyWriter): void => reply.set(0);

export function writeMember(records: KeyedRecords, reply: ReplyWriter): void {
  reply.bulk(records.buffer, records.keyStart, records.keyEnd);
}

const hasArgument = (request: Request, index: number): boolean =>
  members.find(request.buffer, request.start[index]!, request.end[index]!);

function sadd(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (set.write(context, request, 1, reply) === null) return;
  let added = 0;
  for (let i = 2; i < request.argc; i++) {
    if (set.add(request.buffer, request.start[i]!, request.end[i]!)) added++;
  }
  set.commit(context);
  reply.integer(added);
}

function srem(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (set.write(context, request, 1, reply) === null) return;
  let removed = 0;
  for (let i = 2; i < request.argc && members.count > 0; i++) {
    if (members.remove(request.buffer, request.start[i]!, request.end[i]!)) removed++;
  }
  set.commit(context);
  reply.integer(removed);
}

function sismember(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (set.read(context, request, 1, reply, zero) === null) return;
  reply.integer(hasArgument(request, 2) ? 1 : 0);
}

function smismember(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findOfType(context, request, 1, ValueType.Set, reply);
  if (ref < 0) return;
  if (ref > 0) members.open(set.value.openForRead(context, ref));
  reply.array(request.argc - 2);
  for (let i = 2; i < request.argc; i++) reply.integer(ref > 0 && hasArgument(request, i) ? 1 : 0);
}

function scard(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (set.read(context, request, 1, reply, zero) === null) return;
  reply.integer(members.count);
}

function writeAll(reply: ReplyWriter): void {
  reply.set(members.count);
  members.rewind();
  while (members.next()) writeMember(members, reply);
}

function smembers(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (set.read(context, request, 1, reply, emptySet) !== null) writeAll(reply);
}

/** Removes the record found, which is written to the reply before. */
function popFound(reply: ReplyWriter): void {
  const member = Buffer.from(members.buffer.subarray(members.keyStart, members.keyEnd));
  reply.bulk(member, 0, member.length);
  members.removeFound(member, 0, member.length);
}

function spop(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 3) {
    reply.error(Errors.syntax);
    return;
  }
  if (request.argc === 3) return spopMany(context, request, reply);
  if (set.write(context, request, 1, reply) === null) return;
  if (members.count === 0) {
    reply.nil();
    return;
  }
  members.pick(() => context.services.random());
  popFound(reply);
  set.commit(context);
}

function spopMany(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const count = positiveOrReply(request, 2, reply);
  if (count === undefined) return;
  if (set.write(context, request, 1, reply) === null) return;
  if (count >= members.count) {
    writeAll(reply);
    if (set.value.ref !== 0) context.keyspace.remove(set.value.ref);
    return;
  }
  const wanted = Number(count);
  const left = members.count - wanted;
  reply.set(wanted);
  const popped = new Uint32Array(wanted);
  let at = 0;
  members.sample(
    wanted,
    () => context.services.random(),
    () => {
      writeMember(members, reply);
      popped[at++] = members.offset;
    },
  );
  members.removeAll(popped);
  if (left * REMAKE_SHARE <= wanted && isAllIntegers()) set.value.encoding = SetEncoding.Intset;
  set.commit(context);
}

function isAllIntegers(): boolean {
  members.rewind();
  while (members.next()) {
    if (!isInteger(members.buffer, members.keyStart, members.keyEnd)) return false;
  }
  return true;
}

function srandmember(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 3) {
    reply.error(Errors.syntax);
    return;
  }
  if (request.argc === 2) {
    if (set.read(context, request, 1, reply, nil) === null) return;
    members.pick(() => context.services.random());
    writeMember(members, reply);
    return;
  }
  const count = repeatedCountOrReply(request, 2, reply);
  if (count === undefined) return;
  if (set.read(context, request, 1, reply, emptyArray) === null) return;
  writeRandom(context, members, { count, withValues: false }, () => {}, reply);
}

function scanned(records: KeyedRecords, reply: ReplyWriter): number {
  writeMember(records, reply);
  return 1;
}

export const setHandlers: Handlers = {
  sadd: { run: sadd, creates: true },
  srem: { run: srem },
  sismember: { run: sismember },
  smismember: { run: smismember },
  scard: { run: scard },
  smembers: { run: smembers },
  spop: { run: spop },
  srandmember: { run: srandmember },
  sscan: { run: scanHandler(ValueType.Set, members, scanned) },
};
