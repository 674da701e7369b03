import { matchesGlob } from '../protocol/glob.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Queries } from './queries.js';

/** What to look for; positions are slot x 2^32 + key hash, the same on every member. */
export interface ScanQuestion {
  readonly ask: 'scan';
  readonly db: number;
  readonly from: number;
  readonly count: number;
  /** latin1. */
  readonly pattern: string | null;
  readonly type: string | null;
}

interface ScanAnswer {
  /** Keys (latin1) with their positions. */
  readonly keys: readonly (readonly [number, string])[];
  /** Everything before this position was looked at. */
  readonly until: number;
}

const HASHES = 2 ** 32;
const END = SLOTS * HASHES;
/** Entries that one member looks at for one step. */
const ENTRIES_PER_STEP = 4000;

const TYPE_NAMES: Record<string, number> = {
  string: ValueType.String,
  list: ValueType.List,
  set: ValueType.Set,
  zset: ValueType.ZSet,
  hash: ValueType.Hash,
};

/**
 * One keyspace for SCAN and KEYS: the walk goes over slots and hashes, not over nodes, so a key that was there all along
 * is found although its owners change meanwhile: at every moment somebody has a copy at its position.
 */
export class Scanning {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #queries: Queries;

  constructor(state: ClusterState, queries: Queries) {
    this.#state = state;
    this.#store = state.store;
    this.#queries = queries;
  }

  /** One step from `from` on: the keys found, and where to go on (0: at the end). False when the node is overloaded. */
  step(question: ScanQuestion, done: (keys: Buffer[], next: number) => void): boolean {
    return this.#queries.ask(
      question,
      (answers) => done(...merged(answers as ScanAnswer[])),
      isScanAnswer,
    );
  }

  /**
   * Step by step, so that nobody is held up. `take` gets what a step has found and the position after it, and says where
   * to go on; null: enough. False when the node is overloaded.
   */
  walk(question: ScanQuestion, take: (keys: Buffer[], next: number) => number | null): boolean {
    const taken = (keys: Buffer[], next: number): void => {
      const from = take(keys, next);
      if (from === null) return;
      const taking = (answers: unknown[]): void => taken(...merged(answers as ScanAnswer[]));
      this.#queries.goOn({ ...question, from }, taking, undefined, isScanAnswer);
    };
    return this.step(question, taken);
  }

  evaluate(question: ScanQuestion): ScanAnswer {
    const { db, from, count, type } = question;
    const pattern = question.pattern === null ? null : Buffer.from(question.pattern, 'latin1');
    const wanted = type === null ? null : (TYPE_NAMES[type] ?? -1);
    const keys: [number, string][] = [];
    let seen = 0;
    const first = Math.floor(from / HASHES);
    const { slots } = this.#store;
    for (let slot = slots.next(first); slot < SLOTS; slot = slots.next(slot + 1)) {
      const hash = slot === first ? from % HASHES : 0;
      const visit = (ref: Ref): void => {
        seen++;
        if (!this.#isVisible(ref, db, wanted)) return;
        const start = this.#store.keyStart(ref);
        const end = start + this.#store.keyLength(ref);
        const buffer = this.#store.keyBuffer(ref);
        if (pattern !== null && !matchesGlob(pattern, 0, pattern.length, buffer, start, end))
          return;
        keys.push([slot * HASHES + this.#store.hash(ref), buffer.latin1Slice(start, end)]);
      };
      const next = this.#store.scanSlot(slot, hash, HASHES, visit, Math.max(1, count - seen));
      if (next < HASHES) return { keys, until: slot * HASHES + next };
      if (seen >= Math.min(count, ENTRIES_PER_STEP)) return { keys, until: (slot + 1) * HASHES };
    }
    return { keys, until: END };
  }

  #isVisible(ref: Ref, db: number, type: number | null): boolean {
    const store = this.#store;
    if (store.db(ref) !== db || store.role(ref) >= Role.Record) return false;
    if (store.type(ref) === ValueType.None || (type !== null && store.type(ref) !== type))
      return false;
    if (store.role(ref) === Role.Primary && (store.flags(ref) & Flag.Busy) !== 0) return false;
    const expireAt = store.expireAt(ref);
    return expireAt === 0 || expireAt > this.#state.expiryNow;
  }
}

function isScanAnswer(answer: unknown): boolean {
  const { keys, until } = (answer ?? {}) as Partial<Record<keyof ScanAnswer, unknown>>;
  if (!Number.isSafeInteger(until) || !Array.isArray(keys)) return false;
  return keys.every(
    (found) => Array.isArray(found) && typeof found[0] === 'number' && typeof found[1] === 'string',
  );
}

/** What all members have found up to where all have looked, and where to go on. */
function merged(parts: readonly ScanAnswer[]): [keys: Buffer[], next: number] {
  const until = Math.min(...parts.map((part) => part.until));
  const keys = new Set<string>();
  for (const part of parts) for (const [at, key] of part.keys) if (at < until) keys.add(key);
  return [[...keys].map((key) => Buffer.from(key, 'latin1')), until >= END ? 0 : until];
}
