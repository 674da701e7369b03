import type { Step } from '../cluster/step.js';
import type { NodeServices } from './services.js';

/** A step, and how long it has run: in all turns that it takes, without what it waits in between. */
export class TimedStep implements Step {
  readonly #step: Step;
  readonly #clock: Pick<NodeServices, 'elapsedMs'>;
  #ranMs = 0;
  #isOver = false;
  #over: ((ranMs: number) => void) | null = null;

  constructor(step: Step, clock: Pick<NodeServices, 'elapsedMs'>) {
    this.#step = step;
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Calls it when the step is over, at once where it is. Never of a step that was not run to its end. */
  whenOver(over: (ranMs: number) => void): void {
    if (this.#isOver) over(this.#ranMs);
    else this.#over = over;
  }

  // --- Step

  get watched(): Step['watched'] {
    return this.#step.watched;
  }

  get changedReply(): Buffer {
    return this.#step.changedReply;
  }

  get outOfMemory(): string {
    return this.#step.outOfMemory;
  }

  get bytes(): number {
    return this.#step.bytes;
  }

  get isLong(): boolean {
    return this.#step.isLong;
  }

  get isReady(): boolean {
    return this.#step.isReady;
  }

  run(room: number): Buffer | null {
    const before = this.#clock.elapsedMs();
    const reply = this.#step.run(room);
    this.#ranMs += this.#clock.elapsedMs() - before;
    if (reply === null) return null;
    this.#isOver = true;
    this.#over?.(this.#ranMs);
    return reply;
  }
}
