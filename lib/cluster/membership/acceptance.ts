import type { Member } from '../member.js';
import type { Timing } from './timing.js';

/** Accepted control links at most: every other node has one, and a few that are being replaced. */
const ACCEPTED_MAX = 4096;

/** Accepted links that have not said who they are, at most. */
const UNNAMED_MAX = 256;

/** The links that others have dialled, and who they are. */
export class Acceptance {
  readonly #timing: Timing;
  readonly #close: (link: number) => void;
  /** Links without a hello, and since when. */
  readonly #unnamed = new Map<number, number>();
  readonly #named = new Map<number, Member>();

  constructor(timing: Timing, close: (link: number) => void) {
    this.#timing = timing;
    this.#close = close;
  }

  accepted(link: number, now: number): void {
    if (this.#unnamed.size >= UNNAMED_MAX || this.#named.size >= ACCEPTED_MAX) {
      this.#close(link);
      return;
    }
    this.#unnamed.set(link, now);
  }

  has(link: number): boolean {
    return this.#unnamed.has(link) || this.#named.has(link);
  }

  /** Who dialled that link; undefined before its hello. */
  dialler(link: number): Member | undefined {
    return this.#named.get(link);
  }

  named(link: number, member: Member): void {
    this.#unnamed.delete(link);
    this.#named.set(link, member);
  }

  closed(link: number): void {
    this.#unnamed.delete(link);
    this.#named.delete(link);
  }

  drop(link: number): void {
    this.closed(link);
    this.#close(link);
  }

  tick(now: number): void {
    for (const [link, since] of this.#unnamed) {
      if (now - since >= this.#timing.nodeTimeoutMs) this.drop(link);
    }
  }
}
