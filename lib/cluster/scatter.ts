import { KEYS_PER_TURN, REPLY_BYTES_PER_TURN } from '../base/limits.js';
import { KeyMode, type Operation, type ReplySink } from './operation.js';

const MINUS = 45;
const LF = 10;
const EMPTY = Buffer.alloc(0);

/**
 * One command that means the same key by key (MGET, DEL, EXISTS, UNLINK, TOUCH). Its keys go out in slices; those of a
 * slice are one step where all of them may run here, and otherwise go their ways one by one. When all replies have come,
 * the reply is put together, a long one piece by piece. The first error is the reply of the whole, and no further slice
 * goes out after it.
 */
export class Scatter {
  isOver = false;
  readonly #operation: Operation;
  readonly #hooks: ScatterHooks;
  /** Called when replies have come after which there is something to do. */
  readonly #ready: () => void;
  #sent = 0;
  #inFlight = 0;
  #error: Buffer | null = null;
  #sum = 0;
  /** What each slice adds to an array, in their order. */
  readonly #bodies: Buffer[] = [];
  #bodiesBytes = 0;
  /** The array while it is put together: bytes that are there, and slices that are in it. */
  #reply: Buffer | null = null;
  #filled = 0;
  #joined = 0;

  constructor(operation: Operation, hooks: ScatterHooks, ready: () => void) {
    this.#operation = operation;
    this.#hooks = hooks;
    this.#ready = ready;
  }

  /** Whether `step` has something to do; else replies are awaited. */
  get canGoOn(): boolean {
    return this.#isSent ? this.#inFlight === 0 : this.#inFlight < KEYS_IN_FLIGHT_MAX;
  }

  /** Sends one slice out, or puts some of the reply together. */
  step(): void {
    if (!this.#isSent) this.#sendSlice();
    else if (this.#error !== null) this.#end(this.#error);
    else if (this.#operation.traits.keyMode === KeyMode.ScatterArray) this.#join();
    else this.#end(Buffer.from(`:${this.#sum}\r\n`, 'latin1'));
  }

  get #isSent(): boolean {
    return this.#error !== null || this.#sent === this.#operation.keys.length;
  }

  #sendSlice(): void {
    const keys = this.#operation.keys.slice(this.#sent, this.#sent + KEYS_PER_TURN);
    this.#sent += keys.length;
    this.#inFlight += keys.length;
    const place = this.#bodies.push(EMPTY) - 1;
    const together = this.#part(keys);
    const isHere = this.#hooks.mayRunHere(together);
    const parts = isHere ? [together] : keys.map((key) => this.#part([key]));
    const sink = new Replies(parts.length, (replies) =>
      this.#received(place, keys.length, replies),
    );
    parts.forEach((part, token) => {
      const operation = { ...part, sink, token };
      if (isHere) this.#hooks.runHere(operation);
      else this.#hooks.route(operation);
    });
  }

  /** The same command on some of the keys. */
  #part(keys: readonly number[]): Operation {
    const { request, traits } = this.#operation;
    return {
      ...this.#operation,
      request: request.pick(keys),
      traits: { ...traits, keyMode: KeyMode.Single },
      keys: keys.map((_, index) => index + 1),
    };
  }

  #received(place: number, keys: number, replies: readonly Buffer[]): void {
    this.#inFlight -= keys;
    this.#error ??= replies.find((reply) => reply[0] === MINUS) ?? null;
    if (this.#error === null) {
      if (this.#operation.traits.keyMode === KeyMode.ScatterArray) this.#keep(place, replies);
      else for (const reply of replies) this.#sum += Number(reply.latin1Slice(1, reply.length - 2));
    }
    if (this.canGoOn) this.#ready();
  }

  #keep(place: number, replies: readonly Buffer[]): void {
    const elements = replies.map((reply) => reply.subarray(reply.indexOf(LF) + 1));
    const body = elements.length === 1 ? elements[0]! : Buffer.concat(elements);
    this.#bodies[place] = body;
    this.#bodiesBytes += body.length;
  }

  #join(): void {
    if (this.#reply === null) {
      const header = `*${this.#operation.keys.length}\r\n`;
      this.#reply = Buffer.allocUnsafeSlow(header.length + this.#bodiesBytes);
      this.#filled = this.#reply.latin1Write(header, 0);
    }
    const until = this.#filled + REPLY_BYTES_PER_TURN;
    while (this.#joined < this.#bodies.length && this.#filled < until) {
      this.#filled += this.#bodies[this.#joined]!.copy(this.#reply, this.#filled);
      this.#bodies[this.#joined++] = EMPTY;
    }
    if (this.#joined === this.#bodies.length) this.#end(this.#reply);
  }

  #end(reply: Buffer): void {
    this.isOver = true;
    this.#operation.sink.complete(this.#operation.token, reply);
  }
}

/** Keys of one command whose replies are awaited at the same time. */
const KEYS_IN_FLIGHT_MAX = 4 * KEYS_PER_TURN;

/** Where the parts of a slice run. */
export interface ScatterHooks {
  /** Whether a command may run here and now on all of its keys. */
  mayRunHere(operation: Operation): boolean;
  runHere(operation: Operation): void;
  /** Sends a command on one key on its way. */
  route(operation: Operation): void;
}

/** The replies to the parts of one slice, until all have come. */
class Replies implements ReplySink {
  readonly #replies: (Buffer | null)[];
  readonly #done: (replies: readonly Buffer[]) => void;
  #missing: number;

  constructor(count: number, done: (replies: readonly Buffer[]) => void) {
    this.#replies = new Array<Buffer | null>(count).fill(null);
    this.#missing = count;
    this.#done = done;
  }

  acknowledged(): void {}

  complete(index: number, reply: Buffer): void {
    if (this.#replies[index] !== null) return;
    this.#replies[index] = reply;
    if (--this.#missing === 0) this.#done(this.#replies as Buffer[]);
  }

  fail(index: number, error: string): void {
    this.complete(index, Buffer.from(`-${error}\r\n`, 'latin1'));
  }
}
