import { type Ref, type Store, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Gather } from './gather.js';
import type { Key } from './key.js';
import type { KeyHolds } from './key-holds.js';
import type { LiveKeyspace } from './keyspace.js';
import { Reclaimed } from './keyspace-hooks.js';
import type { Peer } from './peer.js';
import { isTicket } from './tickets.js';

/** The entries of keys that a command has gathered: what has become of them, and of what was reserved. */
export class GatheredEntries {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #keyspace: LiveKeyspace;
  readonly #holds: KeyHolds;

  constructor(state: ClusterState, keyspace: LiveKeyspace, holds: KeyHolds) {
    this.#state = state;
    this.#store = state.store;
    this.#keyspace = keyspace;
    this.#holds = holds;
  }

  find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }

  /** The frame of the command's changes while it is on its way in parts; else null. */
  sentOf(gather: Gather): Gather['sent'] {
    for (let position = 0; position < gather.count; position++) {
      const ref = this.find(gather.key(position));
      const offset = ref === 0 ? 0 : this.#store.changeOffset(ref);
      const backup = ref === 0 ? null : this.#state.livePeer(this.#store.peer(ref));
      if (isTicket(offset) && backup !== null) return { backup, offset };
    }
    return null;
  }

  backupOf(gather: Gather): Peer | null {
    for (let position = 0; position < gather.count; position++) {
      const ref = this.find(gather.key(position));
      if (ref !== 0) return this.#state.livePeer(this.#store.peer(ref));
    }
    return null;
  }

  /** Keys that stay absent: the reply waits until no record of them is left, which DBSIZE would count. */
  dropReserved(gather: Gather): void {
    for (let position = 0; position < gather.count; position++) {
      const ref = this.find(gather.key(position));
      const isOurs = ref !== 0 && this.#holds.isOurs(ref);
      if (isOurs && this.#store.type(ref) === ValueType.None) this.#keyspace.remove(ref);
    }
  }

  /** Reads of what a long step has changed wait for the ack of its frame, too. */
  noteSent({ sent }: Gather, ref: Ref): void {
    if (sent === null || !sent.backup.isLive || this.#store.peer(ref) !== sent.backup.index) return;
    if (sent.backup.stream.acked < sent.offset) this.#store.setChangeOffset(ref, sent.offset);
  }

  /** An answer has come too late: what it has reserved is not held by anybody. */
  dropReservation(key: Key): void {
    const ref = this.find(key);
    if (ref === 0 || !this.#holds.isOurs(ref) || this.#holds.has(key)) return;
    if (this.#state.merging[key.slot] === 1 || this.#store.type(ref) !== ValueType.None) return;
    this.#keyspace.begin();
    this.#keyspace.reclaim(ref, Reclaimed.LetGo);
  }
}
