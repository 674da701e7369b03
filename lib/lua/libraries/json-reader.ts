import type { Lua } from '../lua.js';
import { ByteBuilder } from './byte-builder.js';

const DEPTH_MAX = 1000;
const NUMBER =
  /[-+]?(?:0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[-+]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf(?:inity)?|nan)/iy;
const NUMBER_BYTES_MAX = 512;
const QUOTE = 34;
const BACKSLASH = 92;
const PLAIN_ESCAPES = '"\\/bfnrt';
const ESCAPED = '"\\/\b\f\n\r\t';
const PUNCTUATION: Readonly<Record<string, string>> = {
  '{': 'T_OBJ_BEGIN',
  '}': 'T_OBJ_END',
  '[': 'T_ARR_BEGIN',
  ']': 'T_ARR_END',
  ',': 'T_COMMA',
  ':': 'T_COLON',
};
const WORDS = { true: true, false: false, null: null } as const;

/** A token: its kind as errors name it, where it begins, and its value. */
interface Token {
  readonly kind: string;
  readonly index: number;
  readonly value: Buffer | number | boolean | null;
}

/** Reads a JSON text, as lenient as cjson is, to a Lua value on the stack. */
export class JsonReader {
  readonly #lua: Lua;
  readonly #data: Buffer;
  /** Where the text ends: at its first zero byte. */
  readonly #end: number;
  #at = 0;
  #depth = 0;

  constructor(lua: Lua, data: Buffer) {
    this.#lua = lua;
    this.#data = data;
    const zero = data.indexOf(0);
    this.#end = zero < 0 ? data.length : zero;
  }

  read(): void {
    const data = this.#data;
    if (data.length >= 2 && (data[0] === 0 || data[1] === 0))
      this.#lua.fail('JSON parser does not support UTF-16 or UTF-32');
    this.#push(this.#next());
    const token = this.#next();
    if (token.kind !== 'T_END') this.#expected('the end', token);
  }

  #push(token: Token): void {
    const lua = this.#lua;
    if (token.kind === 'T_STRING') lua.pushBytes(token.value as Buffer);
    else if (token.kind === 'T_NUMBER') lua.pushNumber(token.value as number);
    else if (token.kind === 'T_BOOLEAN') lua.pushBoolean(token.value as boolean);
    else if (token.kind === 'T_NULL') lua.api['lua_pushlightuserdata']!(lua.state, 0);
    else if (token.kind === 'T_OBJ_BEGIN') this.#pushObject();
    else if (token.kind === 'T_ARR_BEGIN') this.#pushArray();
    else this.#expected('value', token);
  }

  #descend(): void {
    if (++this.#depth > DEPTH_MAX)
      this.#lua.fail(
        `Found too many nested data structures (${this.#depth}) at character ${this.#at}`,
      );
    this.#lua.checkStack(4, 'too many nested data structures');
    this.#lua.newTable();
  }

  #pushObject(): void {
    this.#descend();
    let token = this.#next();
    if (token.kind === 'T_OBJ_END') {
      this.#depth--;
      return;
    }
    for (; ; token = this.#next()) {
      if (token.kind !== 'T_STRING') this.#expected('object key string', token);
      this.#lua.pushBytes(token.value as Buffer);
      token = this.#next();
      if (token.kind !== 'T_COLON') this.#expected('colon', token);
      this.#push(this.#next());
      this.#lua.rawSet(-3);
      token = this.#next();
      if (token.kind === 'T_OBJ_END') break;
      if (token.kind !== 'T_COMMA') this.#expected('comma or object end', token);
    }
    this.#depth--;
  }

  #pushArray(): void {
    this.#descend();
    let token = this.#next();
    for (let i = 1; token.kind !== 'T_ARR_END' || i > 1; i++) {
      this.#push(token);
      this.#lua.setItem(-2, i);
      token = this.#next();
      if (token.kind === 'T_ARR_END') break;
      if (token.kind !== 'T_COMMA') this.#expected('comma or array end', token);
      token = this.#next();
    }
    this.#depth--;
  }

  #expected(what: string, { kind, index }: Token): never {
    this.#lua.fail(`Expected ${what} but found ${kind} at character ${index + 1}`);
  }

  #next(): Token {
    while (this.#at < this.#end && ' \t\n\r'.includes(String.fromCharCode(this.#data[this.#at]!)))
      this.#at++;
    const index = this.#at;
    if (index >= this.#end) return { kind: 'T_END', index, value: null };
    const char = String.fromCharCode(this.#data[index]!);
    const kind = PUNCTUATION[char];
    if (kind !== undefined) {
      this.#at++;
      return { kind, index, value: null };
    }
    if (char === '"') return this.#string();
    if (/[-0-9]/.test(char))
      return this.#number() ?? { kind: 'invalid number', index, value: null };
    return this.#word() ?? { kind: 'invalid token', index, value: null };
  }

  #number(): Token | null {
    const index = this.#at;
    NUMBER.lastIndex = 0;
    const text = this.#data.latin1Slice(index, Math.min(this.#end, index + NUMBER_BYTES_MAX));
    const found = NUMBER.exec(text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    return { kind: 'T_NUMBER', index, value: numberOf(found.toLowerCase()) };
  }

  #word(): Token | null {
    const index = this.#at;
    for (const [word, value] of Object.entries(WORDS)) {
      if (this.#data.latin1Slice(index, Math.min(this.#end, index + word.length)) !== word)
        continue;
      this.#at += word.length;
      return { kind: value === null ? 'T_NULL' : 'T_BOOLEAN', index, value };
    }
    return /[+in]/i.test(String.fromCharCode(this.#data[index]!)) ? this.#number() : null;
  }

  #string(): Token {
    const data = this.#data;
    const index = this.#at++;
    const out = new ByteBuilder();
    for (;;) {
      const from = this.#at;
      while (this.#at < this.#end && data[this.#at] !== QUOTE && data[this.#at] !== BACKSLASH)
        this.#at++;
      out.append(data.subarray(from, this.#at));
      if (this.#at >= this.#end)
        return { kind: 'unexpected end of string', index: this.#at, value: null };
      if (data[this.#at] === QUOTE) break;
      const error = this.#escape(out);
      if (error !== null) return { kind: error, index: this.#at, value: null };
    }
    this.#at++;
    return { kind: 'T_STRING', index, value: out.bytes };
  }

  #escape(out: ByteBuilder): string | null {
    const char = String.fromCharCode(this.#data[this.#at + 1] ?? 0);
    if (char === 'u') return this.#unicode(out) ? null : 'invalid unicode escape code';
    const which = PLAIN_ESCAPES.indexOf(char);
    if (which < 0) return 'invalid escape code';
    out.latin1(ESCAPED[which]!);
    this.#at += 2;
    return null;
  }

  /** The code unit of `\uXXXX` at an offset; -1 for anything else. */
  #codeUnit(at: number): number {
    const text = this.#data.latin1Slice(at, Math.min(this.#end, at + 6));
    return /^\\u[0-9a-f]{4}$/i.test(text) ? Number.parseInt(text.slice(2), 16) : -1;
  }

  #unicode(out: ByteBuilder): boolean {
    const first = this.#codeUnit(this.#at);
    if (first < 0 || (first & 0xfc00) === 0xdc00) return false;
    let point = first;
    let length = 6;
    if ((first & 0xf800) === 0xd800) {
      const second = this.#codeUnit(this.#at + 6);
      if ((second & 0xfc00) !== 0xdc00) return false;
      point = 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
      length = 12;
    }
    out.append(Buffer.from(String.fromCodePoint(point), 'utf8'));
    this.#at += length;
    return true;
  }
}

function numberOf(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[-+]/, '');
  if (digits.startsWith('inf')) return sign * Number.POSITIVE_INFINITY;
  if (digits === 'nan') return Number.NaN;
  if (!digits.startsWith('0x')) return sign * Number(digits);
  const [mantissa, exponent = '0'] = digits.slice(2).split('p');
  const [whole, fraction = ''] = mantissa!.split('.');
  const scaled = Number.parseInt(`${whole}${fraction}`, 16);
  return sign * scaled * 2 ** (Number(exponent) - 4 * fraction.length);
}
