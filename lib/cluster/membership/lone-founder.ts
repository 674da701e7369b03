import type { Address, View } from '../member.js';
import type { Meeting, Outcome } from './handshakes.js';
import { leads } from './merging.js';
import type { State } from './state.js';

/** Pause between two looks at the join addresses, in heartbeats. */
const LOOK_HEARTBEATS = 5;

/**
 * A node whose join addresses all refused founds a cluster; if they were only slow to start, there
 * are two. So a founder that is still alone goes on looking there. As long as it holds no key it can
 * join what it finds; after that, uniting two clusters is for the operator to decide.
 */
export class LoneFounder {
  readonly #state: State;
  readonly #isEmpty: () => boolean;
  #lookAt = 0;
  #hasWarned = false;

  constructor(state: State, isEmpty: () => boolean) {
    this.#state = state;
    this.#isEmpty = isEmpty;
  }

  tick(view: View, now: number): void {
    if (view.members.length > 1 || now < this.#lookAt) return;
    const { host, handshakes, timing } = this.#state;
    this.#lookAt = now + LOOK_HEARTBEATS * timing.heartbeatMs;
    for (const address of host.joinAddresses().addresses) {
      handshakes.start('join', address, '', now);
    }
  }

  /** Whether this node should leave its view for the one it has met. */
  shouldJoin(view: View, { address }: Meeting, outcome: Outcome): boolean {
    if (typeof outcome === 'string' || outcome.view === null || view.members.length > 1)
      return false;
    if (outcome.view.seed === view.seed || !leads(outcome.view, view)) return false;
    if (this.#isEmpty()) return true;
    if (!this.#hasWarned) this.#warn(address);
    return false;
  }

  #warn({ host, busPort }: Address): void {
    this.#hasWarned = true;
    this.#state.host.log('warn', 'foreign-cluster', { address: `${host}:${busPort}`, keys: true });
  }
}
