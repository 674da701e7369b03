import type { TurnEnd, TurnStep } from './turn-end.js';

/** Something that has output to send at the end of this turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * Collects who must flush, and calls each once, after the sockets of this turn were read: acks that arrive on several
 * links release the replies of one client in one write.
 */
export class FlushList implements TurnStep {
  readonly #turnEnd: TurnEnd;
  #waiting: Flushable[] = [];

  constructor(turnEnd: TurnEnd) {
    this.#turnEnd = turnEnd;
  }

  get isDue(): boolean {
    return this.#waiting.length > 0;
  }

  /** The caller must not add an object that is in the list already. */
  add(flushable: Flushable): void {
    this.#waiting.push(flushable);
    this.#turnEnd.schedule();
  }

  run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const flushable of waiting) flushable.flush();
  }
}
