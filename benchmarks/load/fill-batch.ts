import type { BatchSource } from './batch-source.js';
import { keyOffset, writeKeyNumber } from './request-bytes.js';

/**
 * Writes the keys number `first`, `first + stride`, ... of those that there are once each, with the given commands in turn.
 * `numbers` names them; absent: all below `keys`.
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
  private readonly numbers: Int32Array | undefined;
  private at: number;

  constructor(
    commands: string[],
    depth: number,
    keys: number,
    first: number,
    stride: number,
    numbers?: Int32Array,
  ) {
    this.commands = commands.map((command) => Buffer.from(command, 'latin1'));
    this.keyOffsets = commands.map(keyOffset);
    this.bytes = Buffer.alloc(Math.max(...this.commands.map((one) => one.length)) * depth);
    this.depth = depth;
    this.keys = numbers?.length ?? keys;
    this.at = first;
    this.stride = stride;
    this.numbers = numbers;
  }

  next(): Uint8Array | null {
    let length = 0;
    let count = 0;
    for (; count < this.depth && this.at < this.keys; count++) {
      const key = this.numbers === undefined ? this.at : this.numbers[this.at]!;
      const which = key % this.commands.length;
      const command = this.commands[which]!;
      command.copy(this.bytes, length);
      writeKeyNumber(this.bytes, length + this.keyOffsets[which]!, key);
      length += command.length;
      this.at += this.stride;
    }
    this.operations = count;
    this.replies = count;
    return count === 0 ? null : this.bytes.subarray(0, length);
  }
}
