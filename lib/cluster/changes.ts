import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { PendingForget } from './forgets.js';
import { FrameType } from './frames.js';
import type { MirrorSender } from './mirror-sender.js';
import { type Move, MoveState, type Waiter } from './move.js';
import { NOBODY, type Peer } from './peer.js';
import type { ReplyWaits } from './reply-waits.js';

const ALL_RIGHTS = Flag.Full | Flag.Reads;

/** What changes need of mechanisms built on them. */
export interface ChangeHooks {
  /** The open change-over of a moving primary. */
  moveOf(ref: Ref): Move;
  /** An entry is deleted of which frames are on their way in parts: who waited for those. */
  cancelSending(ref: Ref): readonly Waiter[];
  /** A moving primary was deleted: its change-over is over. */
  moveEnded(move: Move): void;
  /** A key was changed whose backup is gone: the change-over that restores it, null where nobody can be backup. */
  restore(ref: Ref): Move | null;
  /** A tombstone of which others than its backup must learn when that one has acked the delete. */
  forget(ref: Ref, also: Peer | null): PendingForget;
}

/**
 * A change of one key has happened in the store: it gets a version, its backup a frame straight from the entry in the turn
 * of the change, and the reply of the running command waits for the ack.
 */
export class Changes {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #mirror: MirrorSender;
  readonly #waits: ReplyWaits;
  readonly #hooks: ChangeHooks;

  constructor(state: ClusterState, mirror: MirrorSender, waits: ReplyWaits, hooks: ChangeHooks) {
    this.#state = state;
    this.#store = state.store;
    this.#mirror = mirror;
    this.#waits = waits;
    this.#hooks = hooks;
  }

  /** A primary has a new value (Set), an edited one (Edit) or a new expiry (Expire). */
  changed(ref: Ref, type: number): void {
    const store = this.#store;
    const version = this.#state.clock.next();
    store.setVersion(ref, version);
    if ((store.flags(ref) & Flag.Moving) !== 0) return this.#changedMoving(ref, type, version);
    const backup = this.#state.livePeer(store.peer(ref));
    if (backup === null) {
      const move = this.#state.isAlone && !this.#state.isChanging ? null : this.#hooks.restore(ref);
      if (move !== null) this.#waits.awaitMove(move);
      return;
    }
    const withValue = type !== FrameType.Expire;
    const offset = this.#mirror.append(backup, type, ref, version, withValue, ALL_RIGHTS);
    store.setChangeOffset(ref, offset);
    this.#waits.awaitAck(backup.stream, offset);
  }

  #changedMoving(ref: Ref, type: number, version: number): void {
    const move = this.#hooks.moveOf(ref);
    const withValue = type !== FrameType.Expire;
    if (move.state === MoveState.Lease || move.to === null) {
      move.isUnacked = true;
      this.#waits.awaitMove(move);
      return;
    }
    if (move.state === MoveState.Copy && move.from !== null) {
      move.fromOffset = this.#mirror.append(move.from, type, ref, version, withValue, Flag.Full);
      this.#waits.awaitAck(move.from.stream, move.fromOffset);
    }
    if (move.state === MoveState.Drop) move.isChangedSinceDrop = true;
    // The whole value to one that was sent no copy yet, on which an edit could build:
    //     1. P has sent COPY to J, and DROP to X. J is lost; the next backup is sent its COPY when X has acked.
    //     2. Before that P changes the key.
    const hasCopy = move.copyOffset !== 0;
    const sent = type === FrameType.Edit && !hasCopy ? FrameType.Set : type;
    move.toOffset = this.#mirror.append(move.to, sent, ref, version, withValue, 0);
    this.#waits.awaitCopies(move);
  }

  /** Deletes a primary: a tombstone stays until it can do no harm to forget it. */
  remove(ref: Ref): void {
    const isReserved = this.#store.type(ref) === ValueType.None;
    const version = this.#state.clock.next();
    // What was never there is not deleted: the tombstone tells of the delete before it, if there was one.
    this.#remove(ref, version, isReserved ? this.#store.expireAt(ref) : version);
  }

  /**
   * An expiry is part of the change that has set it, not a change of its own: where another side of a partition has
   * changed the key since, that one wins, whenever the expiry was noticed here.
   */
  removeExpired(ref: Ref): void {
    this.#remove(ref, this.#state.clock.next(), this.#store.version(ref) + 1);
  }

  #remove(ref: Ref, version: number, deletedAt: number): void {
    const store = this.#store;
    this.#state.absences.deleted(store, ref);
    store.setExpireAt(ref, deletedAt);
    const isMoving = (store.flags(ref) & Flag.Moving) !== 0;
    const move = isMoving ? this.#hooks.moveOf(ref) : null;
    const isSending = (store.flags(ref) & Flag.Sending) !== 0;
    const sending = isSending ? this.#hooks.cancelSending(ref) : [];
    // While a change-over is open, the holder that may promote itself learns first, the others after its ack.
    const hasOld = move === null || move.state === MoveState.Lease;
    const holder = hasOld ? this.#state.peer(store.peer(ref)) : move.from;
    const backup = holder?.isLive ? holder : null;
    const offset = backup === null ? 0 : this.#mirror.appendDelete(backup, ref, version);
    if (backup !== null) this.#waits.awaitAck(backup.stream, offset);
    if (!this.#state.keepsTombstones) return store.remove(ref);
    const waiters = move === null ? sending : [...sending, ...this.#endMove(move)];
    const tomb = this.bury(ref, version, offset);
    store.setPeer(tomb, holder?.index ?? NOBODY);
    if (holder !== null && backup === null) store.setChangeOffset(tomb, Number.MAX_SAFE_INTEGER);
    // Whoever has been sent a copy, also when the change-over has lost its old backup since and waits for a lease.
    const also = move !== null && move.copyOffset > 0 ? move.to : null;
    // A backup that was left out may answer reads for a while yet: the delete is not shown before that is over.
    const isRead = backup === null && this.#state.isUnackedDelete(tomb);
    const mustForget = also !== null || isRead || this.#state.mustForget(tomb);
    const forget = mustForget ? this.#hooks.forget(tomb, also) : null;
    if (forget !== null) this.#waits.awaitOther(forget);
    // What waited for the key's next copy waits for its delete.
    for (const { sink, token } of waiters) {
      if (backup !== null) backup.stream.awaitAck(offset, sink, token);
      else if (forget !== null) forget.add(sink, token);
      else sink.acknowledged(token);
    }
  }

  #endMove(move: Move): readonly Waiter[] {
    const waiters = this.#waits.takeWaiters(move);
    this.#hooks.moveEnded(move);
    return waiters;
  }

  /** Makes a tombstone of an entry. */
  bury(ref: Ref, version: number, offset: number): Ref {
    const store = this.#store;
    const tomb = store.resize(ref, 0);
    store.setRole(tomb, Role.Tombstone);
    store.setFlags(tomb, 0);
    store.setVersion(tomb, version);
    store.setChangeOffset(tomb, offset);
    return tomb;
  }

  /** A read of a key whose latest change is not acked waits for the same ack (I4). */
  awaitLastChange(ref: Ref): void {
    const store = this.#store;
    if (store.role(ref) !== Role.Primary) return;
    if ((store.flags(ref) & Flag.Moving) !== 0) return this.#awaitMovingChange(ref);
    const offset = store.changeOffset(ref);
    if (offset === 0) return;
    const backup = this.#state.livePeer(store.peer(ref));
    if (backup !== null && backup.stream.acked < offset) {
      this.#waits.awaitAck(backup.stream, offset);
    }
  }

  /** Nor is a delete shown before it is acked. */
  awaitDelete(ref: Ref): void {
    const offset = this.#store.changeOffset(ref);
    const backup = this.#state.livePeer(this.#store.peer(ref));
    if (backup !== null && backup.stream.acked < offset) {
      this.#waits.awaitAck(backup.stream, offset);
    }
  }

  #awaitMovingChange(ref: Ref): void {
    const move = this.#hooks.moveOf(ref);
    if (move.isUnacked) this.#waits.awaitMove(move);
    if (move.from !== null && move.from.stream.acked < move.fromOffset) {
      this.#waits.awaitAck(move.from.stream, move.fromOffset);
    }
    const { to } = move;
    if (to === null || move.toOffset === 0) return;
    const isDropped = move.from === null || move.from.stream.acked >= move.dropOffset;
    const owesDrop = move.isChangedSinceDrop && !isDropped;
    if (owesDrop || to.stream.acked < move.toOffset) this.#waits.awaitCopies(move);
  }
}
