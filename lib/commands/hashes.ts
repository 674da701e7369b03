import {
  addLongDoubles,
  type BinaryFloat,
  formatLongDouble,
  isFiniteFloat,
  parseLongDouble,
} from '../protocol/long-double.js';
import { parseBigInteger, parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { EMPTY_RECORDS, KeyedRecords } from '../store/collections/keyed-records.js';
import { RecordKind } from '../store/collections/record-cursor.js';
import { ValueType } from '../store/entry.js';
import { integerOrReply } from './arguments.js';
import { HashEncoding } from './encodings.js';
import { Errors, wrongArity } from './errors.js';
import { findOfType, OpenValue } from './open-value.js';
import { countOrReply, type RandomCount, writeRandom } from './random-elements.js';
import { scanHandler } from './scan-records.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

// One of each serves all commands: they run one after the other.
const value = new OpenValue();
const fields = new KeyedRecords(RecordKind.KeyValue);

/** The fields of a hash that is there; null after a reply: an error, or `absent`. */
function openForRead(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  absent: (reply: ReplyWriter) => void,
): KeyedRecords | null {
  const ref = findOfType(context, request, 1, ValueType.Hash, reply);
  if (ref === 0) absent(reply);
  return ref <= 0 ? null : fields.open(value.openForRead(context, ref));
}

const nil = (reply: ReplyWriter): void => reply.nil();
const zero = (reply: ReplyWriter): void => reply.integer(0);
const emptyArray = (reply: ReplyWriter): void => reply.array(0);
const emptyMap = (reply: ReplyWriter): void => reply.map(0);

function openForWrite(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
): KeyedRecords | null {
  const opened = value.openForWrite(
    context,
    request,
    1,
    ValueType.Hash,
    EMPTY_RECORDS,
    HashEncoding.Listpack,
    reply,
  );
  return opened === null ? null : fields.open(opened);
}

function commit(context: CommandContext): void {
  fields.close();
  const { config } = context.services;
  if (value.encoding === HashEncoding.Listpack) {
    if (fields.count > config.get('hash-max-listpack-entries')) {
      value.encoding = HashEncoding.Hashtable;
    }
  }
  value.commit(fields.count === 0);
}

/** A field or value of so many bytes is stored. */
function noteBytes(context: CommandContext, bytes: number): void {
  if (value.encoding === HashEncoding.Hashtable) return;
  if (bytes > context.services.config.get('hash-max-listpack-value')) {
    value.encoding = HashEncoding.Hashtable;
  }
}

const findField = (request: Request, index: number): boolean =>
  fields.find(request.buffer, request.start[index]!, request.end[index]!);

function putArguments(request: Request, index: number): boolean {
  const { buffer, start, end } = request;
  return fields.put(buffer, start[index]!, end[index]!, buffer, start[index + 1]!, end[index + 1]!);
}

const setHandler =
  (countsAdded: boolean): Handler =>
  (context, request, reply) => {
    if (request.argc % 2 === 1) {
      reply.error(wrongArity(context.spec.name));
      return;
    }
    if (openForWrite(context, request, reply) === null) return;
    let added = 0;
    let longest = 0;
    for (let i = 2; i < request.argc; i += 2) {
      longest = Math.max(longest, request.length(i), request.length(i + 1));
      if (putArguments(request, i)) added++;
    }
    noteBytes(context, longest);
    commit(context);
    if (countsAdded) reply.integer(added);
    else reply.ok();
  };

function hsetnx(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForWrite(context, request, reply) === null) return;
  if (findField(request, 2)) {
    reply.integer(0);
    return;
  }
  putArguments(request, 2);
  noteBytes(context, Math.max(request.length(2), request.length(3)));
  commit(context);
  reply.integer(1);
}

function replyValue(reply: ReplyWriter): void {
  reply.bulk(fields.buffer, fields.valueStart, fields.valueEnd);
}

function hget(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, nil) === null) return;
  if (findField(request, 2)) replyValue(reply);
  else reply.nil();
}

function hmget(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findOfType(context, request, 1, ValueType.Hash, reply);
  if (ref < 0) return;
  if (ref > 0) fields.open(value.openForRead(context, ref));
  reply.array(request.argc - 2);
  for (let i = 2; i < request.argc; i++) {
    if (ref > 0 && findField(request, i)) replyValue(reply);
    else reply.nil();
  }
}

function hgetall(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, emptyMap) === null) return;
  reply.map(fields.count);
  fields.rewind();
  while (fields.next()) {
    reply.bulk(fields.buffer, fields.keyStart, fields.keyEnd);
    replyValue(reply);
  }
}

function hkeys(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, emptyArray) === null) return;
  reply.array(fields.count);
  fields.rewind();
  while (fields.next()) reply.bulk(fields.buffer, fields.keyStart, fields.keyEnd);
}

function hvals(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, emptyArray) === null) return;
  reply.array(fields.count);
  fields.rewind();
  while (fields.next()) replyValue(reply);
}

function hdel(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { buffer, start, end } = request;
  if (openForWrite(context, request, reply) === null) return;
  let removed = 0;
  for (let i = 2; i < request.argc && fields.count > 0; i++) {
    if (fields.remove(buffer, start[i]!, end[i]!)) removed++;
  }
  commit(context);
  reply.integer(removed);
}

function hlen(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, zero) === null) return;
  reply.integer(fields.count);
}

function hexists(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, zero) === null) return;
  reply.integer(findField(request, 2) ? 1 : 0);
}

function hstrlen(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (openForRead(context, request, reply, zero) === null) return;
  reply.integer(findField(request, 2) ? fields.valueEnd - fields.valueStart : 0);
}

/** Stores a number that a command has computed. */
function putText(context: CommandContext, request: Request, text: Buffer): void {
  const { buffer, start, end } = request;
  fields.put(buffer, start[2]!, end[2]!, text, 0, text.length);
  noteBytes(context, Math.max(request.length(2), text.length));
  commit(context);
}

function hincrby(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const increment = integerOrReply(request, 3, reply);
  if (increment === undefined) return;
  if (openForWrite(context, request, reply) === null) return;
  let old: number | bigint | undefined = 0;
  if (findField(request, 2)) {
    const { buffer, valueStart, valueEnd } = fields;
    old = parseInteger(buffer, valueStart, valueEnd);
    if (Number.isNaN(old)) old = parseBigInteger(buffer, valueStart, valueEnd);
  }
  if (old === undefined) {
    reply.error(Errors.hashNotInteger);
    return;
  }
  let sum: number | bigint = Number.NaN;
  if (typeof old === 'number' && typeof increment === 'number') sum = old + increment;
  if (!Number.isSafeInteger(sum)) sum = BigInt(old) + BigInt(increment);
  if (sum > INT64_MAX || sum < INT64_MIN) {
    reply.error(Errors.overflow);
    return;
  }
  putText(context, request, Buffer.from(sum.toString(), 'latin1'));
  reply.integer(sum);
}

function hincrbyfloat(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const increment = parseLongDouble(request.buffer, request.start[3]!, request.end[3]!);
  if (increment === undefined) {
    reply.error(Errors.notFloat);
    return;
  }
  if (!isFiniteFloat(increment)) {
    reply.error(Errors.nanOrInfinity);
    return;
  }
  if (openForWrite(context, request, reply) === null) return;
  let old: BinaryFloat | undefined = { mantissa: 0n, exponent: 0 };
  if (findField(request, 2)) {
    old = parseLongDouble(fields.buffer, fields.valueStart, fields.valueEnd);
  }
  if (old === undefined) {
    reply.error(Errors.hashNotFloat);
    return;
  }
  const sum = addLongDoubles(old, increment);
  if (!isFiniteFloat(sum)) {
    reply.error(Errors.notFinite);
    return;
  }
  const text = Buffer.from(formatLongDouble(sum), 'latin1');
  putText(context, request, text);
  reply.bulk(text, 0, text.length);
}

function hrandfield(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc === 2) {
    if (openForRead(context, request, reply, nil) === null) return;
    fields.pick(() => context.services.random());
    reply.bulk(fields.buffer, fields.keyStart, fields.keyEnd);
    return;
  }
  const wanted: RandomCount | null = countOrReply(request, 'WITHVALUES', reply);
  if (wanted === null) return;
  if (openForRead(context, request, reply, emptyArray) === null) return;
  writeRandom(context, fields, wanted, replyValue, reply);
}

function writeField(records: KeyedRecords, reply: ReplyWriter): number {
  reply.bulk(records.buffer, records.keyStart, records.keyEnd);
  reply.bulk(records.buffer, records.valueStart, records.valueEnd);
  return 2;
}

export const hashHandlers: Handlers = {
  hset: { run: setHandler(true), creates: true },
  hmset: { run: setHandler(false), creates: true },
  hsetnx: { run: hsetnx, creates: true },
  hget: { run: hget },
  hmget: { run: hmget },
  hgetall: { run: hgetall },
  hkeys: { run: hkeys },
  hvals: { run: hvals },
  hdel: { run: hdel },
  hlen: { run: hlen },
  hexists: { run: hexists },
  hstrlen: { run: hstrlen },
  hincrby: { run: hincrby, creates: true },
  hincrbyfloat: { run: hincrbyfloat, creates: true },
  hrandfield: { run: hrandfield },
  hscan: { run: scanHandler(ValueType.Hash, fields, writeField) },
};
