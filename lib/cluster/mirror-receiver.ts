import { copyBytes } from '../protocol/bytes.js';
import { keySlot } from '../protocol/crc16.js';
import { isSound } from '../store/collections/soundness.js';
import { isLargePayload } from '../store/size-classes.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { AtomicReceiver } from './atomic-receiver.js';
import type { ClusterState } from './cluster-state.js';
import { applyEdits, baseOf, editedCopy, fitsValue, lengthAfter } from './edit-log.js';
import { Flag } from './entry-flags.js';
import { FrameType, KeyFrame } from './frames.js';
import type { FramesAhead } from './frames-ahead.js';
import { type Key, keyOf } from './key.js';
import { NOBODY, type Peer } from './peer.js';

/** What a received frame may set off elsewhere. */
export interface MirrorListener {
  /** SWAP: this node is the primary now. */
  becamePrimary(ref: Ref): void;
  /** Another primary's copy replaces a provisional entry of ours, or a copy that we believed to be primary of. */
  primaryLost(key: Key, wasBusy: boolean, to: Peer): void;
  /** An EDIT came that does not build on what is here: the keys of the slot are to be sent anew. */
  differs(primary: Peer, slot: number): void;
}

const GRANTS = Flag.Full | Flag.Reads;

/**
 * The backup's side of mirroring: applies what primaries send about their keys. What is older than the own copy is passed
 * over; it is acked all the same.
 */
export class MirrorReceiver {
  readonly atomic: AtomicReceiver;
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #ahead: FramesAhead;
  readonly #listener: MirrorListener;
  readonly #frame = new KeyFrame();

  constructor(state: ClusterState, ahead: FramesAhead, listener: MirrorListener) {
    this.#ahead = ahead;
    this.#state = state;
    this.#store = state.store;
    this.#listener = listener;
    this.atomic = new AtomicReceiver(state.config.stepKeys, (peer, type, frame) => {
      // The other keys of the frame are changed with it, or were already.
      if (!this.#apply(peer, type, frame)) this.#doubt(peer, frame);
    });
  }

  /** False for a malformed frame. */
  receive(peer: Peer, type: number, buffer: Buffer, start: number, end: number): boolean {
    if (type === FrameType.Atomic) return this.atomic.receive(peer, buffer, start, end);
    if (!this.#frame.read(buffer, start, end)) return false;
    const isWhole = type === FrameType.Set || type === FrameType.Copy;
    if (isWhole && !this.#frame.hasSoundValue()) return false;
    return this.#apply(peer, type, this.#frame);
  }

  /** Stores a granted claim: a full copy without the right to answer reads. */
  adopt(peer: Peer, frame: KeyFrame): void {
    this.#put(peer, frame, this.#find(frame), Flag.Full);
  }

  /** False for an EDIT that would leave what is no value of its type. */
  #apply(peer: Peer, type: number, frame: KeyFrame): boolean {
    this.#state.clock.observe(frame.version);
    const ref = this.#find(frame);
    if (frame.version < (this.#state.floors[frame.db] ?? 0)) return true;
    // A COPY comes from who is primary now: it also replaces what a lost primary, ahead in its clock, has left here. But it
    // may be overtaken by one who has made the key anew:
    //     1. P sends COPY to J, and DELETE to X.
    //     2. X has the delete, makes the key anew with J as its backup, and sends SET to J. Here it is first.
    if (type === FrameType.Copy) {
      if (ref !== 0 && this.#isOvertaken(peer, frame, ref)) return true;
      this.#put(peer, frame, ref, frame.flags & GRANTS);
      return true;
    }
    // A provisional entry was seen by nobody: it gives way to the primary of the key, whatever its version.
    if (type === FrameType.Set && ref !== 0 && this.#isProvisional(ref)) {
      this.#put(peer, frame, ref, frame.flags & GRANTS);
      return true;
    }
    if (ref !== 0 && this.#store.version(ref) > frame.version) return true;
    switch (type) {
      case FrameType.Set:
        // A copy in the making says nothing against one who has made the key anew: see COPY; here P's COPY was first.
        if (ref === 0 || this.#isFrom(peer, ref) || !this.#isFull(ref)) {
          this.#put(peer, frame, ref, frame.flags & GRANTS);
        }
        return true;
      case FrameType.Edit:
        return this.#edit(peer, frame, ref);
      case FrameType.Expire:
        if (ref === 0 || !this.#isFrom(peer, ref)) return true;
        this.#store.setExpireAt(ref, frame.expireAt);
        this.#store.setVersion(ref, frame.version);
        return true;
      case FrameType.TakeBack:
        this.#takeBack(peer, frame, ref);
        return true;
      case FrameType.Delete:
      case FrameType.Forget:
        if (ref === 0 || this.#store.role(ref) !== Role.Primary) this.#bury(frame, ref);
        return true;
      default:
        if (ref !== 0 && this.#isFrom(peer, ref)) this.#change(peer, type, frame, ref);
        return true;
    }
  }

  /** Only what the claim has made here: one that was cancelled on its way, or was not granted, has made nothing. */
  #takeBack(peer: Peer, frame: KeyFrame, ref: Ref): void {
    if (ref === 0 || this.#store.version(ref) !== frame.version) return;
    if (this.#store.role(ref) === Role.Backup && this.#isFrom(peer, ref)) this.#bury(frame, ref);
  }

  /**
   * An edit builds on the version before it, which came in the same stream: SET, COPY, CLAIM or ATOMIC with the whole value
   * is always first. Should it be missing all the same the protocol has a fault. Then this copy neither answers nor
   * promotes itself until the keys of its slot have been sent anew.
   */
  #edit(peer: Peer, frame: KeyFrame, found: Ref): boolean {
    const store = this.#store;
    const { buffer, valueStart, valueEnd } = frame;
    const isCopy = found !== 0 && store.role(found) === Role.Backup && this.#isFrom(peer, found);
    const isNext = isCopy && store.version(found) === baseOf(buffer, valueStart, valueEnd);
    if (!isNext || !fitsValue(buffer, valueStart, valueEnd, store.valueLength(found))) {
      this.#doubt(peer, frame);
      return true;
    }
    const ref = this.#spliced(frame, found);
    if (ref === 0) return false;
    store.setEncodingFlags(ref, frame.encoding);
    store.setExpireAt(ref, frame.expireAt);
    store.setVersion(ref, frame.version);
    store.setUsedAt(ref, Math.floor(this.#state.clock.wall / 1000));
    return true;
  }

  #doubt(peer: Peer, frame: KeyFrame): void {
    const store = this.#store;
    const { buffer, keyStart, keyEnd } = frame;
    const ref = this.#find(frame);
    const isCopy = ref !== 0 && store.role(ref) === Role.Backup && this.#isFrom(peer, ref);
    if (isCopy) store.setFlags(ref, store.flags(ref) & ~GRANTS);
    this.#listener.differs(peer, keySlot(buffer, keyStart, keyEnd));
  }

  /**
   * The entry after the splices; 0 when its value would not be sound, and is as it was then. One that is large is looked at when it is
   * first used: to check it here would cost far more than the change.
   */
  #spliced(frame: KeyFrame, found: Ref): Ref {
    const store = this.#store;
    const { buffer, valueStart, valueEnd } = frame;
    const length = lengthAfter(buffer, valueStart);
    const type = store.type(found);
    if (type === ValueType.String || isLargePayload(store.keyLength(found) + length)) {
      store.attach(found, null);
      return applyEdits(store, found, buffer, valueStart, valueEnd);
    }
    const from = store.valueStart(found);
    const to = from + store.valueLength(found);
    const edited = editedCopy(store.valueBuffer(found), from, to, buffer, valueStart, valueEnd);
    if (!isSound(type, frame.encoding, edited, 0, length)) return 0;
    const ref = store.valueLength(found) === length ? found : store.resize(found, length);
    copyBytes(edited, 0, length, store.valueBuffer(ref), store.valueStart(ref));
    return ref;
  }

  /** Frames that change what this copy may do. */
  #change(peer: Peer, type: number, frame: KeyFrame, ref: Ref): void {
    const store = this.#store;
    if (store.role(ref) !== Role.Backup) return;
    switch (type) {
      case FrameType.Revoke:
        store.setFlags(ref, store.flags(ref) & ~Flag.Reads);
        forgetUnconfirmed(peer, frame);
        return;
      case FrameType.Grant:
        store.setFlags(ref, store.flags(ref) | (frame.flags & GRANTS));
        return;
      case FrameType.Drop:
        forgetUnconfirmed(peer, frame);
        if (this.#state.keepsRecordOf(store.slot(ref))) this.#keepRecord(peer, frame, ref);
        else store.remove(ref);
        return;
      case FrameType.Swap:
        // A late CONFIRM would let the copy that this becomes when it is swapped back answer reads:
        //     1. X claims k, whose anchor is here, and gives it away to us before it confirms the claim.
        //     2. We change k, and give it back: X has not read that change when its CONFIRM comes.
        forgetUnconfirmed(peer, frame);
        store.setRole(ref, Role.Primary);
        store.setFlags(ref, 0);
        store.setChangeOffset(ref, 0);
        this.#listener.becamePrimary(ref);
        return;
    }
  }

  #put(peer: Peer, frame: KeyFrame, found: Ref, flags: number): void {
    const store = this.#store;
    let ref = found;
    const wasPrimary = ref !== 0 && store.role(ref) === Role.Primary;
    const wasBusy = wasPrimary && this.#isProvisional(ref);
    const length = frame.valueEnd - frame.valueStart;
    const deletedAt = this.#deletedAt(ref);
    const kept = frame.valueToKeep();
    if (ref === 0) {
      const { db, buffer, keyStart, keyEnd } = frame;
      ref = store.create(db, buffer, keyStart, keyEnd, frame.type, kept === null ? length : 0);
    } else if (kept === null) ref = store.resize(ref, length);
    if (kept !== null) ref = store.keep(ref, kept);
    if (store.role(ref) !== Role.Backup) store.setRole(ref, Role.Backup);
    if (store.type(ref) !== frame.type) store.setType(ref, frame.type);
    store.attach(ref, null);
    if (kept === null) copyValue(frame, store, ref);
    store.setEncodingFlags(ref, frame.encoding);
    const isReserved = frame.type === ValueType.None;
    store.setExpireAt(ref, isReserved ? Math.max(deletedAt, frame.expireAt) : frame.expireAt);
    store.setVersion(ref, frame.version);
    store.setPeer(ref, peer.index);
    store.setFlags(ref, flags);
    store.setChangeOffset(ref, 0);
    store.setUsedAt(ref, Math.floor(this.#state.clock.wall / 1000));
    if (!wasPrimary) return;
    const key = keyOf(frame.db, frame.buffer, frame.keyStart, frame.keyEnd);
    this.#listener.primaryLost(key, wasBusy, peer);
  }

  #isProvisional(ref: Ref): boolean {
    return this.#store.role(ref) === Role.Primary && (this.#store.flags(ref) & Flag.Busy) !== 0;
  }

  #bury(frame: KeyFrame, found: Ref): void {
    const store = this.#store;
    const { db, buffer, keyStart, keyEnd } = frame;
    const deletedAt = Math.max(this.#deletedAt(found), frame.expireAt);
    if (frame.type !== ValueType.None) {
      this.#state.absences.count(db, store.hashOf(buffer, keyStart, keyEnd));
    }
    const ref =
      found === 0
        ? store.create(db, buffer, keyStart, keyEnd, ValueType.None, 0)
        : store.resize(found, 0);
    store.setRole(ref, Role.Tombstone);
    store.setExpireAt(ref, deletedAt);
    store.setFlags(ref, 0);
    store.setPeer(ref, NOBODY);
    store.setChangeOffset(ref, 0);
    store.setVersion(ref, frame.version);
  }

  #keepRecord(peer: Peer, frame: KeyFrame, found: Ref): void {
    const store = this.#store;
    const ref = store.resize(found, 0);
    store.setExpireAt(ref, 0);
    store.setRole(ref, Role.Record);
    store.setFlags(ref, 0);
    store.setPeer(ref, peer.index);
    store.setVersion(ref, frame.version);
    store.setChangeOffset(ref, frame.version);
  }

  /** Version of the delete that an entry without a value tells of; 0 for any other entry. */
  #deletedAt(ref: Ref): number {
    if (ref === 0) return 0;
    const store = this.#store;
    const isReserved = store.role(ref) < Role.Record && store.type(ref) === ValueType.None;
    return isReserved || store.role(ref) === Role.Tombstone ? store.expireAt(ref) : 0;
  }

  #find(frame: KeyFrame): Ref {
    return this.#ahead.find(frame);
  }

  /**
   * A COPY that comes late: the key was deleted since, and made anew by another primary, or by this node itself.
   *
   *     1. P sends COPY to J, and DELETE to its backup X, which acks.
   *     2. J, which has read neither COPY nor FORGET yet, makes the key anew; X is the anchor, and grants it.
   *     3. J reads the COPY.
   */
  #isOvertaken(peer: Peer, frame: KeyFrame, ref: Ref): boolean {
    const role = this.#store.role(ref);
    const isOfAnother = role === Role.Backup && !this.#isFrom(peer, ref);
    const isOwn = role === Role.Primary && !this.#isProvisional(ref);
    return (isOfAnother || isOwn) && this.#store.version(ref) > frame.version;
  }

  /** A copy that may promote itself; not one that is in the making. */
  #isFull(ref: Ref): boolean {
    return this.#store.role(ref) !== Role.Backup || (this.#store.flags(ref) & Flag.Full) !== 0;
  }

  /** A change counts from the primary of this copy, or where that one is gone; a tombstone or record has no say. */
  #isFrom(peer: Peer, ref: Ref): boolean {
    const role = this.#store.role(ref);
    if (role === Role.Primary) return false;
    if (role !== Role.Backup) return true;
    const primary = this.#store.peer(ref);
    return primary === peer.index || this.#state.livePeer(primary) === null;
  }
}

function copyValue({ buffer, valueStart, valueEnd }: KeyFrame, store: Store, ref: Ref): void {
  copyBytes(buffer, valueStart, valueEnd, store.valueBuffer(ref), store.valueStart(ref));
}

/** A claim whose reads were revoked before it was confirmed gets none by the confirmation. */
function forgetUnconfirmed(peer: Peer, frame: KeyFrame): void {
  const { unconfirmed } = peer;
  for (let i = 0; i < unconfirmed.length; i++) {
    const { db, key } = unconfirmed[i]!;
    if (db !== frame.db || key.length !== frame.keyEnd - frame.keyStart) continue;
    if (key.compare(frame.buffer, frame.keyStart, frame.keyEnd) === 0) unconfirmed.splice(i--, 1);
  }
}
