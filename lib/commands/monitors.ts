import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';
import type { CommandSpec } from './spec.js';

/** Bytes that are shown as they are, but for the quote and the backslash. */
const PRINTABLE = { first: 32, last: 126 } as const;
const QUOTE = 34;
const BACKSLASH = 92;
const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  13: '\\r',
  [QUOTE]: '\\"',
  [BACKSLASH]: '\\\\',
};
const JITTER_MICROS = 2000;
const REDACTED = '"(redacted)"';

/** MONITOR: clients that are shown the commands of this node's clients. */
export class Monitors {
  readonly #clients = new Set<ClientSession>();
  readonly #now: () => number;
  #last = 0;
  /** All that is looked at while nobody monitors. */
  isActive = false;

  /** `now`: Unix milliseconds, with their fraction. */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(client: ClientSession): void {
    client.monitors = true;
    this.#clients.add(client);
    this.isActive = true;
  }

  remove(client: ClientSession): void {
    client.monitors = false;
    this.#clients.delete(client);
    this.isActive = this.#clients.size > 0;
  }

  /** The fraction of a millisecond only tells calls apart: within some of these it may go back, what is shown does not. */
  #micros(): number {
    const micros = Math.floor(this.#now() * 1000);
    const isJitter = micros < this.#last && this.#last - micros < JITTER_MICROS;
    if (!isJitter) this.#last = micros;
    return this.#last;
  }

  /** `source` is an address, or "lua". Commands of administrators are not shown, nor passwords. */
  show(source: string, db: number, spec: CommandSpec, request: Request): void {
    if (spec.isAdmin) return;
    const micros = this.#micros();
    const time = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
    let line = `+${time} [${db} ${source}]`;
    for (let i = 0; i < request.argc; i++) {
      line += ` ${isSecret(spec, request, i) ? REDACTED : quoted(request, i)}`;
    }
    const bytes = Buffer.from(`${line}\r\n`, 'latin1');
    for (const client of this.#clients) client.push(bytes);
  }
}

/** The arguments of AUTH, and what follows AUTH in HELLO. */
function isSecret({ name }: CommandSpec, request: Request, index: number): boolean {
  if (name === 'auth') return index > 0;
  if (name !== 'hello' || index < 3) return false;
  return request.is(index - 1, 'AUTH') || request.is(index - 2, 'AUTH');
}

function quoted({ buffer, start, end }: Request, index: number): string {
  let text = '"';
  for (let at = start[index]!; at < end[index]!; at++) {
    const byte = buffer[at]!;
    const isPlain = byte >= PRINTABLE.first && byte <= PRINTABLE.last;
    text +=
      ESCAPES[byte] ??
      (isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`);
  }
  return `${text}"`;
}
