import type { BatchSource, KeySource } from './batch-source.js';
import { keyOffset, WAIT, writeKeyNumber } from './request-bytes.js';
import type { Waits } from './run-spec.js';

/** The same command `depth` times, only the keys change: their digits are overwritten in place. */
export class TemplateBatch implements BatchSource {
  readonly operations: number;
  readonly replies: number;
  private readonly bytes: Buffer;
  private readonly keyOffsets: number[] = [];
  private readonly keys: KeySource;

  constructor(command: string, depth: number, waits: Waits, keys: KeySource) {
    const unit = waits === 'each' ? command + WAIT : command;
    this.bytes = Buffer.from(unit.repeat(depth) + (waits === 'batch' ? WAIT : ''), 'latin1');
    for (let i = 0; i < depth; i++) this.keyOffsets.push(i * unit.length + keyOffset(unit));
    this.operations = depth;
    this.replies = depth + (waits === 'each' ? depth : waits === 'batch' ? 1 : 0);
    this.keys = keys;
  }

  next(): Uint8Array {
    for (let i = 0; i < this.keyOffsets.length; i++)
      writeKeyNumber(this.bytes, this.keyOffsets[i]!, this.keys.next());
    return this.bytes;
  }
}
