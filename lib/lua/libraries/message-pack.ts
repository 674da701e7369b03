import { type HostFunction, type Lua, LuaType } from '../lua.js';
import { ByteBuilder } from './byte-builder.js';

/** Tables inside of tables past which nil is written. */
const DEPTH_MAX = 16;
const INT64_MAX = 2 ** 63;

function packLength(
  out: ByteBuilder,
  length: number,
  fixed: readonly [number, number],
  codes: readonly number[],
): void {
  const [fixedCode, fixedMax] = fixed;
  if (length <= fixedMax) return out.byte(fixedCode | length);
  const sizes = codes.length === 3 ? [1, 2, 4] : [2, 4];
  const kind = sizes.findIndex((size) => length < 256 ** size);
  out.byte(codes[kind]!);
  out.integer(BigInt(length), sizes[kind]!, false);
}

function packInteger(out: ByteBuilder, value: number): void {
  if (value >= 0 ? value <= 127 : value >= -32) return out.byte(value & 0xff);
  const fits = (size: number) => (value >= 0 ? value < 256 ** size : value >= -(256 ** size) / 2);
  const sizes = [1, 2, 4, 8];
  const kind = sizes.findIndex(fits);
  out.byte((value >= 0 ? 0xcc : 0xd0) + kind);
  out.integer(BigInt(value), sizes[kind]!, false);
}

function packNumber(out: ByteBuilder, value: number): void {
  if (Number.isInteger(value) && value >= -INT64_MAX && value < INT64_MAX)
    return packInteger(out, value);
  const isFloat = Math.fround(value) === value;
  out.byte(isFloat ? 0xca : 0xcb);
  out.float(value, isFloat ? 4 : 8, false);
}

/** Of the table on top: how many fields it has, and whether their keys are 1 to n. */
function shapeOf(lua: Lua): { isArray: boolean; count: number } {
  let highest = 0;
  let count = 0;
  let isArray = true;
  lua.pushNil();
  while (lua.next(-2)) {
    lua.pop();
    count++;
    const key = lua.type(-1) === LuaType.Number ? lua.number(-1) : 0;
    if (!Number.isInteger(key) || key <= 0) isArray = false;
    else highest = Math.max(highest, key);
  }
  return { isArray: isArray && highest === count, count };
}

function packTable(lua: Lua, out: ByteBuilder, depth: number): void {
  lua.checkStack(4, 'in function mp_encode_lua_table');
  const { isArray, count } = shapeOf(lua);
  if (isArray) {
    packLength(out, count, [0x90, 15], [0xdc, 0xdd]);
    for (let i = 1; i <= count; i++) {
      lua.getItem(-1, i);
      packTop(lua, out, depth + 1);
    }
    return;
  }
  packLength(out, count, [0x80, 15], [0xde, 0xdf]);
  lua.pushNil();
  while (lua.next(-2)) {
    lua.pushValue(-2);
    packTop(lua, out, depth + 1);
    packTop(lua, out, depth + 1);
  }
}

/** Packs the value on top, and pops it. */
function packTop(lua: Lua, out: ByteBuilder, depth: number): void {
  switch (lua.type(-1)) {
    case LuaType.String: {
      const text = lua.bytes(-1);
      packLength(out, text.length, [0xa0, 31], [0xd9, 0xda, 0xdb]);
      out.append(text);
      break;
    }
    case LuaType.Boolean:
      out.byte(lua.boolean(-1) ? 0xc3 : 0xc2);
      break;
    case LuaType.Number:
      packNumber(out, lua.number(-1));
      break;
    case LuaType.Table:
      if (depth < DEPTH_MAX) packTable(lua, out, depth);
      else out.byte(0xc0);
      break;
    default:
      out.byte(0xc0);
  }
  lua.pop();
}

function pack(lua: Lua): number {
  const count = lua.top;
  if (count === 0) lua.badArgument(0, 'MessagePack pack needs input.');
  lua.checkStack(4, 'Too many arguments for MessagePack pack.');
  const out = new ByteBuilder();
  for (let i = 1; i <= count; i++) {
    lua.pushValue(i);
    packTop(lua, out, 0);
  }
  lua.pushBytes(out.bytes);
  return 1;
}

/** Reads one value after the other. */
class Unpacker {
  readonly #lua: Lua;
  readonly #data: Buffer;
  at: number;

  constructor(lua: Lua, data: Buffer, at: number) {
    this.#lua = lua;
    this.#data = data;
    this.at = at;
  }

  get left(): number {
    return this.#data.length - this.at;
  }

  pushNext(): void {
    const lua = this.#lua;
    lua.checkStack(4, 'in function mp_decode_to_lua_type');
    const code = Number(this.#unsigned(1));
    if (code < 0x80) lua.pushNumber(code);
    else if (code >= 0xe0) lua.pushNumber(code - 0x100);
    else if (code < 0x90) this.#pushMap(code & 15);
    else if (code < 0xa0) this.#pushArray(code & 15);
    else if (code < 0xc0) this.#pushString(code & 31);
    else this.#pushCoded(code);
  }

  #pushCoded(code: number): void {
    const lua = this.#lua;
    if (code === 0xc0) lua.pushNil();
    else if (code === 0xc2 || code === 0xc3) lua.pushBoolean(code === 0xc3);
    else if (code === 0xca) lua.pushNumber(this.#take(4).readFloatBE(0));
    else if (code === 0xcb) lua.pushNumber(this.#take(8).readDoubleBE(0));
    else if (code >= 0xcc && code <= 0xcf)
      lua.pushNumber(Number(this.#unsigned(1 << (code - 0xcc))));
    else if (code >= 0xd0 && code <= 0xd3) {
      const bytes = 1 << (code - 0xd0);
      lua.pushNumber(Number(BigInt.asIntN(8 * bytes, this.#unsigned(bytes))));
    } else if (code >= 0xd9 && code <= 0xdb)
      this.#pushString(Number(this.#unsigned(1 << (code - 0xd9))));
    else if (code === 0xdc || code === 0xdd)
      this.#pushArray(Number(this.#unsigned(code === 0xdc ? 2 : 4)));
    else if (code === 0xde || code === 0xdf)
      this.#pushMap(Number(this.#unsigned(code === 0xde ? 2 : 4)));
    else lua.fail('Bad data format in input.');
  }

  #pushString(bytes: number): void {
    this.#lua.pushBytes(this.#take(bytes));
  }

  #pushArray(count: number): void {
    this.#lua.newTable();
    for (let i = 1; i <= count; i++) {
      this.pushNext();
      this.#lua.setItem(-2, i);
    }
  }

  #pushMap(count: number): void {
    this.#lua.newTable();
    for (let i = 0; i < count; i++) {
      this.pushNext();
      this.pushNext();
      this.#lua.rawSet(-3);
    }
  }

  #take(bytes: number): Buffer {
    if (this.left < bytes) this.#lua.fail('Missing bytes in input.');
    this.at += bytes;
    return this.#data.subarray(this.at - bytes, this.at);
  }

  #unsigned(bytes: number): bigint {
    let value = 0n;
    for (const byte of this.#take(bytes)) value = (value << 8n) | BigInt(byte);
    return value;
  }
}

/** `limit` values from `offset` on, behind the offset of the next one, -1 for the end; all, without it, for null. */
function unpackSome(lua: Lua, limit: number | null, offset: number): number {
  const data = Buffer.from(lua.checkBytes(1));
  if ((limit ?? 0) < 0 || offset < 0)
    lua.fail(`Invalid request to unpack with offset of ${offset} and limit of ${data.length}.`);
  if (offset > data.length)
    lua.fail(`Start offset ${offset} greater than input length ${data.length}.`);
  lua.top = 1;
  if (limit !== null) lua.pushNil();
  const unpacker = new Unpacker(lua, data, offset);
  for (let count = 0; unpacker.left > 0 && count < (limit ?? Number.POSITIVE_INFINITY); count++)
    unpacker.pushNext();
  if (limit === null) return lua.top - 1;
  lua.pushNumber(unpacker.left === 0 ? -1 : unpacker.at);
  lua.api['lua_replace']!(lua.state, 2);
  return lua.top - 1;
}

const integerOr = (lua: Lua, index: number, otherwise: number): number =>
  lua.top < index || lua.type(index) === LuaType.Nil
    ? otherwise
    : Math.trunc(lua.checkNumber(index));

/** The library `cmsgpack`. */
export const messagePackLibrary: Readonly<Record<string, HostFunction>> = {
  pack,
  unpack: (lua) => unpackSome(lua, null, 0),
  unpack_one: (lua) => unpackSome(lua, 1, integerOr(lua, 2, 0)),
  unpack_limit: (lua) => unpackSome(lua, Math.trunc(lua.checkNumber(2)), integerOr(lua, 3, 0)),
};
