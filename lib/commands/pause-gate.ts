import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';

/** A command held back by CLIENT PAUSE. Its place in the order of replies is kept by `token`. */
export interface HeldCommand {
  readonly client: ClientSession;
  readonly request: Request;
  readonly token: number;
}

/**
 * Commands that wait for the end of CLIENT PAUSE. What a client sends behind a held command is held too, so that its
 * order stays. Bounded by the connections: each stops reading at HELD_REPLIES_PAUSE replies that are due.
 */
export class PauseGate {
  /** Whether anything is paused or held: false is all that the hot path looks at. */
  active = false;
  #until = 0;
  #writesOnly = false;
  #held: HeldCommand[] = [];
  readonly #clients = new Map<ClientSession, number>();

  /** As in Redis, a pause that is on is never shortened nor narrowed to writes by another one. */
  pause(until: number, writesOnly: boolean): void {
    this.#writesOnly = this.isPaused() ? this.#writesOnly && writesOnly : writesOnly;
    this.#until = Math.max(until, this.#until);
    this.active = true;
  }

  isPaused(): boolean {
    return this.#until > 0;
  }

  get until(): number {
    return this.#until;
  }

  /** Ends the pause; held commands are then there to take. */
  end(): void {
    this.#until = 0;
    this.active = this.#held.length > 0;
  }

  /** Whether commands of that client are held already. */
  holds(client: ClientSession): boolean {
    return this.#clients.has(client);
  }

  stops(write: boolean): boolean {
    return this.isPaused() && (write || !this.#writesOnly);
  }

  hold(command: HeldCommand): void {
    this.#held.push(command);
    this.#clients.set(command.client, (this.#clients.get(command.client) ?? 0) + 1);
  }

  /**
   * Runs what is held, in order, as long as the pause stays ended: a held command may be a CLIENT PAUSE itself, and what
   * stands behind it is then held on.
   */
  release(run: (command: HeldCommand) => void): void {
    const held = this.#held;
    let next = 0;
    while (next < held.length && !this.isPaused()) {
      const command = held[next++]!;
      const left = this.#clients.get(command.client)! - 1;
      if (left === 0) this.#clients.delete(command.client);
      else this.#clients.set(command.client, left);
      run(command);
    }
    this.#held = held.slice(next);
    this.active = this.isPaused() || this.#held.length > 0;
  }
}
