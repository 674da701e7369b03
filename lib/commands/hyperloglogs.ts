import { KEEP_EXPIRY } from '../cluster/keyspace-contract.js';
import { KeyMode } from '../cluster/operation.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { type Ref, ValueType } from '../store/entry.js';
import { StringEncoding } from './encodings.js';
import { Errors } from './errors.js';
import {
  cardinality,
  denseAt,
  denseOffset,
  encode,
  isDense,
  isHyperLogLog,
  placeOf,
  REGISTERS,
  readRegisters,
  STALE,
  STALE_OFFSET,
  withRegister,
} from './hyperloglog.js';
import { findForRead, isString } from './lookup.js';
import type { CommandContext, Handlers } from './spec.js';

const registers = new Uint8Array(REGISTERS);

/** Joins the registers of an entry to those of before; null after an error reply, else whether it is a dense one, which may be left out. */
function joinOrReply(
  context: CommandContext,
  ref: Ref,
  reply: ReplyWriter,
  onlySparse = false,
): boolean | null {
  const { keyspace } = context;
  if (ref === 0) return false;
  if (!isString(context, ref)) {
    reply.error(Errors.wrongType);
    return null;
  }
  const buffer = keyspace.valueBuffer(ref);
  const start = keyspace.valueStart(ref);
  const end = start + keyspace.valueLength(ref);
  if (!isHyperLogLog(buffer, start, end)) {
    reply.error('WRONGTYPE Key is not a valid HyperLogLog string value.');
    return null;
  }
  if (onlySparse && isDense(buffer, start)) return true;
  if (readRegisters(buffer, start, end, registers)) return isDense(buffer, start);
  reply.error('INVALIDOBJ Corrupted HLL object detected');
  return null;
}

function keep(context: CommandContext, request: Request, asDense: boolean): void {
  const value = encode(registers, asDense);
  const { Raw } = StringEncoding;
  const { keyspace, db } = context;
  keyspace.setValue(db, request, 1, ValueType.String, Raw, value, 0, value.length, KEEP_EXPIRY);
}

const window = Buffer.alloc(2);

/** Registers are changed where they are: a few bytes of twelve thousand. */
function addToDense({ keyspace }: CommandContext, request: Request, found: Ref): boolean {
  let ref = found;
  let isChanged = false;
  for (let i = 2; i < request.argc; i++) {
    const [register, value] = placeOf(request.buffer, request.start[i]!, request.end[i]!);
    const buffer = keyspace.valueBuffer(ref);
    const start = keyspace.valueStart(ref);
    if (denseAt(buffer, start, register) >= value) continue;
    const bytes = withRegister(buffer, start, register, value, window);
    ref = keyspace.splice(ref, denseOffset(register), bytes, window, 0, bytes);
    isChanged = true;
  }
  if (!isChanged) return false;
  window[0] = STALE;
  ref = keyspace.splice(ref, STALE_OFFSET, 1, window, 0, 1);
  keyspace.edited(ref, StringEncoding.Raw);
  return true;
}

function pfadd(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = context.keyspace.find(context.db, request, 1);
  registers.fill(0);
  const wasDense = joinOrReply(context, ref, reply, true);
  if (wasDense === null) return;
  if (wasDense) {
    reply.integer(addToDense(context, request, ref) ? 1 : 0);
    return;
  }
  let isChanged = ref === 0;
  for (let i = 2; i < request.argc; i++) {
    const [register, value] = placeOf(request.buffer, request.start[i]!, request.end[i]!);
    if (registers[register]! >= value) continue;
    registers[register] = value;
    isChanged = true;
  }
  if (isChanged) keep(context, request, false);
  reply.integer(isChanged ? 1 : 0);
}

function pfcount(context: CommandContext, request: Request, reply: ReplyWriter): void {
  registers.fill(0);
  for (let i = 1; i < request.argc; i++) {
    if (joinOrReply(context, findForRead(context, request, i), reply) === null) return;
  }
  reply.integer(cardinality(registers));
}

function pfmerge(context: CommandContext, request: Request, reply: ReplyWriter): void {
  registers.fill(0);
  let asDense = false;
  for (let i = 1; i < request.argc; i++) {
    const isOneDense = joinOrReply(context, findForRead(context, request, i), reply);
    if (isOneDense === null) return;
    asDense ||= isOneDense;
  }
  keep(context, request, asDense);
  reply.ok();
}

export const hyperLogLogHandlers: Handlers = {
  pfadd: { run: pfadd, creates: true },
  pfcount: { run: pfcount, keyMode: KeyMode.Gather },
  pfmerge: { run: pfmerge, creates: true, keyMode: KeyMode.Gather },
};
