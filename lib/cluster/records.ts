import { f64At, u16At } from '../protocol/bytes.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Forgets } from './forgets.js';
import { appendKeyFrame, FrameType, KeyFrame } from './frames.js';
import { type Key, keyOf } from './key.js';
import type { Install } from './member.js';
import { NOBODY, type Peer } from './peer.js';
import type { Streams } from './streams.js';

const NO_MEMBER = 0xffff;
/** A database and its floor in REPORTED. */
const FLOOR_BYTES = 9;

/** A floor of a flushed database: what is older there is gone. */
export interface Floor {
  readonly db: number;
  readonly floor: number;
}

/** Where floors are kept: a flush that its asker could not finish is finished by the reports. */
export interface FloorKeeper {
  apply(floors: readonly Floor[]): void;
}

/** Keys that this node has created, and no anchor has granted yet. */
export interface ProvisionalKeys {
  holdRecord(key: Key, peer: Peer, bytes: Buffer): void;
}

/** Entries that are looked at in one turn. */
const ENTRIES_PER_STEP = 500;

/**
 * What anchors know. After a view change every member reports the copies it holds in slots with a new anchor; an anchor
 * knows its new slots when all have reported ("known", docs/data-plane.md).
 */
export class Records {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #forgets: Forgets;
  readonly #floors: FloorKeeper;
  readonly #frame = new KeyFrame();
  readonly #scratch = Buffer.alloc(2);
  /** Anchor of each slot in the view before, as a peer number. */
  readonly #anchorsBefore = new Uint16Array(SLOTS);
  /** Slots whose entries are to be reported in this view. */
  readonly #toReport = new Uint8Array(SLOTS);
  /** Next slot of the walk; SLOTS when it is done. */
  #walk = SLOTS;
  readonly #missing = new Set<Peer>();
  #hasReported = false;
  /** The slots of this view have been marked as known. */
  #isTaken = false;
  #isFirst = true;
  /** Sides meet: holders are asked by the anchors, slot by slot, and say only that they stand still. */
  #isMerge = false;
  /** Keeps what is told of keys that this node has created provisionally. */
  provisional!: ProvisionalKeys;
  /** Members that are yet to be given the list of all locations, where everybody keeps it. */
  #newcomers: readonly Peer[] = [];

  constructor(state: ClusterState, streams: Streams, forgets: Forgets, floors: FloorKeeper) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
    this.#forgets = forgets;
    this.#floors = floors;
  }

  /** Every slot that this node anchors is known. */
  get isKnown(): boolean {
    if (this.#missing.size > 0 || this.#walk < SLOTS || this.#state.mergingSlots > 0) return false;
    return this.#state.now >= this.#state.certainFrom;
  }

  get allReported(): boolean {
    return this.#missing.size === 0;
  }

  /** A view was installed; the anchors of the state are those of the new view already. */
  installed(install: Install, added: readonly Peer[]): void {
    const { anchors, known } = this.#state;
    const afresh = this.#isFirst || install.merge;
    for (let slot = 0; slot < SLOTS; slot++) {
      const isSame = !afresh && anchors[slot] === this.#anchorsBefore[slot];
      if (anchors[slot] !== NOBODY || !isSame) known[slot] = 0;
      this.#toReport[slot] = isSame && !install.full ? 0 : 1;
    }
    this.#anchorsBefore.set(anchors);
    this.#isFirst = false;
    this.#missing.clear();
    for (const peer of this.#state.livePeers()) this.#missing.add(peer);
    this.#isMerge = install.merge;
    this.#walk = install.merge ? SLOTS : 0;
    this.#hasReported = false;
    this.#isTaken = false;
    this.#newcomers = this.#state.config.locationList === 'all' ? added : [];
    this.#state.certainFrom = install.certainFrom;
  }

  /** Forgets all views: this incarnation was left out. */
  clear(): void {
    this.#isFirst = true;
    this.#walk = SLOTS;
    this.#missing.clear();
  }

  /** Sides have met, and this node stands still. */
  reportMerge(): void {
    this.#isMerge = false;
    this.#reportDone();
  }

  /** All slots are resolved: where everybody keeps a list, the winners are told to everybody. */
  merged(): void {
    if (this.#state.config.locationList !== 'all') return;
    this.#newcomers = this.#state.livePeers();
    this.#toReport.fill(0);
    this.#walk = 0;
  }

  /** Goes on reporting; true while there is more. */
  step(): boolean {
    let seen = 0;
    while (seen < ENTRIES_PER_STEP) {
      this.#walk = this.#store.slots.next(this.#walk);
      if (this.#walk === SLOTS) break;
      const slot = this.#walk++;
      const anchor = this.#state.livePeer(this.#state.anchors[slot]!);
      const isReported = anchor !== null && this.#toReport[slot] === 1;
      if (!isReported && this.#newcomers.length === 0) continue;
      seen += this.#store.countInSlot(slot);
      this.#store.eachInSlot(slot, (ref) => {
        if (!this.#isReported(ref)) return false;
        if (isReported) this.append(anchor, ref);
        if (this.#store.role(ref) !== Role.Primary) return false;
        for (const peer of this.#newcomers) if (peer.isLive) this.append(peer, ref);
        return false;
      });
    }
    if (this.#walk < SLOTS) return true;
    if (!this.#hasReported && !this.#isMerge) this.#reportDone();
    this.takeKnown();
    return false;
  }

  #reportDone(): void {
    this.#hasReported = true;
    const flushed: Floor[] = [];
    this.#state.floors.forEach((floor, db) => {
      if (floor > 0) flushed.push({ db, floor });
    });
    for (const peer of this.#state.livePeers()) {
      const { log } = peer.stream;
      log.begin(FrameType.Reported, 8 + flushed.length * FLOOR_BYTES);
      log.f64(this.#state.view!.id.number);
      for (const { db, floor } of flushed) {
        log.u8(db);
        log.f64(floor);
      }
      this.#state.statistics.framesSent[FrameType.Reported]!++;
      this.#streams.appended(peer);
    }
  }

  /** REPORTED: number of the view f64, then for each database that was flushed its number u8 and its floor f64. */
  receiveReported(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < 8 || (end - start - 8) % FLOOR_BYTES !== 0) return false;
    const floors: Floor[] = [];
    for (let at = start + 8; at < end; at += FLOOR_BYTES) {
      floors.push({ db: buffer[at]!, floor: f64At(buffer, at + 1) });
    }
    this.#floors.apply(floors);
    if (f64At(buffer, start) === this.#state.view?.id.number) this.#missing.delete(peer);
    this.takeKnown();
    return true;
  }

  /** Once all have reported, and nobody left out can hold a long lease any more, "none" is certain. */
  takeKnown(): void {
    if (this.#isTaken || !this.isKnown) return;
    this.#isTaken = true;
    const { anchors, known } = this.#state;
    for (let slot = 0; slot < SLOTS; slot++) if (anchors[slot] === NOBODY) known[slot] = 1;
  }

  /** Tells those who keep records that this node is the primary of a key now. */
  announce(ref: Ref): void {
    const backup = this.#store.peer(ref);
    const anchor = this.#state.livePeer(this.#state.anchors[this.#store.slot(ref)]!);
    if (this.#state.config.locationList === 'all') {
      for (const peer of this.#state.livePeers()) if (peer.index !== backup) this.append(peer, ref);
    } else if (anchor !== null && anchor.index !== backup) this.append(anchor, ref);
  }

  /** RECORD is a key frame: flags are the role, the value is the primary's member number (u16); expiry: see #stampOf. */
  receiveRecord(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const frame = this.#frame;
    if (!frame.read(buffer, start, end) || frame.valueEnd - frame.valueStart !== 2) return false;
    this.#state.clock.observe(frame.version);
    // Its sender has not heard of the flush yet, and serves nobody from that copy before it has.
    if (frame.version < (this.#state.floors[frame.db] ?? 0)) return true;
    const store = this.#store;
    let ref = store.find(frame.db, buffer, frame.keyStart, frame.keyEnd);
    const isOwn = ref !== 0 && store.role(ref) === Role.Primary;
    if (isOwn && (store.flags(ref) & Flag.Busy) !== 0) {
      const key = keyOf(frame.db, buffer, frame.keyStart, frame.keyEnd);
      this.provisional.holdRecord(key, peer, Buffer.from(buffer.subarray(start, end)));
      return true;
    }
    if (ref !== 0 && store.version(ref) > frame.version) return true;
    if (ref !== 0 && store.role(ref) < Role.Record) return true;
    // Of one version: the delete was not decided yet when the record was written, and is by now.
    const isDecided = ref !== 0 && store.role(ref) === Role.Tombstone;
    if (isDecided && store.version(ref) === frame.version) return true;
    if (ref !== 0 && store.role(ref) === Role.Record && this.#isOlder(frame, ref)) return true;
    if (!this.#state.keepsRecordOf(this.#slotOf(frame, ref))) return true;
    if (ref === 0) {
      ref = store.create(frame.db, buffer, frame.keyStart, frame.keyEnd, ValueType.None, 0);
    }
    const isTombstone = frame.flags === Role.Tombstone;
    store.setRole(ref, isTombstone ? Role.Tombstone : Role.Record);
    store.setFlags(ref, 0);
    store.setVersion(ref, frame.version);
    store.setExpireAt(ref, isTombstone ? frame.expireAt : 0);
    store.setChangeOffset(ref, isTombstone ? 0 : frame.expireAt);
    const primary = this.#state.memberId(u16At(buffer, frame.valueStart));
    const named = primary === undefined ? peer : (this.#state.peerById(primary) ?? peer);
    store.setPeer(ref, isTombstone ? NOBODY : named.index);
    return true;
  }

  /** Of one version, what a later primary has said counts; unless that one is gone. */
  #isOlder(frame: KeyFrame, ref: Ref): boolean {
    const store = this.#store;
    if (store.version(ref) < frame.version || store.changeOffset(ref) <= frame.expireAt)
      return false;
    return this.#state.livePeer(store.peer(ref)) !== null;
  }

  #slotOf(frame: KeyFrame, ref: Ref): number {
    return ref !== 0
      ? this.#store.slot(ref)
      : this.#state.slotOf(frame.buffer, frame.keyStart, frame.keyEnd);
  }

  /** Provisional entries are nobody's business, records of others are reported by their holders. */
  #isReported(ref: Ref): boolean {
    const role = this.#store.role(ref);
    if (role === Role.Record) return false;
    return role !== Role.Primary || (this.#store.flags(ref) & Flag.Busy) === 0;
  }

  /** Sends a record of the entry; returns the end of the frame. */
  append(to: Peer, ref: Ref): number {
    const store = this.#store;
    const start = store.keyStart(ref);
    const member = this.#primaryMember(ref);
    // A delete that its backup has not acked may yet be undone by that backup: until then the key counts as there.
    const isUndecided = this.#state.isUnackedDelete(ref);
    if (isUndecided) this.#forgets.add(ref);
    this.#scratch[0] = member & 255;
    this.#scratch[1] = member >> 8;
    appendKeyFrame(
      to.stream.log,
      FrameType.Record,
      isUndecided ? Role.Primary : store.role(ref),
      store.db(ref),
      store.keyBuffer(ref),
      start,
      start + store.keyLength(ref),
      store.version(ref),
      this.#stampOf(ref, isUndecided),
      this.#scratch,
      0,
      2,
    );
    this.#state.statistics.framesSent[FrameType.Record]!++;
    this.#streams.appended(to);
    return to.stream.log.endOffset;
  }

  /**
   * In the place of the expiry: of a tombstone the version of its delete; else when it was so, by the clock of the
   * primary. Each primary's clock is above what the one before it has said.
   */
  #stampOf(ref: Ref, isUndecided: boolean): number {
    const role = this.#store.role(ref);
    if (isUndecided || role === Role.Primary) return this.#state.clock.last;
    return role === Role.Tombstone ? this.#store.expireAt(ref) : this.#store.version(ref);
  }

  /** The reporter itself where the primary is gone: it will promote itself. */
  #primaryMember(ref: Ref): number {
    const store = this.#store;
    const isOwn = store.role(ref) !== Role.Backup;
    const primary = isOwn ? null : this.#state.livePeer(store.peer(ref));
    const member = this.#state.memberIndexOf(primary?.id ?? this.#state.self.id);
    return member < 0 ? NO_MEMBER : member;
  }
}
