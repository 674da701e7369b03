import type { Request } from './request.js';

const SPACE = 32;
const QUOTE = 34;
const APOSTROPHE = 39;
const BACKSLASH = 92;
const X = 120;
/** What a letter behind a backslash stands for in double quotes. */
const ESCAPES = new Map([
  [110, 10],
  [114, 13],
  [116, 9],
  [98, 8],
  [97, 7],
]);

/** C's isspace. */
const isSpace = (byte: number) => byte === SPACE || (byte >= 9 && byte <= 13);
/** What ends an argument outside quotes: of the white space, vertical tab and form feed do not. */
const isSeparator = (byte: number) => byte === SPACE || byte === 9 || byte === 10 || byte === 13;

/**
 * Splits the line `buffer[start, end)` into the arguments of `request` by the rules of Redis's sdssplitargs: white
 * space separates, "double quotes" take the escapes \n \r \t \b \a \xHH \" \\, 'single quotes' take \' only. An empty
 * line gives no arguments. Returns false when quotes are unbalanced, or when a closing quote is not followed by white
 * space. (A zero byte is a byte like others; Redis 7.0 stops there and never answers.)
 */
export function parseInlineCommand(
  buffer: Buffer,
  start: number,
  end: number,
  request: Request,
): boolean {
  let argc = 0;
  let at = start;
  for (;;) {
    while (at < end && isSpace(buffer[at]!)) at++;
    if (at === end) break;
    request.reserve(argc + 1);
    request.start[argc] = at;
    while (at < end && !isSeparator(buffer[at]!)) {
      const byte = buffer[at]!;
      if (byte === QUOTE || byte === APOSTROPHE)
        return parseQuotedCommand(buffer, start, end, request);
      at++;
    }
    request.end[argc] = at;
    argc++;
  }
  request.argc = argc;
  return true;
}

/** The same with quotes: what they enclose is decoded into a buffer of the command's own. */
function parseQuotedCommand(buffer: Buffer, start: number, end: number, request: Request): boolean {
  const line = new QuotedLine(buffer, start, end);
  let argc = 0;
  while (line.skipSpace()) {
    request.reserve(argc + 1);
    request.start[argc] = line.length;
    if (!line.decodeArgument()) return false;
    request.end[argc] = line.length;
    argc++;
  }
  request.buffer = line.decoded;
  request.argc = argc;
  return true;
}

class QuotedLine {
  readonly decoded: Buffer;
  length = 0;
  private readonly buffer: Buffer;
  private readonly end: number;
  private at: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
    this.decoded = Buffer.allocUnsafe(end - start);
  }

  /** Whether there is another argument. */
  skipSpace(): boolean {
    while (this.at < this.end && isSpace(this.buffer[this.at]!)) this.at++;
    return this.at < this.end;
  }

  /** An argument is bare bytes, then perhaps a quoted part, which ends it. */
  decodeArgument(): boolean {
    while (this.at < this.end && !isSeparator(this.buffer[this.at]!)) {
      const byte = this.buffer[this.at++]!;
      if (byte === QUOTE || byte === APOSTROPHE) return this.decodeQuoted(byte);
      this.decoded[this.length++] = byte;
    }
    return true;
  }

  private decodeQuoted(quote: number): boolean {
    while (this.at < this.end) {
      const byte = this.buffer[this.at++]!;
      if (byte === quote) return this.at === this.end || isSpace(this.buffer[this.at]!);
      const escapes = byte === BACKSLASH && this.at < this.end;
      if (!escapes) this.decoded[this.length++] = byte;
      else if (quote === QUOTE) this.decoded[this.length++] = this.decodeEscape();
      else if (this.buffer[this.at] === APOSTROPHE)
        this.decoded[this.length++] = this.buffer[this.at++]!;
      else this.decoded[this.length++] = BACKSLASH;
    }
    return false;
  }

  private decodeEscape(): number {
    const letter = this.buffer[this.at++]!;
    if (letter === X && this.at + 1 < this.end) {
      const high = hexValue(this.buffer[this.at]!);
      const low = hexValue(this.buffer[this.at + 1]!);
      if (high >= 0 && low >= 0) {
        this.at += 2;
        return high * 16 + low;
      }
    }
    return ESCAPES.get(letter) ?? letter;
  }
}

/** -1 where `byte` is no hexadecimal digit. */
function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
