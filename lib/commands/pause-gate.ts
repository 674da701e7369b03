import type { ClientSession } from './client-session.js';
import type { NodeServices } from './services.js';

/** CLIENT PAUSE: whose commands wait for its end. */
export class PauseGate {
  readonly #services: Pick<NodeServices, 'now' | 'after'>;
  /** Unix milliseconds, 0 while nothing is paused. */
  #until = 0;
  #writesOnly = false;
  readonly #waiting = new Set<ClientSession>();
  /** Told when a pause begins, and when it is over. */
  readonly #changed: (isPaused: boolean) => void;
  /** Called when a pause is over. */
  ended: () => void = () => undefined;

  constructor(services: Pick<NodeServices, 'now' | 'after'>, changed: (isPaused: boolean) => void) {
    this.#services = services;
    this.#changed = changed;
  }

  /** Whether anything is paused: false is all that the hot path looks at. */
  get active(): boolean {
    return this.#until > 0;
  }

  /** As in Redis, a pause that is on is never shortened nor narrowed to writes by another one. */
  pause(until: number, writesOnly: boolean): void {
    this.#writesOnly = this.active ? this.#writesOnly && writesOnly : writesOnly;
    if (until <= this.#until) return;
    if (!this.active) this.#changed(true);
    this.#until = until;
    this.#awaitEnd(until);
  }

  /** A timer may fire before its time, and the clock may be set back: it is looked at, and waited for again. */
  #awaitEnd(until: number): void {
    const leftMs = Math.max(until - this.#services.now(), 0);
    this.#services.after(leftMs, () => {
      if (until !== this.#until) return;
      if (this.#services.now() < until) this.#awaitEnd(until);
      else this.end();
    });
  }

  /** Who waits goes on, in the order in which they came. */
  end(): void {
    this.#until = 0;
    this.#changed(false);
    const clients = [...this.#waiting];
    this.#waiting.clear();
    for (const client of clients) {
      client.isPostponed = false;
      client.release();
    }
    this.ended();
  }

  stops(write: boolean): boolean {
    return this.active && (write || !this.#writesOnly);
  }

  /** The client's command is held back by it: the client is released when the pause ends. */
  wait(client: ClientSession): void {
    client.isPostponed = true;
    this.#waiting.add(client);
  }
}
