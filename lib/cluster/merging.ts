import { f64At, u16At } from '../protocol/bytes.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { appendKeyFrame, FrameType, KeyFrame } from './frames.js';
import { appendHoldings, type HeldKeys, holdingOf, readHoldings } from './holdings.js';
import { type Key, keyOf } from './key.js';
import type { LargeSender } from './large-sender.js';
import type { Install } from './member.js';
import type { ReplySink } from './operation.js';
import { NOBODY, type Peer } from './peer.js';
import type { Streams } from './streams.js';
import { Action, judge, NO_MEMBER, type Verdict } from './verdict.js';

/** Slots asked for in one question, and entries (by what this anchor has itself) that end it early. */
const BATCH_SLOTS_MAX = 512;
const BATCH_ENTRIES_MAX = 2000;
/** Questions open at one time: bounds what an anchor holds of others' entries. */
const BATCHES_MAX = 4;

/** What other mechanisms do when sides meet. */
export interface MergeListener {
  /** Nothing of the view before is on its way any more: creations that wait for an anchor's word begin again. */
  quiet(): void;
  /** This node says that it stands still; with the floors of what it has flushed. */
  report(): void;
  /** Every member has said so. */
  allReported(): boolean;
  /** Commands on these slots may run again. */
  resolved(): void;
  /** A pair that was named anew: the backup may answer reads. */
  grant(to: Peer, ref: Ref): void;
}

/** Slots whose keys are being decided. */
interface Batch {
  readonly id: number;
  readonly slots: readonly number[];
  readonly missing: Set<Peer>;
  readonly held: HeldKeys;
  acksMissing: number;
}

/**
 * Two sides of a partition that both served meet again (docs/data-plane.md, "Merge"). In the view that unites them nobody
 * serves a slot until its anchor has decided it:
 *
 *     1. Everybody stops, and says so when all that was under way in the view before has come to rest.
 *     2. The anchor asks everybody what it has in a number of slots.
 *     3. Of each key the newest change wins. Who has something else is told what to make of it, and acks that.
 *     4. The anchor tells everybody that these slots are resolved.
 *
 * A view change in between begins anew: every view is such a one until nobody has an unresolved slot.
 */
export class Merging implements ReplySink {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #large: LargeSender;
  readonly #listener: MergeListener;
  readonly #frame = new KeyFrame();
  readonly #scratch = Buffer.alloc(4);
  readonly #batches = new Map<number, Batch>();
  /** The batch whose verdicts an ack belongs to. */
  readonly #steps = new Map<number, Batch>();
  /** Keys that this node leads by a verdict, and who follows. */
  #pairs: { readonly key: Key; readonly follower: Peer }[] = [];
  #isActive = false;
  #isQuiet = false;
  /** What was under way has been written: it is at rest when that is acked. */
  #isWritten = false;
  #nextSlot = SLOTS;
  #lastId = 0;

  constructor(state: ClusterState, streams: Streams, large: LargeSender, listener: MergeListener) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
    this.#large = large;
    this.#listener = listener;
  }

  get open(): number {
    return this.#state.mergingSlots;
  }

  /** Before anything of the new view is sent. */
  installed(install: Install): void {
    this.#batches.clear();
    this.#steps.clear();
    this.#pairs = [];
    this.#isActive = install.merge;
    this.#isQuiet = false;
    this.#isWritten = false;
    this.#nextSlot = 0;
    this.#state.setMerging(install.merge);
  }

  /** This incarnation was left out. */
  clear(): void {
    this.#batches.clear();
    this.#steps.clear();
    this.#pairs = [];
    this.#isActive = false;
  }

  /** Goes on; called at the end of turns and every tick. */
  step(): void {
    if (!this.#isActive || this.#state.isChanging || !this.#state.isServing) return;
    if (!this.#isQuiet) {
      if (!this.#isWritten && this.#large.open > 0) return;
      if (!this.#isWritten) this.#written();
      if (!this.#state.livePeers().every((peer) => this.#isAtRest(peer))) return;
      this.#isQuiet = true;
      this.#listener.quiet();
      this.#listener.report();
    }
    if (!this.#listener.allReported() || this.#state.now < this.#state.certainFrom) return;
    while (this.#nextSlot < SLOTS && this.#batches.size < BATCHES_MAX) this.#collect();
  }

  #written(): void {
    this.#isWritten = true;
    for (const peer of this.#state.livePeers()) peer.markOffset = peer.stream.log.endOffset;
  }

  /** All frames of the view before were processed at both ends, and what they set off has come back. */
  #isAtRest(peer: Peer): boolean {
    return peer.markedView >= this.#state.view!.id.number && peer.stream.acked >= peer.markOffset;
  }

  // --- at the anchor

  #collect(): void {
    const slots: number[] = [];
    let entries = 0;
    while (slots.length < BATCH_SLOTS_MAX && entries < BATCH_ENTRIES_MAX) {
      if (this.#nextSlot === SLOTS) break;
      const slot = this.#nextSlot++;
      if (!this.#state.isAnchor(slot)) continue;
      slots.push(slot);
      entries += this.#store.countInSlot(slot);
    }
    if (slots.length === 0) return;
    const peers = this.#state.livePeers();
    const id = ++this.#lastId;
    const batch = { id, slots, missing: new Set(peers), held: new Map(), acksMissing: 0 };
    this.#batches.set(id, batch);
    for (const peer of peers) this.#appendSlots(peer, FrameType.Collect, batch);
    if (peers.length === 0) this.#decide(batch);
  }

  /** COLLECT and RESOLVED: view f64, batch f64, slots u16 each. */
  #appendSlots(peer: Peer, type: number, { id, slots }: Batch): void {
    const { log } = peer.stream;
    log.begin(type, 16 + 2 * slots.length);
    log.f64(this.#state.view!.id.number);
    log.f64(id);
    for (const slot of slots) log.u16(slot);
    this.#state.statistics.framesSent[type]!++;
    this.#streams.appended(peer);
  }

  receiveHoldings(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < 8) return false;
    const batch = this.#batches.get(f64At(buffer, start));
    if (batch === undefined || !batch.missing.has(peer)) return true;
    const member = this.#state.memberIndexOf(peer.id);
    if (!readHoldings(batch.held, member, buffer, start + 8, end)) return false;
    batch.missing.delete(peer);
    if (batch.missing.size === 0) this.#decide(batch);
    return true;
  }

  #decide(batch: Batch): void {
    const own = this.#state.memberIndexOf(this.#state.self.id);
    for (const slot of batch.slots) {
      this.#store.eachInSlot(slot, (ref) => this.#takeOwn(batch.held, own, ref));
    }
    for (const { key, holdings } of batch.held.values()) {
      for (const { version } of holdings) this.#state.clock.observe(version);
      const floor = this.#state.floors[key.db] ?? 0;
      this.#tell(
        key,
        judge(holdings, floor, (primary) => this.#state.rankedBackupOf(key.slot, primary)),
        batch,
      );
    }
    if (batch.acksMissing === 0) this.#resolve(batch);
  }

  /** A record that no copy stands behind is removed. */
  #takeOwn(held: HeldKeys, member: number, ref: Ref): boolean {
    const start = this.#store.keyStart(ref);
    const end = start + this.#store.keyLength(ref);
    const key = keyOf(this.#store.db(ref), this.#store.keyBuffer(ref), start, end);
    if (this.#store.role(ref) === Role.Record) return !held.has(key.id);
    const holding = holdingOf(this.#state, ref, member);
    if (holding === null) return false;
    const those = held.get(key.id);
    if (those === undefined) held.set(key.id, { key, holdings: [holding] });
    else those.holdings.push(holding);
    return false;
  }

  #tell(key: Key, verdict: Verdict, batch: Batch): void {
    const { view, self } = this.#state;
    const told = new Set<Peer>();
    for (const { member, action } of verdict.actions) {
      const id = view!.members[member]?.id;
      if (id === self.id) {
        this.#apply(key, action, verdict);
        continue;
      }
      const peer = id === undefined ? undefined : this.#state.peerById(id);
      if (peer === undefined) continue;
      this.#appendVerdict(peer, key, action, verdict);
      told.add(peer);
    }
    if (verdict.primary !== NO_MEMBER) this.#keepRecord(key, verdict);
    else if (verdict.deletedAt > 0) this.#apply(key, Action.Bury, verdict);
    else this.#forgetRecord(key);
    for (const peer of told) {
      const step = ++this.#lastId;
      this.#steps.set(step, batch);
      batch.acksMissing++;
      peer.stream.awaitAck(peer.stream.log.endOffset, this, step);
    }
  }

  /** VERDICT is a key frame: flags are the action, expiry is the version of a delete, value primary u16 and backup u16. */
  #appendVerdict(peer: Peer, key: Key, action: Action, verdict: Verdict): void {
    this.#scratch.writeUInt16LE(verdict.primary, 0);
    this.#scratch.writeUInt16LE(verdict.backup, 2);
    appendKeyFrame(
      peer.stream.log,
      FrameType.Verdict,
      action,
      key.db,
      key.bytes,
      0,
      key.bytes.length,
      verdict.version,
      verdict.deletedAt,
      this.#scratch,
      0,
      4,
    );
    this.#state.statistics.framesSent[FrameType.Verdict]!++;
    this.#streams.appended(peer);
  }

  acknowledged(step: number): void {
    const batch = this.#steps.get(step);
    if (batch === undefined) return;
    this.#steps.delete(step);
    if (--batch.acksMissing === 0) this.#resolve(batch);
  }

  complete(): void {}

  fail(): void {}

  #resolve(batch: Batch): void {
    this.#batches.delete(batch.id);
    for (const slot of batch.slots) this.#state.known[slot] = 1;
    for (const peer of this.#state.livePeers()) this.#appendSlots(peer, FrameType.Resolved, batch);
    this.#resolved(batch.slots);
    this.step();
  }

  // --- at every member

  receiveCollect(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const slots = slotsOf(buffer, start, end);
    if (slots === null) return false;
    if (f64At(buffer, start) !== this.#state.view?.id.number || !this.#isQuiet) return true;
    appendHoldings(this.#large, peer, f64At(buffer, start + 8), slots, this.#state);
    return true;
  }

  receiveVerdict(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const frame = this.#frame;
    if (!frame.read(buffer, start, end) || frame.valueEnd - frame.valueStart !== 4) return false;
    this.#state.clock.observe(frame.version);
    const key = keyOf(frame.db, buffer, frame.keyStart, frame.keyEnd);
    // Of an anchor that had not installed this view when it decided: all is decided anew.
    if (peer.markedView !== this.#state.view?.id.number) return true;
    this.#apply(key, frame.flags as Action, {
      version: frame.version,
      deletedAt: frame.expireAt,
      primary: u16At(buffer, frame.valueStart),
      backup: u16At(buffer, frame.valueStart + 2),
      actions: [],
    });
    return true;
  }

  receiveResolved(buffer: Buffer, start: number, end: number): boolean {
    const slots = slotsOf(buffer, start, end);
    if (slots === null) return false;
    if (f64At(buffer, start) === this.#state.view?.id.number) this.#resolved(slots);
    return true;
  }

  #resolved(slots: readonly number[]): void {
    for (const slot of slots) this.#state.setResolved(slot);
    const waiting = this.#pairs;
    this.#pairs = [];
    for (const pair of waiting) {
      if (this.#state.merging[pair.key.slot] === 1) this.#pairs.push(pair);
      else this.#grantReads(pair.key, pair.follower);
    }
    if (this.#state.mergingSlots === 0) this.#isActive = false;
    this.#listener.resolved();
  }

  #grantReads(key: Key, follower: Peer): void {
    const ref = this.#find(key);
    if (ref === 0 || this.#store.role(ref) !== Role.Primary) return;
    if (this.#store.peer(ref) === follower.index) this.#listener.grant(follower, ref);
  }

  // --- entries

  #apply(key: Key, action: Action, verdict: Verdict): void {
    const store = this.#store;
    let ref = this.#find(key);
    if (action === Action.Bury) return this.#bury(key, ref, verdict);
    if (ref === 0 || store.role(ref) >= Role.Record) return;
    if (store.type(ref) !== ValueType.None && store.version(ref) > verdict.version) return;
    const primary = this.#peerOf(verdict.primary);
    const backup = this.#peerOf(verdict.backup);
    store.setChangeOffset(ref, 0);
    switch (action) {
      case Action.Lead:
      case Action.LeadAlone: {
        const isAlone = action === Action.LeadAlone;
        const wasPrimary = store.role(ref) === Role.Primary;
        if (!wasPrimary) store.setRole(ref, Role.Primary);
        if (!wasPrimary) this.#state.statistics.promotions++;
        store.setFlags(ref, (wasPrimary ? 0 : Flag.Eager) | (isAlone ? Flag.Ahead : 0));
        store.setPeer(ref, backup?.index ?? NOBODY);
        if (backup !== null && !isAlone) this.#pairs.push({ key, follower: backup });
        return;
      }
      case Action.Follow:
      case Action.Await:
        if (store.role(ref) !== Role.Backup) store.setRole(ref, Role.Backup);
        store.setFlags(ref, action === Action.Follow ? Flag.Full : 0);
        store.setPeer(ref, primary?.index ?? NOBODY);
        return;
      default:
        this.#state.statistics.mergeDropped++;
        ref = store.resize(ref, 0);
        store.remove(ref);
    }
  }

  #bury(key: Key, found: Ref, { version, deletedAt }: Verdict): void {
    const store = this.#store;
    const { db, bytes } = key;
    if (found !== 0 && store.role(found) < Role.Record) this.#state.statistics.mergeDropped++;
    const isBuried = found !== 0 && store.role(found) === Role.Tombstone;
    if (isBuried && store.version(found) >= version) return;
    const ref =
      found === 0
        ? store.create(db, bytes, 0, bytes.length, ValueType.None, 0)
        : store.resize(found, 0);
    store.setRole(ref, Role.Tombstone);
    store.setFlags(ref, 0);
    store.setPeer(ref, NOBODY);
    store.setChangeOffset(ref, 0);
    store.setVersion(ref, version);
    store.setExpireAt(ref, deletedAt);
  }

  /** An anchor has an entry for every key that exists. */
  #keepRecord(key: Key, { version, primary }: Verdict): void {
    const store = this.#store;
    const { db, bytes } = key;
    let ref = this.#find(key);
    if (ref !== 0 && store.role(ref) < Role.Record) return;
    if (ref === 0) ref = store.create(db, bytes, 0, bytes.length, ValueType.None, 0);
    store.setRole(ref, Role.Record);
    store.setFlags(ref, 0);
    store.setExpireAt(ref, 0);
    store.setVersion(ref, version);
    store.setChangeOffset(ref, this.#state.clock.last);
    store.setPeer(ref, this.#peerOf(primary)?.index ?? NOBODY);
  }

  #forgetRecord(key: Key): void {
    const ref = this.#find(key);
    if (ref !== 0 && this.#store.role(ref) === Role.Record) this.#store.remove(ref);
  }

  #peerOf(member: number): Peer | null {
    const id = this.#state.memberId(member);
    return id === undefined ? null : (this.#state.peerById(id) ?? null);
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }
}

function slotsOf(buffer: Buffer, start: number, end: number): number[] | null {
  if (end - start < 16 || (end - start) % 2 !== 0) return null;
  const slots: number[] = [];
  for (let at = start + 16; at < end; at += 2) {
    const slot = u16At(buffer, at);
    if (slot >= SLOTS) return null;
    slots.push(slot);
  }
  return slots;
}
