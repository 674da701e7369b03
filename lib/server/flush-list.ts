/** Something that has output to send at the end of this turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * Collects who must flush, and calls each once, after the sockets of this turn were read: acks that arrive on several
 * links release the replies of one client in one write.
 */
export class FlushList {
  #waiting: Flushable[] = [];
  #scheduled = false;

  /** The caller must not add an object that is in the list already. */
  add(flushable: Flushable): void {
    this.#waiting.push(flushable);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#scheduled = false;
    for (const flushable of waiting) flushable.flush();
  }
}
