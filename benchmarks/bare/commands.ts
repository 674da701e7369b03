const EMPTY = Buffer.alloc(0);
const LF = 10;
const STAR = 42;
const ZERO = 48;
/** Past its kind, a count or length, and its line's end. */
const HEAD_BYTES_MAX = 16;

/** Where the arguments of a command begin and end in `buffer`. */
export interface Command {
  buffer: Buffer;
  argc: number;
  readonly start: number[];
  readonly end: number[];
}

/** Finds the commands in what a connection brings. It takes for granted that they are commands: of load generators they are. */
export class Commands {
  readonly #command: Command = { buffer: EMPTY, argc: 0, start: [], end: [] };
  /** A command of which more is to come. */
  #rest = EMPTY;
  #at = 0;

  /** Visits all that are whole. Returns the bytes that they are in, which stay valid until the chunk is overwritten. */
  feed(chunk: Buffer, visit: (command: Command) => void): Buffer {
    const buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#command.buffer = buffer;
    let whole = 0;
    for (this.#at = 0; this.#next(buffer); whole = this.#at) visit(this.#command);
    this.#rest = whole === buffer.length ? EMPTY : Buffer.from(buffer.subarray(whole));
    return buffer.subarray(0, whole);
  }

  /** False where the command at `#at` is not whole. */
  #next(buffer: Buffer): boolean {
    const command = this.#command;
    if (this.#at < buffer.length && buffer[this.#at] !== STAR) return this.#inline(buffer);
    command.argc = this.#number(buffer);
    if (command.argc < 0) return false;
    for (let i = 0; i < command.argc; i++) {
      const length = this.#number(buffer);
      if (length < 0) return false;
      command.start[i] = this.#at;
      this.#at += length;
      command.end[i] = this.#at;
      this.#at += 2;
    }
    return this.#at <= buffer.length;
  }

  /** A word in a line. */
  #inline(buffer: Buffer): boolean {
    const command = this.#command;
    const end = buffer.indexOf(LF, this.#at);
    command.argc = 1;
    command.start[0] = this.#at;
    command.end[0] = end - 1;
    this.#at = end + 1;
    return end >= 0;
  }

  /** The number in a line behind its first byte; -1 where the line does not end here. */
  #number(buffer: Buffer): number {
    let value = 0;
    for (let at = this.#at + 1; at < buffer.length && at < this.#at + HEAD_BYTES_MAX; at++) {
      const byte = buffer[at]!;
      if (byte === LF) {
        this.#at = at + 1;
        return value;
      }
      if (byte >= ZERO) value = value * 10 + byte - ZERO;
    }
    return -1;
  }
}
