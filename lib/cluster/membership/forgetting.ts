import type { Incarnation } from '../member.js';
import type { LostMembers } from './lost-members.js';
import type { State } from './state.js';
import { idsOf, sameViewId } from './views.js';

/** Members that an operator's word is told of; the earliest are dropped first. */
const TOLD_MAX = 64;

/**
 * What becomes of an operator's word that a member is gone for good:
 * - forgotten: it is looked for no more, and counts for nothing;
 * - alive: it is heard, here or by another member;
 * - silent: it will be left out without any word;
 * - unproven: too few members are left to leave it out. Its end was not said to be certain.
 */
export type ForgetOutcome = 'forgotten' | 'self' | 'unknown' | 'alive' | 'silent' | 'unproven';

/**
 * An operator's word that a member is gone for good (docs/decisions/0030). It proves nothing, and ends no lease: it says
 * whom to wait for no longer.
 *
 * - `available`: no delete is kept any more for a member that is missing. Is it back all the same, one side discards.
 * - `majority`: it is not counted among those of whom more than half must be there, as long as it is not heard.
 */
export class Forgetting {
  readonly #state: State;
  readonly #lost: () => LostMembers;

  constructor(state: State, lost: () => LostMembers) {
    this.#state = state;
    this.#lost = lost;
  }

  /** `certain`: the operator has seen to it that its process does not run. */
  forget(id: Incarnation, certain: boolean, isDown: boolean, now: number): ForgetOutcome {
    const { self, participant, missing } = this.#state;
    if (id === self.id) return 'self';
    const isMember = idsOf(participant.installed).has(id) || idsOf(participant.prepared).has(id);
    if (!isMember) {
      if (!missing.has(id) && !this.#lost().has(id)) return 'unknown';
    } else {
      if (this.#isHeard(id, now)) return 'alive';
      if (!isDown) return 'silent';
      if (!certain) return 'unproven';
    }
    this.#take(id);
    return 'forgotten';
  }

  /** What another member was told. Whoever is heard here is not gone. */
  told(ids: readonly Incarnation[]): void {
    const { participant, missing, peers, toldGone } = this.#state;
    for (const id of ids) {
      if (toldGone.has(id) || peers.get(id)?.isSilent === false) continue;
      const isMember = idsOf(participant.installed).has(id) || idsOf(participant.prepared).has(id);
      if (isMember || missing.has(id)) this.#take(id);
    }
  }

  #take(id: Incarnation): void {
    const { toldGone, missing, host } = this.#state;
    toldGone.add(id);
    if (toldGone.size > TOLD_MAX) {
      const [earliest] = toldGone;
      toldGone.delete(earliest!);
    }
    missing.forget(id);
    this.#lost().forget(id);
    host.log('warn', 'member-forgotten', { id });
    this.#state.needsReview = true;
  }

  /** By this node, or by a member that is heard and bound to the same view. */
  #isHeard(id: Incarnation, now: number): boolean {
    const { participant, peers } = this.#state;
    if (peers.get(id)?.isLost(now) === false) return true;
    return (participant.prepared?.members ?? []).some((member) => {
      const peer = peers.get(member.id);
      if (member.id === id || peer === undefined || peer.isLost(now) || peer.heard === null)
        return false;
      const sees = sameViewId(peer.heard.prepared, participant.prepared!.id);
      return sees && !peer.heard.lost.has(id);
    });
  }
}
