import { BUS_REFUSAL_LOG_MS, BUS_REFUSALS_KEPT } from '../base/limits.js';

/** Tells what the log has said a moment ago: a node that is set up wrongly tries again and again. */
export class RepeatedRefusals {
  /** By host and reason: when it was said, monotonic milliseconds. */
  readonly #said = new Map<string, number>();

  /** `from` is "host:port". False also means: it is being said now. */
  isRepeated(from: string, reason: string): boolean {
    const now = performance.now();
    const key = `${from.slice(0, from.lastIndexOf(':'))} ${reason}`;
    const last = this.#said.get(key);
    if (last !== undefined && now - last < BUS_REFUSAL_LOG_MS) return true;
    if (this.#said.size >= BUS_REFUSALS_KEPT) this.#said.clear();
    this.#said.set(key, now);
    return false;
  }
}
