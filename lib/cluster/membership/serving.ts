import type { Incarnation } from '../member.js';
import { isMajority } from './majority.js';
import { isGone, type State } from './state.js';
import { idsOf } from './views.js';

/** Whether this node may serve, by the leases that it holds and the views that it is bound to. */
export class Serving {
  readonly #state: State;
  #until: number | null = null;

  constructor(state: State) {
    this.#state = state;
  }

  /** Leases or views are others now. */
  changed(): void {
    this.#until = null;
  }

  /** Asked for every command: computed anew only after a change. Monotonic time. */
  until(): number {
    this.#until ??= this.#leasesEnd();
    return this.#until;
  }

  #leasesEnd(): number {
    const { participant, leases, self, saidGoodbye } = this.#state;
    const { installed, prepared } = participant;
    if (installed === null || prepared === null || saidGoodbye) return 0;
    const bound = idsOf(prepared);
    if (!bound.has(self.id)) return 0;
    let until = Number.POSITIVE_INFINITY;
    for (const { id } of installed.members) {
      if (id === self.id || !bound.has(id)) continue;
      until = Math.min(until, leases.longHeld(id));
    }
    return until;
  }

  /** Under `majority`: nothing is served, and too few members are reached to go on with. */
  isDown(now: number): boolean {
    const { config, peers, participant, self, saidGoodbye } = this.#state;
    const { installed } = participant;
    if (config.partitionPolicy !== 'majority' || installed === null) return false;
    if (now < this.until() || saidGoodbye) return false;
    const ids = installed.members.map(({ id }) => id);
    const isReached = (id: Incarnation): boolean =>
      id === self.id || peers.get(id)?.isLost(now) === false;
    return !isMajority(ids, new Set(ids.filter(isReached)), (id) => isGone(this.#state, id));
  }
}
