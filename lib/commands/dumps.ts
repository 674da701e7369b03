import type { Keyspace } from '../cluster/keyspace-contract.js';
import {
  isPayload,
  kindOfPayload,
  type RdbKind,
  type RdbTarget,
  readPayload,
} from '../protocol/rdb-reader.js';
import { RdbType, RdbWriter } from '../protocol/rdb-writer.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { EMPTY_RECORDS, KeyedRecords } from '../store/collections/keyed-records.js';
import { EMPTY_LIST, ListValue } from '../store/collections/list-value.js';
import { RecordKind } from '../store/collections/record-cursor.js';
import { type Ref, VALUE_LENGTH_MAX, ValueType } from '../store/entry.js';
import { expiryOf, integerOrReply } from './arguments.js';
import { HashEncoding } from './encodings.js';
import { Errors } from './errors.js';
import { findForRead } from './lookup.js';
import { OpenSortedSet } from './open-sorted-set.js';
import { isUsableOrReply, OpenValue } from './open-value.js';
import { OpenSet } from './sets.js';
import type { CommandContext, Handlers } from './spec.js';

/** Elements of a list are put into it in blocks of about so many bytes. */
const BLOCK_BYTES = 64 * 1024;

const writer = new RdbWriter();
const value = new OpenValue();
const list = new ListValue();
const fields = new KeyedRecords(RecordKind.KeyValue);
const members = new KeyedRecords(RecordKind.Key);
const set = new OpenSet();
const sorted = new OpenSortedSet();

function writeString({ keyspace }: Pick<CommandContext, 'keyspace'>, ref: number): void {
  const start = keyspace.valueStart(ref);
  writer.begin(RdbType.String, 0);
  writer.string(keyspace.valueBuffer(ref), start, start + keyspace.valueLength(ref));
}

function writeList(): void {
  list.open(value);
  writer.begin(RdbType.List, list.count);
  list.rewind();
  while (list.next()) writer.string(list.buffer, list.elementStart, list.elementEnd);
}

/** Elements of hashes and sets. */
function writeRecords(records: KeyedRecords, type: RdbType): void {
  records.open(value);
  writer.begin(type, records.count);
  records.rewind();
  while (records.next()) {
    writer.string(records.buffer, records.keyStart, records.keyEnd);
    if (records.kind !== RecordKind.KeyValue) continue;
    writer.string(records.buffer, records.valueStart, records.valueEnd);
  }
}

/** From the highest rank down, as Redis writes them. */
function writeSorted(): void {
  const scored = sorted.open(value);
  writer.begin(RdbType.ZSet2, scored.count);
  scored.seek(scored.count - 1);
  for (let rank = scored.count - 1; rank >= 0; rank--) {
    writer.string(scored.buffer, scored.keyStart, scored.keyEnd);
    writer.double(scored.score);
    if (rank > 0) scored.step(-1);
  }
}

function dump(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = findForRead(context, request, 1);
  if (ref === 0) {
    reply.nil();
    return;
  }
  if (!isUsableOrReply(context, ref, reply)) return;
  const payload = payloadOf(context, ref);
  reply.bulk(payload, 0, payload.length);
}

/** What DUMP answers for this entry, of whatever role; no view of the store. */
export function payloadOf(context: Pick<CommandContext, 'keyspace'>, ref: number): Buffer {
  value.openForRead(context, ref);
  const type = context.keyspace.typeOf(ref);
  if (type === ValueType.String) writeString(context, ref);
  else if (type === ValueType.List) writeList();
  else if (type === ValueType.Hash) writeRecords(fields, RdbType.Hash);
  else if (type === ValueType.Set) writeRecords(members, RdbType.Set);
  else writeSorted();
  return writer.end();
}

/** A value that is made of a payload, and becomes that of the key when all of it is there. */
class Restored implements RdbTarget {
  readonly #context: CommandContext;
  readonly #request: Request;
  readonly #kind: RdbKind;
  #longest = 0;
  #text: { buffer: Buffer; start: number; end: number } | null = null;

  constructor(context: CommandContext, request: Request, kind: RdbKind) {
    this.#context = context;
    this.#request = request;
    this.#kind = kind;
    const { List, Hash } = ValueType;
    const { Listpack } = HashEncoding;
    if (kind === 'list') list.open(value.openNew(context, request, 1, List, EMPTY_LIST, 0));
    else if (kind === 'set') set.begin(context, request, 1);
    else if (kind === 'zset') sorted.begin(context, request, 1);
    else if (kind === 'hash') {
      fields.open(value.openNew(context, request, 1, Hash, EMPTY_RECORDS, Listpack));
    }
  }

  string(buffer: Buffer, start: number, end: number): boolean {
    if (this.#kind === 'string') this.#text = { buffer, start, end };
    else {
      if (!this.#hasRoom(value, list.block.length + end - start)) return false;
      list.block.add(buffer, start, end);
      if (list.block.length > BLOCK_BYTES) list.appendBlock();
    }
    return true;
  }

  member(buffer: Buffer, start: number, end: number): boolean {
    return this.#hasRoom(set.value, end - start) && set.add(buffer, start, end);
  }

  scored(score: number, buffer: Buffer, start: number, end: number): boolean {
    if (!this.#hasRoom(sorted.value, end - start)) return false;
    if (sorted.members.find(buffer, start, end)) return false;
    sorted.collect(score, buffer, start, end);
    return true;
  }

  field(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    this.#longest = Math.max(this.#longest, keyEnd - keyStart, end - start);
    if (!this.#hasRoom(value, keyEnd - keyStart + end - start)) return false;
    return fields.put(key, keyStart, keyEnd, bytes, start, end);
  }

  commit(expireAt: number): void {
    const context = this.#context;
    if (this.#kind === 'set') set.commit(context, expireAt);
    else if (this.#kind === 'zset') sorted.commitResult(expireAt);
    else if (this.#kind === 'list') {
      list.appendBlock();
      list.close();
      value.commit(false, expireAt);
    } else if (this.#kind === 'hash') {
      const { config } = context.services;
      const isShort = this.#longest <= config.get('hash-max-listpack-value');
      const isSmall = fields.count <= config.get('hash-max-listpack-entries');
      value.encoding = isShort && isSmall ? HashEncoding.Listpack : HashEncoding.Hashtable;
      fields.close();
      value.commit(false, expireAt);
    } else {
      const { buffer, start, end } = this.#text!;
      context.keyspace.setString(context.db, this.#request, 1, buffer, start, end, expireAt);
    }
  }

  #hasRoom(of: OpenValue, bytes: number): boolean {
    return of.length + bytes + ELEMENT_OVERHEAD_BYTES <= VALUE_LENGTH_MAX;
  }
}

/** Lengths and score of an element at most. */
const ELEMENT_OVERHEAD_BYTES = 18;

interface RestoreOptions {
  readonly replaces: boolean;
  readonly isAbsolute: boolean;
  /** Seconds since its last use, and how often it is used; -1 where that is not given. */
  readonly idle: number;
  readonly frequency: number;
}

/** Null after an error reply. */
function optionsOrReply(request: Request, reply: ReplyWriter): RestoreOptions | null {
  let replaces = false;
  let isAbsolute = false;
  let idle = -1;
  let frequency = -1;
  let given: 'IDLETIME' | 'FREQ' | null = null;
  for (let i = 4; i < request.argc; i++) {
    const hasMore = i + 1 < request.argc;
    if (request.is(i, 'REPLACE')) replaces = true;
    else if (request.is(i, 'ABSTTL')) isAbsolute = true;
    else if (request.is(i, 'IDLETIME') && hasMore && given !== 'FREQ') {
      given = 'IDLETIME';
      const seconds = integerOrReply(request, ++i, reply);
      if (seconds === undefined) return null;
      idle = Number(seconds);
      if (idle < 0) {
        reply.error('ERR Invalid IDLETIME value, must be >= 0');
        return null;
      }
    } else if (request.is(i, 'FREQ') && hasMore && given !== 'IDLETIME') {
      given = 'FREQ';
      const uses = integerOrReply(request, ++i, reply);
      if (uses === undefined) return null;
      frequency = Number(uses);
      if (frequency < 0 || frequency > 255) {
        reply.error('ERR Invalid FREQ value, must be >= 0 and <= 255');
        return null;
      }
    } else {
      reply.error(Errors.syntax);
      return null;
    }
  }
  return { replaces, isAbsolute, idle, frequency };
}

/** As in Redis what the policy does not look at is passed over. */
function setUses(keyspace: Keyspace, ref: Ref, { idle, frequency }: RestoreOptions): void {
  const isCounted = keyspace.frequency(ref) !== null;
  if (isCounted && frequency >= 0) keyspace.setFrequency(ref, frequency);
  if (!isCounted && idle >= 0) keyspace.setIdle(ref, idle);
}

function restore(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  const options = optionsOrReply(request, reply);
  if (options === null) return;
  const before = keyspace.find(db, request, 1);
  if (before !== 0 && !options.replaces) {
    reply.error('BUSYKEY Target key name already exists.');
    return;
  }
  const ttl = integerOrReply(request, 2, reply);
  if (ttl === undefined) return;
  if (ttl < 0) {
    reply.error('ERR Invalid TTL value, must be >= 0');
    return;
  }
  // Elements are copied from it while the store may grow: they are not its memory, but the request's.
  const payload = request.buffer.subarray(request.start[3]!, request.end[3]!);
  if (!isPayload(payload)) {
    reply.error('ERR DUMP payload version or checksum are wrong');
    return;
  }
  const kind = kindOfPayload(payload);
  const restored = kind === null ? null : new Restored(context, request, kind);
  if (restored === null || !readPayload(payload, restored)) {
    reply.error('ERR Bad data format');
    return;
  }
  const expireAt = ttl === 0 ? 0 : expiryOf(ttl, 1, options.isAbsolute ? 0 : keyspace.now);
  if (expireAt !== 0 && expireAt <= keyspace.now) {
    if (before !== 0) keyspace.remove(before);
  } else {
    restored.commit(expireAt);
    setUses(keyspace, keyspace.peek(db, request, 1), options);
  }
  reply.ok();
}

export const dumpHandlers: Handlers = {
  dump: { run: dump, usesElements: true },
  restore: { run: restore, creates: true },
};
