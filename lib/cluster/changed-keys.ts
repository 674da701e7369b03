import type { Ref, Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { EditLog } from './edit-log.js';
import { FrameType } from './frames.js';
import { keyOf } from './key.js';

/** A key that a step has changed. */
export interface ChangedKey {
  readonly db: number;
  readonly key: Buffer;
  /** All that was done to its value since the step has begun; null where that has another value. */
  edits: EditLog | null;
}

/** The keys that a step has changed so far, and of values that were only edited the edits. */
export class ChangedKeys {
  readonly #store: Store;
  readonly #partBytes: number;
  readonly #byId = new Map<string, ChangedKey>();

  constructor(state: ClusterState) {
    this.#store = state.store;
    this.#partBytes = state.config.partBytes;
  }

  /** A change of this type (see PrimaryEntries.changed); `edits` are those of the running command, if it is an Edit. */
  note(ref: Ref, type: number, edits: EditLog): void {
    const changed = this.#of(ref);
    if (changed.edits === null) return;
    if (type === FrameType.Edit) changed.edits.join(edits);
    if (type === FrameType.Expire) return;
    const isPart = type === FrameType.Edit && changed.edits.bytes <= this.#partBytes;
    if (!isPart) changed.edits = null;
  }

  get all(): readonly ChangedKey[] {
    return [...this.#byId.values()];
  }

  #of(ref: Ref): ChangedKey {
    const store = this.#store;
    const start = store.keyStart(ref);
    const key = keyOf(store.db(ref), store.keyBuffer(ref), start, start + store.keyLength(ref));
    const known = this.#byId.get(key.id);
    if (known !== undefined) return known;
    const changed = { db: key.db, key: key.bytes, edits: new EditLog() };
    changed.edits.base = store.version(ref);
    this.#byId.set(key.id, changed);
    return changed;
  }
}
