import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { appendKeyFrame, FrameType, valueFlags } from './frames.js';
import type { LargeSender } from './large-sender.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

const NOTHING = Buffer.alloc(0);

/** The primary's side of mirroring: frames about an entry, straight from the entry into the stream of another member. */
export class MirrorSender {
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
    const isSending = (store.flags(ref) & Flag.Sending) !== 0 && store.role(ref) === Role.Primary;
    if (isSending || (withValue && store.valueLength(ref) > this.#state.config.partBytes)) {
      return this.#appendLarge(peer, type, ref, version, withValue, grants);
    }
    return this.#appendFrame(peer, type, ref, version, withValue, grants);
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
