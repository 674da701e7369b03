import { FRAME_HEADER_BYTES, FrameLog } from '../protocol/bus-frames.js';
import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { EditLog } from './edit-log.js';
import { Flag } from './entry-flags.js';
import { FrameType, KEY_HEADER_BYTES, valueFlags } from './frames.js';
import type { Key } from './key.js';
import type { LargeSender } from './large-sender.js';
import type { Peer } from './peer.js';

/** A frame that was appended: to whom, and where it ends, or its ticket (tickets.ts). */
export interface Appended {
  readonly backup: Peer;
  readonly offset: number;
}

/** What a frame is about: of each entry the edits since its backup has had it, null where its value goes whole. */
export type ChangedEntries = ReadonlyMap<Ref, EditLog | null>;

/** An ATOMIC frame that is being put together. */
export interface GrowingFrame {
  readonly backup: Peer;
  readonly length: number;
  readonly log: FrameLog;
}

const NO_HEAD = Buffer.alloc(0);
/** A frame says how long it is without this. */
const LENGTH_BYTES = 4;

/**
 * ATOMIC: the state of all keys that one command has changed, as frames within a frame; the backup applies all or none.
 * Gathering has brought the keys here and given them one backup.
 */
export class AtomicFrames {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #large: LargeSender;

  constructor(state: ClusterState, large: LargeSender) {
    this.#state = state;
    this.#store = state.store;
    this.#large = large;
  }

  /** Bytes of the frame about these entries. */
  lengthOf(entries: ChangedEntries): number {
    let length = 0;
    for (const [ref, edits] of entries) {
      const backup = this.#state.livePeer(this.#store.peer(ref));
      length += this.#lengthOf(ref, this.#editsOf(ref, edits, backup));
    }
    return length;
  }

  #lengthOf(ref: Ref, edits: EditLog | null): number {
    const store = this.#store;
    const value = edits === null ? store.valueLength(ref) : edits.bytes;
    return FRAME_HEADER_BYTES + KEY_HEADER_BYTES + store.keyLength(ref) + value;
  }

  /** Null where the value goes whole: it is no longer than the edits, or not yet at the backup, as it goes there in parts. */
  #editsOf(ref: Ref, edits: EditLog | null, backup: Peer | null): EditLog | null {
    const store = this.#store;
    if (edits === null || edits.bytes >= store.valueLength(ref)) return null;
    const isSending = (store.flags(ref) & Flag.Sending) !== 0;
    const isOnItsWay = isSending && backup !== null && this.#large.find(backup, ref) !== undefined;
    return isOnItsWay ? null : edits;
  }

  /** Gives the entries new versions and sends them to their backup; null where there is none. */
  append(changed: ChangedEntries): Appended | null {
    const store = this.#store;
    let backup: Peer | null = null;
    for (const ref of changed.keys()) {
      const version = this.#state.clock.next();
      store.setVersion(ref, version);
      if (store.role(ref) === Role.Tombstone) store.setExpireAt(ref, version);
      backup ??= this.#state.livePeer(store.peer(ref));
    }
    if (backup === null) return null;
    const entries = new Map<Ref, EditLog | null>();
    let length = 0;
    for (const [ref, all] of changed) {
      const edits = this.#editsOf(ref, all, backup);
      entries.set(ref, edits);
      length += this.#lengthOf(ref, edits);
    }
    const lent = length > this.#state.config.partBytes ? this.#lentOf(entries, length) : 0;
    const offset =
      lent === 0
        ? this.#appendCopies(backup, length, entries)
        : this.#appendLent(backup, entries, lent);
    for (const ref of entries.keys()) store.setChangeOffset(ref, offset);
    return { backup, offset };
  }

  #appendCopies(backup: Peer, length: number, entries: ChangedEntries): number {
    const put = (log: FrameLog): void => {
      for (const [ref, edits] of entries) this.#put(log, ref, edits);
    };
    return this.#large.append(backup, FrameType.Atomic, length, put, entries.keys());
  }

  /**
   * The one large value of a frame, which need not be copied: it is held, so that nobody changes it before the frame is written.
   * 0 where the rest of the frame would be large, too, as that goes whole.
   */
  #lentOf(entries: ChangedEntries, length: number): Ref {
    const store = this.#store;
    for (const [ref, edits] of entries) {
      if (edits !== null || !store.isLarge(ref) || (store.flags(ref) & Flag.Held) === 0) continue;
      if (length - store.valueLength(ref) <= this.#state.config.partBytes) return ref;
    }
    return 0;
  }

  /** The value of `lent` is the end of the frame, and goes straight from the store. */
  #appendLent(backup: Peer, entries: ChangedEntries, lent: Ref): number {
    const store = this.#store;
    const log = new FrameLog();
    const others = [...entries].filter(([ref]) => ref !== lent);
    const value = store.valueLength(lent);
    let length = this.#lengthOf(lent, null) - value;
    for (const [ref, edits] of others) length += this.#lengthOf(ref, edits);
    log.begin(FrameType.Atomic, length);
    for (const [ref, edits] of others) this.#put(log, ref, edits);
    this.#putHead(log, lent, null);
    let head: Buffer = NO_HEAD;
    log.eachFrame(0, (_type, buffer, start, end) => {
      head = buffer.subarray(start, end);
    });
    const start = store.valueStart(lent);
    return this.#large.sendLent(
      backup,
      FrameType.Atomic,
      head,
      store.valueBuffer(lent),
      start,
      start + value,
      entries.keys(),
    );
  }

  /** Begins a frame that is put together in several turns: `bytes` of keys and values, of `count` entries. */
  begin(backup: Peer, count: number, bytes: number): GrowingFrame {
    const log = new FrameLog();
    const length = count * (FRAME_HEADER_BYTES + KEY_HEADER_BYTES) + bytes;
    log.begin(FrameType.Atomic, length);
    return { backup, length, log };
  }

  /** Gives the entry, as it is now, a new version, and puts it in the frame; it stays as it is until that is sent. */
  add({ log }: GrowingFrame, ref: Ref): void {
    this.#store.setVersion(ref, this.#state.clock.next());
    this.#put(log, ref, null);
  }

  /**
   * Sends a frame that is complete. Where it goes in parts, `written` is called when its end is written, with its offset, else not;
   * `keys` tells whose changes it carries.
   */
  send(
    { backup, length, log }: GrowingFrame,
    keys: () => readonly Key[],
    written: (offset: number) => void,
  ): Appended {
    let offset = 0;
    log.eachFrame(0, (type, buffer, start, end) => {
      if (length <= this.#state.config.partBytes) {
        offset = this.#large.append(backup, type, length, (to) => to.bytes(buffer, start, end));
      } else {
        const body = {
          head: NO_HEAD,
          buffer,
          start,
          end,
          order: '',
          keys: [],
          lateKeys: keys,
          written,
        };
        offset = this.#large.sendBody(backup, type, body);
      }
    });
    return { backup, offset };
  }

  #put(log: FrameLog, ref: Ref, edits: EditLog | null): void {
    this.#putHead(log, ref, edits);
    const store = this.#store;
    if (edits !== null) return edits.append(log, store.valueLength(ref));
    if (store.valueLength(ref) === 0) return;
    const start = store.valueStart(ref);
    log.bytes(store.valueBuffer(ref), start, start + store.valueLength(ref));
  }

  /** All but the value. */
  #putHead(log: FrameLog, ref: Ref, edits: EditLog | null): void {
    const store = this.#store;
    const isDeleted = store.role(ref) === Role.Tombstone;
    log.u32(this.#lengthOf(ref, edits) - LENGTH_BYTES);
    log.u8(isDeleted ? FrameType.Delete : edits === null ? FrameType.Set : FrameType.Edit);
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
  }
}
