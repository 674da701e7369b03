import type { Key } from '../cluster/key.js';
import type { KeyList } from '../cluster/key-list.js';
import type { ReplySink } from '../cluster/operation.js';
import type { Request } from '../protocol/request.js';
import { KeyHash } from '../store/key-hash.js';
import type { CommandSpec } from './spec.js';
import { arityFits, keyCount, keyIndexes } from './table.js';

/** A command with more keys counts as one on all keys: so much is remembered of one command at most. */
const KEYS_MAX = 64;
const HASH = new KeyHash(0);
const NONE: readonly number[] = [];

/** Hashes of the keys of a command; null for the whole keyspace. Two keys that share a hash wait for each other for nothing. */
export type KeyHashes = readonly number[] | null;

/** They change who the client is: what it has sent before runs with the rights that it had then. */
const CHANGES_USER: readonly string[] = ['auth', 'hello', 'reset'];

/** What a command touches; commands that touch no key, or are refused anyway, touch nothing. */
export function hashesOf(spec: CommandSpec, request: Request): KeyHashes {
  if (!spec.hasKeys) {
    const isAboutAll =
      spec.facts.categories.includes('keyspace') || CHANGES_USER.includes(spec.name);
    return isAboutAll ? null : NONE;
  }
  if (!arityFits(spec, request.argc)) return NONE;
  if (keyCount(spec, request) > KEYS_MAX) return null;
  const { buffer, start, end } = request;
  const hashes = keyIndexes(spec, request, 0);
  for (let i = 0; i < hashes.length; i++) {
    const key = hashes[i]!;
    hashes[i] = HASH.of(buffer, start[key]!, end[key]!);
  }
  return hashes;
}

/** The same of keys by themselves. */
export function hashesOfKeys(keys: KeyList, more: readonly Key[] = []): KeyHashes {
  if (keys.count + more.length > KEYS_MAX) return null;
  return [...keys.hashes(), ...more.map(({ bytes }) => HASH.of(bytes, 0, bytes.length))];
}

/**
 * The commands of one connection that did not run at once, so that later ones on the same keys run after them. A pipeline
 * is run in its order, as in Redis, although its commands may have to go different ways:
 *
 *   1. DEL k is run here, SET k a waits until the delete is on both nodes
 *   2. it is; before the SET is taken up again, SET k b comes, and may run at once
 *   3. SET k a is run: k ends as "a"
 *
 * So would it be where k moves to this node while a SET is on its way to the node that k has left.
 */
export class CommandOrder {
  readonly #wake: () => void;
  /** How many commands on their way touch a key, by its hash. */
  readonly #keys = new Map<number, number>();
  /** Commands on their way that touch all keys. */
  #all = 0;
  /** Commands on their way that may change what later ones mean. */
  #exclusive = 0;
  /** Commands on their way: while there are none, there is nothing to look at. */
  open = 0;
  /** Grows with `abandon`. */
  #era = 0;
  /** What the one command that waits touches. */
  #waiting: KeyHashes = NONE;

  /** `wake` is called when the command that waits may go on. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Whether a command that touches these keys has to wait; if so, until `wake`. */
  mustWait(keys: KeyHashes): boolean {
    const mustWait = this.#stops(keys);
    if (!mustWait) this.#waiting = NONE;
    else this.#waiting = keys?.length === 0 ? null : keys;
    return mustWait;
  }

  /** The command that had to wait still has to. */
  get isWaiting(): boolean {
    return this.#waiting !== NONE && this.#stops(this.#waiting);
  }

  #stops(keys: KeyHashes): boolean {
    if (keys === null) return this.open > 0;
    if (this.#exclusive > 0) return true;
    return keys.length > 0 && (this.#all > 0 || keys.some((key) => this.#keys.has(key)));
  }

  /**
   * A command sets out; it has run when its reply comes to the sink returned, which passes it on to `sink`. Behind an
   * exclusive one all others wait, those too that touch nothing.
   */
  begin(keys: KeyHashes, sink: ReplySink, isExclusive = false): ReplySink {
    this.#count(keys, 1);
    if (isExclusive) this.#exclusive++;
    return new UnderWay(sink, this, keys, isExclusive, this.#era);
  }

  /** A command that set out in that era has its reply. */
  ended(keys: KeyHashes, wasExclusive: boolean, era: number): void {
    if (era === this.#era) this.#end(keys, wasExclusive);
  }

  /** Nobody waits any more for what is on its way: its replies have been failed. */
  abandon(): void {
    this.#era++;
    this.#keys.clear();
    this.#all = 0;
    this.#exclusive = 0;
    this.open = 0;
    if (this.#waiting === NONE) return;
    this.#waiting = NONE;
    this.#wake();
  }

  #end(keys: KeyHashes, wasExclusive: boolean): void {
    const wasWaiting = this.isWaiting;
    this.#count(keys, -1);
    if (wasExclusive) this.#exclusive--;
    if (!wasWaiting || this.isWaiting) return;
    this.#waiting = NONE;
    this.#wake();
  }

  #count(keys: KeyHashes, by: 1 | -1): void {
    this.open += by;
    if (keys === null) this.#all += by;
    for (const key of keys ?? NONE) {
      const count = (this.#keys.get(key) ?? 0) + by;
      if (count === 0) this.#keys.delete(key);
      else this.#keys.set(key, count);
    }
  }
}

class UnderWay implements ReplySink {
  readonly #sink: ReplySink;
  readonly #order: CommandOrder;
  readonly #keys: KeyHashes;
  readonly #isExclusive: boolean;
  readonly #era: number;
  #hasEnded = false;

  constructor(
    sink: ReplySink,
    order: CommandOrder,
    keys: KeyHashes,
    isExclusive: boolean,
    era: number,
  ) {
    this.#sink = sink;
    this.#order = order;
    this.#keys = keys;
    this.#isExclusive = isExclusive;
    this.#era = era;
  }

  acknowledged(token: number): void {
    this.#sink.acknowledged(token);
  }

  complete(token: number, reply: Buffer): void {
    this.#end();
    this.#sink.complete(token, reply);
  }

  fail(token: number, error: string): void {
    this.#end();
    this.#sink.fail(token, error);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#order.ended(this.#keys, this.#isExclusive, this.#era);
  }
}
