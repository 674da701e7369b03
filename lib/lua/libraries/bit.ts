import type { HostFunction, Lua } from '../lua.js';

/** Added to a number it moves the integer next to it into the low bits of the mantissa. */
const TO_LOW_BITS = 2 ** 52 + 2 ** 51;
const WORDS = new Int32Array(2);
const DOUBLE = new Float64Array(WORDS.buffer);
const LOW_WORD = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1;
const HEX_DIGITS = 8;

/** An argument, taken modulo 2^32, as an int32. */
function integer(lua: Lua, index: number): number {
  DOUBLE[0] = lua.checkNumber(index) + TO_LOW_BITS;
  return WORDS[LOW_WORD]!;
}

const unary =
  (operate: (value: number) => number): HostFunction =>
  (lua) => {
    lua.pushNumber(operate(integer(lua, 1)) | 0);
    return 1;
  };

const folding =
  (operate: (left: number, right: number) => number): HostFunction =>
  (lua) => {
    let value = integer(lua, 1);
    for (let i = lua.top; i > 1; i--) value = operate(value, integer(lua, i));
    lua.pushNumber(value | 0);
    return 1;
  };

const shifting =
  (operate: (value: number, by: number) => number): HostFunction =>
  (lua) => {
    const value = integer(lua, 1);
    lua.pushNumber(operate(value, integer(lua, 2) & 31) | 0);
    return 1;
  };

const swapBytes = (value: number): number =>
  (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);

function tohex(lua: Lua): number {
  const value = integer(lua, 1);
  const digits = lua.top < 2 ? HEX_DIGITS : integer(lua, 2);
  const count = Math.min(HEX_DIGITS, Math.abs(digits));
  const text = (value >>> 0)
    .toString(16)
    .padStart(HEX_DIGITS, '0')
    .slice(HEX_DIGITS - count);
  lua.pushLatin1(digits < 0 ? text.toUpperCase() : text);
  return 1;
}

/** The library `bit`: operations on 32-bit integers. */
export const bitLibrary: Readonly<Record<string, HostFunction>> = {
  tobit: unary((value) => value),
  bnot: unary((value) => ~value),
  bswap: unary(swapBytes),
  band: folding((left, right) => left & right),
  bor: folding((left, right) => left | right),
  bxor: folding((left, right) => left ^ right),
  lshift: shifting((value, by) => value << by),
  rshift: shifting((value, by) => value >>> by),
  arshift: shifting((value, by) => value >> by),
  rol: shifting((value, by) => (value << by) | (value >>> (32 - by))),
  ror: shifting((value, by) => (value >>> by) | (value << (32 - by))),
  tohex,
};
