import { BUS_REFUSAL_LOG_MS, BUS_REFUSALS_KEPT } from '../base/limits.js';

/** Tells what the log has said a moment ago: a node that is set up wrongly, or a stranger, tries again and again. */
export class RepeatedRefusals {
  /** By host and reason, oldest first: when it was said, monotonic milliseconds. */
  readonly #said = new Map<string, number>();

  /** `from` is "host:port". False also means: it is being said now. */
  isRepeated(from: string, reason: string): boolean {
    const now = performance.now();
    for (const [key, at] of this.#said) {
      if (now - at < BUS_REFUSAL_LOG_MS) break;
      this.#said.delete(key);
    }
    const key = `${from.slice(0, from.lastIndexOf(':'))} ${reason}`;
    if (this.#said.has(key) || this.#said.size >= BUS_REFUSALS_KEPT) return true;
    this.#said.set(key, now);
    return false;
  }
}
