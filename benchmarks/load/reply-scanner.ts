const CR = 13;
const LF = 10;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const ZERO = 48;

const State = { kind: 0, line: 1, lineFeed: 2, body: 3 } as const;

/** Bytes of an error reply that are kept for the report. */
const ERROR_TEXT_BYTES_MAX = 200;

/**
 * Counts RESP2 replies in a stream of bytes without building them: a generator that made an object
 * per reply would be slower than the server it measures. Input may be split anywhere.
 */
export class ReplyScanner {
  /** Complete replies seen. */
  replies = 0;
  /** Error replies among them (also inside arrays). */
  errors = 0;
  /** Nil replies: a GET of a key that is not there. */
  nils = 0;
  /**
   * Integer replies `:0`: a write that no replica acknowledged (WAIT), or an EXPIRE of a key that
   * is not there.
   */
  zeros = 0;
  /** Text of the first error reply, at most 200 bytes. */
  firstError = '';

  private state: number = State.kind;
  private kind = 0;
  private number = 0;
  private negative = false;
  /** Bytes of a bulk string still to skip, with its CRLF. */
  private skip = 0;
  /** Elements of arrays still to come before the present reply is complete. */
  private elements = 0;

  /**
   * Scans `buffer[0, length)`; returns how many replies were completed. Throws RangeError on bytes
   * that are no reply.
   */
  feed(buffer: Uint8Array, length: number): number {
    const before = this.replies;
    let at = 0;
    while (at < length) {
      if (this.state === State.body) {
        const step = Math.min(this.skip, length - at);
        at += step;
        this.skip -= step;
        if (this.skip === 0) this.complete();
      } else if (this.state === State.kind) {
        this.begin(buffer[at++]!);
      } else if (this.state === State.line) {
        at = this.scanLine(buffer, at, length);
      } else {
        if (buffer[at++] !== LF) throw new RangeError('reply line does not end in CRLF');
        this.endLine();
      }
    }
    return this.replies - before;
  }

  private begin(kind: number): void {
    const known =
      kind === PLUS || kind === MINUS || kind === COLON || kind === DOLLAR || kind === STAR;
    if (!known) throw new RangeError(`no RESP2 reply begins with byte ${kind}`);
    this.kind = kind;
    this.number = 0;
    this.negative = false;
    this.state = State.line;
    if (kind === MINUS) this.errors++;
  }

  private scanLine(buffer: Uint8Array, start: number, length: number): number {
    let at = start;
    const isNumber = this.kind === DOLLAR || this.kind === STAR || this.kind === COLON;
    while (at < length) {
      const byte = buffer[at++]!;
      if (byte === CR) {
        this.state = State.lineFeed;
        return at;
      }
      if (isNumber) this.digit(byte);
      else if (this.kind === MINUS && this.errors === 1) this.keepError(byte);
    }
    return at;
  }

  private digit(byte: number): void {
    if (byte === MINUS) {
      this.negative = true;
      return;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9) throw new RangeError(`byte ${byte} in the number of a reply`);
    this.number = this.number * 10 + digit;
  }

  private keepError(byte: number): void {
    if (this.firstError.length < ERROR_TEXT_BYTES_MAX) this.firstError += String.fromCharCode(byte);
  }

  private endLine(): void {
    this.state = State.kind;
    if (this.kind === DOLLAR && !this.negative) {
      this.skip = this.number + 2;
      this.state = State.body;
      return;
    }
    if (this.negative && (this.kind === DOLLAR || this.kind === STAR)) this.nils++;
    if (this.kind === COLON && this.number === 0) this.zeros++;
    this.complete();
    if (this.kind !== STAR || this.negative || this.number === 0) return;
    // The array took one place and opens others: it is not complete yet.
    if (this.elements === 0) this.replies--;
    this.elements += this.number;
  }

  private complete(): void {
    this.state = State.kind;
    if (this.elements > 0) this.elements--;
    if (this.elements === 0) this.replies++;
  }
}
