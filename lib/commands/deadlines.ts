import type { NodeServices } from './services.js';

/** What has an end; `isOver` when nobody wants to hear of that any more. */
export interface Expiring {
  /** Unix milliseconds. */
  readonly deadline: number;
  readonly isOver: boolean;
  expired(): void;
}

/** Entries that are over and not swept out yet, besides as many as those that are not. */
const SLACK = 64;

/** Calls each of many back at its deadline, with one timer under way for all: a binary heap by deadline. */
export class Deadlines {
  readonly #services: Pick<NodeServices, 'now' | 'after'>;
  #heap: Expiring[] = [];
  /** Of the timer under way; infinite for none. */
  #armedFor = Number.POSITIVE_INFINITY;
  #over = 0;

  constructor(services: Pick<NodeServices, 'now' | 'after'>) {
    this.#services = services;
  }

  add(one: Expiring): void {
    this.#push(one);
    this.#arm();
  }

  /** One of those that were added is over before its time. */
  noteOver(): void {
    this.#over++;
    if (this.#over <= this.#heap.length / 2 + SLACK) return;
    const left = this.#heap.filter((one) => !one.isOver);
    this.#heap = [];
    this.#over = 0;
    for (const one of left) this.#push(one);
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || first.deadline >= this.#armedFor) return;
    const { deadline } = first;
    this.#armedFor = deadline;
    this.#services.after(Math.max(deadline - this.#services.now(), 0), () => {
      // A later timer, that an earlier deadline came before, finds nothing to do.
      if (deadline !== this.#armedFor) return;
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#expire(this.#services.now());
      this.#arm();
    });
  }

  #expire(now: number): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (!first.isOver && first.deadline > now) return;
      this.#pop();
      if (first.isOver) this.#over--;
      else first.expired();
    }
  }

  #push(one: Expiring): void {
    const heap = this.#heap;
    let at = heap.push(one) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.deadline <= one.deadline) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = one;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.deadline < heap[child]!.deadline) child++;
      if (heap[child]!.deadline >= last.deadline) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
