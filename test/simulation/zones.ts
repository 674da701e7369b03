import { SLOTS } from '../../lib/cluster/cluster-state.js';
import { Flag } from '../../lib/cluster/entry-flags.js';
import { Role } from '../../lib/store/store.js';
import type { Process } from './process.js';
import type { Tally } from './tally.js';
import type { Found } from './violation.js';

const zoneOf = (process: Process): string => process.node.membership.self.zone;

/**
 * A key with both copies in one zone (I3), in a cluster that says that it is settled, all of whose members are there, and
 * that has more zones than one. Keys that are on their way are left out.
 */
export function checkZones(processes: readonly Process[], tally: Tally): Found | null {
  if (processes.length < 2 || !isAtRest(processes)) return null;
  if (new Set(processes.map(zoneOf)).size < 2) return null;
  tally.check('zones');
  for (const process of processes) {
    const key = keyInOneZone(process);
    if (key !== null) return { what: `both copies of ${key} are in ${zoneOf(process)}`, key };
  }
  return null;
}

/** All in one view, none of them about to leave, all settled. */
function isAtRest(processes: readonly Process[]): boolean {
  const view = processes[0]!.node.state.view;
  if (view === null || view.members.length !== processes.length) return false;
  return processes.every(({ node, isLeaving, isPaused }) => {
    const { state, settling } = node;
    if (isLeaving || isPaused || state.isChanging || state.mergingSlots > 0) return false;
    return state.view?.id.number === view.id.number && settling.isSettled;
  });
}

function keyInOneZone(process: Process): string | null {
  const { store, node } = process;
  const zone = zoneOf(process);
  let found: string | null = null;
  for (let slot = store.slots.next(0); slot < SLOTS; slot = store.slots.next(slot + 1)) {
    store.eachInSlot(slot, (ref) => {
      const isOnItsWay = (store.flags(ref) & (Flag.Busy | Flag.Moving | Flag.Held)) !== 0;
      if (store.role(ref) !== Role.Primary || isOnItsWay) return false;
      if (node.state.livePeer(store.peer(ref))?.member.zone !== zone) return false;
      const start = store.keyStart(ref);
      found = store.keyBuffer(ref).latin1Slice(start, start + store.keyLength(ref));
      return false;
    });
  }
  return found;
}
