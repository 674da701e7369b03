import type { BatchSource } from './batch-source.js';
import { keyOffset, writeKeyNumber } from './request-bytes.js';

/**
 * Writes the keys `first`, `first + stride`, ... below `keys` once each, with the given commands in
 * turn.
 */
export class FillBatch implements BatchSource {
  operations = 0;
  replies = 0;
  private readonly commands: Buffer[];
  private readonly keyOffsets: number[];
  private readonly bytes: Buffer;
  private readonly depth: number;
  private readonly keys: number;
  private readonly stride: number;
  private key: number;

  constructor(commands: string[], depth: number, keys: number, first: number, stride: number) {
    this.commands = commands.map((command) => Buffer.from(command, 'latin1'));
    this.keyOffsets = commands.map(keyOffset);
    this.bytes = Buffer.alloc(Math.max(...this.commands.map((one) => one.length)) * depth);
    this.depth = depth;
    this.keys = keys;
    this.key = first;
    this.stride = stride;
  }

  next(): Uint8Array | null {
    let length = 0;
    let count = 0;
    for (; count < this.depth && this.key < this.keys; count++) {
      const which = this.key % this.commands.length;
      const command = this.commands[which]!;
      command.copy(this.bytes, length);
      writeKeyNumber(this.bytes, length + this.keyOffsets[which]!, this.key);
      length += command.length;
      this.key += this.stride;
    }
    this.operations = count;
    this.replies = count;
    return count === 0 ? null : this.bytes.subarray(0, length);
  }
}
