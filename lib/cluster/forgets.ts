import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { appendKeyFrame, FrameType, typeFlags } from './frames.js';
import { type Key, keyOf } from './key.js';
import type { Waiter } from './move.js';
import type { ReplySink } from './operation.js';
import { NOBODY, type Peer } from './peer.js';
import type { Streams } from './streams.js';

const NOTHING = Buffer.alloc(0);

/** A delete that is to become final: its backup acks it, or can no longer answer, then others learn of it. */
export interface PendingForget {
  add(sink: ReplySink, token: number): void;
}

interface Forget extends PendingForget {
  readonly key: Key;
  readonly version: number;
  /** The version of the delete as sides of a partition compare it. */
  readonly deletedAt: number;
  readonly also: Peer | null;
  /** Of which type the key was: None where it was only reserved. */
  readonly flags: number;
  readonly waiters: Waiter[];
  isSent: boolean;
  acksMissing: number;
}

/**
 * Deletes whose anchor (or other keeper of a record, or half-made copy) is not the backup. They learn of it only after the
 * backup's ack: else they could grant a new creation while the backup, not knowing of the delete, promotes the old value.
 */
export class Forgets implements ReplySink {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #forgets = new Map<string, Forget>();
  readonly #steps = new Map<number, Forget>();
  #lastStep = 0;
  /** Deletes without a backup to wait for have begun in this turn. */
  #isDue = false;

  constructor(state: ClusterState, streams: Streams) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
  }

  get open(): number {
    return this.#forgets.size;
  }

  /** Begins for a tombstone; `also` is one more member to tell. */
  add(ref: Ref, also: Peer | null = null): PendingForget {
    const key = this.#keyOf(ref);
    const version = this.#store.version(ref);
    const running = this.#forgets.get(key.id);
    if (running?.version === version) return running;
    // The key was made and deleted anew: whoever waited for the delete before waits for this one.
    const waiters: Waiter[] = running?.waiters.splice(0) ?? [];
    const forget: Forget = {
      key,
      version,
      deletedAt: this.#store.expireAt(ref),
      also,
      flags: typeFlags(this.#store, ref),
      waiters,
      isSent: false,
      acksMissing: 0,
      add: (sink, token) => waiters.push({ sink, token }),
    };
    this.#forgets.set(key.id, forget);
    this.#store.setFlags(ref, Flag.Busy);
    const backup = this.#state.livePeer(this.#store.peer(ref));
    if (backup !== null) {
      const step = ++this.#lastStep;
      this.#steps.set(step, forget);
      backup.stream.awaitAck(this.#store.changeOffset(ref), this, step);
    } else {
      this.#isDue = true;
      this.#streams.wantFlush();
    }
    return forget;
  }

  /** The delete under way of that key, if it is. */
  find(key: Key): PendingForget | undefined {
    return this.#forgets.get(key.id);
  }

  /** At the end of the turn: those without a backup go on. */
  step(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    this.tick();
  }

  /** Those whose backup was left out go on when its lease has run out; called every tick and after an install. */
  tick(): void {
    for (const forget of [...this.#forgets.values()]) if (!forget.isSent) this.#send(forget);
  }

  /** What was told to a member that is gone need not be told: the new anchor is. */
  peerLost(): void {
    for (const forget of this.#forgets.values()) forget.isSent = false;
    this.#steps.clear();
  }

  clear(fail: (waiter: Waiter) => void): void {
    for (const { waiters } of this.#forgets.values()) waiters.forEach(fail);
    this.#forgets.clear();
    this.#steps.clear();
  }

  acknowledged(step: number): void {
    const forget = this.#steps.get(step);
    if (forget === undefined) return;
    this.#steps.delete(step);
    if (!forget.isSent) this.#send(forget);
    else if (--forget.acksMissing === 0) this.#finish(forget);
  }

  complete(): void {}

  fail(): void {}

  #send(forget: Forget): void {
    const { key } = forget;
    const ref = this.#store.find(key.db, key.bytes, 0, key.bytes.length);
    const isBuried = ref !== 0 && this.#store.role(ref) === Role.Tombstone;
    const isThere = isBuried && this.#store.version(ref) === forget.version;
    if (isThere && this.#state.isUnackedDelete(ref)) return;
    // Where the backup has created the key anew meanwhile it has the delete; the others are yet to learn of it.
    const backup = isThere ? this.#store.peer(ref) : NOBODY;
    forget.isSent = true;
    forget.acksMissing = 0;
    for (const peer of this.#receivers(forget, backup)) this.#tell(forget, peer);
    if (forget.acksMissing === 0) this.#finish(forget);
  }

  #receivers(forget: Forget, backup: number): Set<Peer> {
    const keepers =
      this.#state.config.locationList === 'all'
        ? this.#state.livePeers()
        : [this.#state.livePeer(this.#state.anchors[forget.key.slot]!)];
    const receivers = new Set([...keepers, forget.also].filter((peer) => peer !== null));
    for (const peer of receivers) if (!peer.isLive || peer.index === backup) receivers.delete(peer);
    return receivers;
  }

  #tell(forget: Forget, peer: Peer): void {
    const { key } = forget;
    const { log } = peer.stream;
    appendKeyFrame(
      log,
      FrameType.Forget,
      forget.flags,
      key.db,
      key.bytes,
      0,
      key.bytes.length,
      forget.version,
      forget.deletedAt,
      NOTHING,
      0,
      0,
    );
    this.#state.statistics.framesSent[FrameType.Forget]!++;
    this.#streams.appended(peer);
    const step = ++this.#lastStep;
    this.#steps.set(step, forget);
    forget.acksMissing++;
    peer.stream.awaitAck(log.endOffset, this, step);
  }

  #finish(forget: Forget): void {
    const { key } = forget;
    if (this.#forgets.get(key.id) === forget) {
      this.#forgets.delete(key.id);
      const ref = this.#store.find(key.db, key.bytes, 0, key.bytes.length);
      if (ref !== 0 && this.#store.role(ref) === Role.Tombstone) this.#store.setFlags(ref, 0);
    }
    for (const { sink, token } of forget.waiters.splice(0)) sink.acknowledged(token);
  }

  #keyOf(ref: Ref): Key {
    const start = this.#store.keyStart(ref);
    const end = start + this.#store.keyLength(ref);
    return keyOf(this.#store.db(ref), this.#store.keyBuffer(ref), start, end);
  }
}
