import { KeyMode } from '../cluster/operation.js';
import { parseBigInteger, parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { type Ref, ValueType } from '../store/entry.js';
import { isLargePayload } from '../store/size-classes.js';
import { expiryOf, integerOrReply } from './arguments.js';
import { encodingName, typeName } from './encodings.js';
import { cString, Errors, invalidExpireTime } from './errors.js';
import { helpHandler } from './help.js';
import { findForRead, peekForRead } from './lookup.js';
import { isUsableOrReply } from './open-value.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

/** Longest string that Redis keeps in one allocation with its header ("embstr"). */
const EMBEDDED_BYTES_MAX = 44;
/** Longest string that Redis tries to keep as an integer. */
const INTEGER_BYTES_MAX = 20;
/** Redis shares one object for each integer below, and shows this as its reference count. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 2 ** 31 - 1;

function del(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace, db } = context;
  let removed = 0;
  if (request.argc === 2) {
    const ref = keyspace.find(db, request, 1);
    if (ref !== 0) {
      keyspace.remove(ref);
      removed = 1;
    }
  } else {
    for (let i = 1; i < request.argc; i++) {
      const ref = keyspace.find(db, request, i);
      if (ref === 0) continue;
      keyspace.remove(ref);
      removed++;
    }
  }
  reply.integer(removed);
}

function exists(context: CommandContext, request: Request, reply: ReplyWriter): void {
  let found = 0;
  for (let i = 1; i < request.argc; i++) if (peekForRead(context, request, i) !== 0) found++;
  reply.integer(found);
}

function touch(context: CommandContext, request: Request, reply: ReplyWriter): void {
  let found = 0;
  for (let i = 1; i < request.argc; i++) if (findForRead(context, request, i) !== 0) found++;
  reply.integer(found);
}

function type(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const ref = peekForRead(context, request, 1);
  reply.simple(typeName(ref === 0 ? ValueType.None : context.keyspace.typeOf(ref)));
}

const Condition = { Nx: 1, Xx: 2, Gt: 4, Lt: 8 } as const;

/** NX, XX, GT and LT from argument 3 on; undefined after an error reply. */
function conditionsOrReply(request: Request, reply: ReplyWriter): number | undefined {
  let found = 0;
  for (let i = 3; i < request.argc; i++) {
    if (request.is(i, 'NX')) found |= Condition.Nx;
    else if (request.is(i, 'XX')) found |= Condition.Xx;
    else if (request.is(i, 'GT')) found |= Condition.Gt;
    else if (request.is(i, 'LT')) found |= Condition.Lt;
    else {
      reply.error(`ERR Unsupported option ${cString(request.latin1(i))}`);
      return undefined;
    }
  }
  if ((found & Condition.Nx) !== 0 && found !== Condition.Nx) {
    reply.error('ERR NX and XX, GT or LT options at the same time are not compatible');
    return undefined;
  }
  if ((found & Condition.Gt) !== 0 && (found & Condition.Lt) !== 0) {
    reply.error('ERR GT and LT options at the same time are not compatible');
    return undefined;
  }
  return found;
}

/** Whether an expiry may change from `present` (0 for none, which counts as the latest) to `at`. */
function conditionsHold(conditions: number, present: number, at: number): boolean {
  if ((conditions & Condition.Nx) !== 0 && present !== 0) return false;
  if ((conditions & Condition.Xx) !== 0 && present === 0) return false;
  if ((conditions & Condition.Gt) !== 0 && (present === 0 || at <= present)) return false;
  return (conditions & Condition.Lt) === 0 || present === 0 || at < present;
}

function expire(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  unitMs: 1 | 1000,
  base: number,
): void {
  const { keyspace } = context;
  const conditions = request.argc === 3 ? 0 : conditionsOrReply(request, reply);
  if (conditions === undefined) return;
  const value = integerOrReply(request, 2, reply);
  if (value === undefined) return;
  const at = expiryOf(value, unitMs, base);
  if (Number.isNaN(at)) {
    reply.error(invalidExpireTime(context.spec.name));
    return;
  }
  const ref = keyspace.find(context.db, request, 1);
  if (ref === 0 || !conditionsHold(conditions, keyspace.expireAt(ref), at)) {
    reply.integer(0);
    return;
  }
  if (at <= keyspace.now) keyspace.remove(ref);
  else keyspace.setExpiry(ref, at);
  reply.integer(1);
}

const expireHandler =
  (unitMs: 1 | 1000, relative: boolean): Handler =>
  (context, request, reply) =>
    expire(context, request, reply, unitMs, relative ? context.keyspace.now : 0);

function persist(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace } = context;
  const ref = keyspace.find(context.db, request, 1);
  if (ref === 0 || keyspace.expireAt(ref) === 0) {
    reply.integer(0);
    return;
  }
  keyspace.setExpiry(ref, 0);
  reply.integer(1);
}

/** The expiry shown by TTL and its kin: in units of `unitMs`, from now on or since 1970. */
const ttlHandler =
  (unitMs: 1 | 1000, relative: boolean): Handler =>
  (context, request, reply) => {
    const { keyspace } = context;
    const ref = peekForRead(context, request, 1);
    const at = ref === 0 ? -2 : keyspace.expireAt(ref);
    if (at <= 0) {
      reply.integer(at === 0 ? -1 : at);
      return;
    }
    const ms = relative ? Math.max(at - keyspace.now, 0) : at;
    reply.integer(unitMs === 1 ? ms : Math.floor((ms + 500) / 1000));
  };

const renameHandler =
  (onlyNew: boolean): Handler =>
  (context, request, reply) => {
    const { keyspace, db } = context;
    const from = keyspace.find(db, request, 1);
    if (from === 0) {
      reply.error(Errors.noSuchKey);
      return;
    }
    // Under a shorter name it may be small, and small values are sound wherever they come to.
    const isLargeAnyway = isLargePayload(keyspace.valueLength(from));
    if (!isLargeAnyway && !isUsableOrReply(context, from, reply)) return;
    const same = request.sameArguments(1, 2);
    if (onlyNew && (same || keyspace.find(db, request, 2) !== 0)) {
      reply.integer(0);
      return;
    }
    if (!same) keyspace.rename(db, request, 1, 2);
    if (onlyNew) reply.integer(1);
    else reply.ok();
  };

/** The integer that Redis would keep in place of a string; undefined where it keeps the string. */
function integerValue(context: CommandContext, ref: Ref): number | bigint | undefined {
  const { keyspace } = context;
  if (keyspace.typeOf(ref) !== ValueType.String) return undefined;
  const bytes = keyspace.valueLength(ref);
  if (bytes > INTEGER_BYTES_MAX || keyspace.isRaw(ref)) return undefined;
  const buffer = keyspace.valueBuffer(ref);
  const start = keyspace.valueStart(ref);
  const value = parseInteger(buffer, start, start + bytes);
  return Number.isNaN(value) ? parseBigInteger(buffer, start, start + bytes) : value;
}

function encodingOf(context: CommandContext, ref: Ref): string {
  const { keyspace } = context;
  const type = keyspace.typeOf(ref);
  if (type !== ValueType.String) return encodingName(type, keyspace.encodingOf(ref));
  if (keyspace.isRaw(ref)) return 'raw';
  if (integerValue(context, ref) !== undefined) return 'int';
  return keyspace.valueLength(ref) <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw';
}

/** OBJECT subcommands answer nil for a key that is not there. */
const objectHandler =
  (show: (context: CommandContext, ref: Ref, reply: ReplyWriter) => void): Handler =>
  (context, request, reply) => {
    const ref = context.keyspace.peek(context.db, request, 2);
    if (ref === 0) reply.nil();
    else show(context, ref, reply);
  };

const NO_FREQUENCY =
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that ' +
  'when switching between policies at runtime LRU and LFU data will take some time to adjust.';

const NO_IDLE_TIME =
  'ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at ' +
  'runtime LRU and LFU data will take some time to adjust.';

const OBJECT_HELP = [
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
];

export const keyHandlers: Handlers = {
  del: { run: del, keyMode: KeyMode.ScatterSum },
  unlink: { run: del, keyMode: KeyMode.ScatterSum },
  exists: { run: exists, observes: true, keyMode: KeyMode.ScatterSum },
  touch: { run: touch, keyMode: KeyMode.ScatterSum },
  type: { run: type, observes: true },
  expire: { run: expireHandler(1000, true) },
  pexpire: { run: expireHandler(1, true) },
  expireat: { run: expireHandler(1000, false) },
  pexpireat: { run: expireHandler(1, false) },
  persist: { run: persist },
  ttl: { run: ttlHandler(1000, true), observes: true },
  pttl: { run: ttlHandler(1, true), observes: true },
  expiretime: { run: ttlHandler(1000, false), observes: true },
  pexpiretime: { run: ttlHandler(1, false), observes: true },
  rename: { run: renameHandler(false), creates: true, keyMode: KeyMode.Gather },
  renamenx: { run: renameHandler(true), creates: true, keyMode: KeyMode.Gather },
  'object|encoding': {
    run: objectHandler((context, ref, reply) => reply.bulkLatin1(encodingOf(context, ref))),
    observes: true,
  },
  'object|freq': {
    run: objectHandler((context, ref, reply) => {
      const frequency = context.keyspace.frequency(ref);
      if (frequency === null) reply.error(NO_FREQUENCY);
      else reply.integer(frequency);
    }),
    observes: true,
  },
  'object|idletime': {
    run: objectHandler(({ keyspace }, ref, reply) => {
      if (keyspace.frequency(ref) === null) reply.integer(keyspace.idleSeconds(ref));
      else reply.error(NO_IDLE_TIME);
    }),
    observes: true,
  },
  'object|refcount': {
    run: objectHandler((context, ref, reply) => {
      const value = integerValue(context, ref);
      const shared = value !== undefined && value >= 0 && value < SHARED_INTEGERS;
      reply.integer(shared ? SHARED_REFERENCES : 1);
    }),
    observes: true,
  },
  'object|help': { run: helpHandler(OBJECT_HELP) },
};
