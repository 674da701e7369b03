import { Random } from '../support/control-network.js';

const FNV_PRIME = 0x01000193;

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

const isBefore = (a: Event, b: Event): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);

/** Events by time, and in the order of their creation at one time: a binary heap. */
class EventQueue {
  readonly #heap: Event[] = [];
  #order = 0;

  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  push(at: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at, order: this.#order++, run };
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    const count = heap.length;
    if (count === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= count) break;
      if (child + 1 < count && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

/**
 * Virtual time and everything that is to happen in it. One seed decides all: the streams of random numbers that the parts
 * of a simulation draw from are derived from it, each by a name of its own.
 */
export class Scheduler {
  now = 0;
  readonly seed: number;
  /** Events run so far. */
  events = 0;
  readonly #queue = new EventQueue();
  readonly #bits = new Uint32Array(2);
  readonly #double = new Float64Array(this.#bits.buffer);
  #hash = 0x811c9dc5;

  constructor(seed: number) {
    this.seed = seed;
  }

  /** A stream of random numbers that does not depend on what others draw. */
  random(name: string): Random {
    let hash = this.seed >>> 0;
    for (let i = 0; i < name.length; i++)
      hash = Math.imul(hash ^ name.charCodeAt(i), FNV_PRIME) >>> 0;
    return new Random(Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d));
  }

  at(delayMs: number, run: () => void): void {
    this.#queue.push(this.now + delayMs, run);
  }

  /** Runs the next event, unless it lies behind `until`; false then. */
  step(until: number): boolean {
    if (this.#queue.nextAt > until) {
      this.now = Math.max(this.now, until);
      return false;
    }
    const event = this.#queue.pop();
    this.now = event.at;
    this.events++;
    this.note(event.at);
    event.run();
    return true;
  }

  /** Makes a number part of the trace hash. */
  note(value: number): void {
    this.#double[0] = value;
    this.#hash = Math.imul(this.#hash ^ this.#bits[0]!, FNV_PRIME);
    this.#hash = Math.imul(this.#hash ^ this.#bits[1]!, FNV_PRIME);
  }

  noteText(text: string): void {
    let hash = this.#hash;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
    this.#hash = hash;
  }

  /** `buffer[start, end)`. */
  noteBytes(buffer: Buffer, start: number, end: number): void {
    let hash = this.#hash;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ buffer[i]!, FNV_PRIME);
    this.#hash = hash;
  }

  /** Of everything that has happened: equal for equal runs. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
