import type { AwaitedKey } from '../cluster/awaited-keys.js';
import type { ReplySink, RunTime } from '../cluster/operation.js';
import type { Request } from '../protocol/request.js';
import type { BlockingForm } from './blocking-forms.js';
import type { ClientSession } from './client-session.js';
import type { Expiring } from './deadlines.js';
import type { CommandSpec } from './spec.js';

/** A client whose command waits, as its connection and CLIENT UNBLOCK see it. */
export interface BlockedClient extends RunTime {
  /** Where its reply goes, and which one it is there. */
  readonly sink: ReplySink;
  readonly token: number;
  readonly spec: CommandSpec;
  /** How long its attempts have run, milliseconds. */
  readonly ranMs: number;
  /** It has looked in vain, and waits: CLIENT LIST and INFO count it. */
  readonly isBlocked: boolean;
  /** An attempt of it is under way, and may bring something. */
  readonly isTrying: boolean;
  /** The reply is that of a timeout, or `error`, unless the attempt under way brings something. */
  unblock(error: string | null): void;
  /** The client sends no more: it is replied nothing, unless the attempt under way brings something. */
  hangUp(): void;
  /** Nobody is there to reply to. */
  cancel(): void;
}

const NULL_ARRAY = Buffer.from('*-1\r\n');
const NULL = Buffer.from('_\r\n');
const NOTHING = Buffer.alloc(0);

/** Those of this node that wait for one key of one type, first come first served. One attempt at a time is under way. */
export interface WaitLine {
  readonly awaited: AwaitedKey;
  readonly waiters: Set<Waiter>;
  /** There may be something: whoever is first tries. */
  isDue: boolean;
  isTrying: boolean;
  /** Nobody tells: it is looked now and then. */
  isPolled: boolean;
}

/** What an attempt is about to do, or does. */
export const Stage = {
  None: 0,
  /** Looks whether there is something to move. */
  Look: 1,
  /** Takes it. */
  Take: 2,
  /** Looks whose type was wrong: the source's, or the destination's. */
  LookAgain: 3,
} as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

/** What a waiter tells of. */
export interface WaiterHost {
  replied(waiter: Waiter, reply: Buffer): void;
  /** Ends with `reply`, unless an attempt under way brings something. */
  end(waiter: Waiter, reply: Buffer): void;
  cancel(waiter: Waiter): void;
}

/** A blocking command under way, from its first look on. */
export class Waiter implements ReplySink, BlockedClient, Expiring {
  readonly client: ClientSession;
  readonly request: Request;
  readonly spec: CommandSpec;
  readonly form: BlockingForm;
  /** Arguments that are keys it takes from. */
  readonly keys: readonly number[];
  readonly db: number;
  readonly proto: 2 | 3;
  /** Where its reply goes. */
  readonly sink: ReplySink;
  readonly token: number;
  /** Unix milliseconds; infinite for a timeout of 0. */
  readonly deadline: number;
  /** Lines it stands in, each with the argument that is the key; none before it has looked in vain. */
  readonly lines = new Map<WaitLine, number>();
  /** The command that is tried in its place, last or now; null before the first. */
  attempt: Request | null = null;
  ranMs = 0;
  isBlocked = false;
  isOver = false;
  stage: Stage = Stage.None;
  /** The key of the attempt, as an argument; which of `keys` it is in the first round; whose line it is for, later. */
  key = 0;
  position = 0;
  line: WaitLine | null = null;
  /** What is said when the attempt under way brings nothing: its time is over. */
  ending: Buffer | null = null;
  readonly #host: WaiterHost;

  constructor(
    host: WaiterHost,
    given: Pick<
      Waiter,
      | 'client'
      | 'request'
      | 'spec'
      | 'form'
      | 'keys'
      | 'db'
      | 'proto'
      | 'sink'
      | 'token'
      | 'deadline'
    >,
  ) {
    this.#host = host;
    this.client = given.client;
    this.request = given.request;
    this.spec = given.spec;
    this.form = given.form;
    this.keys = given.keys;
    this.db = given.db;
    this.proto = given.proto;
    this.sink = given.sink;
    this.token = given.token;
    this.deadline = given.deadline;
  }

  get isTrying(): boolean {
    return this.stage !== Stage.None;
  }

  get isInFirstRound(): boolean {
    return this.line === null;
  }

  add(milliseconds: number): void {
    this.ranMs += milliseconds;
  }

  // --- ReplySink: what the attempt is answered with

  acknowledged(): void {}

  complete(_token: number, reply: Buffer): void {
    this.#host.replied(this, reply);
  }

  fail(_token: number, error: string): void {
    this.#host.replied(this, Buffer.from(`-${error}\r\n`));
  }

  // --- its end

  expired(): void {
    this.unblock(null);
  }

  unblock(error: string | null): void {
    const nil = this.proto === 3 ? NULL : NULL_ARRAY;
    this.#host.end(this, error === null ? nil : Buffer.from(`-${error}\r\n`));
  }

  hangUp(): void {
    this.#host.end(this, NOTHING);
  }

  cancel(): void {
    this.#host.cancel(this);
  }
}
