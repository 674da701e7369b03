import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType } from './frames.js';
import { entryBytes, roomAt } from './headroom.js';
import { type Key, keyOf } from './key.js';
import type { MirrorSender } from './mirror-sender.js';
import { type Move, MoveState, type Waiter } from './move.js';
import type { ReplySink } from './operation.js';
import { NOBODY, type Peer } from './peer.js';
import type { Records } from './records.js';
import { OUTCOME_UNKNOWN } from './runner.js';
import { SuspendedMoves } from './suspended-moves.js';

/** What others want to know of moves. */
export interface MoveListener {
  /** The key has its backup (or there is nobody who could be one); another move may start. */
  moveDone(key: Key): void;
  /** The primary role was handed to the backup. */
  swapped(key: Key): void;
}

/**
 * Change-overs of backups and swaps of roles, at the primary (docs/data-plane.md). Bounded by who starts them: settling
 * keeps a window, take-over has one per key and forwarder.
 */
export class Moves implements ReplySink {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #mirror: MirrorSender;
  readonly #records: Records;
  readonly #listener: MoveListener;
  readonly #moves = new Map<string, Move>();
  /** The step of a move that an ack belongs to; a step that was given up is no longer in it. */
  readonly #steps = new Map<number, Move>();
  readonly #suspended = new SuspendedMoves();
  #lastStep = 0;

  constructor(state: ClusterState, mirror: MirrorSender, records: Records, listener: MoveListener) {
    this.#state = state;
    this.#store = state.store;
    this.#mirror = mirror;
    this.#records = records;
    this.#listener = listener;
  }

  get open(): number {
    return this.#moves.size + this.#suspended.size;
  }

  /** Change-overs of keys that nobody else holds in full. */
  get single(): number {
    let count = 0;
    for (const { from } of this.#moves.values()) if (from === null) count++;
    return count;
  }

  moveOf(ref: Ref): Move {
    return this.#moves.get(this.#keyOfRef(ref).id)!;
  }

  find(key: Key): Move | undefined {
    return this.#moves.get(key.id);
  }

  /**
   * Begins to move the backup of a primary to `to`, which then becomes primary when it is also the `successor`. Does
   * nothing when the key already moves, or nobody can be its backup.
   */
  start(ref: Ref, to: Peer | null, successor: Peer | null = null): void {
    const store = this.#store;
    if ((store.flags(ref) & (Flag.Moving | Flag.Busy)) !== 0) return;
    if (this.#state.merging[store.slot(ref)] === 1) return;
    if ((store.flags(ref) & Flag.Ahead) !== 0) return this.#catchUp(ref, to, successor);
    const old = this.#state.peer(store.peer(ref));
    const from = old?.isLive ? old : null;
    if (from === null && this.#state.isAlone && !this.#state.isChanging) {
      store.setPeer(ref, NOBODY);
      return;
    }
    if (from !== null && (to === null || to === from || this.#isOnItsWay(ref, from))) return;
    // Where all stop, two copies are as well where they are; who has told that it is quiet is to stay so.
    if (from !== null && this.#state.isEnding) return;
    const key = this.#keyOfRef(ref);
    const flushed = this.#moves.get(key.id);
    if (flushed !== undefined) this.#end(flushed);
    const move: Move = {
      key,
      from,
      to,
      state: MoveState.Lease,
      fromOffset: from === null ? 0 : store.changeOffset(ref),
      toOffset: 0,
      copyOffset: 0,
      dropOffset: 0,
      isUnacked: from === null && old !== null && store.changeOffset(ref) > old.stream.acked,
      isChangedSinceDrop: false,
      waiters: [],
      successor,
      step: 0,
      acksMissing: 0,
    };
    this.#moves.set(key.id, move);
    store.setFlags(ref, store.flags(ref) | Flag.Moving);
    this.#state.statistics.changeOvers++;
    if (this.#mayCopy(old)) this.#copy(move, ref);
  }

  /**
   * The key's last change may be one of several keys that its backup has not acked: a third node must not learn of it before.
   * Who wants the key moved asks again.
   *
   *     1. MSET a b on P, whose frame to X, the backup of both, is on its way. P sends COPY of b to J.
   *     2. P dies before X has read the frame. X promotes a without the MSET, J's copy of b is the newest.
   */
  #isOnItsWay(ref: Ref, from: Peer): boolean {
    const { acked } = from.stream;
    return acked < from.atomicOffset && this.#store.changeOffset(ref) > acked;
  }

  /** The same, to a better place: false where there is no room for it. With two copies it is as well where it is. */
  startIfRoom(ref: Ref, to: Peer, successor: Peer | null = null): boolean {
    if (!this.#hasRoom(ref, to)) return false;
    this.start(ref, to, successor);
    return true;
  }

  /** What the backup has is older than what is here: it is sent the key as one that has nothing. */
  #catchUp(ref: Ref, to: Peer | null, successor: Peer | null): void {
    const store = this.#store;
    const backup = this.#state.livePeer(store.peer(ref));
    store.setFlags(ref, store.flags(ref) & ~Flag.Ahead);
    store.setPeer(ref, NOBODY);
    this.start(ref, backup ?? to, backup === successor ? successor : null);
  }

  /** Begins to make the copy that a primary lacks; null where nobody can be its backup. */
  restore(ref: Ref): Move | null {
    this.start(ref, this.#state.rankedBackup(this.#store.slot(ref)));
    return (this.#store.flags(ref) & Flag.Moving) === 0 ? null : this.moveOf(ref);
  }

  /** Moves that wait for a lease to run out go on; called every tick. */
  tick(): void {
    for (const move of this.#moves.values()) {
      if (move.state !== MoveState.Lease) continue;
      const ref = this.#entryOf(move);
      const old = ref === 0 ? null : this.#state.peer(this.#store.peer(ref));
      if (ref === 0) this.#end(move);
      else if (this.#mayCopy(old)) this.#copyAfterLease(move, ref);
    }
  }

  /**
   * Those that waited for one lease have all been promised the same room. Settling finds another place for who comes too
   * late, unless a change waits for its second copy.
   */
  #copyAfterLease(move: Move, ref: Ref): void {
    const isAwaited = move.isUnacked || move.waiters.length > 0;
    if (isAwaited || move.to === null || this.#hasRoom(ref, move.to)) this.#copy(move, ref);
    else this.#end(move);
  }

  #hasRoom(ref: Ref, to: Peer): boolean {
    return roomAt(to) >= entryBytes(this.#store, ref);
  }

  /** P's role goes to its backup: P stops serving as it sends, N serves when it reads. */
  swap(ref: Ref, successor: Peer): void {
    const store = this.#store;
    // The key keeps its version: between sides of a partition the newest change wins, not the newest owner. The frame's
    // raises the successor's clock above whatever this node has said as primary.
    this.#mirror.appendNotice(successor, FrameType.Swap, ref, this.#state.clock.next());
    store.setRole(ref, Role.Backup);
    store.setFlags(ref, Flag.Full);
    store.setPeer(ref, successor.index);
    store.setChangeOffset(ref, 0);
    this.#state.statistics.takeOvers++;
    this.#listener.swapped(this.#keyOfRef(ref));
  }

  /** SWAP was read: the old primary is the backup now, and the backup moves on to where the ranking wants it. */
  swappedIn(ref: Ref): void {
    const state = this.#state;
    const old = state.livePeer(this.#store.peer(ref));
    const ranked = state.rankedBackup(this.#store.slot(ref));
    state.statistics.takeOvers++;
    state.statistics.takenOver++;
    if (old !== null) this.#mirror.grant(old, ref);
    const isInPlace = old === null || ranked === null || ranked === old;
    if (isInPlace || !this.startIfRoom(ref, ranked)) this.#records.announce(ref);
  }

  /** A reply that lost the backup it waited for waits for the key's next copy. Restores the key at once. */
  awaitCopy(ref: Ref, sink: ReplySink, token: number): void {
    if (ref === 0 || this.#store.role(ref) !== Role.Primary) return sink.acknowledged(token);
    if (this.#state.merging[this.#store.slot(ref)] === 1) {
      this.#suspended.add(this.#keyOfRef(ref), true, [{ sink, token }]);
      return;
    }
    if ((this.#store.flags(ref) & Flag.Moving) === 0) {
      this.start(ref, this.#state.rankedBackup(this.#store.slot(ref)));
    }
    const move = (this.#store.flags(ref) & Flag.Moving) === 0 ? undefined : this.moveOf(ref);
    if (move === undefined) return this.#confirmAlone({ sink, token });
    if (move.state !== MoveState.Drop) move.isUnacked = true;
    move.waiters.push({ sink, token });
  }

  /** Sides have met: who are a key's holders is decided anew. Replies that wait for a copy go on waiting. */
  suspend(): void {
    for (const move of this.#moves.values()) {
      const isAlone = move.from === null && move.isUnacked;
      this.#suspended.add(move.key, isAlone, move.waiters);
      const ref = this.#entryOf(move);
      if (ref !== 0) this.#store.setFlags(ref, this.#store.flags(ref) & ~Flag.Moving);
    }
    this.#moves.clear();
    this.#steps.clear();
  }

  /** Slots are resolved: keys that are still led here and have no other holder of what is here get one. */
  resume(): void {
    for (const { key, isUnacked, waiters } of this.#suspended.takeResolved(this.#state.merging)) {
      const ref = this.#refOf(key);
      const isLed = ref !== 0 && this.#store.role(ref) === Role.Primary;
      if (isLed) this.#resumeLed(ref, isUnacked, waiters);
      // A change that lost against another side's was made all the same, and is over.
      else for (const { sink, token } of waiters) sink.acknowledged(token);
    }
  }

  #resumeLed(ref: Ref, isUnacked: boolean, waiters: readonly Waiter[]): void {
    const backup = this.#state.livePeer(this.#store.peer(ref));
    // A backup that is behind has another side's copy: it is granted nothing before it has this one.
    const isAhead = (this.#store.flags(ref) & Flag.Ahead) !== 0;
    if (backup === null || isAhead) return this.#restoreUnacked(ref, isUnacked, waiters);
    this.#mirror.grant(backup, ref);
    for (const { sink, token } of waiters) sink.acknowledged(token);
  }

  #restoreUnacked(ref: Ref, isUnacked: boolean, waiters: readonly Waiter[]): void {
    this.start(ref, this.#state.rankedBackup(this.#store.slot(ref)));
    if (isUnacked && (this.#store.flags(ref) & Flag.Moving) !== 0) {
      this.moveOf(ref).isUnacked = true;
    }
    for (const { sink, token } of waiters) this.awaitCopy(ref, sink, token);
  }

  /** A member was left out: open moves that involve it take another way. */
  peerLost(peer: Peer): void {
    for (const move of [...this.#moves.values()]) {
      if (move.successor === peer) move.successor = null;
      if (move.from === peer) this.#sourceLost(move, peer);
      else if (move.to === peer) this.#targetLost(move);
      else if (move.state === MoveState.Copy) this.#anchorLost(move);
    }
  }

  /** A frame that went in parts has its offset. */
  ticketClosed(key: Key, ticket: number, offset: number): void {
    const move = this.#moves.get(key.id);
    if (move === undefined) return;
    if (move.fromOffset === ticket) move.fromOffset = offset;
    if (move.toOffset === ticket) move.toOffset = offset;
    if (move.copyOffset === ticket) move.copyOffset = offset;
  }

  /** The key was deleted or is no longer ours: whoever waited for its copy has its answer in the streams. */
  end(move: Move): void {
    this.#end(move);
  }

  /** Forgets everything: this incarnation was left out. */
  clear(fail: (waiter: Waiter) => void): void {
    for (const { waiters } of this.#moves.values()) waiters.forEach(fail);
    for (const { waiters } of this.#suspended.takeAll()) waiters.forEach(fail);
    this.#moves.clear();
    this.#steps.clear();
  }

  // --- ReplySink: acks of the steps

  acknowledged(token: number): void {
    const move = this.#steps.get(token);
    if (move === undefined || --move.acksMissing > 0) return;
    this.#steps.delete(token);
    const ref = this.#entryOf(move);
    if (ref === 0) return this.#end(move);
    if (move.state === MoveState.Copy && move.from !== null) return this.#drop(move, ref);
    move.from = null;
    if (move.copyOffset === 0) this.#copy(move, ref);
    else this.#grant(move, ref);
  }

  complete(): void {}

  fail(): void {}

  // --- steps

  #copy(move: Move, ref: Ref): void {
    const { from } = move;
    if (move.to === null || !move.to.isLive) {
      move.to = this.#state.rankedBackup(this.#store.slot(ref));
      // Changes that the lost one was sent have offsets of its stream; the next one has them with its copy:
      //     1. k moves from X to J. P changes it, and sends that to both.
      //     2. X and J are lost at once. The copy goes to Y; reads would wait for Y's ack of J's offset.
      move.toOffset = 0;
    }
    const { to } = move;
    if (to === null || to === from) return this.#targetLost(move);
    move.state = MoveState.Copy;
    const anchor = this.#state.livePeer(this.#state.anchors[this.#store.slot(ref)]!);
    const isThird = anchor !== null && anchor !== from && anchor !== to;
    const step = this.#step(move, 1 + Number(from !== null) + Number(isThird));
    // The anchor knows of the key before an old holder drops its copy: an ask-all looks there last.
    if (isThird) anchor.stream.awaitAck(this.#records.append(anchor, ref), this, step);
    if (from !== null) {
      from.stream.awaitAck(this.#mirror.appendNotice(from, FrameType.Revoke, ref), this, step);
    }
    move.copyOffset = this.#mirror.appendCopy(to, ref);
    to.stream.awaitAck(move.copyOffset, this, step);
  }

  #drop(move: Move, ref: Ref): void {
    const from = move.from!;
    move.state = MoveState.Drop;
    move.dropOffset = this.#mirror.appendNotice(from, FrameType.Drop, ref);
    from.stream.awaitAck(move.dropOffset, this, this.#step(move, 1));
  }

  #grant(move: Move, ref: Ref): void {
    const store = this.#store;
    const { to, successor } = move;
    if (to === null || !to.isLive) return this.#targetLost(move);
    this.#mirror.grant(to, ref);
    store.setPeer(ref, to.index);
    store.setChangeOffset(ref, move.toOffset);
    this.#end(move);
    if (successor === null || successor !== to) return;
    // SWAP must not overtake a value on its way: then the backup, which may be in this node's zone, goes back to its place.
    const isSending = (store.flags(ref) & Flag.Sending) !== 0;
    const ranked = this.#state.rankedBackup(store.slot(ref));
    if (!isSending) this.swap(ref, successor);
    else if (ranked !== null) this.startIfRoom(ref, ranked);
  }

  #sourceLost(move: Move, peer: Peer): void {
    const ref = this.#entryOf(move);
    this.#giveUpStep(move);
    if (ref === 0) return this.#end(move);
    const hadDropped = move.state === MoveState.Drop && peer.stream.acked >= move.dropOffset;
    move.from = null;
    move.isUnacked ||= move.fromOffset > peer.stream.acked;
    move.state = MoveState.Lease;
    if (hadDropped || this.#mayCopy(peer)) this.#copy(move, ref);
  }

  /** The anchor's ack may be the one that will not come: the copy is sent anew. */
  #anchorLost(move: Move): void {
    const ref = this.#entryOf(move);
    this.#giveUpStep(move);
    if (ref === 0) this.#end(move);
    else this.#copy(move, ref);
  }

  #targetLost(move: Move): void {
    const ref = this.#entryOf(move);
    const to = ref === 0 ? null : this.#state.rankedBackup(this.#store.slot(ref));
    if (ref === 0) return this.#end(move);
    if (move.state === MoveState.Drop && move.from !== null) {
      // The old backup may have dropped its copy already. Its ack comes first; then the next backup is sent the key.
      move.isUnacked ||= move.isChangedSinceDrop;
      move.to = to;
      move.toOffset = 0;
      move.copyOffset = 0;
      return;
    }
    this.#giveUpStep(move);
    move.toOffset = 0;
    move.copyOffset = 0;
    const isAsWell = move.from !== null && to !== null && !this.#hasRoom(ref, to);
    if (to === null || to === move.from || isAsWell) {
      if (move.from === null) this.#store.setPeer(ref, NOBODY);
      else this.#mirror.grant(move.from, ref);
      return this.#end(move);
    }
    move.to = to;
    this.#copy(move, ref);
  }

  #end(move: Move): void {
    this.#giveUpStep(move);
    this.#moves.delete(move.key.id);
    const ref = this.#entryOf(move);
    if (ref !== 0) this.#store.setFlags(ref, this.#store.flags(ref) & ~Flag.Moving);
    for (const waiter of move.waiters) this.#confirmAlone(waiter);
    this.#listener.moveDone(move.key);
  }

  /** What has no second copy is confirmed only where a node may serve alone. */
  #confirmAlone({ sink, token }: Waiter): void {
    const { config, isAlone } = this.#state;
    if (isAlone && config.minBackupsToWrite > 0) sink.fail(token, OUTCOME_UNKNOWN);
    else sink.acknowledged(token);
  }

  #step(move: Move, acksMissing: number): number {
    move.step = ++this.#lastStep;
    move.acksMissing = acksMissing;
    this.#steps.set(move.step, move);
    return move.step;
  }

  #giveUpStep(move: Move): void {
    this.#steps.delete(move.step);
  }

  /** An old backup that is gone may answer reads until our last short lease to it has run out. */
  #mayCopy(old: Peer | null): boolean {
    if (old === null || old.isLive) return true;
    return !this.#state.isChanging && this.#state.grantEnds(old) <= this.#state.now;
  }

  #refOf(key: Key): Ref {
    const ref = this.#store.find(key.db, key.bytes, 0, key.bytes.length);
    return ref !== 0 && this.#store.role(ref) === Role.Primary ? ref : 0;
  }

  /**
   * The entry that moves; 0 when it is gone, be there one of the same key:
   *
   *     1. k moves from X to J. FLUSHALL drops it everywhere, and ends.
   *     2. k is made anew here, with X as its backup.
   *     3. J acks the COPY of the first k. DROP would make X drop the second one.
   */
  #entryOf(move: Move): Ref {
    const ref = this.#refOf(move.key);
    return ref !== 0 && (this.#store.flags(ref) & Flag.Moving) !== 0 ? ref : 0;
  }

  #keyOfRef(ref: Ref): Key {
    const start = this.#store.keyStart(ref);
    return keyOf(
      this.#store.db(ref),
      this.#store.keyBuffer(ref),
      start,
      start + this.#store.keyLength(ref),
    );
  }
}
