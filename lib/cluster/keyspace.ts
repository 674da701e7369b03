import { copyBytes } from '../protocol/bytes.js';
import type { Request } from '../protocol/request.js';
import { isLargePayload, LARGE_VALUE_BYTES } from '../store/size-classes.js';
import { type Attachment, type Ref, Role, type Store, ValueType } from '../store/store.js';
import { AtomicChanges } from './atomic-changes.js';
import type { AtomicFrames } from './atomic-frames.js';
import { isAwaitable } from './awaited-keys.js';
import { Changes } from './changes.js';
import type { ClusterState } from './cluster-state.js';
import { EventNotes, type ExpiredKey } from './event-notes.js';
import { FoundEntry } from './found-entry.js';
import { FrameType } from './frames.js';
import { roomAt } from './headroom.js';
import type { KeyUses } from './key-uses.js';
import { KEEP_EXPIRY, type Keyspace } from './keyspace-contract.js';
import type { KeyspaceEvents } from './keyspace-events.js';
import { type KeyspaceHooks, type Provisional, Reclaimed } from './keyspace-hooks.js';
import type { MirrorSender } from './mirror-sender.js';
import { databaseOf, type Operation, type ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import { PrimaryEntries } from './primary-entries.js';
import { ReplyWaits } from './reply-waits.js';
import { StepChanges } from './step-changes.js';
import { RAW_ENCODING, ValueEdits } from './value-edits.js';
import type { WriteBarrier } from './write-barrier.js';

/** The keys as handlers see them: what they look up, create, change and delete, and what their replies then wait for. */
export class LiveKeyspace implements Keyspace, WriteBarrier {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #mirror: MirrorSender;
  readonly #hooks: KeyspaceHooks;
  readonly #waits = new ReplyWaits();
  readonly #changes: Changes;
  readonly #notes: EventNotes;
  readonly events: KeyspaceEvents;
  readonly steps: StepChanges;
  readonly #entries: PrimaryEntries;
  readonly #edits: ValueEdits;
  readonly #found: FoundEntry;
  readonly #uses: KeyUses;
  /** Expired keys that the running command met: deleted at its end, unless it has created them anew. */
  readonly #expired: ExpiredKey[] = [];

  constructor(
    state: ClusterState,
    atomicFrames: AtomicFrames,
    mirror: MirrorSender,
    hooks: KeyspaceHooks,
    uses: KeyUses,
    events: KeyspaceEvents,
  ) {
    this.events = events;
    this.#state = state;
    this.#store = state.store;
    this.#mirror = mirror;
    this.#hooks = hooks;
    this.#changes = new Changes(state, mirror, this.#waits, hooks);
    this.#notes = new EventNotes(state, events, this.#changes, this.#waits, this.#expired);
    const forget = (ref: Ref) => hooks.forget(ref, null);
    this.steps = new StepChanges(
      state,
      new AtomicChanges(state, atomicFrames, mirror, this.#changes, this.#waits, forget),
      mirror,
      this.#waits,
    );
    const found = new FoundEntry(state.store);
    this.#found = found;
    this.#uses = uses;
    const created = (ref: Ref): void => hooks.created(ref);
    this.#entries = new PrimaryEntries(
      state,
      mirror,
      this.#changes,
      this.steps,
      found,
      uses,
      created,
    );
    this.#edits = new ValueEdits(state, mirror, this.#entries, found, events, this.#notes);
  }

  get now(): number {
    return this.#entries.now;
  }

  /** Set while a provisional command runs. */
  get provisional(): Provisional | null {
    return this.#entries.provisional;
  }

  set provisional(provisional: Provisional | null) {
    this.#entries.provisional = provisional;
  }

  // --- WriteBarrier

  begin(): void {
    this.#entries.now = this.#state.clock.wall;
    this.#waits.clear();
  }

  count(): number {
    if (this.#expired.length > 0) this.#deleteExpired();
    this.#found.drop();
    if (this.events.classes !== 0) this.events.release(this.#waits);
    return this.#waits.count;
  }

  register(sink: ReplySink, token: number): void {
    this.#waits.register(sink, token);
  }

  outOfMemory(): boolean {
    const limit = this.#state.config.maxMemoryBytes;
    const isOver = limit > 0 && this.#state.countedBytes > limit;
    if (isOver && this.#hooks.makeRoom()) return true;
    if (!this.#state.isMemoryLimited) return false;
    const backup = this.#backupToBe();
    return backup !== null && roomAt(backup) <= 0 && !this.#hooks.admits(backup);
  }

  /** Who will get a copy of what the command leaves in the key that was noted. */
  #backupToBe(): Peer | null {
    if (this.provisional !== null) return this.provisional.anchor;
    const { ref, request, index } = this.#found;
    if (request === null) return null;
    const isHere = ref !== 0 && this.#store.role(ref) === Role.Primary;
    const backup = isHere ? this.#state.livePeer(this.#store.peer(ref)) : null;
    if (backup !== null) return backup;
    return this.#state.rankedBackup(
      this.#state.slotOf(request.buffer, request.start[index]!, request.end[index]!),
    );
  }

  // --- looking

  /** Routing has found the entry of this argument, and nothing changes before its handler runs. */
  noteFound(db: number, request: Request, index: number, ref: Ref): void {
    this.#found.note(db, request, index, ref);
  }

  /** The same for a command that comes from elsewhere than the hot path. */
  note(operation: Operation): void {
    const { request, keys } = operation;
    const index = keys[0]!;
    const { buffer, start, end } = request;
    const db = databaseOf(operation, 0);
    const ref = this.#store.find(db, buffer, start[index]!, end[index]!);
    this.noteFound(db, request, index, ref);
  }

  find(db: number, request: Request, index: number): Ref {
    const ref = this.peek(db, request, index);
    if (ref === 0) {
      this.#state.statistics.keyspaceMisses++;
      return 0;
    }
    this.#state.statistics.keyspaceHits++;
    this.#uses.used(ref, this.now);
    return ref;
  }

  peek(db: number, request: Request, index: number): Ref {
    const store = this.#store;
    const ref = this.#found.of(db, request, index);
    if (ref === 0) return 0;
    if (store.role(ref) >= Role.Record || store.type(ref) === ValueType.None) {
      if (store.role(ref) === Role.Tombstone) this.#changes.awaitDelete(ref);
      return 0;
    }
    if (store.role(ref) === Role.Primary && this.#entries.isOver(ref)) {
      if (this.#state.keepsExpired) return 0;
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
    return this.#uses.idleSeconds(ref, this.now);
  }

  setIdle(ref: Ref, seconds: number): void {
    this.#uses.setIdle(ref, seconds, this.now);
  }

  frequency(ref: Ref): number | null {
    return this.#uses.frequency(ref, this.now);
  }

  setFrequency(ref: Ref, frequency: number): void {
    this.#uses.setFrequency(ref, frequency);
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
  ): Ref {
    const store = this.#store;
    const stale = this.#found.of(db, request, keyIndex);
    const isNew = this.#isNew(stale);
    let until = expireAt;
    if (expireAt === KEEP_EXPIRY) until = this.#entries.hasValue(stale) ? store.expireAt(stale) : 0;
    const ref = this.#placeOf(db, request, keyIndex, stale, type, end - start, expireAt > 0);
    copyBytes(value, start, end, store.valueBuffer(ref), store.valueStart(ref));
    this.#placed(ref, isNew, encoding, until);
    return ref;
  }

  #isNew(ref: Ref): boolean {
    return ref === 0 || this.#store.role(ref) !== Role.Primary;
  }

  /** The entry of a key, `stale` so far, with room for a new value of this type; `placed` follows when the value is there. */
  #placeOf(
    db: number,
    request: Request,
    keyIndex: number,
    stale: Ref,
    type: ValueType,
    length: number,
    expires: boolean,
  ): Ref {
    const store = this.#store;
    if (this.events.classes !== 0) this.#notes.value(db, request, keyIndex, stale, expires);
    const isNew = this.#isNew(stale);
    if (isAwaitable(type) && (isNew || store.type(stale) !== type || this.#entries.isOver(stale))) {
      this.#hooks.came(type, db, request, keyIndex, this.provisional !== null);
    }
    if (!isNew && store.type(stale) !== type) store.setType(stale, type);
    const ref = isNew
      ? this.#entries.create(db, request, keyIndex, stale, type, length)
      : this.#entries.room(stale, length);
    store.attach(ref, null);
    return ref;
  }

  #placed(ref: Ref, isNew: boolean, encoding: number, expireAt: number): void {
    const store = this.#store;
    store.setEncodingFlags(ref, encoding);
    if (store.expireAt(ref) !== expireAt) store.setExpireAt(ref, expireAt);
    if (isNew) this.#entries.adopt(ref);
    else this.#entries.changed(ref, FrameType.Set);
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
    this.#edits.writeRange(db, request, keyIndex, offset, value, start, end);
  }

  splice(ref: Ref, at: number, removed: number, source: Buffer, start: number, end: number): Ref {
    return this.#edits.splice(ref, at, removed, source, start, end);
  }

  replaceBytes(ref: Ref, value: Buffer): Ref {
    return this.#edits.replace(ref, value);
  }

  edited(ref: Ref, encoding: number): void {
    this.#edits.edited(ref, encoding);
  }

  /** Creates a key without a value: it is absent to every reader, and cannot be created by another node. */
  reserve(db: number, request: Request, keyIndex: number): void {
    const stale = this.#found.of(db, request, keyIndex);
    const isDeleted = stale !== 0 && this.#store.role(stale) === Role.Tombstone;
    const deletedAt = isDeleted ? this.#store.expireAt(stale) : 0;
    const ref = this.#entries.create(db, request, keyIndex, stale, ValueType.None, 0);
    this.#store.setExpireAt(ref, deletedAt);
    this.#entries.adopt(ref);
  }

  setExpiry(ref: Ref, expireAt: number): void {
    if (this.events.classes !== 0) this.#notes.expiry(ref, expireAt);
    this.#store.setExpireAt(ref, expireAt);
    this.#entries.changed(ref, FrameType.Expire);
  }

  remove(ref: Ref): void {
    this.#mirror.edits.clear();
    if (this.events.classes !== 0) this.#notes.removal(ref);
    this.#found.drop();
    if (this.steps.isOpen) this.steps.removed(ref);
    else this.#changes.remove(ref);
  }

  #removeExpired(ref: Ref): void {
    if (this.events.classes !== 0) this.#notes.expiredRemoval(ref);
    this.#found.drop();
    if (this.steps.isOpen) this.steps.removed(ref);
    else this.#changes.removeExpired(ref);
  }

  rename(db: number, request: Request, fromIndex: number, toIndex: number): void {
    this.#give(db, request, fromIndex, db, toIndex);
    if (this.events.classes !== 0) this.#notes.rename(db, request, fromIndex, toIndex);
  }

  move(db: number, request: Request, index: number, toDb: number): void {
    this.#give(db, request, index, toDb, index);
    if (this.events.classes !== 0) this.#notes.move(db, request, index, toDb);
  }

  /** What becomes of each key is not told of, but that one has got what was the other's: by who calls this. */
  #give(db: number, request: Request, fromIndex: number, toDb: number, toIndex: number): void {
    this.atomically(() => {
      const noted = this.events.take();
      const from = this.#found.of(db, request, fromIndex);
      if (this.#isLargeUnder(from, request.length(toIndex)))
        this.#giveLarge(db, request, fromIndex, toDb, toIndex);
      else this.#giveCopy(from, request, toDb, toIndex);
      this.remove(this.#found.of(db, request, fromIndex));
      this.events.take();
      this.events.give(noted);
    });
  }

  /** What is large under a long name may be small under a shorter one. */
  #isLargeUnder(ref: Ref, nameBytes: number): boolean {
    const store = this.#store;
    return store.isLarge(ref) && isLargePayload(nameBytes + store.valueLength(ref));
  }

  #giveCopy(from: Ref, request: Request, toDb: number, toIndex: number): void {
    const store = this.#store;
    const start = store.valueStart(from);
    const length = store.valueLength(from);
    // The store may move the entry while it makes room for the other one.
    const value = Buffer.from(store.valueBuffer(from).subarray(start, start + length));
    const type = store.type(from);
    const encoding = store.encodingFlags(from);
    const expireAt = store.expireAt(from);
    this.setValue(toDb, request, toIndex, type, encoding, value, 0, length, expireAt);
  }

  /** The value goes as it is, with its index: copied it would hold up all others. */
  #giveLarge(db: number, request: Request, fromIndex: number, toDb: number, toIndex: number): void {
    const store = this.#store;
    const before = this.#found.of(db, request, fromIndex);
    const type = store.type(before);
    const encoding = store.encodingFlags(before);
    const expireAt = store.expireAt(before);
    const length = store.valueLength(before);
    const stale = this.#found.of(toDb, request, toIndex);
    const isNew = this.#isNew(stale);
    // What is large already gives its own value in exchange, else one that was made for this.
    const hasLarge = !isNew && store.isLarge(stale);
    const place = hasLarge ? store.valueLength(stale) : LARGE_VALUE_BYTES;
    const to = this.#placeOf(toDb, request, toIndex, stale, type, place, expireAt > 0);
    store.exchangeLarge(to, this.#found.of(db, request, fromIndex));
    this.#mirror.grown += length - place;
    this.#placed(to, isNew, encoding, expireAt);
  }

  atomically(changes: () => void): void {
    this.steps.atomically(changes);
  }

  /**
   * A step goes on in a later turn. What it has met expired is deleted by others later: a delete by itself, of a key that it
   * holds, could come before what it has changed. And what it has found may be elsewhere by then: entries move.
   */
  endSlice(): void {
    this.#expired.length = 0;
    this.#found.drop();
  }

  /** Whether a key of which this node is primary exists; if so the running command waits for its latest change. */
  exists(db: number, request: Request, index: number): boolean {
    const ref = this.#found.of(db, request, index);
    if (!this.#entries.hasValue(ref)) return false;
    this.#changes.awaitLastChange(ref);
    return true;
  }

  /** Version of the last change of a key that is there, for which the running command waits; 0 for none. */
  versionOf(db: number, request: Request, index: number): number {
    const ref = this.peek(db, request, index);
    return ref === 0 ? 0 : this.#store.version(ref);
  }

  /** Whether a key has a value, be it one whose time is over. */
  hasEntry(db: number, request: Request, index: number): boolean {
    const ref = this.#found.of(db, request, index);
    if (ref === 0 || this.#store.role(ref) >= Role.Record) return false;
    return this.#store.type(ref) !== ValueType.None;
  }

  /** Deletes a primary whose time has come, that is evicted or let go: not on behalf of a command. */
  reclaim(ref: Ref, why: Reclaimed): void {
    this.#found.drop();
    const isToldOf = this.events.classes !== 0;
    if (isToldOf && why === Reclaimed.Expired) this.#notes.expired(ref);
    const events = isToldOf ? this.#notes.reclaimed(ref) : [];
    if (isToldOf && why === Reclaimed.Evicted) events.push(...this.#notes.evicted(ref));
    this.#waits.aside(() => {
      if (why === Reclaimed.Expired) this.#changes.removeExpired(ref);
      else this.#changes.remove(ref);
      this.events.hold(events, this.#waits);
    });
  }

  // --- inside

  #deleteExpired(): void {
    const expired = this.#expired.splice(0);
    for (const { db, request, index } of expired) {
      this.#found.drop();
      const ref = this.#found.of(db, request, index);
      if (ref === 0 || this.#store.role(ref) !== Role.Primary || !this.#entries.isOver(ref))
        continue;
      this.#state.statistics.expired++;
      this.#removeExpired(ref);
    }
  }
}
