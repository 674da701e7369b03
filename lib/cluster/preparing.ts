import { IndexBuilder, isPrepared } from '../store/collections/index-builder.js';
import type { Room } from '../store/collections/slices.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { type Key, keyOf } from './key.js';

/** Keys that commands wait for which are prepared at a time; what waits for others waits for one of these to be over. */
const PREPARING_MAX = 1000;
/** What is promoted is prepared before it is asked for: so many keys at a time, of so many bytes at least. */
const AHEAD_MAX = 16;
const AHEAD_BYTES_MIN = 1024 * 1024;
/** Work of one turn, for each key that commands on many keys handle in one: a millisecond or two. */
const ROOM_PER_KEY = 40;

/**
 * Large collections that came whole from elsewhere, or whose index was dropped, get it before a command uses them, in slices
 * of a turn, and their bytes are checked on the way. Commands on their elements wait for that (routing.ts, gathering.ts);
 * what runs all the same, as in a step whose keys were held before the value came, makes the index at once.
 *
 * How far it has come is kept with the value (index-builder.ts). So it takes no part in what becomes of the value meanwhile: here
 * are names only, and what is no longer there, or no longer to be prepared, is taken off when its turn comes.
 */
export class Preparing {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #hooks: { readonly wantFlush: () => void; readonly prepared: () => void };
  /** In the order of their turns. */
  readonly #asked = new Map<string, Key>();
  readonly #ahead = new Map<string, Key>();

  /** `prepared` is called when those who wait are to look again. */
  constructor(
    state: ClusterState,
    hooks: { readonly wantFlush: () => void; readonly prepared: () => void },
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#hooks = hooks;
  }

  get open(): number {
    return this.#asked.size + this.#ahead.size;
  }

  /** Whether a command that uses its elements has to wait until it is prepared. */
  isWanting(ref: Ref): boolean {
    const store = this.#store;
    if (!store.isLarge(ref) || store.type(ref) === ValueType.String) return false;
    return !isPrepared(store.attached(ref));
  }

  /** A command waits for the key. It is woken as soon as it may look again. */
  ask(key: Key): void {
    this.#ahead.delete(key.id);
    if (this.#asked.has(key.id)) return;
    if (this.#asked.size >= PREPARING_MAX) return this.#state.statistics.limits.add('preparing');
    this.#asked.set(key.id, key);
    this.#hooks.wantFlush();
  }

  /** A value is primary here from now on that commands may ask for soon. */
  promoted(ref: Ref): void {
    const store = this.#store;
    if (store.valueLength(ref) < AHEAD_BYTES_MIN || !this.isWanting(ref)) return;
    if (this.#ahead.size >= AHEAD_MAX) return;
    const start = store.keyStart(ref);
    const key = keyOf(store.db(ref), store.keyBuffer(ref), start, start + store.keyLength(ref));
    if (this.#asked.has(key.id)) return;
    this.#ahead.set(key.id, key);
    this.#hooks.wantFlush();
  }

  /** Goes on; true when there is more to be done at once. */
  step(): boolean {
    const room: Room = { left: this.#state.config.stepKeys * ROOM_PER_KEY };
    let isAnyOver = false;
    while (room.left > 0) {
      const keys = this.#asked.size > 0 ? this.#asked : this.#ahead;
      const [key] = keys.values();
      if (key === undefined) break;
      keys.delete(key.id);
      // The others get their turn.
      if (!this.#prepare(key, room)) keys.set(key.id, key);
      else isAnyOver = true;
    }
    if (isAnyOver) this.#hooks.prepared();
    return this.open > 0;
  }

  clear(): void {
    this.#asked.clear();
    this.#ahead.clear();
  }

  /** True when nobody has to wait for this key any more. */
  #prepare(key: Key, room: Room): boolean {
    const store = this.#store;
    room.left--;
    const ref = store.find(key.db, key.bytes, 0, key.bytes.length);
    if (ref === 0 || !this.isWanting(ref)) return true;
    if (store.role(ref) !== Role.Primary) {
      // Whose it is now prepares its own copy.
      if (store.attached(ref) instanceof IndexBuilder) store.attach(ref, null);
      return true;
    }
    const attached = store.attached(ref);
    const builder = attached instanceof IndexBuilder ? attached : new IndexBuilder(store, ref);
    const result = builder.run(room, store, ref);
    store.attach(ref, result ?? builder);
    return result !== null;
  }
}
