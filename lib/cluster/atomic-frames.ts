import { FRAME_HEADER_BYTES, type FrameLog } from '../protocol/bus-frames.js';
import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType, KEY_HEADER_BYTES, valueFlags } from './frames.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/**
 * ATOMIC: the state of all keys that one command has changed, as frames within a frame; the backup applies all or none.
 * Gathering has brought the keys here and given them one backup. It goes as a whole, however large it is.
 */
export class AtomicFrames {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;

  constructor(state: ClusterState, streams: Streams) {
    this.#state = state;
    this.#store = state.store;
    this.#streams = streams;
  }

  /** Gives the entries new versions and sends them; returns their backup, null where there is none. */
  append(refs: ReadonlySet<Ref>): Peer | null {
    const store = this.#store;
    let backup: Peer | null = null;
    let length = 0;
    for (const ref of refs) {
      const version = this.#state.clock.next();
      store.setVersion(ref, version);
      if (store.role(ref) === Role.Tombstone) store.setExpireAt(ref, version);
      backup ??= this.#state.livePeer(store.peer(ref));
      length +=
        FRAME_HEADER_BYTES + KEY_HEADER_BYTES + store.keyLength(ref) + store.valueLength(ref);
    }
    if (backup === null) return null;
    const { log } = backup.stream;
    log.begin(FrameType.Atomic, length);
    for (const ref of refs) this.#put(log, ref);
    this.#state.statistics.framesSent[FrameType.Atomic]!++;
    this.#streams.appended(backup);
    for (const ref of refs) store.setChangeOffset(ref, log.endOffset);
    return backup;
  }

  #put(log: FrameLog, ref: Ref): void {
    const store = this.#store;
    const isDeleted = store.role(ref) === Role.Tombstone;
    log.u32(1 + KEY_HEADER_BYTES + store.keyLength(ref) + store.valueLength(ref));
    log.u8(isDeleted ? FrameType.Delete : FrameType.Set);
    log.u8(Flag.Full | Flag.Reads | valueFlags(store, ref));
    log.u8(store.db(ref));
    log.u32(store.keyLength(ref));
    log.f64(store.version(ref));
    log.f64(store.expireAt(ref));
    log.bytes(
      store.keyBuffer(ref),
      store.keyStart(ref),
      store.keyStart(ref) + store.keyLength(ref),
    );
    if (store.valueLength(ref) === 0) return;
    const start = store.valueStart(ref);
    log.bytes(store.valueBuffer(ref), start, start + store.valueLength(ref));
  }
}
