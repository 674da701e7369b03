/** The requests of one connection, a batch at a time. */
export interface BatchSource {
  /** Bytes of the next batch, good until the call after; null when there are no more. */
  next(): Uint8Array | null;
  /** Commands that count in the batch last given out: all but WAIT. */
  readonly operations: number;
  /** Replies that the batch last given out is owed. */
  readonly replies: number;
}

/** Numbers of the keys to use, one after the other. */
export interface KeySource {
  next(): number;
}

/**
 * Walks a prepared sequence, and moves every draw to one residue class: with several endpoints a
 * connection uses only the keys that belong to its endpoint, as behind a sticky load balancer.
 */
export class KeyWalk implements KeySource {
  private readonly sequence: Int32Array;
  private readonly classes: number;
  private readonly residue: number;
  private at: number;

  constructor(sequence: Int32Array, start: number, classes: number, residue: number) {
    this.sequence = sequence;
    this.classes = classes;
    this.residue = residue;
    this.at = start % sequence.length;
  }

  next(): number {
    const drawn = this.sequence[this.at]!;
    if (++this.at === this.sequence.length) this.at = 0;
    return drawn - (drawn % this.classes) + this.residue;
  }
}

/** Walks a prepared sequence, each draw as an index into `numbers`: the keys that are at one endpoint. */
export class ListWalk implements KeySource {
  private readonly sequence: Int32Array;
  private readonly numbers: Int32Array;
  private at: number;

  constructor(sequence: Int32Array, start: number, numbers: Int32Array) {
    this.sequence = sequence;
    this.numbers = numbers;
    this.at = start % sequence.length;
  }

  next(): number {
    const drawn = this.sequence[this.at]!;
    if (++this.at === this.sequence.length) this.at = 0;
    return this.numbers[drawn % this.numbers.length]!;
  }
}
