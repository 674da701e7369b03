import type { BatchSource, KeySource } from './batch-source.js';
import { EMPTY_KEY, encode, keyOffset, WAIT, writeKeyNumber } from './request-bytes.js';
import type { Waits } from './run-spec.js';
import { randomFrom } from './sequence.js';
import { TemplateBatch } from './template-batch.js';

/** One web request in so many ends in a SET, the others in an EXPIRE. */
const REQUESTS_PER_SET = 5;

/**
 * What a session store sends: a GET for each of `depth` users, and when all have been answered, for
 * each of the same users a SET (one of five) or an EXPIRE (four of five), as at the end of a web
 * request. Gives out both batches in turn, each of `depth` operations.
 */
export class SessionBatch implements BatchSource {
  readonly operations: number;
  replies = 0;
  private readonly users: Int32Array;
  private readonly gets: TemplateBatch;
  private readonly bytes: Buffer;
  private readonly expire: Buffer;
  private readonly sets: Buffer[];
  /** Appended after each write, and after the last one; empty where nobody is waited for. */
  private readonly waitEach: Buffer;
  private readonly waitBatch: Buffer;
  private readonly keyInExpire: number;
  private readonly keysInSets: number[];
  private readonly random: () => number;
  private touching = true;

  constructor(
    sets: string[],
    expire: string,
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
    this.gets = new TemplateBatch(encode('GET', EMPTY_KEY), depth, 'none', remembering);
    this.expire = Buffer.from(expire, 'latin1');
    this.keyInExpire = keyOffset(expire);
    this.sets = sets.map((set) => Buffer.from(set, 'latin1'));
    this.keysInSets = sets.map(keyOffset);
    this.waitEach = Buffer.from(waits === 'each' ? WAIT : '');
    this.waitBatch = Buffer.from(waits === 'batch' ? WAIT : '');
    const longest = Math.max(expire.length, ...sets.map((set) => set.length));
    this.bytes = Buffer.alloc((longest + WAIT.length) * depth + WAIT.length);
    this.operations = depth;
    this.random = randomFrom(seed);
  }

  next(): Uint8Array {
    this.touching = !this.touching;
    if (this.touching) return this.touch();
    this.replies = this.gets.replies;
    return this.gets.next();
  }

  private touch(): Uint8Array {
    let length = 0;
    for (let i = 0; i < this.users.length; i++) {
      const draw = this.random() * REQUESTS_PER_SET;
      const which = Math.floor(draw * this.sets.length);
      const command = draw < 1 ? this.sets[which]! : this.expire;
      const key = draw < 1 ? this.keysInSets[which]! : this.keyInExpire;
      const at = length;
      length += command.copy(this.bytes, at);
      writeKeyNumber(this.bytes, at + key, this.users[i]!);
      length += this.waitEach.copy(this.bytes, length);
    }
    length += this.waitBatch.copy(this.bytes, length);
    const waits = this.waitEach.length > 0 ? this.users.length : this.waitBatch.length > 0 ? 1 : 0;
    this.replies = this.users.length + waits;
    return this.bytes.subarray(0, length);
  }
}
