import type { Request } from '../protocol/request.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { Changes } from './changes.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { FoundEntry } from './found-entry.js';
import { FrameType } from './frames.js';
import { ENTRY_OVERHEAD_BYTES } from './headroom.js';
import type { KeyUses } from './key-uses.js';
import type { Provisional } from './keyspace-hooks.js';
import type { MirrorSender } from './mirror-sender.js';
import { NOBODY } from './peer.js';
import type { StepChanges } from './step-changes.js';

/** The entries of keys that this node is primary of, or becomes it by the running command. */
export class PrimaryEntries {
  /** Wall clock of the running command, Unix milliseconds. */
  now = 0;
  /** Set while a provisional command runs. */
  provisional: Provisional | null = null;
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #mirror: MirrorSender;
  readonly #changes: Changes;
  readonly #steps: StepChanges;
  readonly #found: FoundEntry;
  readonly #uses: KeyUses;
  /** Told of keys that were created here without a claim, where others keep a list of all locations. */
  readonly #created: (ref: Ref) => void;

  constructor(
    state: ClusterState,
    mirror: MirrorSender,
    changes: Changes,
    steps: StepChanges,
    found: FoundEntry,
    uses: KeyUses,
    created: (ref: Ref) => void,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#mirror = mirror;
    this.#changes = changes;
    this.#steps = steps;
    this.#found = found;
    this.#uses = uses;
    this.#created = created;
  }

  hasValue(ref: Ref): boolean {
    if (ref === 0 || this.#store.role(ref) >= Role.Record) return false;
    return this.#store.type(ref) !== ValueType.None && !this.isOver(ref);
  }

  isOver(ref: Ref): boolean {
    const expireAt = this.#store.expireAt(ref);
    return expireAt !== 0 && expireAt <= this.#state.expiryNow;
  }

  /** A string of `length` bytes in the place of what is remembered of the key, `stale` (0 for nothing). `adopt` ends it. */
  create(
    db: number,
    request: Request,
    index: number,
    stale: Ref,
    type: ValueType,
    length: number,
  ): Ref {
    this.#found.drop();
    if (stale !== 0) this.#store.remove(stale);
    this.#mirror.grown +=
      ENTRY_OVERHEAD_BYTES + request.end[index]! - request.start[index]! + length;
    return this.#store.create(
      db,
      request.buffer,
      request.start[index]!,
      request.end[index]!,
      type,
      length,
    );
  }

  /** Makes room for a value of `length` bytes in a primary of any type. */
  room(ref: Ref, length: number): Ref {
    const store = this.#store;
    const grown = length - store.valueLength(ref);
    if (grown === 0 && !store.isLarge(ref)) return ref;
    this.#found.drop();
    this.#mirror.grown += grown;
    return store.resize(ref, length);
  }

  /** A key was created here: provisionally, or because this node is its anchor. */
  adopt(ref: Ref): void {
    const store = this.#store;
    store.setUsedAt(ref, Math.floor(this.now / 1000));
    if (this.#steps.isOpen) {
      store.setPeer(ref, this.#state.rankedBackup(store.slot(ref))?.index ?? NOBODY);
      return this.#steps.changed(ref, FrameType.Set);
    }
    if (this.provisional !== null) return this.#claim(ref, this.provisional);
    store.setPeer(ref, this.#state.rankedBackup(store.slot(ref))?.index ?? NOBODY);
    this.changed(ref, FrameType.Set);
    if (this.#state.config.locationList === 'all') this.#created(ref);
  }

  #claim(ref: Ref, provisional: Provisional): void {
    const store = this.#store;
    store.setPeer(ref, provisional.anchor.index);
    store.setFlags(ref, Flag.Busy);
    provisional.version = this.#state.clock.next();
    store.setVersion(ref, provisional.version);
    provisional.offset = this.#mirror.appendClaim(provisional.anchor, ref);
    store.setChangeOffset(ref, provisional.offset);
  }

  /** It has a new value (Set), an edited one (Edit) or a new expiry (Expire). */
  changed(ref: Ref, type: number): void {
    this.#uses.used(ref, this.now);
    if (this.#steps.isOpen) this.#steps.changed(ref, type);
    else this.#changes.changed(ref, type);
  }
}
