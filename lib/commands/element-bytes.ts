const FIRST_BYTES = 4096;
const FIRST_ELEMENTS = 64;

/** Elements of a collection in one buffer, one behind the other: an object for each would take longer than to sort them. */
export class ElementBytes {
  buffer: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  count = 0;
  /** Where element i begins, and behind the last one where it ends. */
  #bounds = new Uint32Array(FIRST_ELEMENTS + 1);

  add(source: Buffer, start: number, end: number): void {
    const at = this.#bounds[this.count]!;
    const next = at + end - start;
    if (next > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(next, this.buffer.length * 2));
      this.buffer.copy(grown, 0, 0, at);
      this.buffer = grown;
    }
    source.copy(this.buffer, at, start, end);
    if (++this.count === this.#bounds.length) {
      const grown = new Uint32Array(this.count * 2);
      grown.set(this.#bounds);
      this.#bounds = grown;
    }
    this.#bounds[this.count] = next;
  }

  start(index: number): number {
    return this.#bounds[index]!;
  }

  end(index: number): number {
    return this.#bounds[index + 1]!;
  }

  at(index: number): Buffer {
    return this.buffer.subarray(this.start(index), this.end(index));
  }

  /** Negative where the bytes of element `a` come first. */
  compare(a: number, b: number): number {
    const { buffer } = this;
    const start = this.start(a);
    const length = this.end(a) - start;
    const otherStart = this.start(b);
    const otherLength = this.end(b) - otherStart;
    const common = Math.min(length, otherLength);
    for (let i = 0; i < common; i++) {
      const difference = buffer[start + i]! - buffer[otherStart + i]!;
      if (difference !== 0) return difference;
    }
    return length - otherLength;
  }
}
