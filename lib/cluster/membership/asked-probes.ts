import type { Incarnation } from '../member.js';
import type { ProbeResult } from './messages.js';
import type { Timing } from './timing.js';

/** Members whom somebody asked about and that have not answered yet, at most. */
const TARGETS_MAX = 1024;

/** Questions of other members whether a member can be reached, while a fresh connection is tried. */
export class AskedProbes {
  readonly #timing: Timing;
  readonly #answer: (link: number, target: Incarnation, result: ProbeResult) => void;
  /** The links that asked, by the member asked about, and since when they wait. */
  readonly #waiting = new Map<Incarnation, Map<number, number>>();

  constructor(
    timing: Timing,
    answer: (link: number, target: Incarnation, result: ProbeResult) => void,
  ) {
    this.#timing = timing;
    this.#answer = answer;
  }

  asked(link: number, target: Incarnation, now: number): void {
    const links = this.#waiting.get(target) ?? new Map<number, number>();
    if (this.#waiting.size >= TARGETS_MAX && links.size === 0) return;
    this.#waiting.set(target, links.set(link, now));
  }

  known(target: Incarnation, result: ProbeResult): void {
    const links = this.#waiting.get(target);
    if (links === undefined) return;
    this.#waiting.delete(target);
    for (const link of links.keys()) this.#answer(link, target, result);
  }

  /** Whoever asked is not left waiting for a connection that hangs. */
  tick(now: number): void {
    for (const [target, links] of this.#waiting) {
      for (const [link, since] of links) {
        if (now - since < this.#timing.heartbeatMs) continue;
        links.delete(link);
        this.#answer(link, target, 'unknown');
      }
      if (links.size === 0) this.#waiting.delete(target);
    }
  }

  clear(): void {
    this.#waiting.clear();
  }
}
