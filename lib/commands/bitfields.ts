import { parseBigInteger, parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { ValueType } from '../store/entry.js';
import { integerOrReply } from './arguments.js';
import { bitOffsetOrReply, bytesOrReply } from './bitmaps.js';
import { StringEncoding } from './encodings.js';
import { Errors } from './errors.js';
import { findForRead } from './lookup.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

/** Bytes that a field of 64 bits, which begins within a byte, has a part in. */
const FIELD_BYTES_MAX = 9;

type Overflow = 'WRAP' | 'SAT' | 'FAIL';

interface FieldType {
  readonly isSigned: boolean;
  readonly bits: number;
}

interface FieldOperation extends FieldType {
  readonly kind: 'GET' | 'SET' | 'INCRBY';
  /** Of the field's first bit. */
  readonly offset: number;
  readonly value: bigint;
  readonly overflow: Overflow;
}

const HASH_SIGN = 35;

function typeOrReply(request: Request, index: number, reply: ReplyWriter): FieldType | null {
  const { buffer } = request;
  const start = request.start[index]!;
  const sign = String.fromCharCode(buffer[start] ?? 0);
  const bits = parseInteger(buffer, start + 1, request.end[index]!);
  const isSigned = sign === 'i';
  if ((isSigned || sign === 'u') && bits >= 1 && bits <= (isSigned ? 64 : 63)) {
    return { isSigned, bits };
  }
  reply.error(
    'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
  );
  return null;
}

/** A number of bits, or with # before it, of fields of this type. */
function offsetOrReply(
  context: CommandContext,
  request: Request,
  index: number,
  bits: number,
  reply: ReplyWriter,
): number | undefined {
  const { buffer } = request;
  const end = request.end[index]!;
  const start = request.start[index]!;
  const isCounted = start < end && buffer[start] === HASH_SIGN;
  const from = isCounted ? start + 1 : start;
  let given: number | bigint | undefined = parseInteger(buffer, from, end);
  if (Number.isNaN(given)) given = parseBigInteger(buffer, from, end);
  if (given !== undefined && isCounted) given = BigInt.asIntN(64, BigInt(given) * BigInt(bits));
  return bitOffsetOrReply(context, given, reply);
}

/** Arguments of each operation, its own name included. */
const ARGUMENTS = { GET: 3, SET: 4, INCRBY: 4 } as const;

function kindAt(request: Request, index: number): FieldOperation['kind'] | null {
  for (const kind of ['GET', 'SET', 'INCRBY'] as const) {
    if (request.is(index, kind)) return index + ARGUMENTS[kind] <= request.argc ? kind : null;
  }
  return null;
}

function overflowAt(request: Request, index: number): Overflow | null {
  for (const overflow of ['WRAP', 'SAT', 'FAIL'] as const) {
    if (request.is(index, overflow)) return overflow;
  }
  return null;
}

/** Null after an error reply. */
function operationsOrReply(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
): FieldOperation[] | null {
  const operations: FieldOperation[] = [];
  let overflow: Overflow = 'WRAP';
  for (let i = 2; i < request.argc; ) {
    if (request.is(i, 'OVERFLOW') && i + 1 < request.argc) {
      const given = overflowAt(request, i + 1);
      if (given === null) {
        reply.error('ERR Invalid OVERFLOW type specified');
        return null;
      }
      overflow = given;
      i += 2;
      continue;
    }
    const kind = kindAt(request, i);
    if (kind === null) {
      reply.error(Errors.syntax);
      return null;
    }
    const type = typeOrReply(request, i + 1, reply);
    if (type === null) return null;
    const offset = offsetOrReply(context, request, i + 2, type.bits, reply);
    if (offset === undefined) return null;
    const value = kind === 'GET' ? 0 : integerOrReply(request, i + 3, reply);
    if (value === undefined) return null;
    operations.push({ kind, ...type, offset, value: BigInt(value), overflow });
    i += ARGUMENTS[kind];
  }
  return operations;
}

const limitsOf = ({ isSigned, bits }: FieldType): [min: bigint, max: bigint] =>
  isSigned
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
    : [0n, 2n ** BigInt(bits) - 1n];

const wrap = ({ isSigned, bits }: FieldType, value: bigint): bigint =>
  isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);

/** Whether `value` and `increment` make more than the field holds, 1, less, -1, or neither, 0. */
function overflowOf(type: FieldType, value: bigint, increment: bigint): -1 | 0 | 1 {
  const [min, max] = limitsOf(type);
  // Redis finds out with 64 bits: a number far below all that the field holds seems to be above.
  const above = BigInt.asIntN(64, max - value);
  const below = BigInt.asIntN(64, min - value);
  const isNarrow = type.isSigned && type.bits < 64;
  if (value > max || (increment > above && (isNarrow || (value >= 0n && increment > 0n)))) return 1;
  if (value < min) return -1;
  const isDown = increment < 0n && (value < 0n || !type.isSigned);
  return increment < below && (isNarrow || isDown) ? -1 : 0;
}

/** What becomes of a field that is to have this value and that much more; null where it does not change. */
function kept(operation: FieldOperation, value: bigint, increment: bigint): bigint | null {
  const overflow = overflowOf(operation, value, increment);
  if (overflow === 0 || operation.overflow === 'WRAP') return wrap(operation, value + increment);
  if (operation.overflow === 'FAIL') return null;
  return limitsOf(operation)[overflow > 0 ? 1 : 0];
}

const window = Buffer.alloc(FIELD_BYTES_MAX);

/** The bytes that a field has a part in as one number, the first one highest. */
function windowNumber(bytes: number): bigint {
  let number = 0n;
  for (let i = 0; i < bytes; i++) number = (number << 8n) | BigInt(window[i]!);
  return number;
}

/** Works on the fields of one string. */
class Fields {
  readonly #context: CommandContext;
  #ref: number;
  /** Of a key that is not there: what becomes its value. */
  #created: Buffer | null;
  #isChanged = false;

  constructor(context: CommandContext, ref: number, created: Buffer | null) {
    this.#context = context;
    this.#ref = ref;
    this.#created = created;
  }

  get created(): Buffer | null {
    return this.#created;
  }

  read(operation: FieldOperation): bigint {
    const bytes = this.#load(operation);
    const shift = BigInt(bytes * 8 - (operation.offset & 7) - operation.bits);
    return wrap(operation, windowNumber(bytes) >> shift);
  }

  write(operation: FieldOperation, value: bigint): void {
    const { offset, bits } = operation;
    const bytes = this.#load(operation);
    const shift = BigInt(bytes * 8 - (offset & 7) - bits);
    const mask = (2n ** BigInt(bits) - 1n) << shift;
    let number = windowNumber(bytes) & ~mask;
    number |= BigInt.asUintN(bits, value) << shift;
    for (let i = bytes - 1; i >= 0; i--, number >>= 8n) window[i] = Number(number & 0xffn);
    const at = Math.floor(offset / 8);
    if (this.#created !== null) window.copy(this.#created, at, 0, bytes);
    else this.#splice(at, bytes, window, bytes);
  }

  /** Makes room for so many bytes. */
  grow(bytes: number): void {
    const before = this.#context.keyspace.valueLength(this.#ref);
    if (bytes <= before) return;
    this.#splice(before, 0, Buffer.alloc(bytes - before), bytes - before);
  }

  commit(): void {
    const { keyspace } = this.#context;
    if (this.#isChanged || !keyspace.isRaw(this.#ref)) {
      keyspace.edited(this.#ref, StringEncoding.Raw);
    }
  }

  #splice(at: number, removed: number, source: Buffer, bytes: number): void {
    this.#isChanged = true;
    this.#ref = this.#context.keyspace.splice(this.#ref, at, removed, source, 0, bytes);
  }

  /** Into the window; returns its bytes. Behind the string there are zeros. */
  #load({ offset, bits }: FieldOperation): number {
    const { keyspace } = this.#context;
    const bytes = Math.ceil(((offset & 7) + bits) / 8);
    const at = Math.floor(offset / 8);
    const ref = this.#ref;
    const source = this.#created ?? (ref === 0 ? null : keyspace.valueBuffer(ref));
    const isOwn = this.#created !== null;
    const length = isOwn ? this.#created!.length : ref === 0 ? 0 : keyspace.valueLength(ref);
    const start = isOwn || ref === 0 ? 0 : keyspace.valueStart(ref);
    for (let i = 0; i < bytes; i++) {
      window[i] = source !== null && at + i < length ? source[start + at + i]! : 0;
    }
    return bytes;
  }
}

const bitfieldHandler =
  (isReadOnly: boolean): Handler =>
  (context, request, reply) => {
    const { keyspace, db } = context;
    const operations = operationsOrReply(context, request, reply);
    if (operations === null) return;
    let bytes = 0;
    for (const { kind, offset, bits } of operations) {
      if (kind !== 'GET') bytes = Math.max(bytes, Math.floor((offset + bits - 1) / 8) + 1);
    }
    if (bytes > 0 && isReadOnly) {
      reply.error('ERR BITFIELD_RO only supports the GET subcommand');
      return;
    }
    const ref = bytes === 0 ? findForRead(context, request, 1) : keyspace.find(db, request, 1);
    if (bytesOrReply(context, ref, reply) === null) return;
    const isNew = bytes > 0 && ref === 0;
    const fields = new Fields(context, ref, isNew ? Buffer.alloc(bytes) : null);
    if (bytes > 0 && !isNew) fields.grow(bytes);
    reply.array(operations.length);
    for (const operation of operations) run(fields, operation, reply);
    if (bytes === 0) return;
    const { created } = fields;
    if (created === null) return fields.commit();
    const { Raw } = StringEncoding;
    keyspace.setValue(db, request, 1, ValueType.String, Raw, created, 0, created.length, 0);
  };

function run(fields: Fields, operation: FieldOperation, reply: ReplyWriter): void {
  const before = fields.read(operation);
  if (operation.kind === 'GET') {
    reply.integer(before);
    return;
  }
  const isSet = operation.kind === 'SET';
  // As Redis has it, a negative number is one beyond all that an unsigned field can be set to.
  const given = operation.isSigned ? operation.value : BigInt.asUintN(64, operation.value);
  const after = kept(operation, isSet ? given : before, isSet ? 0n : operation.value);
  if (after === null) {
    reply.nil();
    return;
  }
  fields.write(operation, after);
  reply.integer(isSet ? before : after);
}

export const bitfieldHandlers: Handlers = {
  bitfield: { run: bitfieldHandler(false), creates: true },
  bitfield_ro: { run: bitfieldHandler(true) },
};
