import { KEYS_PER_TURN } from '../base/limits.js';
import type { Operation } from './operation.js';
import { Scatter, type ScatterHooks } from './scatter.js';

/**
 * Commands on several keys that go their ways key by key. One with few keys does so at once. Those with many take turns:
 * one slice of one of them is sent out per turn of the event loop, so that they let others in between.
 */
export class Scattering {
  readonly #hooks: ScatterHooks;
  readonly #wantFlush: () => void;
  /** Commands with many keys; the one that was served longest ago is the first. */
  #long: Scatter[] = [];

  constructor(hooks: ScatterHooks, wantFlush: () => void) {
    this.#hooks = hooks;
    this.#wantFlush = wantFlush;
  }

  get open(): number {
    return this.#long.length;
  }

  run(operation: Operation): void {
    if (operation.keys.length <= KEYS_PER_TURN) {
      const scatter: Scatter = new Scatter(operation, this.#hooks, () => scatter.step());
      scatter.step();
      return;
    }
    this.#long.push(new Scatter(operation, this.#hooks, this.#wantFlush));
    this.#wantFlush();
  }

  /** Goes on with one of the long ones; true when there is more to do at once. */
  step(): boolean {
    const next = this.#long.find((scatter) => scatter.canGoOn);
    if (next === undefined) return false;
    next.step();
    this.#long = this.#long.filter((scatter) => scatter !== next);
    if (!next.isOver) this.#long.push(next);
    return this.#long.some((scatter) => scatter.canGoOn);
  }
}
