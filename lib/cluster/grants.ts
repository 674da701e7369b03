import { f64At } from '../protocol/bytes.js';
import { type Ref, Role, type Store } from '../store/store.js';
import type { AwaitedKeys } from './awaited-keys.js';
import type { DeferredClaim } from './claim.js';
import type { ClaimNotices } from './claim-notices.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Forgets } from './forgets.js';
import { FrameType, KeyFrame, ownBytes } from './frames.js';
import { type Key, keyOf } from './key.js';
import { bestHolding, type Lookups } from './lookups.js';
import type { Incarnation } from './member.js';
import type { MirrorReceiver } from './mirror-receiver.js';
import type { ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** The anchor's side of creating keys: of claims of one key the first is granted, the others are told who has it. */
export class Grants implements ReplySink {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #lookups: Lookups;
  readonly #mirrorReceiver: MirrorReceiver;
  readonly #awaitedKeys: AwaitedKeys;
  readonly #notices: ClaimNotices;
  readonly #forgets: Forgets;
  readonly #streams: Streams;
  #deferred: DeferredClaim[] = [];
  /** A delete that deferred claims wait for is final. */
  #isWoken = false;
  readonly #frame = new KeyFrame();

  constructor(
    state: ClusterState,
    lookups: Lookups,
    mirrorReceiver: MirrorReceiver,
    awaitedKeys: AwaitedKeys,
    notices: ClaimNotices,
    forgets: Forgets,
    streams: Streams,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#lookups = lookups;
    this.#mirrorReceiver = mirrorReceiver;
    this.#awaitedKeys = awaitedKeys;
    this.#notices = notices;
    this.#forgets = forgets;
    this.#streams = streams;
  }

  /** Claims that wait to be decided. */
  get open(): number {
    return this.#deferred.length;
  }

  /** CLAIM is a key frame with the whole value. */
  receiveClaim(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const frame = this.#frame;
    if (!frame.read(buffer, start, end) || !frame.hasSoundValue()) return false;
    this.#state.clock.observe(frame.version);
    const key = keyOf(frame.db, buffer, frame.keyStart, frame.keyEnd);
    const offset = peer.stream.frameEnd;
    const verdict = this.#judge(peer, key, frame.version);
    if (verdict === 'grant') {
      this.#mirrorReceiver.adopt(peer, frame);
      peer.unconfirmed.push({ offset, db: key.db, key: key.bytes });
      this.#awaitedKeys.granted(frame.type, key);
    } else if (verdict === 'defer' || verdict === 'wait') {
      this.#notices.send(peer, FrameType.Defer, key, frame.version, '');
      const copy = new KeyFrame();
      const bytes = ownBytes(buffer, start, end, start);
      copy.read(bytes, 0, bytes.length);
      this.#deferred.push({ peer, key, frame: copy, isAsking: false, isAwaiting: false });
      this.#decideDeferred();
    } else {
      this.#notices.send(peer, FrameType.Reject, key, frame.version, verdict.rejected);
    }
    return true;
  }

  /** CONFIRM: the claimer knows of its grants up to an offset; their copies may answer reads. */
  receiveConfirm(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start !== 8) return false;
    const offset = f64At(buffer, start);
    while (peer.unconfirmed.length > 0 && peer.unconfirmed[0]!.offset <= offset) {
      const { db, key } = peer.unconfirmed.shift()!;
      const ref = this.#store.find(db, key, 0, key.length);
      if (ref === 0 || this.#store.role(ref) !== Role.Backup) continue;
      if (this.#store.peer(ref) === peer.index) {
        this.#store.setFlags(ref, this.#store.flags(ref) | Flag.Reads);
      }
    }
    return true;
  }

  /** Deferred claims are judged again; called every tick. */
  tick(): void {
    if (this.#deferred.length > 0) this.#decideDeferred();
  }

  /** A member was left out: what it has claimed is not granted. */
  peerLost(peer: Peer): void {
    this.#deferred = this.#deferred.filter((deferred) => deferred.peer !== peer);
  }

  /** Nobody's claim is to be decided any more. */
  clear(): void {
    this.#deferred = [];
  }

  // --- inside

  #judge(
    peer: Peer,
    key: Key,
    version: number,
  ): 'grant' | 'defer' | 'wait' | { readonly rejected: Incarnation | '' } {
    const state = this.#state;
    if (!state.isAnchor(key.slot)) return { rejected: '' };
    // It was flushed at its creator, or is about to be: nobody has seen it, it runs anew.
    if (version < (state.floors[key.db] ?? 0)) return { rejected: '' };
    const ref = this.#find(key);
    // Perhaps the claimer's own claim, granted by an anchor that was lost before it could say so. All are asked.
    const isRecordOfClaim =
      ref !== 0 && this.#store.role(ref) === Role.Record && this.#store.peer(ref) === peer.index;
    if (ref !== 0 && this.#store.role(ref) !== Role.Tombstone && !isRecordOfClaim) {
      return { rejected: this.#primaryOf(ref, peer) };
    }
    if (ref !== 0) {
      if (this.#store.version(ref) >= version) return { rejected: '' };
      if (state.isOpenDelete(ref)) return 'wait';
    }
    return state.isCertain(key.slot) && !isRecordOfClaim ? 'grant' : 'defer';
  }

  /** Who executes commands on a key that exists; nobody when that is not clear, so that the claimer looks anew. */
  #primaryOf(ref: Ref, claimer: Peer): Incarnation | '' {
    if (this.#store.role(ref) === Role.Primary) return this.#state.self.id;
    const primary = this.#state.livePeer(this.#store.peer(ref));
    if (primary === claimer) return '';
    return primary?.id ?? this.#state.self.id;
  }

  #decideDeferred(): void {
    for (const deferred of [...this.#deferred]) {
      const { peer, key, frame } = deferred;
      if (deferred.isAsking) continue;
      const verdict = this.#judge(peer, key, frame.version);
      if (verdict === 'wait') this.#awaitDelete(deferred);
      else if (verdict === 'grant') this.#grantDeferred(deferred);
      else if (verdict !== 'defer') this.#rejectDeferred(deferred, verdict.rejected);
      else if (this.#state.now >= this.#state.certainFrom && !this.#state.flushing) {
        deferred.isAsking = true;
        this.#lookups.ask(key, (holdings) => {
          deferred.isAsking = false;
          if (!this.#deferred.includes(deferred)) return;
          const best = bestHolding(holdings);
          // The anchor looks once more at itself after the last no.
          const again = this.#judge(peer, key, frame.version);
          if (best !== null) this.#rejectDeferred(deferred, best.holder);
          else if (typeof again === 'object') this.#rejectDeferred(deferred, again.rejected);
          else if (again !== 'wait') this.#grantDeferred(deferred);
        });
      }
    }
  }

  /** The key was deleted here, and that is not final yet: in the turn in which it is the claim is judged again. */
  #awaitDelete(deferred: DeferredClaim): void {
    if (deferred.isAwaiting) return;
    deferred.isAwaiting = true;
    const pending = this.#forgets.find(deferred.key);
    if (pending !== undefined) return pending.add(this, 0);
    const ref = this.#find(deferred.key);
    const backup = this.#state.livePeer(this.#store.peer(ref));
    backup?.stream.awaitAck(this.#store.changeOffset(ref), this, 0);
  }

  acknowledged(): void {
    this.#isWoken = true;
    this.#streams.wantFlush();
  }

  complete(): void {}

  fail(): void {
    this.acknowledged();
  }

  /** At the end of a turn: deletes have become final. */
  step(): void {
    if (!this.#isWoken) return;
    this.#isWoken = false;
    for (const deferred of this.#deferred) deferred.isAwaiting = false;
    this.tick();
  }

  #grantDeferred(deferred: DeferredClaim): void {
    this.#deferred.splice(this.#deferred.indexOf(deferred), 1);
    this.#mirrorReceiver.adopt(deferred.peer, deferred.frame);
    this.#awaitedKeys.granted(deferred.frame.type, deferred.key);
    this.#notices.send(deferred.peer, FrameType.Granted, deferred.key, deferred.frame.version, '');
  }

  #rejectDeferred(deferred: DeferredClaim, primary: Incarnation | ''): void {
    this.#deferred.splice(this.#deferred.indexOf(deferred), 1);
    this.#notices.send(
      deferred.peer,
      FrameType.Reject,
      deferred.key,
      deferred.frame.version,
      primary,
    );
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }
}
