import { copyBytes } from '../protocol/bytes.js';
import type { Request } from '../protocol/request.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import { AtomicFrames } from './atomic-frames.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType } from './frames.js';
import { ENTRY_OVERHEAD_BYTES, entryBytes, roomAt } from './headroom.js';
import { KEEP_EXPIRY, type Keyspace } from './keyspace-contract.js';
import type { MirrorSender } from './mirror-sender.js';
import { type Move, MoveState, type Waiter } from './move.js';
import type { Operation, ReplySink } from './operation.js';
import { NOBODY, type Peer } from './peer.js';
import type { Stream } from './stream.js';
import type { Streams } from './streams.js';
import { isTicket } from './tickets.js';
import type { WriteBarrier } from './write-barrier.js';

const RAW_ENCODING = 1;

/** What the keyspace needs of mechanisms built on it. */
export interface KeyspaceHooks {
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
  /** A key was created here without a claim, and others keep a list of all locations. */
  created(ref: Ref): void;
  /** Evicts by policy; true when memory is still full. */
  makeRoom(): boolean;
  /** Whether a member that seems full may be sent more, perhaps after evicting by policy what it holds. */
  admits(backup: Peer): boolean;
}

export interface PendingForget {
  add(sink: ReplySink, token: number): void;
}

/** A command that runs on a key which is absent here, before its anchor has granted the creation. */
export interface Provisional {
  readonly anchor: Peer;
  /** Set by the creation: version and end offset of the CLAIM, 0 while nothing was created. */
  version: number;
  offset: number;
}

/**
 * The keys as handlers see them, and what each change sets off: a new version, a frame for the backup, an ack that the
 * reply waits for. Frames are appended to the backup's stream straight from the entry, in the turn of the change.
 */
export class LiveKeyspace implements Keyspace, WriteBarrier {
  now = 0;
  /** Set while a provisional command runs. */
  provisional: Provisional | null = null;
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #mirror: MirrorSender;
  readonly #atomicFrames: AtomicFrames;
  readonly #hooks: KeyspaceHooks;
  // What the running command's reply waits for: one offset per stream, and replies of open change-overs.
  readonly #waitStreams: Stream[] = [];
  readonly #waitOffsets: number[] = [];
  readonly #waitMoves: (Move | PendingForget)[] = [];
  #waits = 0;
  /** Expired keys that the running command met: deleted at its end, unless it has created them anew. */
  readonly #expired: { db: number; request: Request; index: number }[] = [];
  // The entry that routing has just found, so that the handler need not look it up again.
  #foundRequest: Request | null = null;
  #foundIndex = 0;
  #foundRef: Ref = 0;
  /** Bytes by which the running command has made entries larger, until that is counted for their backup. */
  #grown = 0;
  /** Keys changed within `atomically`, null outside. */
  #atomic: { db: number; key: Buffer }[] | null = null;

  constructor(state: ClusterState, streams: Streams, mirror: MirrorSender, hooks: KeyspaceHooks) {
    this.#state = state;
    this.#store = state.store;
    this.#mirror = mirror;
    this.#atomicFrames = new AtomicFrames(state, streams);
    this.#hooks = hooks;
  }

  // --- WriteBarrier

  begin(): void {
    this.now = this.#state.clock.wall;
    this.#waits = 0;
    // Setting the length of an array is a call into the runtime, also when it stays 0.
    if (this.#waitMoves.length > 0) this.#waitMoves.length = 0;
  }

  count(): number {
    if (this.#expired.length > 0) this.#deleteExpired();
    this.#foundRequest = null;
    return this.#waits + this.#waitMoves.length;
  }

  register(sink: ReplySink, token: number): void {
    for (let i = 0; i < this.#waits; i++) {
      this.#waitStreams[i]!.awaitAck(this.#waitOffsets[i]!, sink, token);
    }
    for (const wait of this.#waitMoves) {
      if ('add' in wait) wait.add(sink, token);
      else wait.waiters.push({ sink, token });
    }
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
  note({ db, request, keys }: Operation): void {
    const index = keys[0]!;
    const { buffer, start, end } = request;
    this.noteFound(request, index, this.#store.find(db, buffer, start[index]!, end[index]!));
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
      if (store.role(ref) === Role.Tombstone) this.#awaitDelete(ref);
      return 0;
    }
    if (store.role(ref) === Role.Primary && this.#isOver(ref)) {
      this.#expired.push({ db, request, index });
      return 0;
    }
    this.#awaitLastChange(ref);
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
    const store = this.#store;
    let ref = this.#entry(db, request, keyIndex);
    let until = expireAt;
    if (expireAt === KEEP_EXPIRY) until = this.#hasValue(ref) ? store.expireAt(ref) : 0;
    const isNew = ref === 0 || store.role(ref) !== Role.Primary;
    if (isNew) ref = this.#create(db, request, keyIndex, ref, end - start);
    else ref = this.#room(ref, end - start);
    if (store.type(ref) !== ValueType.String) store.setType(ref, ValueType.String);
    copyBytes(value, start, end, store.valueBuffer(ref), store.valueStart(ref));
    store.setEncodingFlags(ref, 0);
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
    if (isNew) ref = this.#create(db, request, keyIndex, ref, length);
    else {
      if (isBlank) store.setExpireAt(ref, 0);
      ref = this.#room(ref, length);
      if (store.type(ref) !== ValueType.String) store.setType(ref, ValueType.String);
    }
    const target = store.valueBuffer(ref);
    const at = store.valueStart(ref);
    if (offset > before) target.fill(0, at + before, at + offset);
    copyBytes(value, start, end, target, at + offset);
    store.setEncodingFlags(ref, RAW_ENCODING);
    if (isNew) this.#adopt(ref);
    else this.#changed(ref, FrameType.Set);
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
    this.#store.setExpireAt(ref, expireAt);
    this.#changed(ref, FrameType.Expire);
  }

  /** Deletes a primary: a tombstone stays until it can do no harm to forget it. */
  remove(ref: Ref): void {
    if (this.#atomic !== null) return this.#removeAtomically(ref);
    const isReserved = this.#store.type(ref) === ValueType.None;
    const version = this.#state.clock.next();
    // What was never there is not deleted: the tombstone tells of the delete before it, if there was one.
    this.#remove(ref, version, isReserved ? this.#store.expireAt(ref) : version);
  }

  /**
   * An expiry is part of the change that has set it, not a change of its own: where another side of a partition has
   * changed the key since, that one wins, whenever the expiry was noticed here.
   */
  #removeExpired(ref: Ref): void {
    if (this.#atomic !== null) return this.#removeAtomically(ref);
    this.#remove(ref, this.#state.clock.next(), this.#store.version(ref) + 1);
  }

  #remove(ref: Ref, version: number, deletedAt: number): void {
    const store = this.#store;
    this.#foundRequest = null;
    store.setExpireAt(ref, deletedAt);
    const isMoving = (store.flags(ref) & Flag.Moving) !== 0;
    const move = isMoving ? this.#hooks.moveOf(ref) : null;
    const isSending = (store.flags(ref) & Flag.Sending) !== 0;
    const sending = isSending ? this.#hooks.cancelSending(ref) : [];
    // While a change-over is open, the holder that may promote itself learns first, the others after its ack.
    const hasOld = move === null || move.state === MoveState.Lease;
    const holder = hasOld ? this.#state.peer(store.peer(ref)) : move.from;
    const backup = holder?.isLive ? holder : null;
    const offset =
      backup === null ? 0 : this.#append(backup, FrameType.Delete, ref, version, false);
    if (backup !== null) this.#await(backup.stream, offset);
    if (!this.#state.keepsTombstones) return store.remove(ref);
    const waiters = move === null ? sending : [...sending, ...this.#endMove(move)];
    const tomb = this.#bury(ref, version, offset);
    store.setPeer(tomb, holder?.index ?? NOBODY);
    if (holder !== null && backup === null) store.setChangeOffset(tomb, Number.MAX_SAFE_INTEGER);
    // Whoever has been sent a copy, also when the change-over has lost its old backup since and waits for a lease.
    const also = move !== null && move.copyOffset > 0 ? move.to : null;
    // A backup that was left out may answer reads for a while yet: the delete is not shown before that is over.
    const isRead = backup === null && this.#state.isUnackedDelete(tomb);
    const mustForget = also !== null || isRead || this.#state.mustForget(tomb);
    const forget = mustForget ? this.#hooks.forget(tomb, also) : null;
    if (forget !== null) this.#waitMoves.push(forget);
    // What waited for the key's next copy waits for its delete.
    for (const { sink, token } of waiters) {
      if (backup !== null) backup.stream.awaitAck(offset, sink, token);
      else if (forget !== null) forget.add(sink, token);
      else sink.acknowledged(token);
    }
  }

  /** The running command, too, may have read the key and wait for its copy, which will not be made now. */
  #endMove(move: Move): readonly Waiter[] {
    const waiters = move.waiters.splice(0);
    const at = this.#waitMoves.indexOf(move);
    if (at >= 0) this.#waitMoves.splice(at, 1);
    this.#hooks.moveEnded(move);
    return waiters;
  }

  rename(db: number, request: Request, fromIndex: number, toIndex: number): void {
    const store = this.#store;
    const from = this.#entry(db, request, fromIndex);
    const start = store.valueStart(from);
    const value = Buffer.from(
      store.valueBuffer(from).subarray(start, start + store.valueLength(from)),
    );
    const expireAt = store.expireAt(from);
    const encoding = store.encodingFlags(from);
    this.atomically(() => {
      this.setString(db, request, toIndex, value, 0, value.length, expireAt);
      store.setEncodingFlags(this.#entry(db, request, toIndex), encoding);
      this.remove(this.#entry(db, request, fromIndex));
    });
  }

  atomically(changes: () => void): void {
    if (this.#atomic !== null) return changes();
    this.#atomic = [];
    try {
      changes();
    } finally {
      const changed = this.#atomic;
      this.#atomic = null;
      this.#appendAtomic(changed);
    }
  }

  /** Deletes a primary whose time has come, that is evicted or let go: not on behalf of a command. */
  reclaim(ref: Ref, isExpired = false): void {
    const waits = this.#waits;
    const moves = this.#waitMoves.length;
    const atomic = this.#atomic;
    // Memory may be made for a command on several keys: what is evicted for it is no part of its change.
    this.#atomic = null;
    if (isExpired) this.#removeExpired(ref);
    else this.remove(ref);
    this.#atomic = atomic;
    this.#waits = waits;
    this.#waitMoves.length = moves;
  }

  // --- inside

  #entry(db: number, request: Request, index: number): Ref {
    if (this.#foundRequest === request && this.#foundIndex === index) return this.#foundRef;
    return this.#store.find(db, request.buffer, request.start[index]!, request.end[index]!);
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
    this.#grown += ENTRY_OVERHEAD_BYTES + request.end[index]! - request.start[index]! + length;
    return this.#store.create(
      db,
      request.buffer,
      request.start[index]!,
      request.end[index]!,
      ValueType.String,
      length,
    );
  }

  /** Makes a string of `length` bytes of a primary of any type. */
  #room(ref: Ref, length: number): Ref {
    if (this.#store.valueLength(ref) === length) return ref;
    this.#foundRequest = null;
    this.#grown += length - this.#store.valueLength(ref);
    return this.#store.resize(ref, length);
  }

  /** A key was created here: provisionally, or because this node is its anchor. */
  #adopt(ref: Ref): void {
    const store = this.#store;
    store.setUsedAt(ref, Math.floor(this.now / 1000));
    if (this.#atomic !== null) {
      store.setPeer(ref, this.#state.rankedBackup(store.slot(ref))?.index ?? NOBODY);
      return this.#noteAtomic(ref);
    }
    if (this.provisional !== null) {
      const { provisional } = this;
      store.setPeer(ref, provisional.anchor.index);
      store.setFlags(ref, Flag.Busy);
      provisional.version = this.#state.clock.next();
      store.setVersion(ref, provisional.version);
      provisional.offset = this.#append(
        provisional.anchor,
        FrameType.Claim,
        ref,
        provisional.version,
        true,
      );
      store.setChangeOffset(ref, provisional.offset);
      return;
    }
    store.setPeer(ref, this.#state.rankedBackup(store.slot(ref))?.index ?? NOBODY);
    this.#changed(ref, FrameType.Set);
    if (this.#state.config.locationList === 'all') this.#hooks.created(ref);
  }

  #changed(ref: Ref, type: number): void {
    const store = this.#store;
    if (this.#atomic !== null) return this.#noteAtomic(ref);
    const version = this.#state.clock.next();
    store.setVersion(ref, version);
    if ((store.flags(ref) & Flag.Moving) !== 0) return this.#changedMoving(ref, type, version);
    const backup = this.#state.livePeer(store.peer(ref));
    if (backup === null) {
      const move = this.#state.isAlone && !this.#state.isChanging ? null : this.#hooks.restore(ref);
      if (move !== null) this.#waitMoves.push(move);
      return;
    }
    const offset = this.#append(backup, type, ref, version, type === FrameType.Set);
    store.setChangeOffset(ref, offset);
    this.#await(backup.stream, offset);
  }

  #changedMoving(ref: Ref, type: number, version: number): void {
    const move = this.#hooks.moveOf(ref);
    const withValue = type === FrameType.Set;
    if (move.state === MoveState.Lease || move.to === null) {
      move.isUnacked = true;
      this.#waitMoves.push(move);
      return;
    }
    if (move.state === MoveState.Copy && move.from !== null) {
      move.fromOffset = this.#append(move.from, type, ref, version, withValue, Flag.Full);
      this.#await(move.from.stream, move.fromOffset);
    }
    if (move.state === MoveState.Drop) move.isChangedSinceDrop = true;
    move.toOffset = this.#append(move.to, type, ref, version, withValue, 0);
    this.#awaitMove(move);
  }

  #bury(ref: Ref, version: number, offset: number): Ref {
    const store = this.#store;
    const tomb = store.resize(ref, 0);
    store.setRole(tomb, Role.Tombstone);
    store.setFlags(tomb, 0);
    store.setVersion(tomb, version);
    store.setChangeOffset(tomb, offset);
    return tomb;
  }

  #removeAtomically(ref: Ref): void {
    this.#foundRequest = null;
    this.#noteAtomic(ref);
    this.#bury(ref, this.#store.version(ref), 0);
  }

  #noteAtomic(ref: Ref): void {
    const store = this.#store;
    const start = store.keyStart(ref);
    const key = store.keyBuffer(ref).subarray(start, start + store.keyLength(ref));
    this.#atomic!.push({ db: store.db(ref), key: Buffer.from(key) });
  }

  #appendAtomic(changed: readonly { db: number; key: Buffer }[]): void {
    const store = this.#store;
    const refs = new Set(changed.map(({ db, key }) => store.find(db, key, 0, key.length)));
    const backup = this.#atomicFrames.append(refs);
    if (backup !== null) {
      this.#countGrowth(backup);
      this.#await(backup.stream, backup.stream.log.endOffset);
    }
    for (const { db, key } of changed) {
      const ref = store.find(db, key, 0, key.length);
      if (ref === 0 || store.role(ref) !== Role.Tombstone) continue;
      if (!this.#state.keepsTombstones) store.remove(ref);
      else if (this.#state.mustForget(ref)) this.#waitMoves.push(this.#hooks.forget(ref, null));
    }
  }

  /** Until the old backup has dropped its copy it is the one that would promote: changes wait for that too. */
  #awaitMove(move: Move): void {
    this.#await(move.to!.stream, Math.max(move.toOffset, move.copyOffset));
    if (move.state === MoveState.Drop && move.from !== null) {
      this.#await(move.from.stream, move.dropOffset);
    }
  }

  /** A read of a key whose latest change is not acked waits for the same ack (I4). */
  #awaitLastChange(ref: Ref): void {
    const store = this.#store;
    if (store.role(ref) !== Role.Primary) return;
    if ((store.flags(ref) & Flag.Moving) !== 0) return this.#awaitMovingChange(ref);
    const offset = store.changeOffset(ref);
    if (offset === 0) return;
    const backup = this.#state.livePeer(store.peer(ref));
    if (backup !== null && backup.stream.acked < offset) this.#await(backup.stream, offset);
  }

  /** Nor is a delete shown before it is acked. */
  #awaitDelete(ref: Ref): void {
    const offset = this.#store.changeOffset(ref);
    const backup = this.#state.livePeer(this.#store.peer(ref));
    if (backup !== null && backup.stream.acked < offset) this.#await(backup.stream, offset);
  }

  #awaitMovingChange(ref: Ref): void {
    const move = this.#hooks.moveOf(ref);
    if (move.isUnacked) this.#waitMoves.push(move);
    if (move.from !== null && move.from.stream.acked < move.fromOffset) {
      this.#await(move.from.stream, move.fromOffset);
    }
    const { to } = move;
    if (to === null || move.toOffset === 0) return;
    const isDropped = move.from === null || move.from.stream.acked >= move.dropOffset;
    const owesDrop = move.isChangedSinceDrop && !isDropped;
    if (owesDrop || to.stream.acked < move.toOffset) this.#awaitMove(move);
  }

  #append(
    peer: Peer,
    type: number,
    ref: Ref,
    version: number,
    withValue: boolean,
    grants: number = Flag.Full | Flag.Reads,
  ): number {
    if (this.#grown !== 0) this.#countGrowth(peer);
    return this.#mirror.append(peer, type, ref, version, withValue, grants);
  }

  #countGrowth(backup: Peer): void {
    if (this.#grown > 0) backup.grownBytes += this.#grown;
    this.#grown = 0;
  }

  /** Sends the whole entry as one frame of the given type; returns the end of it. */
  appendWhole(peer: Peer, type: number, ref: Ref, grants: number): number {
    peer.grownBytes += entryBytes(this.#store, ref);
    return this.#append(peer, type, ref, this.#store.version(ref), true, grants);
  }

  /** Sends a frame about the entry that carries no value; returns the end of it. */
  appendNotice(
    peer: Peer,
    type: number,
    ref: Ref,
    flags = 0,
    version = this.#store.version(ref),
  ): number {
    return this.#append(peer, type, ref, version, false, flags);
  }

  /** Gives the backup of a key all rights: to answer reads, and to promote itself. */
  grant(backup: Peer, ref: Ref): void {
    this.appendNotice(backup, FrameType.Grant, ref, Flag.Full | Flag.Reads);
  }

  #await(stream: Stream, offset: number): void {
    for (let i = 0; i < this.#waits; i++) {
      const other = this.#waitOffsets[i]!;
      // Of two tickets the larger one need not be written last.
      if (this.#waitStreams[i] !== stream || (isTicket(offset) && isTicket(other))) continue;
      if (other < offset) this.#waitOffsets[i] = offset;
      return;
    }
    this.#waitStreams[this.#waits] = stream;
    this.#waitOffsets[this.#waits] = offset;
    this.#waits++;
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
