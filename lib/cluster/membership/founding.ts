import type { Incarnation } from '../member.js';
import { CLOCK_DRIFT, type Timing } from './timing.js';

/**
 * Who may found the first view. Nodes that start together each see the others in no view; one of
 * them founds, and only after all others it knows of have agreed not to. An agreement lasts for a
 * while, counted as a lease is: by the asker from the asking, by the one asked from its answer.
 *
 *     1. X finds that it may found; Y is alive, in no view.
 *     2. X asks Y. Y asks X at the same moment: the lower id gets a yes, the higher a no.
 *     3. X founds within the time of Y's yes. Y looks again after it, and finds X in a view.
 */
export class Founding {
  readonly #timing: Timing;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asked: ReadonlySet<Incarnation> | null = null;
  readonly #agreed = new Map<Incarnation, ReadonlySet<Incarnation>>();
  #boundTo: Incarnation = '';
  #boundUntil = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** Whether this node has promised somebody else not to found. */
  isBound(now: number): boolean {
    return now < this.#boundUntil;
  }

  isAsking(now: number): boolean {
    return this.#asked !== null && now - this.#askedAt < this.#timing.heartbeatMs;
  }

  ask(everybody: ReadonlySet<Incarnation>, now: number): void {
    this.#asked = everybody;
    this.#askedAt = now;
    this.#agreed.clear();
  }

  cancel(): void {
    this.#asked = null;
  }

  /** Another node asks: may it found? */
  answer(self: Incarnation, asker: Incarnation, now: number): boolean {
    if (this.isBound(now) && this.#boundTo !== asker) return false;
    if (this.isAsking(now) && self < asker) return false;
    this.cancel();
    this.#boundTo = asker;
    this.#boundUntil = now + this.#timing.heartbeatMs * CLOCK_DRIFT;
    return true;
  }

  /** Somebody answered; true when all have agreed and `expect` nodes hear each other. */
  answered(
    self: Incarnation,
    from: Incarnation,
    agreed: boolean,
    hears: ReadonlySet<Incarnation>,
    expect: number,
    now: number,
  ): boolean {
    if (this.#asked === null || !this.#asked.has(from) || !this.isAsking(now)) return false;
    if (!agreed) {
      this.cancel();
      return false;
    }
    this.#agreed.set(from, hears);
    if (this.#agreed.size < this.#asked.size) return false;
    return 1 + this.#hearEachOther(self) >= expect;
  }

  /** How many of those who agreed hear this node and all others who agreed. */
  #hearEachOther(self: Incarnation): number {
    const all = [self, ...this.#agreed.keys()];
    let count = 0;
    for (const [id, hears] of this.#agreed) {
      if (all.every((other) => other === id || hears.has(other))) count++;
    }
    return count;
  }
}
