/** A reply as a tree that keeps its types: what the differential tests compare and normalise. */
export type Reply =
  | { readonly type: '+' | '-' | '$' | '=' | ',' | '(' | '#'; readonly text: string }
  | { readonly type: ':'; readonly text: string }
  | { readonly type: '*' | '~' | '>' | '%'; readonly items: readonly Reply[] }
  | { readonly type: '_'; readonly text: string };

const INCOMPLETE = Symbol('incomplete');

/** Reads whole replies, RESP2 or RESP3, from the beginning of a buffer. */
export class ReplyReader {
  #buffer = Buffer.alloc(0);
  #at = 0;

  feed(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
  }

  /** The next reply with its bytes (latin1); null while it is incomplete. */
  next(): { reply: Reply; bytes: string } | null {
    this.#at = 0;
    try {
      const reply = this.#read();
      const bytes = this.#buffer.toString('latin1', 0, this.#at);
      this.#buffer = this.#buffer.subarray(this.#at);
      return { reply, bytes };
    } catch (error) {
      if (error !== INCOMPLETE) throw error;
      return null;
    }
  }

  #line(): string {
    const end = this.#buffer.indexOf('\r\n', this.#at, 'latin1');
    if (end < 0) throw INCOMPLETE;
    const line = this.#buffer.toString('latin1', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #read(): Reply {
    const line = this.#line();
    const type = line[0]!;
    const rest = line.slice(1);
    switch (type) {
      case '+':
      case '-':
      case ':':
      case ',':
      case '(':
      case '#':
      case '_':
        return { type, text: rest } as Reply;
      case '$':
      case '=':
        return this.#bulk(type, Number(rest));
      case '*':
      case '~':
      case '>':
      case '%':
        return this.#items(type, Number(rest));
      default:
        throw new Error(`no reply begins with ${JSON.stringify(line)}`);
    }
  }

  #bulk(type: '$' | '=', length: number): Reply {
    if (length < 0) return { type: '_', text: '$' };
    if (this.#buffer.length < this.#at + length + 2) throw INCOMPLETE;
    const text = this.#buffer.toString('latin1', this.#at, this.#at + length);
    this.#at += length + 2;
    return { type, text };
  }

  #items(type: '*' | '~' | '>' | '%', count: number): Reply {
    if (count < 0) return { type: '_', text: '*' };
    const items: Reply[] = [];
    for (let i = 0; i < (type === '%' ? count * 2 : count); i++) items.push(this.#read());
    return { type, items };
  }
}

/** A command as clients send it. */
export function encodeCommand(args: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg, 'latin1') : arg;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}
