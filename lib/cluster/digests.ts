import { f64At, u16At, u32At } from '../protocol/bytes.js';
import { type Ref, Role, type Store } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType, KeyFrame } from './frames.js';
import type { MembershipHost } from './membership/contract.js';
import type { MirrorSender } from './mirror-sender.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Slots compared per round and peer, and entries that bound it: all slots take some minutes. */
const SLOTS_PER_ROUND = 32;
const ENTRIES_PER_ROUND = 8000;
/** A round in each tick would be most of what a cluster at rest sends: each is a write, a read and an ack for each pair. */
const TICKS_PER_ROUND = 4;
/** Slot u16, entries u32, sum f64. */
const DIGEST_BYTES = 14;
/** First slot u16, a bit for each slot of a round u32. */
const EMPTY_BYTES = 6;
const ALL_RIGHTS = Flag.Full | Flag.Reads;
const SUM_MODULUS = 2 ** 50;
const PRIMARY_IN_CHANGE = Flag.Busy | Flag.Moving | Flag.Held | Flag.Sending;

/** Entries of a slot, and a sum over their versions. */
interface Digest {
  readonly count: number;
  readonly sum: number;
}

const NOTHING: Digest = { count: 0, sum: 0 };

/** A repair that is being received: keys of the slot that were not named yet. */
interface Repair {
  readonly slot: number;
  readonly unnamed: Set<string>;
}

/**
 * Paced comparison of both copies, slot by slot, in the keys' own stream: when a digest is read everything before it has
 * been applied, so the two must be equal. Where they are not, the primary names its keys of the slot and sends them again;
 * what it does not name is dropped. What it names the backup keeps, with all rights, until the copy has come whole: also
 * of a value that goes in parts, and so comes after the end of the repair. A repair means a fault in the protocol: it is
 * counted and logged.
 */
export class Digests {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #mirror: MirrorSender;
  readonly #host: Pick<MembershipHost, 'log'>;
  readonly #repairs = new Map<Peer, Repair>();
  readonly #frame = new KeyFrame();
  #slot = 0;
  #ticks = 0;

  constructor(
    state: ClusterState,
    streams: Streams,
    mirror: MirrorSender,
    host: Pick<MembershipHost, 'log'>,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
    this.#mirror = mirror;
    this.#host = host;
  }

  /** Sends the digests of the next slots; only where all is settled. */
  tick(): void {
    this.#ticks = (this.#ticks + 1) % TICKS_PER_ROUND;
    if (this.#ticks !== 0) return;
    const first = this.#slot;
    let slots = 0;
    for (let seen = 0; slots < SLOTS_PER_ROUND && seen < ENTRIES_PER_ROUND; slots++) {
      seen += this.#store.countInSlot(this.#slot);
      this.#slot = (this.#slot + 1) % SLOTS;
    }
    for (const peer of this.#state.livePeers()) this.#sendRound(peer, first, slots);
  }

  /**
   * DIGEST: slot, count and sum over the sender's primaries whose backup is the receiver. Or, of the slots where it has
   * none: the first one of the round, and a bit for each.
   */
  receiveDigest(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start === EMPTY_BYTES) return this.#receiveEmpty(peer, buffer, start);
    if (end - start !== DIGEST_BYTES) return false;
    const slot = u16At(buffer, start);
    if (slot >= SLOTS) return false;
    const { count, sum } = this.#digest(slot, (ref) => this.#isBackupOf(peer, ref));
    if (count === u32At(buffer, start + 2) && sum === f64At(buffer, start + 6)) return true;
    this.differs(peer, slot);
    return true;
  }

  /** What is here of the peer's keys of this slot is not what it should be. */
  differs(peer: Peer, slot: number): void {
    this.#host.log('warn', 'copies differ and are sent again', { slot, primary: peer.id });
    this.#state.statistics.slotsRepaired++;
    this.#appendSlot(peer, FrameType.Differs, slot);
  }

  /**
   * DIFFERS: the backup's copies of this slot are to be sent again. A key in change gets none, as that could overtake what
   * is on its way, or come after a DROP; it is compared again when that is over.
   */
  receiveDiffers(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start !== 2) return false;
    const slot = u16At(buffer, start);
    if (slot >= SLOTS) return false;
    if (this.#state.merging[slot] === 1) return true;
    this.#appendSlot(peer, FrameType.RepairBegin, slot);
    this.#store.eachInSlot(slot, (ref) => {
      if (!this.#isPrimaryFor(peer, ref)) return false;
      this.#mirror.appendName(peer, ref);
      if (!this.#isInChange(ref)) this.#mirror.appendCopy(peer, ref, ALL_RIGHTS);
      return false;
    });
    this.#appendSlot(peer, FrameType.RepairEnd, slot);
    return true;
  }

  receiveRepairBegin(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start !== 2) return false;
    const slot = u16At(buffer, start);
    if (slot >= SLOTS) return false;
    const unnamed = new Set<string>();
    this.#store.eachInSlot(slot, (ref) => {
      if (this.#isBackupOf(peer, ref)) unnamed.add(this.#idOf(ref));
      return false;
    });
    this.#repairs.set(peer, { slot, unnamed });
    return true;
  }

  /** NAMED is a key frame without a value: the primary has this key, and may send it later. */
  receiveNamed(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const frame = this.#frame;
    const repair = this.#repairs.get(peer);
    if (repair === undefined || !frame.read(buffer, start, end)) return false;
    repair.unnamed.delete(`${frame.db}:${buffer.latin1Slice(frame.keyStart, frame.keyEnd)}`);
    return true;
  }

  receiveRepairEnd(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const repair = this.#repairs.get(peer);
    if (end - start !== 2 || repair === undefined || repair.slot !== u16At(buffer, start)) {
      return false;
    }
    this.#repairs.delete(peer);
    this.#store.eachInSlot(
      repair.slot,
      (ref) => this.#isBackupOf(peer, ref) && repair.unnamed.has(this.#idOf(ref)),
    );
    return true;
  }

  peerLost(peer: Peer): void {
    this.#repairs.delete(peer);
  }

  #receiveEmpty(peer: Peer, buffer: Buffer, start: number): boolean {
    const first = u16At(buffer, start);
    const bits = u32At(buffer, start + 2);
    if (first >= SLOTS) return false;
    for (let i = 0; i < SLOTS_PER_ROUND; i++) {
      const slot = (first + i) % SLOTS;
      if (((bits >>> i) & 1) === 0) continue;
      const { count } = this.#digest(slot, (ref) => this.#isBackupOf(peer, ref));
      if (count > 0) this.differs(peer, slot);
    }
    return true;
  }

  /**
   * Few pairs of members share keys of a slot: its anchor is the backup of all others, and one more of the anchor. What
   * the rest has to say of the slot is one bit, so what is sent grows with the members and hardly with their square.
   */
  #sendRound(peer: Peer, first: number, slots: number): void {
    if (peer.stream.isFull) return;
    let empty = 0;
    for (let i = 0; i < slots; i++) {
      if (!this.#send(peer, (first + i) % SLOTS)) empty |= 1 << i;
    }
    if (empty === 0) return;
    const { log } = peer.stream;
    log.begin(FrameType.Digest, EMPTY_BYTES);
    log.u16(first);
    log.u32(empty >>> 0);
    this.#state.statistics.framesSent[FrameType.Digest]!++;
    this.#streams.appended(peer);
  }

  /** False when nothing of the slot is the peer's to have; nothing is sent of a slot in change. */
  #send(peer: Peer, slot: number): boolean {
    let isChanging = false;
    const { count, sum } = this.#digest(slot, (ref) => {
      if (this.#isInChange(ref)) isChanging = true;
      return this.#isPrimaryFor(peer, ref);
    });
    if (isChanging) return true;
    if (count === 0) return false;
    const { log } = peer.stream;
    log.begin(FrameType.Digest, DIGEST_BYTES);
    log.u16(slot);
    log.u32(count);
    log.f64(sum);
    this.#state.statistics.framesSent[FrameType.Digest]!++;
    this.#streams.appended(peer);
    return true;
  }

  #appendSlot(peer: Peer, type: number, slot: number): void {
    peer.stream.log.begin(type, 2);
    peer.stream.log.u16(slot);
    this.#state.statistics.framesSent[type]!++;
    this.#streams.appended(peer);
  }

  /** Entries and their versions, in any order. */
  #digest(slot: number, counts: (ref: Ref) => boolean): Digest {
    if (this.#store.countInSlot(slot) === 0) return NOTHING;
    let count = 0;
    let sum = 0;
    this.#store.eachInSlot(slot, (ref) => {
      if (!counts(ref)) return false;
      count++;
      sum = (sum + this.#store.hash(ref) + (this.#store.version(ref) % SUM_MODULUS)) % SUM_MODULUS;
      return false;
    });
    return { count, sum };
  }

  /** Of a deleted key the backup may have a copy until the delete, in parts with other changes, has come. */
  #isInChange(ref: Ref): boolean {
    const role = this.#store.role(ref);
    const isChanging = role === Role.Primary ? PRIMARY_IN_CHANGE : Flag.Busy;
    const isCounted = role === Role.Primary || role === Role.Tombstone;
    return isCounted && (this.#store.flags(ref) & isChanging) !== 0;
  }

  #isPrimaryFor(peer: Peer, ref: Ref): boolean {
    const store = this.#store;
    return store.role(ref) === Role.Primary && store.peer(ref) === peer.index;
  }

  /** Rights are granted in the stream: a copy with all of them is one that the primary knows to be its backup's. */
  #isBackupOf(peer: Peer, ref: Ref): boolean {
    const store = this.#store;
    if (store.role(ref) !== Role.Backup || store.peer(ref) !== peer.index) return false;
    return (store.flags(ref) & ALL_RIGHTS) === ALL_RIGHTS;
  }

  #idOf(ref: Ref): string {
    const start = this.#store.keyStart(ref);
    const end = start + this.#store.keyLength(ref);
    return `${this.#store.db(ref)}:${this.#store.keyBuffer(ref).latin1Slice(start, end)}`;
  }
}
