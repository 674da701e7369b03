import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { entryBytes, roomAt } from './headroom.js';
import { type Key, keyOf } from './key.js';
import { bestHolding, type Lookups } from './lookups.js';
import type { Incarnation } from './member.js';
import type { Moves } from './moves.js';
import type { Preparing } from './preparing.js';
import type { Records } from './records.js';

/** Orphans and dangling records that may be looked up at one time. */
const LOOKUPS_MAX = 256;

/** What becomes of copies whose primary was left out (docs/data-plane.md, "A member is left out"). */
export class Failover {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #moves: Moves;
  readonly #lookups: Lookups;
  readonly #records: Records;
  readonly #preparing: Preparing;
  readonly #asking = new Set<string>();

  constructor(
    state: ClusterState,
    moves: Moves,
    lookups: Lookups,
    records: Records,
    preparing: Preparing,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#moves = moves;
    this.#lookups = lookups;
    this.#records = records;
    this.#preparing = preparing;
  }

  get open(): number {
    return this.#asking.size;
  }

  /**
   * Makes this node the primary of a full backup copy whose primary is gone; true when that is done. Not before this
   * node's last short lease to the old primary has run out: until then that one may answer reads.
   */
  promote(ref: Ref): boolean {
    const store = this.#store;
    if ((store.flags(ref) & Flag.Full) === 0 || !this.#mayPromote(ref)) return false;
    this.#promoteNow(ref);
    return true;
  }

  #mayPromote(ref: Ref): boolean {
    if (this.#state.awaitsFloors) return false;
    const old = this.#state.peer(this.#store.peer(ref));
    return old === null || this.#state.grantEnds(old) <= this.#state.now;
  }

  /** A copy without the right to promote itself: it asks who has the key. */
  adoptOrphan(ref: Ref): void {
    const key = this.#keyOf(ref);
    this.#ask(key, (holdings) => {
      const now = this.#find(key);
      if (now === 0 || !this.#isOrphan(now)) return;
      if (!this.#mayPromote(now)) return;
      const best = bestHolding(holdings);
      const version = this.#store.version(now);
      // Who has a newer tombstone has seen the delete of this copy.
      if (holdings.some((one) => one.role === Role.Tombstone && one.version > version)) {
        this.#store.remove(now);
        return;
      }
      if (best !== null && (best.role === Role.Primary || (best.flags & Flag.Full) !== 0)) {
        this.#giveUpOrphan(now, best.holder);
      } else if (
        best === null ||
        version > best.version ||
        (version === best.version && this.#state.self.id < best.holder)
      ) {
        this.#promoteNow(now);
      }
    });
  }

  /**
   * Another node holds the key. An anchor keeps a record of that: whoever holds it *full* may not have promoted itself yet,
   * and so has told nobody; with no entry here the key would be said not to exist.
   */
  #giveUpOrphan(ref: Ref, holder: Incarnation): void {
    const store = this.#store;
    const peer = this.#state.peerById(holder);
    if (peer === undefined || !this.#state.keepsRecordOf(store.slot(ref))) {
      store.remove(ref);
      return;
    }
    const record = store.resize(ref, 0);
    store.setExpireAt(record, 0);
    store.setRole(record, Role.Record);
    store.setFlags(record, 0);
    store.setPeer(record, peer.index);
  }

  /**
   * A record that names nobody alive: asks who has the key, and is dropped when nobody has. False when that is being asked
   * already, or too much is: then `done` is not called.
   */
  resolveRecord(key: Key, done: () => void = () => {}): boolean {
    return this.#ask(key, (holdings) => {
      const ref = this.#find(key);
      if (ref !== 0 && this.#store.role(ref) === Role.Record) {
        const best = bestHolding(holdings);
        const holder = best === null ? undefined : this.#state.peerById(best.holder);
        if (holder === undefined) this.#store.remove(ref);
        else this.#store.setPeer(ref, holder.index);
      }
      done();
    });
  }

  keyOf(ref: Ref): Key {
    return this.#keyOf(ref);
  }

  clear(): void {
    this.#asking.clear();
  }

  #promoteNow(ref: Ref): void {
    const store = this.#store;
    store.setRole(ref, Role.Primary);
    store.setFlags(ref, Flag.Eager);
    store.setChangeOffset(ref, 0);
    this.#state.statistics.promotions++;
    this.#records.announce(ref);
    this.#preparing.promoted(ref);
    const backup = this.#state.rankedBackup(store.slot(ref));
    // Where that one is full the walk of settling waits for room.
    if (backup === null || roomAt(backup) >= entryBytes(store, ref)) {
      this.#moves.start(ref, backup);
    }
  }

  /** False when the key is being asked for already, or too many are. */
  #ask(key: Key, then: Parameters<Lookups['ask']>[1]): boolean {
    if (this.#asking.has(key.id) || this.#asking.size >= LOOKUPS_MAX) return false;
    this.#asking.add(key.id);
    this.#lookups.ask(key, (holdings) => {
      this.#asking.delete(key.id);
      then(holdings);
    });
    return true;
  }

  #isOrphan(ref: Ref): boolean {
    const store = this.#store;
    return (
      store.role(ref) === Role.Backup &&
      (store.flags(ref) & Flag.Full) === 0 &&
      this.#state.livePeer(store.peer(ref)) === null
    );
  }

  #keyOf(ref: Ref): Key {
    const store = this.#store;
    const start = store.keyStart(ref);
    return keyOf(store.db(ref), store.keyBuffer(ref), start, start + store.keyLength(ref));
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }
}
