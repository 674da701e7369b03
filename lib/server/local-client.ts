import Parser from 'redis-parser';
import { LOCAL_BYTES_WAITING, LOCAL_CALLS_WAITING } from '../base/limits.js';
import type { Argument } from '../protocol/request-writer.js';
import type { LocalSocket, LocalSockets } from './local-sockets.js';

/** What a node replied: text, an integer, nothing, or an array of these. In an array an error is an object. */
export type Reply = string | number | null | ReplyError | Reply[];

/** The same with bytes instead of text. */
export type BufferReply = Buffer | number | null | ReplyError | BufferReply[];

/** A command with its arguments. */
export type Command = readonly [name: string, ...args: Argument[]];

/** When a key that is set expires, and whether it is set at all. */
export interface SetOptions {
  /** Seconds until it expires. */
  readonly ex?: number;
  /** Milliseconds until it expires. */
  readonly px?: number;
  /** The expiry that it had stays. */
  readonly keepTtl?: boolean;
  /** Only if there is no such key (`nx`), or only if there is (`xx`). */
  readonly if?: 'nx' | 'xx';
}

/** An error that a node replied with. `code` is its first word: "WRONGTYPE", "OOM", "NOREPLICAS", "CLUSTERDOWN", "ERR" ... */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.code = message.split(' ', 1)[0]!;
  }
}

/** The node, or this client of it, is closed. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError';
  readonly code = 'ERR_TANDIS_CLOSED';
}

/** Too many calls wait for their replies. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly code = 'ERR_TANDIS_BUSY';
}

const UNKNOWN = 'the client was closed before the reply: whether the command was run is not known';

/** What does not answer one command by one reply: no client within the process sends it. */
const MANY_REPLIES = new Set([
  ...['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'],
  ...['monitor', 'hello', 'client reply', 'client tracking'],
]);

/** What changes the state of a client, or makes it wait: not for one that many share. */
const OWN_CLIENT_ONLY = new Set([
  ...['multi', 'exec', 'discard', 'watch', 'unwatch', 'select', 'auth', 'reset', 'quit'],
  ...['blpop', 'brpop', 'blmove', 'brpoplpush', 'blmpop', 'bzpopmin', 'bzpopmax', 'bzmpop'],
]);

/** Calls that were replied to are let go so many at a time, at least. */
const TRIM_CALLS = 1024;

/** What the parser makes of a reply. */
type Parsed = Buffer | number | null | Error | Parsed[];

interface Call {
  resolve(reply: Parsed): void;
  reject(error: Error): void;
}

function asText(reply: Parsed): Reply {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (reply instanceof Error) return new ReplyError(reply.message);
  return Array.isArray(reply) ? reply.map(asText) : reply;
}

function asBytes(reply: Parsed): BufferReply {
  if (Buffer.isBuffer(reply)) return reply;
  if (reply instanceof Error) return new ReplyError(reply.message);
  return Array.isArray(reply) ? reply.map(asBytes) : reply;
}

/** The first two words for `client reply` and its like, else the name alone. */
function nameOf(words: readonly Argument[]): string {
  const name = String(words[0]).toLowerCase();
  return name === 'client' ? `${name} ${String(words[1]).toLowerCase()}` : name;
}

/**
 * A client within the process of its node. Calls are sent in the order in which they are made, those of one turn of the
 * event loop together; nobody waits for a socket.
 */
export class LocalClient {
  readonly #isShared: boolean;
  readonly #sockets: LocalSockets;
  readonly #socket: LocalSocket | null;
  readonly #parser: Parser;
  /** Those that were not replied to yet begin at `#next`. */
  #calls: Call[] = [];
  #next = 0;
  #isClosed = false;
  #closed!: () => void;
  /** Resolves when it is closed, by whomever. */
  readonly closed = new Promise<void>((resolve) => {
    this.#closed = resolve;
  });

  /** `isShared`: many use it, so that it must not change its state. Closed from the beginning when the node has left. */
  constructor(sockets: LocalSockets, isShared: boolean) {
    this.#isShared = isShared;
    this.#parser = new Parser({
      returnBuffers: true,
      returnReply: (reply: Parsed) => this.#take().resolve(reply),
      returnError: (error: Error) => this.#take().reject(new ReplyError(error.message)),
    });
    this.#sockets = sockets;
    this.#socket = sockets.open({
      replied: (bytes) => this.#parser.execute(bytes),
      closed: () => this.#end(),
    });
    if (this.#socket === null) this.#end();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Runs a command. Rejects with ReplyError for an error reply, with BusyError when very many calls wait, and with
   * ClosedError, where it is not known whether the command was run, when the client is closed before the reply.
   */
  call(...command: Command): Promise<Reply> {
    return this.#run(command, asText);
  }

  /** The same with bytes in the reply instead of text. */
  callBuffer(...command: Command): Promise<BufferReply> {
    return this.#run(command, asBytes);
  }

  /** Null when there is no such key. */
  get(key: Argument): Promise<string | null> {
    return this.call('GET', key) as Promise<string | null>;
  }

  getBuffer(key: Argument): Promise<Buffer | null> {
    return this.callBuffer('GET', key) as Promise<Buffer | null>;
  }

  /** Whether it was set: false only with `if`. */
  async set(key: Argument, value: Argument, options: SetOptions = {}): Promise<boolean> {
    const words: Argument[] = [];
    if (options.ex !== undefined) words.push('EX', options.ex);
    if (options.px !== undefined) words.push('PX', options.px);
    if (options.keepTtl === true) words.push('KEEPTTL');
    if (options.if !== undefined) words.push(options.if);
    return (await this.callBuffer('SET', key, value, ...words)) !== null;
  }

  /** How many of these keys there were. */
  del(...keys: readonly [Argument, ...Argument[]]): Promise<number> {
    return this.call('DEL', ...keys) as Promise<number>;
  }

  /** Whether there is such a key, which expires in so many seconds now. */
  async expire(key: Argument, seconds: number): Promise<boolean> {
    return (await this.call('EXPIRE', key, seconds)) === 1;
  }

  /** Runs commands as one step (MULTI, EXEC). Null when a key was changed that this client watches. */
  async transaction(commands: readonly Command[]): Promise<Reply[] | null> {
    for (const command of commands) {
      const refusal = this.#refusal(command);
      if (refusal !== null) throw refusal;
    }
    const queued = [['MULTI'], ...commands].map((command) => this.#send(command, asText));
    const done = this.#send(['EXEC'], asText);
    const settled = await Promise.allSettled([...queued, done]);
    // What was refused when it was queued says more than "EXECABORT" does.
    const refused = settled.find(({ status }) => status === 'rejected');
    if (refused !== undefined) throw (refused as PromiseRejectedResult).reason;
    return (await done) as Reply[] | null;
  }

  /** Sends no more, and resolves when all calls up to now were replied to. */
  close(): Promise<void> {
    if (!this.#isClosed) this.#socket!.hangUp();
    this.#isClosed = true;
    return this.closed;
  }

  #run<Converted>(
    command: readonly Argument[],
    convert: (reply: Parsed) => Converted,
  ): Promise<Converted> {
    const refusal = this.#refusal(command);
    return refusal === null ? this.#send(command, convert) : Promise.reject(refusal);
  }

  #refusal(command: readonly Argument[]): Error | null {
    const name = nameOf(command);
    if (MANY_REPLIES.has(name)) {
      if (name.endsWith('subscribe')) return new TypeError(`${name}: use node.subscribe()`);
      return new TypeError(`${name} is for clients with a socket: it has other replies than one`);
    }
    if (!this.#isShared || !OWN_CLIENT_ONLY.has(name)) return null;
    return new TypeError(`${name} needs a client of its own: node.connect()`);
  }

  #send<Converted>(
    command: readonly Argument[],
    convert: (reply: Parsed) => Converted,
  ): Promise<Converted> {
    const socket = this.#socket;
    if (socket === null) return Promise.reject(new ClosedError('the node has left'));
    if (this.#isClosed) return Promise.reject(new ClosedError('the client is closed'));
    const waiting = this.#calls.length - this.#next;
    if (waiting >= LOCAL_CALLS_WAITING || socket.waitingBytes > LOCAL_BYTES_WAITING) {
      this.#sockets.countRefusal();
      return Promise.reject(new BusyError('too many calls wait for their replies'));
    }
    return new Promise((resolve, reject) => {
      socket.send(command);
      this.#calls.push({ resolve: (reply) => resolve(convert(reply)), reject });
    });
  }

  /** The call whose reply has come. */
  #take(): Call {
    const call = this.#calls[this.#next]!;
    this.#next += 1;
    if (this.#next === this.#calls.length) {
      this.#calls = [];
      this.#next = 0;
    } else if (this.#next >= TRIM_CALLS && this.#next * 2 >= this.#calls.length) {
      this.#calls = this.#calls.slice(this.#next);
      this.#next = 0;
    }
    return call;
  }

  #end(): void {
    this.#isClosed = true;
    const calls = this.#calls.slice(this.#next);
    this.#calls = [];
    this.#next = 0;
    for (const { reject } of calls) reject(new ClosedError(UNKNOWN));
    this.#closed();
  }
}
