import { EventClass } from '../base/event-classes.js';
import type { Request } from '../protocol/request.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { Changes } from './changes.js';
import type { ClusterState } from './cluster-state.js';
import type { KeyspaceEvent, KeyspaceEvents } from './keyspace-events.js';
import type { ReplyWaits } from './reply-waits.js';

/** An expired key that the running command has met: what it was met by. */
export interface ExpiredKey {
  readonly db: number;
  readonly request: Request;
  readonly index: number;
}

/** Notes keyspace events of changes that are about to be made. Only called while some are asked for. */
export class EventNotes {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #events: KeyspaceEvents;
  readonly #changes: Changes;
  readonly #waits: ReplyWaits;
  readonly #met: readonly ExpiredKey[];

  /** `met` is filled by who finds expired keys. */
  constructor(
    state: ClusterState,
    events: KeyspaceEvents,
    changes: Changes,
    waits: ReplyWaits,
    met: readonly ExpiredKey[],
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#events = events;
    this.#changes = changes;
    this.#waits = waits;
    this.#met = met;
  }

  /** The key of this argument gets a value; `ref` is its entry so far, 0 for none. */
  value(db: number, request: Request, index: number, ref: Ref, expires: boolean): void {
    const store = this.#store;
    const hadValue =
      ref !== 0 && store.role(ref) === Role.Primary && store.type(ref) !== ValueType.None;
    const isExpired = hadValue && this.#isOver(ref);
    if (isExpired) this.expired(ref);
    const key = request.bytes(index);
    this.#events.changed(db, key, !hadValue || isExpired, expires);
    this.#events.touched(db, key);
  }

  edit(ref: Ref): void {
    const name = this.#name(ref);
    this.#events.changed(...name, false, false);
    this.#events.touched(...name);
  }

  expiry(ref: Ref, expireAt: number): void {
    const name = expireAt === 0 ? 'persist' : 'expire';
    const key = this.#name(ref);
    this.#events.note(EventClass.Generic, name, ...key);
    this.#events.touched(...key);
  }

  /** What is only reserved was never there. */
  removal(ref: Ref): void {
    if (this.#store.type(ref) === ValueType.None) return;
    const name = this.#name(ref);
    this.#events.removed(...name);
    this.#events.touched(...name);
  }

  /** The running command has met a key that has expired, and deletes it. */
  expiredRemoval(ref: Ref): void {
    this.#events.give(this.#events.touchedAside(...this.#name(ref)));
  }

  /** A key with a value is deleted, not on behalf of a command. */
  reclaimed(ref: Ref): KeyspaceEvent[] {
    if (this.#store.type(ref) === ValueType.None) return [];
    return this.#events.touchedAside(...this.#name(ref));
  }

  evicted(ref: Ref): KeyspaceEvent[] {
    return this.#events.of(EventClass.Evicted, 'evicted', ...this.#name(ref));
  }

  rename(db: number, request: Request, from: number, to: number): void {
    const { Generic, New } = EventClass;
    this.#events.note(New, 'new', db, request.bytes(to));
    this.#events.note(Generic, 'rename_from', db, request.bytes(from));
    this.#events.note(Generic, 'rename_to', db, request.bytes(to));
    this.#events.touched(db, request.bytes(from));
    this.#events.touched(db, request.bytes(to));
  }

  move(db: number, request: Request, index: number, toDb: number): void {
    const { Generic, New } = EventClass;
    const key = request.bytes(index);
    this.#events.note(New, 'new', toDb, key);
    this.#events.note(Generic, 'move_from', db, key);
    this.#events.note(Generic, 'move_to', toDb, key);
    this.#events.touched(db, key);
  }

  /**
   * Of a key that has expired the event is published at once: that it is gone is nothing that the death of this node could
   * undo, unless its latest change could. So it goes out before the delete, and whoever becomes primary before that has come
   * publishes it again: at least once, where others are at most once.
   */
  expired(ref: Ref): void {
    const [db, key] = this.#name(ref);
    const isNoted = this.#met.some(
      (met) => met.db === db && met.request.bytes(met.index).equals(key),
    );
    if (isNoted) return;
    const event = this.#events.of(EventClass.Expired, 'expired', db, key);
    this.#waits.aside(() => {
      const { count } = this.#waits;
      this.#changes.awaitLastChange(ref);
      if (this.#waits.count === count) this.#events.publish(event);
      else this.#events.hold(event, this.#waits);
    });
  }

  #isOver(ref: Ref): boolean {
    const expireAt = this.#store.expireAt(ref);
    return expireAt !== 0 && expireAt <= this.#state.expiryNow;
  }

  #name(ref: Ref): [db: number, key: Buffer] {
    const store = this.#store;
    const start = store.keyStart(ref);
    const key = store.keyBuffer(ref).subarray(start, start + store.keyLength(ref));
    return [store.db(ref), Buffer.from(key)];
  }
}
