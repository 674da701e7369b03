import type { Ref } from '../store/store.js';
import type { AtomicChanges } from './atomic-changes.js';
import type { Appended } from './atomic-frames.js';
import { ChangedKeys } from './changed-keys.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import type { MirrorSender } from './mirror-sender.js';
import type { Peer } from './peer.js';
import type { ReplyWaits } from './reply-waits.js';

/** Changes of several keys that are one step: they are collected, and sent as one frame when it is over. */
export class StepChanges {
  readonly #state: ClusterState;
  readonly #atomicChanges: AtomicChanges;
  readonly #mirror: MirrorSender;
  readonly #waits: ReplyWaits;
  /** Told of the entries changed within `atomically` and `collect`, and how; null outside. */
  #changed: ((ref: Ref, type: number) => void) | null = null;

  constructor(
    state: ClusterState,
    atomicChanges: AtomicChanges,
    mirror: MirrorSender,
    waits: ReplyWaits,
  ) {
    this.#state = state;
    this.#atomicChanges = atomicChanges;
    this.#mirror = mirror;
    this.#waits = waits;
  }

  /** What changes now is a part of a step. */
  get isOpen(): boolean {
    return this.#changed !== null;
  }

  /** As PrimaryEntries.changed. */
  changed(ref: Ref, type: number): void {
    this.#changed!(ref, type);
  }

  removed(ref: Ref): void {
    this.#changed!(ref, FrameType.Delete);
    this.#atomicChanges.blank(ref);
  }

  atomically(changes: () => void): void {
    // A node that is alone has nobody to send the changes to, all or none of them.
    const isAlone = this.#state.isAlone && !this.#state.isChanging;
    if (this.isOpen || isAlone) return changes();
    const changed = this.begin();
    try {
      this.collectInto(changed, changes);
    } finally {
      this.append(changed);
    }
  }

  /** For a step that collects in several turns. */
  begin(): ChangedKeys {
    return new ChangedKeys(this.#state);
  }

  collectInto(changed: ChangedKeys, changes: () => void): void {
    const { edits } = this.#mirror;
    this.collect(changes, (ref, type) => changed.note(ref, type, edits));
  }

  /** Who calls this mirrors the changes made inside: `changed` is told of each entry as it is then. */
  collect(changes: () => void, changed: (ref: Ref, type: number) => void): void {
    this.#changed = changed;
    try {
      changes();
    } finally {
      this.#changed = null;
    }
  }

  /** Sends what was collected as one frame; null where there is nobody to send it to, or nothing to send. */
  append(changed: ChangedKeys): Appended | null {
    return this.#atomicChanges.append(changed.all);
  }

  /** The reply of the running command waits for a frame that was sent by who has collected changes. */
  awaitFrame({ backup, offset }: Appended): void {
    this.#waits.awaitAck(backup.stream, offset);
  }

  /** What was collected so far takes room at this backup. */
  countGrowth(backup: Peer): void {
    this.#mirror.countGrowth(backup);
  }
}
