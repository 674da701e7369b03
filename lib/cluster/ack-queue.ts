import type { ReplySink } from './operation.js';

const SIZE_FIRST = 256;

/**
 * Replies that wait for acks, ordered by stream offset: a ring of parallel arrays, so that a held reply costs no object.
 * Bounded by the stream's backlog: every entry stands for a frame that is not acked yet.
 */
export class AckQueue {
  #offsets = new Float64Array(SIZE_FIRST);
  #tokens = new Float64Array(SIZE_FIRST);
  #sinks: (ReplySink | null)[] = new Array<ReplySink | null>(SIZE_FIRST).fill(null);
  #head = 0;
  #count = 0;

  get length(): number {
    return this.#count;
  }

  push(offset: number, sink: ReplySink, token: number): void {
    if (this.#count === this.#sinks.length) this.#grow();
    const mask = this.#sinks.length - 1;
    let at = (this.#head + this.#count) & mask;
    // Almost always the last: a read of an older change is what goes further to the front.
    while (at !== this.#head && this.#offsets[(at - 1) & mask]! > offset) {
      const before = (at - 1) & mask;
      this.#offsets[at] = this.#offsets[before]!;
      this.#tokens[at] = this.#tokens[before]!;
      this.#sinks[at] = this.#sinks[before]!;
      at = before;
    }
    this.#offsets[at] = offset;
    this.#tokens[at] = token;
    this.#sinks[at] = sink;
    this.#count++;
  }

  /** Tells everybody who waits for an offset up to `acked`. */
  release(acked: number): void {
    while (this.#count > 0 && this.#offsets[this.#head]! <= acked) {
      const sink = this.#sinks[this.#head]!;
      const token = this.#tokens[this.#head]!;
      this.#sinks[this.#head] = null;
      this.#head = (this.#head + 1) & (this.#sinks.length - 1);
      this.#count--;
      sink.acknowledged(token);
    }
  }

  /** Takes out everything, oldest first. */
  drain(visit: (offset: number, sink: ReplySink, token: number) => void): void {
    while (this.#count > 0) {
      const at = this.#head;
      const sink = this.#sinks[at]!;
      this.#sinks[at] = null;
      this.#head = (at + 1) & (this.#sinks.length - 1);
      this.#count--;
      visit(this.#offsets[at]!, sink, this.#tokens[at]!);
    }
  }

  #grow(): void {
    const size = this.#sinks.length;
    const offsets = new Float64Array(size * 2);
    const tokens = new Float64Array(size * 2);
    const sinks = new Array<ReplySink | null>(size * 2).fill(null);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#head + i) & (size - 1);
      offsets[i] = this.#offsets[from]!;
      tokens[i] = this.#tokens[from]!;
      sinks[i] = this.#sinks[from]!;
    }
    this.#offsets = offsets;
    this.#tokens = tokens;
    this.#sinks = sinks;
    this.#head = 0;
  }
}
