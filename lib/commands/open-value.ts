import type { Keyspace } from '../cluster/keyspace-contract.js';
import { copyBytes } from '../protocol/bytes.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { isPrepared } from '../store/collections/index-builder.js';
import { DAMAGED, isSound, SOUND } from '../store/collections/soundness.js';
import type { ValueBytes } from '../store/collections/value-bytes.js';
import { type Ref, VALUE_LENGTH_MAX, ValueType } from '../store/entry.js';
import type { Attachment } from '../store/large-payloads.js';
import { Errors } from './errors.js';
import { findForRead } from './lookup.js';
import type { CommandContext } from './spec.js';

/** A new value of more bytes gets an index while it is made. */
const LARGE_BYTES = 32 * 1024;
const NEW_BYTES_MIN = 1024;
const NEW_BYTES_KEPT = 64 * 1024;
/** Bytes that a command may add to a value besides those of its arguments: headers of records, room at the front. */
const GROWTH_SHARE = 8;

/**
 * The value of one collection while a command reads or changes it: of a key that is there its bytes in the store, else a
 * buffer that becomes the key's value at the end. An instance serves one value after the other; between `openForWrite` and
 * `commit` no other key is changed.
 */
export class OpenValue implements ValueBytes {
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  length = 0;
  isLarge = false;
  encoding = 0;
  ref: Ref = 0;
  #keyspace!: Keyspace;
  #context!: CommandContext;
  #request!: Request;
  #keyIndex = 0;
  #type: ValueType = 0;
  #isChanged = false;
  /** What is attached to a value that is not in the store yet. */
  #ownIndex: Attachment | null = null;
  #new: Buffer = Buffer.allocUnsafeSlow(NEW_BYTES_MIN);

  /** Of a key that was found. */
  openForRead(context: Pick<CommandContext, 'keyspace'>, ref: Ref): this {
    this.#keyspace = context.keyspace;
    this.ref = ref;
    this.encoding = context.keyspace.encodingOf(ref);
    this.#isChanged = false;
    this.#readPlace();
    return this;
  }

  /** Null after an error reply: the key is of another type, or too large. A key that is not there begins as `empty`. */
  openForWrite(
    context: CommandContext,
    request: Request,
    keyIndex: number,
    type: ValueType,
    empty: Buffer,
    emptyEncoding: number,
    reply: ReplyWriter,
  ): this | null {
    const { keyspace, db } = context;
    const ref = keyspace.find(db, request, keyIndex);
    if (ref !== 0 && keyspace.typeOf(ref) !== type) {
      reply.error(Errors.wrongType);
      return null;
    }
    if (ref === 0) return this.openNew(context, request, keyIndex, type, empty, emptyEncoding);
    if (!mayGrowOrReply(context, request, ref, 0, reply)) return null;
    this.#note(context, request, keyIndex, type);
    return this.openForRead(context, ref);
  }

  /** A value that replaces whatever the key has. */
  openNew(
    context: CommandContext,
    request: Request,
    keyIndex: number,
    type: ValueType,
    empty: Buffer,
    emptyEncoding: number,
  ): this {
    this.#keyspace = context.keyspace;
    this.#note(context, request, keyIndex, type);
    this.ref = 0;
    this.encoding = emptyEncoding;
    this.#isChanged = false;
    if (this.#new.length > NEW_BYTES_KEPT) this.#new = Buffer.allocUnsafeSlow(NEW_BYTES_MIN);
    copyBytes(empty, 0, empty.length, this.#new, 0);
    this.buffer = this.#new;
    this.start = 0;
    this.length = empty.length;
    this.isLarge = false;
    this.#ownIndex = null;
    return this;
  }

  #note(context: CommandContext, request: Request, keyIndex: number, type: ValueType): void {
    this.#context = context;
    this.#request = request;
    this.#keyIndex = keyIndex;
    this.#type = type;
  }

  get attached(): Attachment | null {
    return this.ref === 0 ? this.#ownIndex : this.#keyspace.attached(this.ref);
  }

  attach(index: Attachment | null): void {
    if (this.ref === 0) this.#ownIndex = index;
    else this.#keyspace.attach(this.ref, index);
  }

  hashOf(buffer: Buffer, start: number, end: number): number {
    return this.#keyspace.hashOf(buffer, start, end);
  }

  splice(at: number, removed: number, source: Buffer, from: number, to: number): void {
    this.#isChanged = true;
    if (this.ref === 0) return this.#spliceNew(at, removed, source, from, to);
    this.ref = this.#keyspace.splice(this.ref, at, removed, source, from, to);
    this.#readPlace();
  }

  replace(value: Buffer): void {
    if (this.ref === 0) return this.splice(0, this.length, value, 0, value.length);
    this.#isChanged = true;
    this.ref = this.#keyspace.replaceBytes(this.ref, value);
    this.#readPlace();
  }

  /** Makes one change of the key of all splices; a collection that `isEmpty` is deleted. */
  commit(isEmpty: boolean, expireAt = 0): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const keyspace = this.#keyspace;
    if (this.ref !== 0) {
      if (isEmpty) keyspace.remove(this.ref);
      else keyspace.edited(this.ref, this.encoding);
      return;
    }
    if (isEmpty) return;
    const ref = keyspace.setValue(
      this.#context.db,
      this.#request,
      this.#keyIndex,
      this.#type,
      this.encoding,
      this.buffer,
      0,
      this.length,
      expireAt,
    );
    keyspace.attach(ref, this.#ownIndex ?? SOUND);
    this.#ownIndex = null;
  }

  #spliceNew(at: number, removed: number, source: Buffer, from: number, to: number): void {
    const inserted = to - from;
    const length = this.length + inserted - removed;
    if (length > this.#new.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#new.length));
      this.#new.copy(grown, 0, 0, this.length);
      this.#new = grown;
      this.buffer = grown;
    }
    if (inserted !== removed) this.#new.copyWithin(at + inserted, at + removed, this.length);
    copyBytes(source, from, to, this.#new, at);
    this.length = length;
    this.isLarge = length > LARGE_BYTES;
    if (!this.isLarge) this.#ownIndex = null;
  }

  #readPlace(): void {
    const keyspace = this.#keyspace;
    const { ref } = this;
    this.buffer = keyspace.valueBuffer(ref);
    this.start = keyspace.valueStart(ref);
    this.length = keyspace.valueLength(ref);
    this.isLarge = keyspace.isLarge(ref);
  }
}

/** The entry of a key that is read; 0 when there is none, -1 after WRONGTYPE. */
export function findOfType(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  type: ValueType,
  reply: ReplyWriter,
): Ref {
  return ofType(context, findForRead(context, request, keyIndex), type, reply);
}

/** As findOfType, of a key that is to be changed: one that is not there is no miss. */
export function findToChange(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  type: ValueType,
  reply: ReplyWriter,
): Ref {
  return ofType(context, context.keyspace.find(context.db, request, keyIndex), type, reply);
}

function ofType(context: CommandContext, ref: Ref, type: ValueType, reply: ReplyWriter): Ref {
  if (ref === 0) return 0;
  if (context.keyspace.typeOf(ref) === type) return isUsableOrReply(context, ref, reply) ? ref : -1;
  reply.error(Errors.wrongType);
  return -1;
}

/** Whether a command may add its arguments, and so many bytes besides, to a collection; 0 is a new one. False after an error reply. */
export function mayGrowOrReply(
  context: CommandContext,
  request: Request,
  ref: Ref,
  besides: number,
  reply: ReplyWriter,
): boolean {
  if (ref === 0) return true;
  if (!isUsableOrReply(context, ref, reply)) return false;
  const length = context.keyspace.valueLength(ref);
  const bytes = request.end[request.argc - 1]! - request.start[0]!;
  const isRoom =
    length + length / GROWTH_SHARE + GROWTH_SHARE * bytes + besides <= VALUE_LENGTH_MAX;
  if (!isRoom) reply.error(Errors.collectionTooLarge);
  return isRoom;
}

/** False after an error reply. */
export function isUsableOrReply(context: CommandContext, ref: Ref, reply: ReplyWriter): boolean {
  const isGood = isUsable(context, ref);
  if (!isGood) reply.error(Errors.damaged);
  return isGood;
}

/**
 * Small collections that come from other nodes are checked as they come, large ones when they are used for the first time since
 * another node has changed them: where the command has not waited for that (lib/cluster/preparing.ts), here, all at once.
 */
export function isUsable({ keyspace }: Pick<CommandContext, 'keyspace'>, ref: Ref): boolean {
  if (!keyspace.isLarge(ref)) return true;
  const attached = keyspace.attached(ref);
  if (attached === SOUND || isPrepared(attached)) return attached !== DAMAGED;
  const type = keyspace.typeOf(ref) as ValueType;
  if (type === ValueType.String) return true;
  const start = keyspace.valueStart(ref);
  const end = start + keyspace.valueLength(ref);
  const isGood = isSound(type, keyspace.encodingOf(ref), keyspace.valueBuffer(ref), start, end);
  keyspace.attach(ref, isGood ? SOUND : DAMAGED);
  return isGood;
}
