import { type Ref, Role, type Store } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Failover } from './failover.js';
import { entryBytes, type Headroom, roomAt } from './headroom.js';
import type { Moves } from './moves.js';
import { PACED_MOVES_MAX, Pace } from './pace.js';
import { NOBODY, type Peer } from './peer.js';
import type { DataHost } from './streams.js';

/** Entries that are looked at in one turn. */
const ENTRIES_PER_STEP = 2000;
/** Change-overs that the walk keeps open where it is not paced: bounds memory, and what waits behind them. */
const MOVES_MAX = 512;

/**
 * Brings every key to the two members that the view names for it (docs/data-plane.md, "Settled"): a walk over all entries
 * that promotes, restores, moves backups and, on a leaving member, gives primaries away. It goes round until a whole walk
 * has found nothing to do.
 */
export class Settling {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #moves: Moves;
  readonly #failover: Failover;
  readonly #headroom: Headroom;
  readonly #host: Pick<DataHost, 'wantFlushIn'>;
  readonly #pace = new Pace();
  /** Who had no room for the copy of a key that has one; evicted there is between the rounds. */
  readonly #fullAt = new Map<Peer, number>();
  #slot = SLOTS;
  /** Entries of this round that are not where they belong yet. */
  #unsettled = 0;
  /** Keys of this round with one live copy. */
  #single = 0;
  /** The same of the round before; what is told while a round is on its way. */
  #singleBefore = 0;
  #isSettled = false;
  /** A round in this view has met no key with one copy. Since then only open change-overs can have one. */
  #isRedundant = false;
  /** A round has left something that only time can mend: the next one begins with the next tick. */
  #isIdle = false;
  /** The walk has to go round once more. */
  #isOutdated = false;
  /** Promotions and restores first; moves for better places after them. */
  #isUrgent = true;

  constructor(
    state: ClusterState,
    moves: Moves,
    failover: Failover,
    headroom: Headroom,
    host: Pick<DataHost, 'wantFlushIn'>,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#moves = moves;
    this.#failover = failover;
    this.#headroom = headroom;
    this.#host = host;
  }

  /** A whole walk in this view has found nothing to do. What moves since has two copies all the time. */
  get isDone(): boolean {
    return this.#isSettled;
  }

  /** Done, and nothing is on its way to another place either. */
  get isSettled(): boolean {
    return this.#isSettled && this.#moves.open === 0;
  }

  /** Keys held here whose other copy is missing; at least 1 until a walk over all of them has met none in this view. */
  get keysWithoutBackup(): number {
    if (this.#state.isAlone) return this.#store.countOfRole(Role.Primary);
    if (this.#isRedundant) return this.#moves.single;
    return Math.max(1, this.#single, this.#singleBefore);
  }

  /** A new view: done is a state of one view. */
  installed(): void {
    this.#isSettled = false;
    this.#isRedundant = false;
    this.#singleBefore = 0;
    this.#isUrgent = true;
    this.#isIdle = false;
    this.#beginRound();
  }

  /** Something has come to where it does not belong since it was walked by: it goes round once more. */
  again(): void {
    this.#isOutdated = true;
    if (!this.#isSettled) return;
    this.#isSettled = false;
    this.#isIdle = false;
    this.#beginRound();
  }

  /** Goes on with the walk; true when there is more to do at once. */
  step(): boolean {
    if (this.#isSettled || this.#isIdle) return false;
    if (this.#state.isChanging || !this.#state.isServing) return false;
    if (this.#state.mergingSlots > 0 || this.#state.awaitsFloors) return false;
    const isPaced = this.#isPaced();
    const movesMax = isPaced ? PACED_MOVES_MAX : MOVES_MAX;
    let seen = 0;
    while (seen < ENTRIES_PER_STEP) {
      this.#slot = this.#store.slots.next(this.#slot);
      if (this.#slot === SLOTS) break;
      const { open } = this.#moves;
      if (open >= movesMax || this.#isBacklogFull()) return false;
      if (isPaced && this.#rests()) return false;
      seen += this.#store.countInSlot(this.#slot);
      this.#store.eachInSlot(this.#slot++, (ref) => this.#visit(ref));
      if (isPaced) this.#pace.spend(this.#moves.open - open, this.#state.now);
    }
    if (this.#slot < SLOTS) return true;
    if (this.#moves.open > 0) return false;
    return this.#endRound();
  }

  #endRound(): boolean {
    this.#singleBefore = this.#single;
    this.#isRedundant ||= this.#single === 0;
    const isDone = this.#unsettled === 0 && !this.#isUrgent && !this.#isOutdated;
    if (isDone) {
      this.#isSettled = true;
      this.#state.forgetEnded();
      return false;
    }
    // Nothing urgent is left: the next round also moves what is safe but in the wrong place.
    const wasIdle = this.#unsettled === 0;
    this.#isUrgent = this.#isUrgent && !wasIdle;
    this.#isIdle = !wasIdle;
    this.#beginRound();
    return wasIdle;
  }

  /** What is left waits for time: leases that run out, members that answer. The next round begins. */
  tick(): void {
    this.#isIdle = false;
    for (const [peer, bytes] of this.#fullAt) if (peer.isLive) this.#headroom.admits(peer, bytes);
    this.#fullAt.clear();
  }

  /** Whoever lacks a copy, or leaves, is not kept waiting. */
  #isPaced(): boolean {
    const { view } = this.#state;
    return !this.#isUrgent && view !== null && !view.members.some(({ leaving }) => leaving);
  }

  #rests(): boolean {
    const restMs = this.#pace.restMs(this.#state.now);
    if (restMs > 0) this.#host.wantFlushIn(restMs);
    return restMs > 0;
  }

  #isBacklogFull(): boolean {
    return this.#state.livePeers().some((peer) => peer.stream.isFull);
  }

  #beginRound(): void {
    this.#slot = 0;
    this.#isOutdated = false;
    this.#unsettled = 0;
    this.#single = 0;
  }

  /** True when the entry is to be removed. */
  #visit(ref: Ref): boolean {
    switch (this.#store.role(ref)) {
      case Role.Primary:
        this.#visitPrimary(ref);
        return false;
      case Role.Backup:
        this.#visitBackup(ref);
        return false;
      case Role.Record:
        return this.#visitRecord(ref);
      default:
        this.#visitTombstone(ref);
        return false;
    }
  }

  #visitPrimary(ref: Ref): void {
    const store = this.#store;
    const state = this.#state;
    if ((store.flags(ref) & Flag.Busy) !== 0) return;
    const backup = state.livePeer(store.peer(ref));
    const isAhead = (store.flags(ref) & Flag.Ahead) !== 0;
    const isSingle = (backup === null || isAhead) && !state.isAlone;
    if (isSingle) this.#single++;
    if ((store.flags(ref) & Flag.Held) !== 0) {
      if (isSingle) this.#unsettled++;
      // Alone: no entry may go on naming who is gone, as that one's number is used again.
      else if (backup === null) store.setPeer(ref, NOBODY);
      return;
    }
    if ((store.flags(ref) & Flag.Moving) !== 0) {
      this.#unsettled++;
      return;
    }
    const ranked = state.rankedBackup(store.slot(ref));
    if (isAhead) {
      this.#unsettled++;
      this.#moves.start(ref, ranked);
      return;
    }
    if (ranked === null) {
      if (backup === null) store.setPeer(ref, NOBODY);
      return;
    }
    if ((this.#isUrgent || state.isEnding) && backup !== null) return;
    if (backup !== ranked && !this.#hasRoom(ref, backup, ranked)) {
      // With two copies it is as well where it is; with one, any member is better than none.
      if (backup !== null) return;
      this.#unsettled++;
      const other = this.#withRoomFor(ref);
      if (other !== undefined) this.#moves.start(ref, other);
    } else if (backup !== ranked) {
      this.#unsettled++;
      this.#moves.start(ref, ranked, state.isLeaving ? ranked : null);
    } else if (state.isLeaving && !ranked.member.leaving) {
      this.#unsettled++;
      if ((store.flags(ref) & Flag.Sending) === 0) this.#moves.swap(ref, ranked);
    }
  }

  /** Who leaves is not kept by those who stay being full. */
  #hasRoom(ref: Ref, backup: Peer | null, ranked: Peer): boolean {
    const isUrged = this.#state.isLeaving || (backup?.member.leaving ?? false);
    const bytes = entryBytes(this.#store, ref);
    if (isUrged || roomAt(ranked) >= bytes) return true;
    if (backup === null) this.#fullAt.set(ranked, bytes);
    return false;
  }

  #withRoomFor(ref: Ref): Peer | undefined {
    const bytes = entryBytes(this.#store, ref);
    return this.#state.livePeers().find((peer) => !peer.member.leaving && roomAt(peer) >= bytes);
  }

  #visitBackup(ref: Ref): void {
    const store = this.#store;
    if (this.#state.livePeer(store.peer(ref)) !== null) return;
    this.#unsettled++;
    this.#single++;
    if ((store.flags(ref) & Flag.Full) !== 0) this.#failover.promote(ref);
    else this.#failover.adoptOrphan(ref);
  }

  /** The number of a peer that is gone is used again: no tombstone may go on naming it. */
  #visitTombstone(ref: Ref): void {
    const store = this.#store;
    const index = store.peer(ref);
    if ((store.flags(ref) & Flag.Busy) !== 0) this.#unsettled++;
    else if (index === NOBODY || this.#state.livePeer(index) !== null) return;
    else if (this.#state.isUnackedDelete(ref)) this.#unsettled++;
    else {
      store.setPeer(ref, NOBODY);
      store.setChangeOffset(ref, 0);
    }
  }

  #visitRecord(ref: Ref): boolean {
    const store = this.#store;
    const state = this.#state;
    if (!state.keepsRecordOf(store.slot(ref))) return true;
    if (state.livePeer(store.peer(ref)) !== null) return false;
    const isCertain = state.now >= state.certainFrom;
    if (isCertain && !state.isAnchor(store.slot(ref))) return true;
    this.#unsettled++;
    if (isCertain) this.#failover.resolveRecord(this.#failover.keyOf(ref));
    return false;
  }
}
