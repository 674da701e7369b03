import { Role } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Incarnation } from './member.js';
import type { Queries } from './queries.js';

export interface LocateQuestion {
  readonly ask: 'locate';
  readonly db: number;
  /** latin1. */
  readonly key: string;
}

interface Copy {
  readonly id: Incarnation;
  readonly role: number;
  readonly flags: number;
  readonly version: number;
  readonly expireAt: number;
  /** The holder's primary is where the view's ranking wants its backup. */
  readonly isPlaced: boolean;
}

/** Where the copies of a key are. */
export interface KeyFacts {
  readonly primary: Incarnation | null;
  readonly backup: Incarnation | null;
  readonly version: number;
  /** Of the newest copy, Unix milliseconds; 0 for never. */
  readonly expireAt: number;
  readonly settled: boolean;
}

/** CLUSTER LOCATE: asks every member, and moves and touches nothing. */
export class Locating {
  readonly #state: ClusterState;
  readonly #queries: Queries;

  constructor(state: ClusterState, queries: Queries) {
    this.#state = state;
    this.#queries = queries;
  }

  locate(db: number, key: Buffer, answer: (facts: KeyFacts | null) => void): boolean {
    const question: LocateQuestion = { ask: 'locate', db, key: key.latin1Slice(0, key.length) };
    const tell = (answers: unknown[]): void => {
      const copies = (answers as (Copy | null)[]).filter((copy) => copy !== null);
      const primary = copies.find((copy) => copy.role === Role.Primary) ?? null;
      const backup =
        copies.find((copy) => copy.role === Role.Backup && (copy.flags & Flag.Full) !== 0) ?? null;
      if (primary === null && backup === null) return answer(null);
      const newest = copies.reduce((a, b) => (b.version > a.version ? b : a));
      answer({
        primary: primary?.id ?? null,
        backup: backup?.id ?? null,
        version: newest.version,
        expireAt: newest.expireAt,
        settled: copies.length === 2 && backup !== null && primary?.isPlaced === true,
      });
    };
    return this.#queries.ask(question, tell, isCopy);
  }

  evaluate(question: LocateQuestion): Copy | null {
    const { store } = this.#state;
    const key = Buffer.from(question.key, 'latin1');
    const ref = store.find(question.db, key, 0, key.length);
    if (ref === 0 || store.role(ref) >= Role.Record) return null;
    const ranked = this.#state.rankedBackup(store.slot(ref));
    return {
      id: this.#state.self.id,
      role: store.role(ref),
      flags: store.flags(ref),
      version: store.version(ref),
      expireAt: store.expireAt(ref),
      isPlaced: (store.flags(ref) & Flag.Moving) === 0 && ranked?.index === store.peer(ref),
    };
  }
}

/** A copy, or none. */
function isCopy(answer: unknown): boolean {
  if (answer === null) return true;
  const { id, role, flags, version, expireAt } = answer as Partial<Record<keyof Copy, unknown>>;
  return typeof id === 'string' && [role, flags, version, expireAt].every(Number.isFinite);
}
