import assert from 'node:assert';
import { COMMANDS_AHEAD, INPUT_BYTES_PER_TURN } from '../base/limits.js';
import { Request } from '../protocol/request.js';
import { BATCH_KEYS_MAX, KeyBatch } from '../store/key-batch.js';
import type { TurnEnd, TurnStep } from './turn-end.js';

/** A connection that has commands to run. */
export interface InputSource {
  /** Parses up to `max` commands into `requests[first]` and on; returns how many. `now` is Unix milliseconds. */
  parse(requests: readonly Request[], first: number, max: number, now: number): number;
  /** Runs those commands. True when there are more, which may run in this turn. */
  run(requests: readonly Request[], first: number, count: number): boolean;
}

export interface InputHost {
  /** Called before anything that a socket brought is looked at; returns Unix milliseconds. */
  beginTurn(): number;
  /** These keys are about to be looked up. */
  prefetch(keys: KeyBatch): void;
}

/**
 * What the clients' sockets bring in one turn. It is kept until all of them were read; then the commands of all
 * clients are parsed, some of each at a time, and run. So the lookups of many commands wait for memory together
 * (Store.prefetch) instead of one after the other.
 */
export class InputBatch implements TurnStep {
  readonly #host: InputHost;
  readonly #turnEnd: TurnEnd;
  /** Refilled for every batch: dispatching one is over before the next is parsed. */
  readonly #requests = Array.from({ length: BATCH_KEYS_MAX }, () => new Request());
  readonly #keys = new KeyBatch();
  readonly #counts = new Int32Array(BATCH_KEYS_MAX);
  readonly #bytes = Buffer.allocUnsafeSlow(INPUT_BYTES_PER_TURN);
  #used = 0;
  #sources: InputSource[] = [];

  constructor(host: InputHost, turnEnd: TurnEnd) {
    this.#host = host;
    this.#turnEnd = turnEnd;
  }

  get isDue(): boolean {
    return this.#sources.length > 0;
  }

  /** Where `keep` puts bytes. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Keeps the first `length` bytes of `chunk` until they have run; returns where they begin in `bytes`. */
  keep(chunk: Buffer, length: number): number {
    assert(length <= INPUT_BYTES_PER_TURN, 'larger than any read');
    if (this.#used + length > INPUT_BYTES_PER_TURN) this.run();
    const start = this.#used;
    this.#bytes.set(length === chunk.length ? chunk : chunk.subarray(0, length), start);
    this.#used += length;
    return start;
  }

  /** The caller must not add a source that has been added and not been run yet. */
  add(source: InputSource): void {
    this.#sources.push(source);
    this.#turnEnd.schedule();
  }

  /** Runs what has come up to now. */
  run(): void {
    let sources = this.#sources;
    this.#sources = [];
    while (sources.length > 0) {
      const more: InputSource[] = [];
      for (let from = 0; from < sources.length; ) from = this.#runSome(sources, from, more);
      sources = more;
    }
    this.#used = 0;
  }

  /** Runs the next commands of sources from `from` on, as many as go into one batch; returns who is next. */
  #runSome(sources: readonly InputSource[], from: number, more: InputSource[]): number {
    const requests = this.#requests;
    const counts = this.#counts;
    const now = this.#host.beginTurn();
    let parsed = 0;
    let to = from;
    while (to < sources.length && to - from < BATCH_KEYS_MAX && parsed < BATCH_KEYS_MAX) {
      const max = Math.min(COMMANDS_AHEAD, BATCH_KEYS_MAX - parsed);
      const count = sources[to]!.parse(requests, parsed, max, now);
      counts[to - from] = count;
      parsed += count;
      to++;
    }
    this.#prefetch(parsed);
    let first = 0;
    for (let i = from; i < to; i++) {
      const source = sources[i]!;
      const count = counts[i - from]!;
      if (source.run(requests, first, count)) more.push(source);
      first += count;
    }
    for (let i = 0; i < parsed; i++) requests[i]!.release();
    return to;
  }

  /** The first argument of a command is its key, as a rule; where it is not, nothing is lost but the time. */
  #prefetch(parsed: number): void {
    const keys = this.#keys;
    const requests = this.#requests;
    keys.clear();
    for (let i = 0; i < parsed; i++) {
      const request = requests[i]!;
      if (request.argc > 1) keys.add(request.buffer, request.start[1]!, request.end[1]!);
    }
    this.#host.prefetch(keys);
    let key = 0;
    for (let i = 0; i < parsed; i++) {
      const request = requests[i]!;
      if (request.argc < 2) continue;
      request.hashedIndex = 1;
      request.hash = keys.hashes[key]!;
      request.slot = keys.slots[key]!;
      key++;
    }
  }
}
