import type { BatchSource, KeySource } from './batch-source.js';
import { keyOffset, writeKeyNumber } from './request-bytes.js';
import { randomFrom } from './sequence.js';

/** `depth` SETs, each with one of several values, drawn; so many batches, then no more. */
export class UpdateBatch implements BatchSource {
  readonly operations: number;
  readonly replies: number;
  private readonly sets: Buffer[];
  private readonly keyOffsets: number[];
  private readonly bytes: Buffer;
  private readonly keys: KeySource;
  private readonly random: () => number;
  private batches: number;

  constructor(
    sets: readonly string[],
    depth: number,
    batches: number,
    keys: KeySource,
    seed: number,
  ) {
    this.batches = batches;
    this.sets = sets.map((set) => Buffer.from(set, 'latin1'));
    this.keyOffsets = sets.map(keyOffset);
    this.bytes = Buffer.alloc(Math.max(...sets.map((set) => set.length)) * depth);
    this.operations = depth;
    this.replies = depth;
    this.keys = keys;
    this.random = randomFrom(seed);
  }

  next(): Uint8Array | null {
    if (this.batches-- <= 0) return null;
    let length = 0;
    for (let i = 0; i < this.operations; i++) {
      const which = Math.floor(this.random() * this.sets.length);
      const at = length;
      length += this.sets[which]!.copy(this.bytes, at);
      writeKeyNumber(this.bytes, at + this.keyOffsets[which]!, this.keys.next());
    }
    return this.bytes.subarray(0, length);
  }
}
