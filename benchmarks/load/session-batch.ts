import type { BatchSource, KeySource } from './batch-source.js';
import { keyOffset, WAIT, writeKeyNumber } from './request-bytes.js';
import type { Waits } from './run-spec.js';
import { randomFrom } from './sequence.js';
import { TemplateBatch } from './template-batch.js';

/** One web request in so many ends in a SET, the others in an EXPIRE. */
const REQUESTS_PER_SET = 5;

/** What is sent at the end of a request: one command or several, each about the user's key. */
class Write {
  readonly bytes: Buffer;
  readonly operations: number;
  private readonly keyOffsets: readonly number[];

  constructor(commands: readonly string[]) {
    const starts = commands.map((_, i) => commands.slice(0, i).join('').length);
    this.bytes = Buffer.from(commands.join(''), 'latin1');
    this.keyOffsets = commands.map((command, i) => starts[i]! + keyOffset(command));
    this.operations = commands.length;
  }

  /** Returns the end of what was written. */
  copy(target: Buffer, at: number, user: number): number {
    const length = this.bytes.copy(target, at);
    for (const offset of this.keyOffsets) writeKeyNumber(target, at + offset, user);
    return at + length;
  }
}

/** The commands of a store, with EMPTY_KEY. */
export interface SessionCommands {
  readonly read: string;
  /** At the end of a request that changed the session: one of these. */
  readonly writes: readonly (readonly string[])[];
  /** At the end of one that did not. */
  readonly touch: readonly string[];
}

/**
 * What a session store sends: a read for each of `depth` users, and when all have been answered, for
 * each of the same users a write (one of five) or a touch (four of five), as at the end of a web
 * request. Gives out both batches in turn.
 */
export class SessionBatch implements BatchSource {
  operations = 0;
  replies = 0;
  private readonly users: Int32Array;
  private readonly gets: TemplateBatch;
  private readonly bytes: Buffer;
  private readonly touches: Write;
  private readonly writes: Write[];
  /** Appended after each write, and after the last one; empty where nobody is waited for. */
  private readonly waitEach: Buffer;
  private readonly waitBatch: Buffer;
  private readonly random: () => number;
  private touching = true;

  constructor(
    commands: SessionCommands,
    depth: number,
    waits: Waits,
    keys: KeySource,
    seed: number,
  ) {
    const users = new Int32Array(depth);
    let asked = 0;
    const remembering: KeySource = {
      next: () => {
        const user = keys.next();
        users[asked++ % depth] = user;
        return user;
      },
    };
    this.users = users;
    this.gets = new TemplateBatch(commands.read, depth, 'none', remembering);
    this.touches = new Write(commands.touch);
    this.writes = commands.writes.map((write) => new Write(write));
    this.waitEach = Buffer.from(waits === 'each' ? WAIT : '');
    this.waitBatch = Buffer.from(waits === 'batch' ? WAIT : '');
    const longest = Math.max(...[this.touches, ...this.writes].map(({ bytes }) => bytes.length));
    this.bytes = Buffer.alloc((longest + WAIT.length) * depth + WAIT.length);
    this.random = randomFrom(seed);
  }

  next(): Uint8Array {
    this.touching = !this.touching;
    if (this.touching) return this.touch();
    this.replies = this.gets.replies;
    this.operations = this.gets.operations;
    return this.gets.next();
  }

  private touch(): Uint8Array {
    let length = 0;
    this.operations = 0;
    for (let i = 0; i < this.users.length; i++) {
      const draw = this.random() * REQUESTS_PER_SET;
      const write = draw < 1 ? this.writes[Math.floor(draw * this.writes.length)]! : this.touches;
      length = write.copy(this.bytes, length, this.users[i]!);
      this.operations += write.operations;
      length += this.waitEach.copy(this.bytes, length);
    }
    length += this.waitBatch.copy(this.bytes, length);
    const waits = this.waitEach.length > 0 ? this.users.length : this.waitBatch.length > 0 ? 1 : 0;
    this.replies = this.operations + waits;
    return this.bytes.subarray(0, length);
  }
}
