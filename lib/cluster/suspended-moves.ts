import type { Key } from './key.js';
import type { Waiter } from './move.js';

/** A change-over that was open when sides of a partition met. */
interface SuspendedMove {
  readonly key: Key;
  /** The latest change is on one node only: it was made after the backup was lost. */
  readonly isUnacked: boolean;
  readonly waiters: readonly Waiter[];
}

/** Replies that wait for a copy of a key whose slot is not resolved yet. Bounded by the change-overs that were open. */
export class SuspendedMoves {
  readonly #moves = new Map<string, SuspendedMove>();

  get size(): number {
    return this.#moves.size;
  }

  add(key: Key, isUnacked: boolean, waiters: readonly Waiter[]): void {
    const before = this.#moves.get(key.id);
    this.#moves.set(key.id, {
      key,
      isUnacked: isUnacked || before?.isUnacked === true,
      waiters: [...(before?.waiters ?? []), ...waiters],
    });
  }

  takeResolved(merging: Uint8Array): SuspendedMove[] {
    const resolved = [...this.#moves.values()].filter(({ key }) => merging[key.slot] === 0);
    for (const { key } of resolved) this.#moves.delete(key.id);
    return resolved;
  }

  takeAll(): SuspendedMove[] {
    const all = [...this.#moves.values()];
    this.#moves.clear();
    return all;
  }
}
