import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Queries } from './queries.js';

/** Bytes of a string that are told. */
export const PEEK_BYTES_MAX = 1024;

export interface PeekQuestion {
  readonly ask: 'peek';
  readonly db: number;
  /** latin1. */
  readonly key: string;
}

/** What a key is, for an operator who looks. */
export interface PeekedValue {
  readonly type: ValueType;
  /** Of the whole value, in bytes. */
  readonly length: number;
  /** How a string begins, as latin1; nothing of other types. */
  readonly start: string;
}

/**
 * What a key's primary has, without being used: asks every member, as CLUSTER LOCATE does, so the session follows nobody,
 * its last use stays what it was, and a key that has expired is left to who deletes it.
 */
export class Peeking {
  readonly #state: ClusterState;
  readonly #queries: Queries;

  constructor(state: ClusterState, queries: Queries) {
    this.#state = state;
    this.#queries = queries;
  }

  /** `answer` is called once, with null where nobody is primary of such a key. False when too many questions are open. */
  peek(db: number, key: Buffer, answer: (value: PeekedValue | null) => void): boolean {
    const question: PeekQuestion = { ask: 'peek', db, key: key.latin1Slice(0, key.length) };
    const tell = (answers: unknown[]): void => {
      const values = answers as (PeekedValue | null)[];
      answer(values.find((value) => value !== null) ?? null);
    };
    return this.#queries.ask(question, tell, isPeeked);
  }

  evaluate(question: PeekQuestion): PeekedValue | null {
    const { store, expiryNow } = this.#state;
    const key = Buffer.from(question.key, 'latin1');
    const ref = store.find(question.db, key, 0, key.length);
    if (ref === 0 || store.role(ref) !== Role.Primary) return null;
    const expireAt = store.expireAt(ref);
    if (expireAt !== 0 && expireAt <= expiryNow) return null;
    const type = store.type(ref);
    const length = store.valueLength(ref);
    return { type, length, start: type === ValueType.String ? startOf(store, ref, length) : '' };
  }
}

function startOf(store: Store, ref: Ref, length: number): string {
  const from = store.valueStart(ref);
  return store.valueBuffer(ref).latin1Slice(from, from + Math.min(length, PEEK_BYTES_MAX));
}

/** A value, or none. */
function isPeeked(answer: unknown): boolean {
  if (answer === null) return true;
  const { type, length, start } = answer as Partial<Record<keyof PeekedValue, unknown>>;
  const isType = Object.values(ValueType).some((one) => one === type);
  const isStart = typeof start === 'string' && start.length <= PEEK_BYTES_MAX;
  return isType && Number.isSafeInteger(length) && isStart;
}
