import { GatherBuffer } from './gather-buffer.js';
import { parseInlineCommand } from './inline-command.js';
import { parseInteger } from './numbers.js';
import type { Request } from './request.js';

export const ParseResult = { Command: 0, Incomplete: 1, Error: 2 } as const;
export type ParseResult = (typeof ParseResult)[keyof typeof ParseResult];

/** Bounds of what one client may send. All but the last two hold for every client. */
export interface RequestLimits {
  /** Bytes of one argument (proto-max-bulk-len). */
  readonly bulkBytesMax: number;
  /** Arguments of one command, its name included. */
  readonly argumentsMax: number;
  /** Bytes of an inline command, or of a line that announces a length. */
  readonly inlineBytesMax: number;
  /** Bytes of one command that has not arrived whole (client-query-buffer-limit). */
  readonly queryBufferBytesMax: number;
  /** Arguments of one command of a client that has yet to authenticate. */
  readonly unauthenticatedArgumentsMax: number;
  /** Bytes of one argument of a client that has yet to authenticate. */
  readonly unauthenticatedBulkBytesMax: number;
}

/** The limits of Redis 7.0. */
export const DEFAULT_REQUEST_LIMITS: RequestLimits = {
  bulkBytesMax: 512 * 1024 * 1024,
  argumentsMax: 1024 * 1024,
  inlineBytesMax: 64 * 1024,
  queryBufferBytesMax: 1024 * 1024 * 1024,
  unauthenticatedArgumentsMax: 10,
  unauthenticatedBulkBytesMax: 16384,
};

const CR = 13;
const LF = 10;
const ASTERISK = 42;
const DOLLAR = 36;
const ZERO = 48;

/** What parsing functions return instead of the offset behind what they parsed. */
const INCOMPLETE = -1;
const ERROR = -2;

/** Argument slots that a Request keeps from one command to the next; more are released. */
const ARGUMENT_SLOTS_KEPT = 4096;
const PROTOCOL_ERROR = 'Protocol error: ';
const QUERY_BUFFER_FULL = 'too big query buffer';
const EMPTY = Buffer.alloc(0);

/** What the next byte of a command that arrives in pieces belongs to. */
const Stage = { Start: 0, Count: 1, Length: 2, Bulk: 3, Inline: 4 } as const;
type Stage = (typeof Stage)[keyof typeof Stage];

/**
 * Reads the commands of one client: the RESP request form (`*2\r\n$3\r\nGET\r\n...`) and inline commands, with the
 * limits and error texts of Redis 7.0.
 *
 *     feed(chunk, start, end)    the chunk is lent until finish()
 *     next(request) ...          until Incomplete or Error, or until the caller wants no more for now
 *     rewind(request)            that command, and those after it, come again
 *     finish()                   copies out what is left; the chunk may be overwritten now
 *
 * A command that lies whole in the chunk is yielded as offsets into it: no copy, no object. One that does not is
 * gathered in a buffer of the parser's own, over as many chunks as it takes, and yielded as offsets into that. What
 * `next` has put into Requests is readable until `finish`, or until a chunk ends in the middle of another command; none
 * that was gathered can be rewound.
 *
 * After an error the parser stays in error: the connection is out of step and can only be closed.
 */
export class RequestParser {
  /** The error's text as Redis sends it behind "-ERR ", as latin1; empty while there is none. */
  error = '';
  /** Set by the connection once its client has authenticated, or where nobody has to. */
  authenticated = true;

  private readonly limits: RequestLimits;
  private chunk: Buffer = EMPTY;
  private position = 0;
  private end = 0;
  /** Whether `next` found the rest of the chunk to be an incomplete command. */
  private drained = true;
  /** The value of the line that `readLength` has read. */
  private value = 0;

  private readonly gathered = new GatherBuffer();
  private stage: Stage = Stage.Start;
  /** Where the line being gathered begins. */
  private lineStart = 0;
  /** Where the argument being gathered ends, its line end included. */
  private bulkEnd = 0;
  private argumentsLeft = 0;
  /** Arguments of the command that is being gathered, once their count is known. */
  private argumentsGathered = 0;

  constructor(limits: RequestLimits) {
    this.limits = limits;
  }

  /** Bytes held of commands that are not parsed yet. */
  get pendingBytes(): number {
    return this.gathered.length + this.end - this.position;
  }

  /**
   * Lends `chunk[start, end)`. Commands of the chunk before that were left when the caller stopped calling `next` come
   * first: a caller that stops should stop reading too, or what is left is copied each time.
   */
  feed(chunk: Buffer, start: number, end: number): void {
    if (this.error !== '') return;
    if (this.position < this.end) {
      const left = this.chunk.subarray(this.position, this.end);
      this.chunk = Buffer.concat([left, chunk.subarray(start, end)]);
      this.end = this.chunk.length;
      this.position = 0;
      if (this.end > this.limits.queryBufferBytesMax) this.fail(QUERY_BUFFER_FULL);
    } else {
      this.chunk = chunk;
      this.end = end;
      this.position = start;
    }
    this.drained = false;
  }

  /** The error is that a command is longer than the query buffer may be. */
  get isOverfull(): boolean {
    return this.error === PROTOCOL_ERROR + QUERY_BUFFER_FULL;
  }

  /** Whether bytes are left that `next` has not looked at. */
  get hasMore(): boolean {
    return this.position < this.end && !this.drained && this.error === '';
  }

  /** Whether the next command has begun in an earlier chunk. */
  get isGathering(): boolean {
    return this.gathered.length > 0;
  }

  /** Takes back `request` and what was parsed after it from the same chunk, errors included: they come again. */
  rewind(request: Request): void {
    this.position = request.origin;
    this.drained = false;
    this.error = '';
  }

  /** Parses one command into `request`. */
  next(request: Request): ParseResult {
    if (request.start.length > ARGUMENT_SLOTS_KEPT) {
      request.start = new Int32Array(16);
      request.end = new Int32Array(16);
    }
    request.argc = 0;
    request.hashedIndex = -1;
    while (this.position < this.end && this.error === '') {
      request.origin = this.position;
      const after = this.gathered.length > 0 ? this.parseGathered(request) : this.parse(request);
      if (after < 0) break;
      this.position = after;
      if (request.argc > 0) return ParseResult.Command;
    }
    // A Request that waits for the next chunk keeps no large command of its past alive.
    request.buffer = EMPTY;
    if (this.error !== '') return ParseResult.Error;
    this.drained = true;
    return ParseResult.Incomplete;
  }

  /** Copies out what is left of the chunk. It may find that too much has been gathered: `error` says so. */
  finish(): void {
    if (this.position < this.end && this.error === '') {
      if (this.drained) {
        this.gather();
      } else {
        this.chunk = Buffer.from(this.chunk.subarray(this.position, this.end));
        this.end = this.chunk.length;
        this.position = 0;
        return;
      }
    }
    this.chunk = EMPTY;
    this.position = 0;
    this.end = 0;
  }

  private parse(request: Request): number {
    const { chunk, position, end } = this;
    request.buffer = chunk;
    return chunk[position] === ASTERISK
      ? this.parseMultibulk(chunk, position, end, request)
      : this.parseInline(chunk, position, end, request);
  }

  /**
   * The hot path: plain index arithmetic, with the usual shapes of the two kinds of lines read in place. All else (two
   * digits, end of chunk, errors) goes through `readCount` and `readBulkLength`.
   */
  private parseMultibulk(buffer: Buffer, start: number, end: number, request: Request): number {
    const bulkBytesMax = this.authenticated
      ? this.limits.bulkBytesMax
      : this.limits.unauthenticatedBulkBytesMax;
    let at = this.readCount(buffer, start, end);
    if (at < 0) return at;
    const count = this.value;
    let starts = request.start;
    let ends = request.end;
    for (let i = 0; i < count; i++) {
      let digits = at + 1;
      let length = 0;
      while (digits < end) {
        const digit = buffer[digits]! - ZERO;
        if (digit < 0 || digit > 9) break;
        length = length * 10 + digit;
        digits++;
      }
      if (
        digits + 1 < end &&
        buffer[at] === DOLLAR &&
        buffer[digits] === CR &&
        length <= bulkBytesMax &&
        (buffer[at + 1] !== ZERO || digits === at + 2) &&
        digits > at + 1
      ) {
        at = digits + 2;
      } else {
        at = this.readBulkLength(buffer, at, end);
        if (at < 0) return at;
        length = this.value;
      }
      const stop = at + length;
      if (stop + 2 > end) return INCOMPLETE;
      if (i === starts.length) {
        // Slots are made as arguments arrive: a count alone allocates nothing.
        request.reserve(i + 1);
        starts = request.start;
        ends = request.end;
      }
      starts[i] = at;
      ends[i] = stop;
      // As in Redis, the line end behind an argument is skipped unseen.
      at = stop + 2;
    }
    if (count > 0) request.argc = count;
    return at;
  }

  /** Reads `*N\r\n` at `start` into `value`. A count of zero or less is an empty command. */
  private readCount(buffer: Buffer, start: number, end: number): number {
    let after = start + 4;
    const digit = after <= end && buffer[start + 2] === CR ? buffer[start + 1]! - ZERO : -1;
    if (digit >= 0 && digit <= 9) {
      this.value = digit;
    } else {
      after = this.readLine(buffer, start, end, 'too big mbulk count string');
      if (after < 0) return after;
    }
    const count = this.value;
    if (!(count <= this.limits.argumentsMax)) return this.fail('invalid multibulk length');
    if (!this.authenticated && count > this.limits.unauthenticatedArgumentsMax)
      return this.fail('unauthenticated multibulk length');
    return after;
  }

  /** Reads `$N\r\n` at `start` into `value`. */
  private readBulkLength(buffer: Buffer, start: number, end: number): number {
    const after = this.readLine(buffer, start, end, 'too big bulk count string');
    if (after < 0) return after;
    if (buffer[start] !== DOLLAR)
      return this.fail(`expected '$', got '${String.fromCharCode(buffer[start]!)}'`);
    const length = this.value;
    if (!(length >= 0 && length <= this.limits.bulkBytesMax))
      return this.fail('invalid bulk length');
    if (!this.authenticated && length > this.limits.unauthenticatedBulkBytesMax)
      return this.fail('unauthenticated bulk length');
    return after;
  }

  /**
   * Reads a line of a type byte and a number into `value`, NaN where it is none. As in Redis the line ends with a
   * carriage return and any one byte.
   */
  private readLine(buffer: Buffer, start: number, end: number, tooBig: string): number {
    const bytesMax = this.limits.inlineBytesMax;
    const limit = Math.min(end, start + bytesMax + 1);
    let at = start;
    while (at < limit && buffer[at] !== CR) at++;
    if (at - start > bytesMax) return this.fail(tooBig);
    if (at + 1 >= end) return INCOMPLETE;
    this.value = parseInteger(buffer, start + 1, at);
    return at + 2;
  }

  private parseInline(buffer: Buffer, start: number, end: number, request: Request): number {
    const bytesMax = this.limits.inlineBytesMax;
    const limit = Math.min(end, start + bytesMax + 1);
    let at = start;
    while (at < limit && buffer[at] !== LF) at++;
    if (at - start > bytesMax) return this.fail('too big inline request');
    if (at === end) return INCOMPLETE;
    const lineEnd = at > start && buffer[at - 1] === CR ? at - 1 : at;
    if (!parseInlineCommand(buffer, start, lineEnd, request))
      return this.fail('unbalanced quotes in request');
    return at + 1;
  }

  /**
   * Completes the gathered command from the chunk and parses it once more, as a whole. So each byte is looked at a
   * bounded number of times, however it was split, and no offsets of arguments are kept between chunks.
   */
  private parseGathered(request: Request): number {
    const outcome = this.gather();
    if (outcome < 0) return outcome;
    const { buffer, length } = this.gathered;
    this.gathered.clear();
    this.stage = Stage.Start;
    request.buffer = buffer;
    request.reserve(this.argumentsGathered);
    this.argumentsGathered = 0;
    const after =
      buffer[0] === ASTERISK
        ? this.parseMultibulk(buffer, 0, length, request)
        : this.parseInline(buffer, 0, length, request);
    return after < 0 ? after : this.position;
  }

  /** Moves bytes of one command from the chunk to `gathered`. Returns 0 when the command is whole. */
  private gather(): number {
    while (this.position < this.end) {
      let outcome: number;
      if (this.stage === Stage.Start) {
        this.stage = this.chunk[this.position] === ASTERISK ? Stage.Count : Stage.Inline;
        this.lineStart = 0;
        continue;
      }
      if (this.stage === Stage.Bulk) outcome = this.gatherBulk();
      else if (this.stage === Stage.Inline) outcome = this.gatherInline();
      else outcome = this.gatherLine();
      if (outcome !== INCOMPLETE) return outcome;
    }
    return INCOMPLETE;
  }

  private gatherBulk(): number {
    const missing = this.bulkEnd - this.gathered.length;
    const bytes = Math.min(missing, this.end - this.position);
    this.take(this.position + bytes, this.argumentsLeft === 1 ? this.bulkEnd : 0);
    if (bytes < missing) return INCOMPLETE;
    this.argumentsLeft--;
    if (this.argumentsLeft === 0) return 0;
    this.stage = Stage.Length;
    this.lineStart = this.gathered.length;
    return INCOMPLETE;
  }

  private gatherInline(): number {
    const { chunk, end } = this;
    let at = this.position;
    while (at < end && chunk[at] !== LF) at++;
    const lineBytes = this.gathered.length + at - this.position;
    if (lineBytes > this.limits.inlineBytesMax) return this.fail('too big inline request');
    this.take(at === end ? end : at + 1, 0);
    return at === end ? INCOMPLETE : 0;
  }

  private gatherLine(): number {
    const { chunk, end, gathered } = this;
    const inCount = this.stage === Stage.Count;
    const seen = gathered.length - this.lineStart;
    if (seen === 0 || gathered.buffer[gathered.length - 1] !== CR) {
      let at = this.position;
      while (at < end && chunk[at] !== CR) at++;
      if (seen + at - this.position > this.limits.inlineBytesMax)
        return this.fail(inCount ? 'too big mbulk count string' : 'too big bulk count string');
      this.take(at === end ? end : at + 1, 0);
      return INCOMPLETE;
    }
    this.take(this.position + 1, 0);
    return inCount ? this.countGathered() : this.bulkLengthGathered();
  }

  private countGathered(): number {
    const { buffer, length } = this.gathered;
    const outcome = this.readCount(buffer, 0, length);
    if (outcome < 0) return outcome;
    if (this.value <= 0) return 0;
    this.argumentsLeft = this.value;
    this.argumentsGathered = this.value;
    this.stage = Stage.Length;
    this.lineStart = length;
    return INCOMPLETE;
  }

  private bulkLengthGathered(): number {
    const { buffer, length } = this.gathered;
    const outcome = this.readBulkLength(buffer, this.lineStart, length);
    if (outcome < 0) return outcome;
    this.bulkEnd = length + this.value + 2;
    if (this.bulkEnd > this.limits.queryBufferBytesMax) return this.fail(QUERY_BUFFER_FULL);
    this.stage = Stage.Bulk;
    return INCOMPLETE;
  }

  private take(until: number, totalBytes: number): void {
    this.gathered.append(this.chunk, this.position, until, totalBytes);
    this.position = until;
  }

  private fail(text: string): number {
    this.error = `${PROTOCOL_ERROR}${text}`;
    this.gathered.clear();
    return ERROR;
  }
}
