import type { Waiter } from './move.js';
import type { ReplySink } from './operation.js';

/** Offsets from here on are tickets; no stream comes that far. */
export const TICKETS_FROM = 2 ** 52;

export const isTicket = (offset: number): boolean => offset >= TICKETS_FROM;

/**
 * Stand-ins for the offset of a frame that travels in parts, until its end is written: larger than every offset, so that
 * it compares as one that is not acked. Bounded by the frames that are on their way in parts.
 */
export class Tickets {
  readonly #waiting = new Map<number, Waiter[]>();

  open(ticket: number): void {
    this.#waiting.set(ticket, []);
  }

  /** False when the ticket was closed before. */
  add(ticket: number, sink: ReplySink, token: number): boolean {
    const waiters = this.#waiting.get(ticket);
    waiters?.push({ sink, token });
    return waiters !== undefined;
  }

  /** Who has waited for it. */
  close(ticket: number): readonly Waiter[] {
    const waiters = this.#waiting.get(ticket) ?? [];
    this.#waiting.delete(ticket);
    return waiters;
  }

  /** Closes all. */
  drain(visit: (ticket: number, sink: ReplySink, token: number) => void): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const [ticket, waiters] of all) {
      for (const { sink, token } of waiters) visit(ticket, sink, token);
    }
  }
}
