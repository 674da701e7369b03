import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { EditLog } from './edit-log.js';
import { Flag } from './entry-flags.js';
import { appendKeyFrame, FrameType, KEY_HEADER_BYTES, valueFlags } from './frames.js';
import { entryBytes } from './headroom.js';
import type { LargeSender } from './large-sender.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

const NOTHING = Buffer.alloc(0);
const ALL_RIGHTS = Flag.Full | Flag.Reads;

/** The primary's side of mirroring: frames about an entry, straight from the entry into the stream of another member. */
export class MirrorSender {
  /** Bytes by which the running command has made entries larger, until that is counted for their backup. */
  grown = 0;
  /** What the running command does to the value of a collection: the content of an EDIT. */
  readonly edits = new EditLog();
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #large: LargeSender;

  constructor(state: ClusterState, streams: Streams, large: LargeSender) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
    this.#large = large;
  }

  /** Returns where the frame ends in the stream, or the ticket that stands for it (tickets.ts). */
  append(
    peer: Peer,
    type: number,
    ref: Ref,
    version: number,
    withValue: boolean,
    grants: number,
  ): number {
    const store = this.#store;
    if (this.grown !== 0) this.countGrowth(peer);
    if (type === FrameType.Edit) return this.#appendEdit(peer, ref, version, grants);
    const isSending = (store.flags(ref) & Flag.Sending) !== 0 && store.role(ref) === Role.Primary;
    if (isSending || (withValue && store.valueLength(ref) > this.#state.config.partBytes)) {
      return this.#appendLarge(peer, type, ref, version, withValue, grants);
    }
    return this.#appendFrame(peer, type, ref, version, withValue, grants);
  }

  /** While the value is on its way to the peer in parts, there is nothing there yet that an edit could build on. */
  #appendEdit(peer: Peer, ref: Ref, version: number, grants: number): number {
    const store = this.#store;
    const isSending = (store.flags(ref) & Flag.Sending) !== 0;
    if (isSending && this.#large.find(peer, ref) !== undefined) {
      return this.append(peer, FrameType.Set, ref, version, true, grants);
    }
    const { log } = peer.stream;
    const keyStart = store.keyStart(ref);
    log.begin(FrameType.Edit, KEY_HEADER_BYTES + store.keyLength(ref) + this.edits.bytes);
    log.u8(grants | valueFlags(store, ref));
    log.u8(store.db(ref));
    log.u32(store.keyLength(ref));
    log.f64(version);
    log.f64(store.expireAt(ref));
    log.bytes(store.keyBuffer(ref), keyStart, keyStart + store.keyLength(ref));
    this.edits.append(log, store.valueLength(ref));
    this.#state.statistics.framesSent[FrameType.Edit]!++;
    this.#streams.appended(peer);
    return log.endOffset;
  }

  countGrowth(backup: Peer): void {
    if (this.grown > 0) backup.grownBytes += this.grown;
    this.grown = 0;
  }

  /** The whole entry, to one that is to become its backup, or is it and gets it anew; see `append`. */
  appendCopy(peer: Peer, ref: Ref, grants = 0): number {
    peer.grownBytes += entryBytes(this.#store, ref);
    return this.append(peer, FrameType.Copy, ref, this.#store.version(ref), true, grants);
  }

  /** The name of a key alone, which says nothing of a value that is on its way. */
  appendName(peer: Peer, ref: Ref): void {
    this.#appendFrame(peer, FrameType.Named, ref, this.#store.version(ref), false, 0);
  }

  /** A key that was created provisionally, to its anchor; see `append`. */
  appendClaim(anchor: Peer, ref: Ref): number {
    return this.append(anchor, FrameType.Claim, ref, this.#store.version(ref), true, ALL_RIGHTS);
  }

  appendDelete(backup: Peer, ref: Ref, version: number): number {
    return this.append(backup, FrameType.Delete, ref, version, false, ALL_RIGHTS);
  }

  /** A frame about the entry that carries no value; see `append`. */
  appendNotice(peer: Peer, type: number, ref: Ref, version = this.#store.version(ref)): number {
    return this.append(peer, type, ref, version, false, 0);
  }

  /** Gives the backup of a key all rights: to answer reads, and to promote itself. */
  grant(backup: Peer, ref: Ref): void {
    const version = this.#store.version(ref);
    this.append(backup, FrameType.Grant, ref, version, false, ALL_RIGHTS);
  }

  /** An entry with a value that goes in parts, or is being sent so. */
  #appendLarge(
    peer: Peer,
    type: number,
    ref: Ref,
    version: number,
    withValue: boolean,
    grants: number,
  ): number {
    const isLarge = this.#store.valueLength(ref) > this.#state.config.partBytes;
    if (withValue && isLarge) return this.#large.sendEntry(peer, type, ref, grants);
    const open = this.#large.find(peer, ref);
    if (open === undefined) return this.#appendFrame(peer, type, ref, version, withValue, grants);
    switch (type) {
      // These are part of what the frame says at its end.
      case FrameType.Expire:
        return open.ticket;
      case FrameType.Revoke:
        open.flags &= ~Flag.Reads;
        return open.ticket;
      case FrameType.Grant:
        open.flags |= grants;
        return open.ticket;
      default: {
        // A small value takes the place of a large one, or DROP makes it needless.
        const follows = withValue && open.type === FrameType.Copy ? FrameType.Copy : type;
        const offset = this.#appendFrame(peer, follows, ref, version, withValue, grants);
        this.#large.replace(open, ref, offset);
        return offset;
      }
    }
  }

  #appendFrame(
    peer: Peer,
    type: number,
    ref: Ref,
    version: number,
    withValue: boolean,
    grants: number,
  ): number {
    const store = this.#store;
    const { log } = peer.stream;
    const keyStart = store.keyStart(ref);
    const valueStart = withValue ? store.valueStart(ref) : 0;
    appendKeyFrame(
      log,
      type,
      grants | valueFlags(store, ref),
      store.db(ref),
      store.keyBuffer(ref),
      keyStart,
      keyStart + store.keyLength(ref),
      version,
      store.expireAt(ref),
      withValue ? store.valueBuffer(ref) : NOTHING,
      valueStart,
      withValue ? valueStart + store.valueLength(ref) : 0,
    );
    this.#state.statistics.framesSent[type]!++;
    this.#streams.appended(peer);
    return log.endOffset;
  }
}
