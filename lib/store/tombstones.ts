import { type Ref, Role } from './entry.js';
import type { Store } from './store.js';

/** Removes tombstones that are not needed any more, a bounded piece per call, and goes on where it stopped. */
export class TombstoneReaper {
  private readonly store: Store;
  private slot = 0;

  constructor(store: Store) {
    this.store = store;
  }

  /**
   * Asks `isOver` about tombstones, and removes those for which it says true, until about `entriesMax` entries were
   * looked at (a slot is never left half seen) or all slots were. Returns how many were removed.
   */
  run(entriesMax: number, isOver: (ref: Ref) => boolean): number {
    const { store } = this;
    let removed = 0;
    let budget = entriesMax;
    const visit = (ref: Ref): boolean => {
      if (store.role(ref) !== Role.Tombstone || !isOver(ref)) return false;
      removed++;
      return true;
    };
    if (store.countOfRole(Role.Tombstone) === 0) return 0;
    this.slot = store.tombstoneSlots.goAround(this.slot, (slot) => {
      budget -= store.countInSlot(slot);
      store.eachInSlot(slot, visit);
      return budget > 0;
    });
    return removed;
  }
}
