import type { ClientConnection } from './client-connection.js';

/** Milliseconds between two looks at the clients that are still there. */
const LOOK_MS = 10;
/** A client that has sent nothing for so long is between two requests, milliseconds. */
const IDLE_MS = 30;
/** So long a client without a pause is served on, milliseconds. */
const BUSY_MS = 500;
/** So long a client gets to take its last replies, and to close its side, milliseconds. */
const LAST_REPLIES_MS = 1000;

/** The clients of a node that ends. */
export interface FarewellClients {
  readonly size: number;
  all(): Iterable<ClientConnection>;
  stopAccepting(): void;
  closeAll(): void;
}

/**
 * Sends clients away so that they lose nothing: nobody new is accepted, and everybody is served on until there is a pause.
 * A connection that is closed then takes no request with it. A client that never pauses is closed behind its last reply;
 * what it had sent meanwhile was not run, and it will send that again on its next connection.
 */
export class Farewell {
  readonly #clients: FarewellClients;
  readonly #wall: () => number;
  readonly #patienceMs: number;
  readonly #done: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #beganAt = 0;
  #isHurried = false;
  #isOver = false;

  /** `wall`: Unix milliseconds. Replies that others have to give are waited for up to `patienceMs`. */
  constructor(clients: FarewellClients, wall: () => number, patienceMs: number) {
    this.#clients = clients;
    this.#wall = wall;
    this.#patienceMs = patienceMs;
  }

  /** Calls `done` when no client is left. */
  begin(done: () => void): void {
    if (this.#isOver) {
      done();
      return;
    }
    this.#done.push(done);
    if (this.#timer !== undefined) return;
    this.#clients.stopAccepting();
    this.#beganAt = this.#wall();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  /** Nobody is waited for any more, but to take the replies that are there. */
  hurry(): void {
    this.#isHurried = true;
    this.#beganAt = Math.min(this.#beganAt, this.#wall() - BUSY_MS);
    this.#look();
  }

  #look(): void {
    if (this.#isOver) return;
    const now = this.#wall();
    const elapsedMs = now - this.#beganAt;
    let someWait = false;
    for (const client of this.#clients.all()) {
      if (elapsedMs < BUSY_MS) client.closeInPause(now - IDLE_MS);
      else client.closeOnceRead();
      someWait ||= client.isWaiting;
    }
    const mayWait = someWait && !this.#isHurried && elapsedMs < this.#patienceMs;
    if (elapsedMs >= BUSY_MS + LAST_REPLIES_MS && !mayWait) this.#clients.closeAll();
    if (this.#clients.size === 0) this.#end();
  }

  #end(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const done of this.#done) done();
  }
}
