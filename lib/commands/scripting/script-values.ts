import { type Lua, LuaType } from '../../lua/lua.js';
import type { ReplyWriter } from '../../protocol/reply-writer.js';

const CR = 13;
/** Tables inside of tables that a reply may have. */
const DEPTH_MAX = 100;

/**
 * Pushes a reply, which is in RESP2 or RESP3, as the Lua value that scripts see; returns where it ends. Tables begin empty and grow, as
 * those of Redis do: the length of one with nils in it, and the order of `pairs`, depend on it.
 */
export function pushReply(lua: Lua, reply: Buffer, at: number): number {
  lua.checkStack(4, 'reply');
  const end = reply.indexOf(CR, at);
  const text = reply.latin1Slice(at + 1, end);
  const next = end + 2;
  switch (String.fromCharCode(reply[at]!)) {
    case '+':
      pushSingle(lua, 'ok', text);
      return next;
    case '-':
      pushError(lua, text);
      return next;
    case ':':
      lua.pushNumber(Number(text));
      return next;
    case '$':
      return pushBulk(lua, reply, next, Number(text));
    case '*':
      return pushArray(lua, reply, next, Number(text));
    case '%':
      return pushFields(lua, reply, next, Number(text), 'map');
    case '~':
      return pushFields(lua, reply, next, Number(text), 'set');
    case ',':
      lua.newTable();
      lua.pushNumber(doubleOf(text));
      lua.setField(-2, 'double');
      return next;
    case '#':
      lua.pushBoolean(text === 't');
      return next;
    case '(':
      pushSingle(lua, 'big_number', text);
      return next;
    case '=':
      return pushVerbatim(lua, reply, next, Number(text));
    default:
      lua.pushNil();
      return next;
  }
}

const doubleOf = (text: string): number =>
  text === 'inf'
    ? Number.POSITIVE_INFINITY
    : text === '-inf'
      ? -Number.POSITIVE_INFINITY
      : Number(text);

function pushSingle(lua: Lua, field: string, text: string): void {
  lua.newTable();
  lua.pushLatin1(text);
  lua.setField(-2, field);
}

/** Pushes an error as scripts see it. */
export function pushError(lua: Lua, text: string): void {
  pushSingle(lua, 'err', text);
  lua.pushBoolean(true);
  lua.setField(-2, 'ignore_error_stats_update');
}

function pushBulk(lua: Lua, reply: Buffer, at: number, length: number): number {
  if (length < 0) {
    lua.pushBoolean(false);
    return at;
  }
  lua.pushBytes(reply, at, at + length);
  return at + length + 2;
}

function pushArray(lua: Lua, reply: Buffer, at: number, count: number): number {
  if (count < 0) {
    lua.pushBoolean(false);
    return at;
  }
  lua.newTable();
  let next = at;
  for (let i = 1; i <= count; i++) {
    next = pushReply(lua, reply, next);
    lua.setItem(-2, i);
  }
  return next;
}

/** A map is {map = {key = value}}, a set is {set = {member = true}}. */
function pushFields(
  lua: Lua,
  reply: Buffer,
  at: number,
  count: number,
  kind: 'map' | 'set',
): number {
  lua.newTable();
  lua.newTable();
  let next = at;
  for (let i = 0; i < count; i++) {
    next = pushReply(lua, reply, next);
    if (kind === 'set') lua.pushBoolean(true);
    else next = pushReply(lua, reply, next);
    lua.rawSet(-3);
  }
  lua.setField(-2, kind);
  return next;
}

function pushVerbatim(lua: Lua, reply: Buffer, at: number, length: number): number {
  lua.newTable();
  lua.newTable();
  lua.pushBytes(reply, at, at + 3);
  lua.setField(-2, 'format');
  lua.pushBytes(reply, at + 4, at + length);
  lua.setField(-2, 'string');
  lua.setField(-2, 'verbatim_string');
  return at + length + 2;
}

/** Writes the value on top of the stack as the reply of a script, and pops it. `booleans`: it has asked for RESP3. */
export function writeValue(lua: Lua, reply: ReplyWriter, booleans: boolean, depth = 0): void {
  switch (lua.type(-1)) {
    case LuaType.String: {
      const bytes = lua.bytes(-1);
      reply.bulk(bytes, 0, bytes.length);
      break;
    }
    case LuaType.Number:
      reply.integer(toInteger(lua.number(-1)));
      break;
    case LuaType.Boolean:
      if (booleans) reply.boolean(lua.boolean(-1));
      else if (lua.boolean(-1)) reply.integer(1);
      else reply.nil();
      break;
    case LuaType.Table:
      if (depth > DEPTH_MAX || lua.api['lua_checkstack']!(lua.state, 6) === 0)
        reply.error('ERR reached lua stack limit');
      else writeTable(lua, reply, booleans, depth);
      break;
    default:
      reply.nil();
  }
  lua.pop();
}

const INT64_MAX = 2 ** 63;

function toInteger(value: number): number | bigint {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) return whole === 0 ? 0 : whole;
  return whole > -INT64_MAX && whole < INT64_MAX ? BigInt(whole) : -(2n ** 63n);
}

type Writer = (lua: Lua, reply: ReplyWriter, booleans: boolean, depth: number) => void;

/** Tables with one of these fields stand for a type that Lua does not have. */
const FIELDS: readonly (readonly [field: string, type: number, write: Writer])[] = [
  ['err', LuaType.String, (lua, reply) => reply.error(lua.latin1(-1))],
  ['ok', LuaType.String, (lua, reply) => reply.simple(lua.latin1(-1).replace(/[\r\n]/g, ' '))],
  ['double', LuaType.Number, (lua, reply) => reply.double(lua.number(-1))],
  ['map', LuaType.Table, (lua, reply, booleans, depth) => writeMap(lua, reply, booleans, depth)],
  ['set', LuaType.Table, (lua, reply, booleans, depth) => writeSet(lua, reply, booleans, depth)],
  [
    'big_number',
    LuaType.String,
    (lua, reply) => reply.bigNumber(lua.latin1(-1).replace(/[\r\n]/g, ' ')),
  ],
  ['verbatim_string', LuaType.Table, (lua, reply) => writeVerbatim(lua, reply)],
];

function writeTable(lua: Lua, reply: ReplyWriter, booleans: boolean, depth: number): void {
  for (const [field, type, write] of FIELDS) {
    lua.getField(-1, field);
    const found = lua.type(-1);
    const isIt = found === type;
    if (isIt) write(lua, reply, booleans, depth);
    lua.pop();
    if (isIt) return;
  }
  let count = 0;
  for (; ; count++) {
    lua.getItem(-1, count + 1);
    const isEnd = lua.type(-1) === LuaType.Nil;
    lua.pop();
    if (isEnd) break;
  }
  reply.array(count);
  for (let i = 1; i <= count; i++) {
    lua.getItem(-1, i);
    writeValue(lua, reply, booleans, depth + 1);
  }
}

function countOf(lua: Lua): number {
  let count = 0;
  lua.pushNil();
  while (lua.next(-2)) {
    lua.pop();
    count++;
  }
  return count;
}

function writeMap(lua: Lua, reply: ReplyWriter, booleans: boolean, depth: number): void {
  reply.map(countOf(lua));
  lua.pushNil();
  while (lua.next(-2)) {
    lua.pushValue(-2);
    writeValue(lua, reply, booleans, depth + 1);
    writeValue(lua, reply, booleans, depth + 1);
  }
}

function writeSet(lua: Lua, reply: ReplyWriter, booleans: boolean, depth: number): void {
  reply.set(countOf(lua));
  lua.pushNil();
  while (lua.next(-2)) {
    lua.pop();
    lua.pushValue(-1);
    writeValue(lua, reply, booleans, depth + 1);
  }
}

function writeVerbatim(lua: Lua, reply: ReplyWriter): void {
  lua.getField(-1, 'format');
  const format = lua.type(-1) === LuaType.String ? lua.latin1(-1).slice(0, 3) : 'txt';
  lua.pop();
  lua.getField(-1, 'string');
  const text = lua.type(-1) === LuaType.String ? lua.bytes(-1).toString('utf8') : '';
  lua.pop();
  reply.verbatim(format, text);
}
