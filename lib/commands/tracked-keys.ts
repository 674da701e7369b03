import type { ClientTracking } from './tracking.js';

/** Keys that are given up at a time, so that none waits for a table whose bound was lowered by much. */
const SHRINK_KEYS = 100;

/** Which clients have read which keys, whatever the database, since they were last told of them. */
export class TrackedKeys {
  /** Most keys have been read by one client. */
  readonly #readers = new Map<string, ClientTracking | Set<ClientTracking>>();
  items = 0;

  get size(): number {
    return this.#readers.size;
  }

  /** `key` has one byte per character. */
  add(key: string, reader: ClientTracking): void {
    const present = this.#readers.get(key);
    if (present === reader) return;
    if (present === undefined) this.#readers.set(key, reader);
    else if (!(present instanceof Set)) this.#readers.set(key, new Set([present, reader]));
    else if (present.has(reader)) return;
    else present.add(reader);
    this.items++;
  }

  /** Who has read the key: that is forgotten. */
  take(key: string): Iterable<ClientTracking> | null {
    const readers = this.#readers.get(key);
    if (readers === undefined) return null;
    this.#readers.delete(key);
    const all = readers instanceof Set ? readers : [readers];
    this.items -= readers instanceof Set ? readers.size : 1;
    return all;
  }

  /** Gives the oldest keys up while there are more than `max`; 0 for any number. */
  shrink(max: number, forgotten: (readers: Iterable<ClientTracking>, key: Buffer) => void): void {
    if (max === 0 || this.#readers.size <= max) return;
    let room = SHRINK_KEYS;
    for (const key of this.#readers.keys()) {
      if (this.#readers.size <= max || room-- === 0) return;
      forgotten(this.take(key)!, Buffer.from(key, 'latin1'));
    }
  }

  clear(): void {
    this.#readers.clear();
    this.items = 0;
  }
}
