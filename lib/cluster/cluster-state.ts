import { keySlot } from '../protocol/crc16.js';
import { type Ref, Role, type Store } from '../store/store.js';
import { Absences } from './absences.js';
import type { ClusterConfig } from './cluster-config.js';
import { Flag } from './entry-flags.js';
import type { Incarnation, Member, View } from './member.js';
import type { MembershipView } from './membership/contract.js';
import { NOBODY, Peer, type PeerIndex } from './peer.js';
import { type Place, Placement } from './placement.js';
import { ClusterStatistics } from './statistics.js';
import { VersionClock } from './version-clock.js';

export const SLOTS = 16384;

/** A command that cannot be served is refused after this many node-timeouts. */
const DEADLINE_NODE_TIMEOUTS = 4;

/** Bound of peer numbers: 16 bits in an entry. Numbers of those that are gone are used again. */
const PEERS_MAX = 65_535;

/**
 * What the mechanisms of the data plane share: the store, the view and who is who in it, the time of the running turn.
 * It holds facts and answers questions; it sends nothing.
 */
export class ClusterState {
  readonly store: Store;
  readonly config: ClusterConfig;
  readonly clock: VersionClock = new VersionClock();
  readonly statistics: ClusterStatistics = new ClusterStatistics();
  /** What WATCH of absent keys compares. */
  readonly absences: Absences = new Absences();
  /** Monotonic milliseconds of the running turn. */
  now = 0;
  /** Monotonic time up to which this node may execute, grant and acknowledge. */
  servesUntil = 0;
  /** Too few members are reached to go on with (`partition-policy majority`). */
  isDown = false;
  view: View | null = null;
  /** All members stop, and this node waits for what is under way: it begins no command on several keys any more. */
  isEnding = false;
  /** A view is prepared and not installed yet: who is left out is cut off, but nothing is done about it so far. */
  isChanging = false;
  placement: Placement | null = null;
  /** By peer number; [0] is nobody. */
  readonly peers: (Peer | null)[] = [null];
  /** Anchor of each slot as a peer number, NOBODY where this node is the anchor itself. */
  readonly anchors: Uint16Array = new Uint16Array(SLOTS);
  /** 1 where this node is the anchor and has every member's records. */
  readonly known: Uint8Array = new Uint8Array(SLOTS);
  /**
   * 1 where sides of a partition have met, and the slot's anchor has not decided yet what stays: nobody serves it. How
   * many there are, and until when commands run at once: not at all while there is any.
   */
  readonly merging: Uint8Array = new Uint8Array(SLOTS);
  mergingSlots = 0;
  runsUntil = 0;
  /** Before this monotonic time a new anchor says neither "none" nor grants. */
  certainFrom = 0;
  /**
   * What maxmemory counts besides the store and what comes in from members in parts, as last measured by whoever has the
   * sockets: bytes of clients' requests and replies, and bytes for members.
   */
  clientBytes = 0;
  backlogBytes = 0;
  /** A member has reported a limit of its memory. */
  isMemoryLimited = false;
  /** What has expired stays, and is shown to nobody: CLIENT PAUSE. */
  keepsExpired = false;
  /** A FLUSH is under way: backups answer no reads, anchors grant nothing. */
  flushing = false;
  /**
   * In this view not all have told what they have flushed, and a flush that this node has not heard of to its end may have
   * gone through: `Flushing`.
   */
  awaitsFloors = false;

  /** By database: what is older was flushed, wherever it turns up. */
  readonly floors: Float64Array = new Float64Array(256);
  /** Deletes leave tombstones: there is, or was, another member that may hold a copy. */
  keepsTombstones = false;

  /** What is added to the monotonic clock for the members' median wall clock. */
  #medianOffsetMs = Number.POSITIVE_INFINITY;
  #live: readonly Peer[] | null = null;
  readonly #byId = new Map<Incarnation, Peer>();
  readonly #membership: () => MembershipView;
  readonly #place: Place;
  /** Peer number by member index of the view. */
  #peerOfMember: PeerIndex[] = [];
  #selfMember = -1;

  constructor(
    store: Store,
    config: ClusterConfig,
    membership: () => MembershipView,
    place: Place = (view, before) => new Placement(view, before),
  ) {
    this.store = store;
    this.config = config;
    this.#membership = membership;
    this.#place = place;
  }

  get membership(): MembershipView {
    return this.#membership();
  }

  /**
   * Time by which keys expire: the earlier of the own and the members' median clock, Unix ms. Between two reports of theirs
   * the median goes on with the monotonic clock: a wall clock that jumps in between logs nobody out.
   */
  get expiryNow(): number {
    return Math.min(this.clock.wall, this.now + this.#medianOffsetMs);
  }

  get self(): Member {
    return this.membership.self;
  }

  get isServing(): boolean {
    return this.now < this.servesUntil;
  }

  /** What is compared with maxmemory. */
  get countedBytes(): number {
    const { usedBytes } = this.store;
    return usedBytes + this.clientBytes + this.backlogBytes + this.statistics.assemblyBytes;
  }

  /** The installed view has no other member. */
  get isAlone(): boolean {
    return this.view?.members.length === 1;
  }

  /** `min-backups-to-write`: a node that serves alone refuses to write. */
  get lacksBackups(): boolean {
    return this.config.minBackupsToWrite > 0 && this.isAlone;
  }

  /** Monotonic time up to which a command that begins to wait now may wait. */
  deadline(): number {
    return this.now + DEADLINE_NODE_TIMEOUTS * this.config.nodeTimeoutMs;
  }

  slotOf(buffer: Buffer, start: number, end: number): number {
    return keySlot(buffer, start, end);
  }

  /** A tombstone whose delete its backup has not acked: that backup may still answer reads, or promote itself. */
  isUnackedDelete(ref: Ref): boolean {
    const { store } = this;
    if (store.role(ref) !== Role.Tombstone) return false;
    const backup = this.peer(store.peer(ref));
    if (backup === null || backup.stream.acked >= store.changeOffset(ref)) return false;
    return backup.isLive || this.isChanging || this.grantEnds(backup) > this.now;
  }

  /** A tombstone that is not final: its backup has not acked it, or others are yet to learn of it. */
  isOpenDelete(ref: Ref): boolean {
    if (this.store.role(ref) !== Role.Tombstone) return false;
    return (this.store.flags(ref) & Flag.Busy) !== 0 || this.isUnackedDelete(ref);
  }

  /** Somebody besides the backup keeps a record of this key: its anchor, or everybody. */
  mustForget(ref: Ref): boolean {
    const anchor = this.anchors[this.store.slot(ref)]!;
    if (this.config.locationList === 'all') return !this.isAlone;
    return anchor !== NOBODY && anchor !== this.store.peer(ref);
  }

  /**
   * Monotonic time at which the last short lease granted to that peer has run out. One that was left out and is back (from
   * the other side of a partition) has stood still since: what it is granted now is another matter.
   */
  grantEnds(peer: Peer): number {
    const again = this.#byId.get(peer.id);
    return again !== undefined && again !== peer ? 0 : this.membership.grantEnds(peer.id);
  }

  /** In a view that unites two sides no slot is resolved at first. */
  setMerging(isMerging: boolean): void {
    this.merging.fill(isMerging ? 1 : 0);
    this.mergingSlots = isMerging ? SLOTS : 0;
    this.refreshRuns();
  }

  setResolved(slot: number): void {
    if (this.merging[slot] === 0) return;
    this.merging[slot] = 0;
    if (--this.mergingSlots === 0) this.refreshRuns();
  }

  /** What this node holds may have been flushed, and made anew elsewhere: nobody is served from it. */
  get isDoubtful(): boolean {
    return this.flushing && this.awaitsFloors;
  }

  /** Merging, or doubt about what was flushed, has begun or ended. */
  refreshRuns(): void {
    this.runsUntil = this.mergingSlots > 0 || this.isDoubtful ? 0 : this.servesUntil;
  }

  get isLeaving(): boolean {
    return this.view?.members[this.#selfMember]?.leaving ?? false;
  }

  peer(index: PeerIndex): Peer | null {
    return index < this.peers.length ? this.peers[index]! : null;
  }

  /** The peer if it is one that counts: in the view, not left out by a view prepared since. */
  livePeer(index: PeerIndex): Peer | null {
    const peer = this.peer(index);
    return peer?.isLive ? peer : null;
  }

  peerById(id: Incarnation): Peer | undefined {
    return this.#byId.get(id);
  }

  /** A list of its own whenever that has changed: it stays as it is for who walks it. */
  livePeers(): readonly Peer[] {
    this.#live ??= this.peers.filter((peer): peer is Peer => peer?.isLive ?? false);
    return this.#live;
  }

  /** Left out by a view that is prepared: the peer counts no more. */
  leaveOut(peer: Peer): void {
    peer.isLive = false;
    this.#live = null;
  }

  isAnchor(slot: number): boolean {
    return this.anchors[slot] === NOBODY;
  }

  /** Whether this node may say that a key of this slot which it has no entry of does not exist. */
  isCertain(slot: number): boolean {
    return this.anchors[slot] === NOBODY && this.known[slot] === 1 && !this.flushing;
  }

  /** Whether this node keeps a record of keys of this slot that it holds no copy of. */
  keepsRecordOf(slot: number): boolean {
    return this.config.locationList === 'all' || this.anchors[slot] === NOBODY;
  }

  /** The peer that the view's ranking names as backup for a key of this slot whose primary is this node. */
  rankedBackup(slot: number): Peer | null {
    if (this.placement === null) return null;
    const member = this.placement.backupFor(slot, this.#selfMember);
    if (member >= 0) return this.livePeer(this.#peerOfMember[member]!);
    // Everybody else is leaving: until the goodbye, a leaver is better than nobody (I2).
    return this.livePeers()[0] ?? null;
  }

  /** Of a primary that is number `primary` in the view's list of members, the number of its backup; -1 for nobody. */
  rankedBackupOf(slot: number, primary: number): number {
    return this.placement?.backupFor(slot, primary) ?? -1;
  }

  /** Number of a peer in the view's list of members; -1 for one that is not in it. */
  memberIndexOf(id: Incarnation): number {
    return this.view?.members.findIndex((member) => member.id === id) ?? -1;
  }

  memberId(index: number): Incarnation | undefined {
    return this.view?.members[index]?.id;
  }

  /** Takes the new view: peers of members met for the first time are made, anchors are computed. */
  install(view: View): Peer[] {
    const added: Peer[] = [];
    if (this.view === null) this.awaitsFloors = true;
    this.view = view;
    if (view.members.length > 1) this.keepsTombstones = true;
    this.placement = this.#place(view, this.placement);
    this.#selfMember = view.members.findIndex((member) => member.id === this.self.id);
    this.#peerOfMember = view.members.map((member) => {
      if (member.id === this.self.id) return NOBODY;
      let peer = this.#byId.get(member.id);
      if (peer === undefined) {
        peer = this.#add(member);
        added.push(peer);
      }
      peer.member = member;
      return peer.index;
    });
    for (let slot = 0; slot < SLOTS; slot++) {
      this.anchors[slot] = this.#peerOfMember[this.placement.anchor(slot)]!;
    }
    return added;
  }

  /** This incarnation was left out: it is in no view, and knows nobody. */
  leaveView(): void {
    this.view = null;
    this.servesUntil = 0;
    this.setMerging(false);
    this.isDown = false;
    this.placement = null;
    this.isChanging = false;
    this.isEnding = false;
    this.flushing = false;
    this.awaitsFloors = false;
    // The members know what was flushed; databases may have been swapped there since.
    this.floors.fill(0);
    this.known.fill(0);
    this.peers.fill(null);
    this.#live = null;
    this.#byId.clear();
  }

  /** Ends a peer: no entry may name it any more as a live one. Its number stays its own until `forget`. */
  end(peer: Peer): void {
    this.leaveOut(peer);
    this.#byId.delete(peer.id);
  }

  /** Gives the numbers of ended peers free. Only when no entry names them: all slots are settled. */
  forgetEnded(): void {
    for (let index = 1; index < this.peers.length; index++) {
      if (this.peers[index]?.isLive === false) this.peers[index] = null;
    }
  }

  /** Leases have changed, or a view: what the hot path reads is computed anew. */
  refreshLeases(): void {
    this.servesUntil = this.view === null ? 0 : this.membership.servesUntil();
    this.refreshRuns();
    this.isDown = !this.isServing && this.membership.isDown(this.now);
    // With the leases come the clocks: who slept, and serves again, knows what time it is.
    const { wall } = this.clock;
    this.#medianOffsetMs = Math.min(wall, this.membership.medianClockMs(wall)) - this.now;
    for (const peer of this.livePeers()) peer.readsUntil = this.membership.readsUntil(peer.id);
  }

  #add(member: Member): Peer {
    let index = this.peers.indexOf(null, 1);
    if (index < 0) index = this.peers.length;
    if (index > PEERS_MAX) throw new Error('more than 65535 peers since the last settled view');
    const peer = new Peer(index, member);
    this.peers[index] = peer;
    this.#live = null;
    this.#byId.set(member.id, peer);
    return peer;
  }
}
