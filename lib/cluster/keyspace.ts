import { copyBytes } from '../protocol/bytes.js';
import type { Request } from '../protocol/request.js';
import { type Attachment, type Ref, Role, type Store, ValueType } from '../store/store.js';
import { AtomicChanges, type ChangedKey } from './atomic-changes.js';
import type { Appended, AtomicFrames } from './atomic-frames.js';
import { isAwaitable } from './awaited-keys.js';
import { Changes } from './changes.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { EventNotes, type ExpiredKey } from './event-notes.js';
import { FrameType } from './frames.js';
import { ENTRY_OVERHEAD_BYTES, roomAt } from './headroom.js';
import { KEEP_EXPIRY, type Keyspace } from './keyspace-contract.js';
import type { KeyspaceEvents } from './keyspace-events.js';
import { type KeyspaceHooks, type Provisional, Reclaimed } from './keyspace-hooks.js';
import type { MirrorSender } from './mirror-sender.js';
import { databaseOf, type Operation, type ReplySink } from './operation.js';
import { NOBODY, type Peer } from './peer.js';
import { ReplyWaits } from './reply-waits.js';
import type { WriteBarrier } from './write-barrier.js';

/** Encoding of a string that was made by APPEND or SETRANGE. */
const RAW_ENCODING = 1;

/** The keys as handlers see them: what they look up, create, change and delete, and what their replies then wait for. */
export class LiveKeyspace implements Keyspace, WriteBarrier {
  now = 0;
  /** Set while a provisional command runs. */
  provisional: Provisional | null = null;
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #mirror: MirrorSender;
  readonly #hooks: KeyspaceHooks;
  readonly #waits = new ReplyWaits();
  readonly #changes: Changes;
  readonly #notes: EventNotes;
  readonly events: KeyspaceEvents;
  readonly #atomicChanges: AtomicChanges;
  /** Expired keys that the running command met: deleted at its end, unless it has created them anew. */
  readonly #expired: ExpiredKey[] = [];
  // The entry that routing has just found, so that the handler need not look it up again.
  #foundRequest: Request | null = null;
  #foundIndex = 0;
  #foundRef: Ref = 0;
  /** Told of the entries changed within `atomically` and `collect`, null outside. */
  #atomic: ((ref: Ref) => void) | null = null;

  constructor(
    state: ClusterState,
    atomicFrames: AtomicFrames,
    mirror: MirrorSender,
    hooks: KeyspaceHooks,
    events: KeyspaceEvents,
  ) {
    this.events = events;
    this.#state = state;
    this.#store = state.store;
    this.#mirror = mirror;
    this.#hooks = hooks;
    this.#changes = new Changes(state, mirror, this.#waits, hooks);
    this.#notes = new EventNotes(state, events, this.#changes, this.#waits, this.#expired);
    this.#atomicChanges = new AtomicChanges(
      state,
      atomicFrames,
      mirror,
      this.#changes,
      this.#waits,
      (ref) => hooks.forget(ref, null),
    );
  }

  // --- WriteBarrier

  begin(): void {
    this.now = this.#state.clock.wall;
    this.#waits.clear();
  }

  count(): number {
    if (this.#expired.length > 0) this.#deleteExpired();
    this.#foundRequest = null;
    if (this.events.classes !== 0) this.events.release(this.#waits);
    return this.#waits.count;
  }

  register(sink: ReplySink, token: number): void {
    this.#waits.register(sink, token);
  }

  outOfMemory(): boolean {
    const limit = this.#state.config.maxMemoryBytes;
    if (limit > 0 && this.#store.usedBytes > limit && this.#hooks.makeRoom()) return true;
    if (!this.#state.isMemoryLimited) return false;
    const backup = this.#backupToBe();
    return backup !== null && roomAt(backup) <= 0 && !this.#hooks.admits(backup);
  }

  /** Who will get a copy of what the command leaves in the key that was noted. */
  #backupToBe(): Peer | null {
    if (this.provisional !== null) return this.provisional.anchor;
    const ref = this.#foundRef;
    const request = this.#foundRequest;
    if (request === null) return null;
    const isHere = ref !== 0 && this.#store.role(ref) === Role.Primary;
    const backup = isHere ? this.#state.livePeer(this.#store.peer(ref)) : null;
    if (backup !== null) return backup;
    const index = this.#foundIndex;
    return this.#state.rankedBackup(
      this.#state.slotOf(request.buffer, request.start[index]!, request.end[index]!),
    );
  }

  // --- looking

  /** Routing has found the entry of this argument, and nothing changes before its handler runs. */
  noteFound(request: Request, index: number, ref: Ref): void {
    this.#foundRequest = request;
    this.#foundIndex = index;
    this.#foundRef = ref;
  }

  /** The same for a command that comes from elsewhere than the hot path. */
  note(operation: Operation): void {
    const { request, keys } = operation;
    const index = keys[0]!;
    const { buffer, start, end } = request;
    const ref = this.#store.find(databaseOf(operation, 0), buffer, start[index]!, end[index]!);
    this.noteFound(request, index, ref);
  }

  find(db: number, request: Request, index: number): Ref {
    const ref = this.peek(db, request, index);
    if (ref === 0) {
      this.#state.statistics.keyspaceMisses++;
      return 0;
    }
    this.#state.statistics.keyspaceHits++;
    this.#store.setUsedAt(ref, Math.floor(this.now / 1000));
    return ref;
  }

  peek(db: number, request: Request, index: number): Ref {
    const store = this.#store;
    const ref = this.#entry(db, request, index);
    if (ref === 0) return 0;
    if (store.role(ref) >= Role.Record || store.type(ref) === ValueType.None) {
      if (store.role(ref) === Role.Tombstone) this.#changes.awaitDelete(ref);
      return 0;
    }
    if (store.role(ref) === Role.Primary && this.#isOver(ref)) {
      if (this.events.classes !== 0) this.#notes.expired(ref);
      this.#expired.push({ db, request, index });
      return 0;
    }
    this.#changes.awaitLastChange(ref);
    return ref;
  }

  typeOf(ref: Ref): number {
    return this.#store.type(ref);
  }

  expireAt(ref: Ref): number {
    return this.#store.expireAt(ref);
  }

  idleSeconds(ref: Ref): number {
    return Math.max(0, Math.floor(this.now / 1000) - this.#store.usedAt(ref));
  }

  valueBuffer(ref: Ref): Buffer {
    return this.#store.valueBuffer(ref);
  }

  valueStart(ref: Ref): number {
    return this.#store.valueStart(ref);
  }

  valueLength(ref: Ref): number {
    return this.#store.valueLength(ref);
  }

  encodingOf(ref: Ref): number {
    return this.#store.encodingFlags(ref);
  }

  attached(ref: Ref): Attachment | null {
    return this.#store.attached(ref);
  }

  attach(ref: Ref, attached: Attachment | null): void {
    this.#store.attach(ref, attached);
  }

  isLarge(ref: Ref): boolean {
    return this.#store.isLarge(ref);
  }

  hashOf(buffer: Buffer, start: number, end: number): number {
    return this.#store.hashOf(buffer, start, end);
  }

  isRaw(ref: Ref): boolean {
    return this.#store.encodingFlags(ref) === RAW_ENCODING;
  }

  // --- changing

  setString(
    db: number,
    request: Request,
    keyIndex: number,
    value: Buffer,
    start: number,
    end: number,
    expireAt: number,
  ): void {
    this.setValue(db, request, keyIndex, ValueType.String, 0, value, start, end, expireAt);
  }

  setValue(
    db: number,
    request: Request,
    keyIndex: number,
    type: ValueType,
    encoding: number,
    value: Buffer,
    start: number,
    end: number,
    expireAt: number,
  ): void {
    const store = this.#store;
    let ref = this.#entry(db, request, keyIndex);
    let until = expireAt;
    if (expireAt === KEEP_EXPIRY) until = this.#hasValue(ref) ? store.expireAt(ref) : 0;
    if (this.events.classes !== 0) this.#notes.value(db, request, keyIndex, ref, expireAt > 0);
    const isNew = ref === 0 || store.role(ref) !== Role.Primary;
    if (isAwaitable(type) && (isNew || store.type(ref) !== type || this.#isOver(ref))) {
      this.#hooks.came(type, db, request, keyIndex, this.provisional !== null);
    }
    if (isNew) ref = this.#create(db, request, keyIndex, ref, end - start);
    else ref = this.#room(ref, end - start);
    if (store.type(ref) !== type) store.setType(ref, type);
    store.attach(ref, null);
    copyBytes(value, start, end, store.valueBuffer(ref), store.valueStart(ref));
    store.setEncodingFlags(ref, encoding);
    if (store.expireAt(ref) !== until) store.setExpireAt(ref, until);
    if (isNew) this.#adopt(ref);
    else this.#changed(ref, FrameType.Set);
  }

  writeRange(
    db: number,
    request: Request,
    keyIndex: number,
    offset: number,
    value: Buffer,
    start: number,
    end: number,
  ): void {
    const store = this.#store;
    let ref = this.#entry(db, request, keyIndex);
    const isNew = ref === 0 || store.role(ref) !== Role.Primary;
    const isBlank = isNew || this.#isOver(ref) || store.type(ref) === ValueType.None;
    const before = isBlank ? 0 : store.valueLength(ref);
    const length = Math.max(before, offset + end - start);
    if (this.events.classes !== 0) this.#notes.value(db, request, keyIndex, ref, false);
    // Zeros that fill a gap are part of the change.
    const changed = offset + end - start - Math.min(before, offset);
    const isEdit = !isBlank && changed < before && changed <= this.#state.config.partBytes;
    if (isNew) ref = this.#create(db, request, keyIndex, ref, length);
    else {
      if (isBlank) store.setExpireAt(ref, 0);
      ref = this.#room(ref, length);
      store.attach(ref, null);
      if (store.type(ref) !== ValueType.String) store.setType(ref, ValueType.String);
    }
    const target = store.valueBuffer(ref);
    const at = store.valueStart(ref);
    if (offset > before) target.fill(0, at + before, at + offset);
    copyBytes(value, start, end, target, at + offset);
    if (isEdit) {
      const from = Math.min(before, offset);
      const to = offset + end - start;
      this.#mirror.edits.add(from, Math.min(before, to) - from, target, at + from, at + to);
      return this.#endEdit(ref, RAW_ENCODING);
    }
    store.setEncodingFlags(ref, RAW_ENCODING);
    if (isNew) this.#adopt(ref);
    else this.#changed(ref, FrameType.Set);
  }

  splice(ref: Ref, at: number, removed: number, source: Buffer, start: number, end: number): Ref {
    const { edits } = this.#mirror;
    edits.add(at, removed, source, start, end);
    const delta = end - start - removed;
    if (delta !== 0) {
      this.#foundRequest = null;
      this.#mirror.grown += delta;
    }
    return this.#store.splice(ref, at, removed, source, start, end);
  }

  edited(ref: Ref, encoding: number): void {
    if (this.events.classes !== 0) this.#notes.edit(ref);
    this.#endEdit(ref, encoding);
  }

  /** The whole value goes where it is no longer than the edits, or these are too long for one frame. */
  #endEdit(ref: Ref, encoding: number): void {
    const store = this.#store;
    const { edits } = this.#mirror;
    store.setEncodingFlags(ref, encoding);
    const isShort =
      edits.bytes < store.valueLength(ref) && edits.bytes <= this.#state.config.partBytes;
    edits.base = store.version(ref);
    this.#changed(ref, isShort ? FrameType.Edit : FrameType.Set);
    edits.clear();
  }

  /** Creates a key without a value: it is absent to every reader, and cannot be created by another node. */
  reserve(db: number, request: Request, keyIndex: number): void {
    const stale = this.#entry(db, request, keyIndex);
    const isDeleted = stale !== 0 && this.#store.role(stale) === Role.Tombstone;
    const deletedAt = isDeleted ? this.#store.expireAt(stale) : 0;
    const ref = this.#create(db, request, keyIndex, stale, 0);
    this.#store.setType(ref, ValueType.None);
    this.#store.setExpireAt(ref, deletedAt);
    this.#adopt(ref);
  }

  setExpiry(ref: Ref, expireAt: number): void {
    if (this.events.classes !== 0) this.#notes.expiry(ref, expireAt);
    this.#store.setExpireAt(ref, expireAt);
    this.#changed(ref, FrameType.Expire);
  }

  remove(ref: Ref): void {
    this.#mirror.edits.clear();
    if (this.events.classes !== 0) this.#notes.removal(ref);
    if (this.#atomic !== null) return this.#removeAtomically(ref);
    this.#foundRequest = null;
    this.#changes.remove(ref);
  }

  #removeExpired(ref: Ref): void {
    if (this.#atomic !== null) return this.#removeAtomically(ref);
    this.#foundRequest = null;
    this.#changes.removeExpired(ref);
  }

  rename(db: number, request: Request, fromIndex: number, toIndex: number): void {
    const store = this.#store;
    const from = this.#entry(db, request, fromIndex);
    const start = store.valueStart(from);
    const value = Buffer.from(
      store.valueBuffer(from).subarray(start, start + store.valueLength(from)),
    );
    const expireAt = store.expireAt(from);
    const type = store.type(from);
    const encoding = store.encodingFlags(from);
    this.atomically(() => {
      const { length } = value;
      const noted = this.events.take();
      this.setValue(db, request, toIndex, type, encoding, value, 0, length, expireAt);
      this.remove(this.#entry(db, request, fromIndex));
      // Not what became of each key counts, but that one has got the other's name.
      this.events.take();
      this.events.give(noted);
    });
    if (this.events.classes !== 0) this.#notes.rename(db, request, fromIndex, toIndex);
  }

  atomically(changes: () => void): void {
    // A node that is alone has nobody to send the changes to, all or none of them.
    const isAlone = this.#state.isAlone && !this.#state.isChanging;
    if (this.#atomic !== null || isAlone) return changes();
    const changed: ChangedKey[] = [];
    try {
      this.collect(changes, (ref) => changed.push(this.nameOf(ref)));
    } finally {
      this.appendAtomic(changed);
    }
  }

  /** Who calls this mirrors the changes made inside: `changed` is told of each entry as it is then. */
  collect(changes: () => void, changed: (ref: Ref) => void): void {
    this.#atomic = changed;
    try {
      changes();
    } finally {
      this.#atomic = null;
    }
  }

  /** Sends what was collected as one frame; null where there is nobody to send it to, or nothing to send. */
  appendAtomic(changed: readonly ChangedKey[]): Appended | null {
    return this.#atomicChanges.append(changed);
  }

  nameOf(ref: Ref): ChangedKey {
    return this.#atomicChanges.nameOf(ref);
  }

  /**
   * A step goes on in a later turn. What it has met expired is deleted by others later: a delete by itself, of a key that it
   * holds, could come before what it has changed. And what it has found may be elsewhere by then: entries move.
   */
  endSlice(): void {
    this.#expired.length = 0;
    this.#foundRequest = null;
  }

  /** The reply of the running command waits for a frame that was sent by who has collected changes. */
  awaitFrame({ backup, offset }: Appended): void {
    this.#waits.awaitAck(backup.stream, offset);
  }

  /** What was collected so far takes room at this backup. */
  countGrowth(backup: Peer): void {
    this.#mirror.countGrowth(backup);
  }

  /** Whether a key of which this node is primary exists; if so the running command waits for its latest change. */
  exists(db: number, request: Request, index: number): boolean {
    const ref = this.#entry(db, request, index);
    if (!this.#hasValue(ref)) return false;
    this.#changes.awaitLastChange(ref);
    return true;
  }

  /** Version of the last change of a key that is there, for which the running command waits; 0 for none. */
  versionOf(db: number, request: Request, index: number): number {
    const ref = this.peek(db, request, index);
    return ref === 0 ? 0 : this.#store.version(ref);
  }

  /** Deletes a primary whose time has come, that is evicted or let go: not on behalf of a command. */
  reclaim(ref: Ref, why: Reclaimed): void {
    this.#foundRequest = null;
    const isToldOf = this.events.classes !== 0;
    if (isToldOf && why === Reclaimed.Expired) this.#notes.expired(ref);
    const event = isToldOf && why === Reclaimed.Evicted ? this.#notes.evicted(ref) : [];
    this.#waits.aside(() => {
      if (why === Reclaimed.Expired) this.#changes.removeExpired(ref);
      else this.#changes.remove(ref);
      this.events.hold(event, this.#waits);
    });
  }

  // --- inside

  #entry(db: number, request: Request, index: number): Ref {
    if (this.#foundRequest === request && this.#foundIndex === index) return this.#foundRef;
    return this.#store.findArgument(db, request, index);
  }

  #hasValue(ref: Ref): boolean {
    if (ref === 0 || this.#store.role(ref) >= Role.Record) return false;
    return this.#store.type(ref) !== ValueType.None && !this.#isOver(ref);
  }

  #isOver(ref: Ref): boolean {
    const expireAt = this.#store.expireAt(ref);
    return expireAt !== 0 && expireAt <= this.#state.expiryNow;
  }

  #create(db: number, request: Request, index: number, stale: Ref, length: number): Ref {
    this.#foundRequest = null;
    if (stale !== 0) this.#store.remove(stale);
    this.#mirror.grown +=
      ENTRY_OVERHEAD_BYTES + request.end[index]! - request.start[index]! + length;
    return this.#store.create(
      db,
      request.buffer,
      request.start[index]!,
      request.end[index]!,
      ValueType.String,
      length,
    );
  }

  /** Makes room for a value of `length` bytes in a primary of any type. */
  #room(ref: Ref, length: number): Ref {
    if (this.#store.valueLength(ref) === length) return ref;
    this.#foundRequest = null;
    this.#mirror.grown += length - this.#store.valueLength(ref);
    return this.#store.resize(ref, length);
  }

  /** A key was created here: provisionally, or because this node is its anchor. */
  #adopt(ref: Ref): void {
    const store = this.#store;
    store.setUsedAt(ref, Math.floor(this.now / 1000));
    if (this.#atomic !== null) {
      store.setPeer(ref, this.#state.rankedBackup(store.slot(ref))?.index ?? NOBODY);
      return this.#atomic(ref);
    }
    if (this.provisional !== null) {
      const { provisional } = this;
      store.setPeer(ref, provisional.anchor.index);
      store.setFlags(ref, Flag.Busy);
      provisional.version = this.#state.clock.next();
      store.setVersion(ref, provisional.version);
      provisional.offset = this.#mirror.appendClaim(provisional.anchor, ref);
      store.setChangeOffset(ref, provisional.offset);
      return;
    }
    store.setPeer(ref, this.#state.rankedBackup(store.slot(ref))?.index ?? NOBODY);
    this.#changed(ref, FrameType.Set);
    if (this.#state.config.locationList === 'all') this.#hooks.created(ref);
  }

  #changed(ref: Ref, type: number): void {
    if (this.#atomic !== null) this.#atomic(ref);
    else this.#changes.changed(ref, type);
  }

  #removeAtomically(ref: Ref): void {
    this.#foundRequest = null;
    this.#atomic!(ref);
    this.#atomicChanges.blank(ref);
  }

  #deleteExpired(): void {
    const expired = this.#expired.splice(0);
    for (const { db, request, index } of expired) {
      this.#foundRequest = null;
      const ref = this.#entry(db, request, index);
      if (ref === 0 || this.#store.role(ref) !== Role.Primary || !this.#isOver(ref)) continue;
      this.#state.statistics.expired++;
      this.#removeExpired(ref);
    }
  }
}
