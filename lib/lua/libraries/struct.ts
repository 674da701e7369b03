import type { HostFunction, Lua } from '../lua.js';
import { ByteBuilder } from './byte-builder.js';

const ALIGNMENT_MAX = 8;
const INTEGER_BYTES_MAX = 32;
/** Sizes of a C compiler's types on 64 bits. */
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  B: 1,
  h: 2,
  H: 2,
  l: 8,
  L: 8,
  T: 8,
  f: 4,
  d: 8,
  x: 1,
};
const SIGNED = 'bhli';
const NUMBER_MAX = 2 ** 31 - 1;

/** Walks over the options of a format. */
class Format {
  readonly #lua: Lua;
  readonly #text: string;
  #at = 0;
  littleEndian = true;
  #alignment = 1;
  option = '';
  size = 0;

  constructor(lua: Lua) {
    this.#lua = lua;
    const text = lua.checkBytes(1);
    this.#text = text.latin1Slice(0, text.length).split('\0')[0]!;
  }

  /** Goes to the next option that stands for data; false at the end. */
  next(): boolean {
    for (; this.#at < this.#text.length; ) {
      this.option = this.#text[this.#at++]!;
      this.size = this.#sizeOf(this.option);
      if (this.size > 0 || 'cs'.includes(this.option)) return true;
      this.#control(this.option);
    }
    return false;
  }

  /** Bytes of padding before the option, when so many bytes come before it. */
  padding(offset: number): number {
    if (this.size === 0 || this.option === 'c') return 0;
    const size = Math.min(this.size, this.#alignment);
    return (size - (offset & (size - 1))) & (size - 1);
  }

  #number(without: number): number {
    const digits = /^\d+/.exec(this.#text.slice(this.#at))?.[0];
    if (digits === undefined) return without;
    this.#at += digits.length;
    const value = Number(digits);
    if (value > NUMBER_MAX) this.#lua.fail('integral size overflow');
    return value;
  }

  #sizeOf(option: string): number {
    if (option === 'c') return this.#number(1);
    if (option !== 'i' && option !== 'I') return SIZES[option] ?? 0;
    const size = this.#number(4);
    if (size > INTEGER_BYTES_MAX)
      this.#lua.fail(`integral size ${size} is larger than limit of ${INTEGER_BYTES_MAX}`);
    return size;
  }

  #control(option: string): void {
    switch (option) {
      case ' ':
        return;
      case '>':
      case '<':
        this.littleEndian = option === '<';
        return;
      case '!': {
        const alignment = this.#number(ALIGNMENT_MAX);
        if (alignment === 0 || (alignment & (alignment - 1)) !== 0)
          this.#lua.fail(`alignment ${alignment} is not a power of 2`);
        this.#alignment = alignment;
        return;
      }
      default:
        this.#lua.badArgument(1, `invalid format option '${option}'`);
    }
  }
}

const toInteger = (value: number): bigint =>
  Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;

function pack(lua: Lua): number {
  const format = new Format(lua);
  const result = new ByteBuilder();
  let argument = 2;
  while (format.next()) {
    const { option, size, littleEndian } = format;
    for (let pad = format.padding(result.length); pad > 0; pad--) result.byte(0);
    if (option === 'x') result.byte(0);
    else if (option === 'f' || option === 'd')
      result.float(lua.checkNumber(argument++), option === 'f' ? 4 : 8, littleEndian);
    else if (option === 'c' || option === 's') {
      const text = lua.checkBytes(argument++);
      const count = size === 0 ? text.length : size;
      if (text.length < count) lua.badArgument(argument, 'string too short');
      result.append(text.subarray(0, count));
      if (option === 's') result.byte(0);
    } else result.integer(toInteger(lua.checkNumber(argument++)), size, littleEndian);
  }
  lua.pushBytes(result.bytes);
  return 1;
}

function readInteger(data: Buffer, at: number, { option, size, littleEndian }: Format): number {
  let value = 0n;
  for (let i = 0; i < size; i++) {
    const byte = data[at + (littleEndian ? size - 1 - i : i)]!;
    value = (value << 8n) | BigInt(byte);
  }
  const bits = Math.min(64, 8 * size);
  return Number(SIGNED.includes(option) ? BigInt.asIntN(bits, value) : BigInt.asUintN(64, value));
}

/** Pushes the value of the option that is at `at`; returns its size, and whether a value was taken from the stack first. */
function unpackOne(lua: Lua, data: Buffer, at: number, format: Format, count: number): number {
  const { option, littleEndian } = format;
  let { size } = format;
  if (option === 'f' || option === 'd') {
    const view = new DataView(data.buffer, data.byteOffset + at, size);
    lua.pushNumber(
      option === 'f' ? view.getFloat32(0, littleEndian) : view.getFloat64(0, littleEndian),
    );
  } else if (option === 'c') {
    if (size === 0) {
      if (count === 0 || lua.type(-1) !== 3) lua.fail("format 'c0' needs a previous size");
      size = Math.trunc(lua.number(-1));
      lua.pop();
      if (!(size >= 0 && at + size <= data.length)) lua.badArgument(2, 'data string too short');
    }
    lua.pushBytes(data, at, at + size);
  } else if (option === 's') {
    const end = data.indexOf(0, at);
    if (end < 0) lua.fail('unfinished string in data');
    lua.pushBytes(data, at, end);
    size = end - at + 1;
  } else lua.pushNumber(readInteger(data, at, format));
  return size;
}

function unpack(lua: Lua): number {
  const format = new Format(lua);
  const data = Buffer.from(lua.checkBytes(2));
  const from = lua.top < 3 || lua.type(3) === 0 ? 1 : Math.trunc(lua.checkNumber(3));
  if (!(from > 0)) lua.badArgument(3, 'offset must be 1 or greater');
  lua.top = 3;
  let at = from - 1;
  while (format.next()) {
    at += format.padding(at);
    if (!(at + format.size <= data.length)) lua.badArgument(2, 'data string too short');
    lua.checkStack(2, 'too many results');
    if (format.option === 'x') at += 1;
    else at += unpackOne(lua, data, at, format, lua.top - 3);
  }
  lua.pushNumber(at + 1);
  return lua.top - 3;
}

function size(lua: Lua): number {
  const format = new Format(lua);
  let bytes = 0;
  while (format.next()) {
    bytes += format.padding(bytes);
    if (format.option === 's') lua.badArgument(1, "option 's' has no fixed size");
    if (format.option === 'c' && format.size === 0)
      lua.badArgument(1, "option 'c0' has no fixed size");
    bytes += format.size;
  }
  lua.pushNumber(bytes);
  return 1;
}

/** The library `struct`: C structures to strings and back. */
export const structLibrary: Readonly<Record<string, HostFunction>> = { pack, unpack, size };
