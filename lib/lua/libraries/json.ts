import { type HostFunction, type Lua, LuaType } from '../lua.js';
import { formatGeneral } from '../number-format.js';
import { ByteBuilder } from './byte-builder.js';
import { JsonReader } from './json-reader.js';

const DEPTH_MAX = 1000;
const NUMBER_DIGITS = 14;
/** An array may have this many items, or this many times as many as are not nil. */
const SPARSE_ITEMS = 10;
const SPARSE_RATIO = 2;

const ESCAPES = Array.from({ length: 256 }, (_, code) => {
  const short = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r' }[code];
  if (short !== undefined) return short;
  if (code < 32 || code === 127) return `\\u${code.toString(16).padStart(4, '0')}`;
  const char = String.fromCharCode(code);
  return '"\\/'.includes(char) ? `\\${char}` : char;
});

function writeString(out: ByteBuilder, text: Buffer): void {
  let json = '"';
  for (const byte of text) json += ESCAPES[byte]!;
  out.latin1(`${json}"`);
}

function writeNumber(lua: Lua, out: ByteBuilder): void {
  const value = lua.number(-1);
  if (!Number.isFinite(value)) lua.fail('Cannot serialise number: must not be NaN or Inf');
  out.latin1(formatGeneral(value, NUMBER_DIGITS));
}

/** Items of the table on top as an array; -1 where it is none. */
function itemsOf(lua: Lua): number {
  let highest = 0;
  let items = 0;
  lua.pushNil();
  while (lua.next(-2)) {
    const key = lua.type(-2) === LuaType.Number ? lua.number(-2) : 0;
    if (!Number.isInteger(key) || key < 1) {
      lua.pop(2);
      return -1;
    }
    highest = Math.max(highest, key);
    items++;
    lua.pop();
  }
  if (highest > SPARSE_ITEMS && highest > items * SPARSE_RATIO)
    lua.fail('Cannot serialise table: excessively sparse array');
  return highest;
}

function writeArray(lua: Lua, out: ByteBuilder, items: number, depth: number): void {
  out.latin1('[');
  for (let i = 1; i <= items; i++) {
    if (i > 1) out.latin1(',');
    lua.getItem(-1, i);
    writeTop(lua, out, depth);
    lua.pop();
  }
  out.latin1(']');
}

function writeObject(lua: Lua, out: ByteBuilder, depth: number): void {
  out.latin1('{');
  let isFirst = true;
  lua.pushNil();
  while (lua.next(-2)) {
    if (!isFirst) out.latin1(',');
    isFirst = false;
    const keyType = lua.type(-2);
    if (keyType === LuaType.Number)
      out.latin1(`"${formatGeneral(lua.number(-2), NUMBER_DIGITS)}":`);
    else if (keyType === LuaType.String) {
      writeString(out, lua.bytes(-2));
      out.latin1(':');
    } else lua.fail(`Cannot serialise ${typeName(keyType)}: table key must be a number or string`);
    writeTop(lua, out, depth);
    lua.pop();
  }
  out.latin1('}');
}

function writeTable(lua: Lua, out: ByteBuilder, depth: number): void {
  if (depth > DEPTH_MAX) lua.fail(`Cannot serialise, excessive nesting (${depth})`);
  lua.checkStack(4, 'json');
  const items = itemsOf(lua);
  if (items > 0) writeArray(lua, out, items, depth);
  else writeObject(lua, out, depth);
}

function writeTop(lua: Lua, out: ByteBuilder, depth: number): void {
  const type = lua.type(-1);
  if (type === LuaType.String) writeString(out, lua.bytes(-1));
  else if (type === LuaType.Number) writeNumber(lua, out);
  else if (type === LuaType.Boolean) out.latin1(lua.boolean(-1) ? 'true' : 'false');
  else if (type === LuaType.Table) writeTable(lua, out, depth + 1);
  else if (type === LuaType.Nil || isNull(lua)) out.latin1('null');
  else {
    lua.fail(`Cannot serialise ${typeName(type)}: type not supported`);
  }
}

const typeName = (type: number): string =>
  ['nil', 'boolean', 'userdata', 'number', 'string', 'table', 'function', 'userdata', 'thread'][
    type
  ]!;

const isNull = (lua: Lua): boolean =>
  lua.type(-1) === LuaType.LightUserdata && lua.api['lua_touserdata']!(lua.state, -1) === 0;

function encode(lua: Lua): number {
  if (lua.top !== 1) lua.badArgument(1, 'expected 1 argument');
  const out = new ByteBuilder();
  writeTop(lua, out, 0);
  lua.pushBytes(out.bytes);
  return 1;
}

function decode(lua: Lua): number {
  if (lua.top !== 1) lua.badArgument(1, 'expected 1 argument');
  new JsonReader(lua, Buffer.from(lua.checkBytes(1))).read();
  return 1;
}

/** The library `cjson`; `null` is a light userdata of address 0. */
export const jsonLibrary: Readonly<Record<string, HostFunction>> = { encode, decode };
