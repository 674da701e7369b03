import { KeyHash } from '../store/key-hash.js';
import type { Operation } from './operation.js';

/** The same on every node, whatever seed its store has. */
const HASH = new KeyHash(0);
/** Keys of one bucket, about. */
const BUCKET_KEYS = 512;
/** A hash and a position make one number: commands have at most 2^20 arguments. */
const POSITIONS = 2 ** 21;
const HASHES = 2 ** 32;

/**
 * The different keys of a command, by their hash, their bytes and their database: the same order on every node. Made in slices, as
 * sorting hundreds of thousands of names takes too long for one turn: the keys are dealt to buckets by their hash, and
 * each bucket is sorted by itself.
 */
export class KeyOrder {
  /** Numbers of the command's keys, in order; as far as `count`. */
  readonly #numbers: Int32Array;
  count = 0;
  readonly #operation: Operation;
  readonly #hashes: Float64Array;
  readonly #dealt: Float64Array;
  /** Where each bucket ends in `dealt`; while keys are dealt, where its next one goes. */
  readonly #ends: Int32Array;
  #hashed = 0;
  #moved = 0;
  #bucket = 0;

  constructor(operation: Operation) {
    const { length } = operation.keys;
    this.#operation = operation;
    this.#numbers = new Int32Array(length);
    this.#hashes = new Float64Array(length);
    this.#dealt = new Float64Array(length);
    this.#ends = new Int32Array(Math.ceil(length / BUCKET_KEYS));
  }

  /** The argument that is the key number `position`. */
  at(position: number): number {
    return this.#operation.keys[this.#numbers[position]!]!;
  }

  /** The database of the key number `position`. */
  databaseAt(position: number): number {
    return this.#databaseOf(this.#numbers[position]!);
  }

  /** Goes on with about so many keys; true when all are in order. */
  step(keysMax: number): boolean {
    const { keys } = this.#operation;
    let room = keysMax;
    for (; room > 0 && this.#hashed < keys.length; room--) this.#hash(this.#hashed++);
    for (; room > 0 && this.#moved < keys.length; room--) this.#deal(this.#moved++);
    for (; room > 0 && this.#bucket < this.#ends.length; room -= BUCKET_KEYS) {
      this.#sort(this.#bucket++);
    }
    return this.#bucket === this.#ends.length;
  }

  #hash(position: number): void {
    const { request, keys } = this.#operation;
    const index = keys[position]!;
    const hash = HASH.of(request.buffer, request.start[index]!, request.end[index]!);
    this.#hashes[position] = hash * POSITIONS + position;
    this.#ends[this.#bucketOf(hash)]!++;
    if (position < keys.length - 1) return;
    // All are counted: where each bucket begins.
    let begin = 0;
    for (let bucket = 0; bucket < this.#ends.length; bucket++) {
      const end = begin + this.#ends[bucket]!;
      this.#ends[bucket] = begin;
      begin = end;
    }
  }

  #deal(position: number): void {
    const bucket = this.#bucketOf(Math.floor(this.#hashes[position]! / POSITIONS));
    this.#dealt[this.#ends[bucket]!++] = this.#hashes[position]!;
  }

  #sort(bucket: number): void {
    const begin = bucket === 0 ? 0 : this.#ends[bucket - 1]!;
    const sorted = this.#dealt.subarray(begin, this.#ends[bucket]!).sort();
    for (const each of sorted) this.#add(each);
  }

  /** Keys of one hash are few: the new one goes to its place among them, unless it is there already. */
  #add(hashed: number): void {
    const number = hashed % POSITIONS;
    const hash = Math.floor(hashed / POSITIONS);
    let at = this.count;
    for (; at > 0 && this.#hashOf(this.#numbers[at - 1]!) === hash; at--) {
      const order = this.#compare(this.#numbers[at - 1]!, number);
      if (order === 0) return;
      if (order < 0) break;
    }
    this.#numbers.copyWithin(at + 1, at, this.count);
    this.#numbers[at] = number;
    this.count++;
  }

  #hashOf(number: number): number {
    const { request, keys } = this.#operation;
    const index = keys[number]!;
    return HASH.of(request.buffer, request.start[index]!, request.end[index]!);
  }

  #compare(one: number, other: number): number {
    const { request, keys } = this.#operation;
    const { buffer, start, end } = request;
    const [a, b] = [keys[one]!, keys[other]!];
    const order = buffer.compare(buffer, start[b], end[b], start[a], end[a]);
    return order === 0 ? this.#databaseOf(one) - this.#databaseOf(other) : order;
  }

  #databaseOf(number: number): number {
    const { db, databases } = this.#operation;
    return databases?.[number] ?? db;
  }

  #bucketOf(hash: number): number {
    return Math.floor((hash / HASHES) * this.#ends.length);
  }
}
