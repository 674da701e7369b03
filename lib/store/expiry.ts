import { type Ref, Role } from './entry.js';
import type { Store } from './store.js';

/** Entries of one step: after each, the share of expired ones among them decides whether to go on. */
const STEP_ENTRIES = 64;
/** As Redis since 6: while more than this share of what was looked at had expired, there is likely more. */
const GO_ON_SHARE = 0.1;

/**
 * Reclaims expired primary entries, a bounded piece per call, and goes on where it stopped. Slots in which nothing can
 * have expired yet are passed over without touching an entry. Only primaries: a backup never judges.
 */
export class ExpiryCycle {
  private readonly store: Store;
  private slot = 0;

  constructor(store: Store) {
    this.store = store;
  }

  /**
   * Calls `onExpired` with entries whose time has come at `now` (Unix ms). It removes them, or makes tombstones of
   * them, and returns true; or it leaves them alone for now and returns false. Stops when about `entriesMax` entries
   * were looked at (a slot is never left half seen), or when few of them had expired. Returns how many had.
   */
  run(now: number, entriesMax: number, onExpired: (ref: Ref) => boolean): number {
    let total = 0;
    let looked = 0;
    let expired = 0;
    let budget = entriesMax;
    this.slot = this.store.slots.goAround(this.slot, (slot) => {
      if (this.store.earliestExpiry[slot]! > now) return true;
      const entries = this.store.countInSlot(slot);
      looked += entries;
      budget -= entries;
      expired += this.visitSlot(slot, now, onExpired);
      if (looked < STEP_ENTRIES) return budget > 0;
      const goesOn = expired > looked * GO_ON_SHARE;
      total += expired;
      looked = 0;
      expired = 0;
      return goesOn && budget > 0;
    });
    return total + expired;
  }

  private visitSlot(slot: number, now: number, onExpired: (ref: Ref) => boolean): number {
    const { store } = this;
    let expired = 0;
    let earliest = Number.POSITIVE_INFINITY;
    store.earliestExpiry[slot] = earliest;
    store.eachInSlot(slot, (ref) => {
      const expireAt = store.expireAt(ref);
      if (expireAt === 0 || store.role(ref) !== Role.Primary) return false;
      if (expireAt <= now) expired++;
      if (expireAt > now || !onExpired(ref)) earliest = Math.min(earliest, expireAt);
      return false;
    });
    // The callback may have set an expiry in this slot meanwhile.
    store.earliestExpiry[slot] = Math.min(earliest, store.earliestExpiry[slot]!);
    return expired;
  }
}
