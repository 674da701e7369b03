import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { Appended, AtomicFrames, ChangedEntries } from './atomic-frames.js';
import type { ChangedKey } from './changed-keys.js';
import type { Changes } from './changes.js';
import type { ClusterState } from './cluster-state.js';
import type { PendingForget } from './forgets.js';
import { FrameType } from './frames.js';
import type { MirrorSender } from './mirror-sender.js';
import type { ReplyWaits } from './reply-waits.js';
import { FRAME_BYTES_MAX } from './stream.js';
import { isTicket } from './tickets.js';

/**
 * What a step has changed is sent as one frame. Until then a key that it has deleted is an entry without a value, as a
 * reserved one: absent to who looks, held, and with its backup, so that a later command of the step may make it anew.
 */
export class AtomicChanges {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #frames: AtomicFrames;
  readonly #mirror: MirrorSender;
  readonly #changes: Changes;
  readonly #waits: ReplyWaits;
  readonly #forget: (ref: Ref) => PendingForget;

  constructor(
    state: ClusterState,
    frames: AtomicFrames,
    mirror: MirrorSender,
    changes: Changes,
    waits: ReplyWaits,
    forget: (ref: Ref) => PendingForget,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#frames = frames;
    this.#mirror = mirror;
    this.#changes = changes;
    this.#waits = waits;
    this.#forget = forget;
  }

  /** A key is deleted within a step. */
  blank(ref: Ref): void {
    const store = this.#store;
    this.#state.absences.deleted(store, ref);
    store.attach(ref, null);
    const blank = store.resize(ref, 0);
    store.setType(blank, ValueType.None);
    store.setEncodingFlags(blank, 0);
    store.setExpireAt(blank, 0);
  }

  /** The step is over: sends the keys as they are now. Null where there is nobody to send them to, or nothing to send. */
  append(changed: readonly ChangedKey[]): Appended | null {
    const entries: ChangedEntries = new Map(changed.map((key) => [this.#find(key), key.edits]));
    if (this.#frames.lengthOf(entries) > FRAME_BYTES_MAX) return this.#appendEach(changed);
    for (const ref of entries.keys()) {
      if (this.#isBlank(ref)) this.#bury(ref);
    }
    const sent = this.#frames.append(entries);
    if (sent !== null) {
      this.#mirror.countGrowth(sent.backup);
      this.#waits.awaitAck(sent.backup.stream, sent.offset);
    }
    this.#endDeletes(changed, sent !== null && isTicket(sent.offset));
    return sent;
  }

  /** Something was there: of a tombstone that is told by its type. */
  #bury(ref: Ref): void {
    this.#store.setType(ref, ValueType.String);
    this.#changes.bury(ref, this.#store.version(ref), 0);
  }

  /**
   * A deleted key cannot be held. While the frame is on its way in parts nobody may create it anew, as that would be on
   * the backup first: the delete counts as one that others are yet to learn of.
   */
  #endDeletes(changed: readonly ChangedKey[], isLarge: boolean): void {
    for (const key of changed) {
      const ref = this.#find(key);
      if (ref === 0 || this.#store.role(ref) !== Role.Tombstone) continue;
      if (!this.#state.keepsTombstones) this.#store.remove(ref);
      else if (isLarge || this.#state.mustForget(ref)) this.#waits.awaitOther(this.#forget(ref));
    }
  }

  /** More than one frame can carry: each key goes by itself, and if the node dies now its backup may have some of them. */
  #appendEach(changed: readonly ChangedKey[]): null {
    const isBlank = (key: ChangedKey): boolean => this.#isBlank(this.#find(key));
    const blanks = changed.filter(isBlank);
    for (const key of changed) {
      if (!isBlank(key)) this.#changes.changed(this.#find(key), FrameType.Set);
    }
    for (const key of blanks) this.#changes.remove(this.#find(key));
    return null;
  }

  #isBlank(ref: Ref): boolean {
    return this.#store.role(ref) === Role.Primary && this.#store.type(ref) === ValueType.None;
  }

  #find({ db, key }: ChangedKey): Ref {
    return this.#store.find(db, key, 0, key.length);
  }
}
