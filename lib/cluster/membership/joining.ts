import type { Address, Incarnation, View } from '../member.js';
import type { JoinAddresses } from './contract.js';
import { keyOf, type Outcome } from './handshakes.js';
import type { Timing } from './timing.js';

/** Addresses that a node in no view looks at, at most. */
const TARGETS_MAX = 1024;

type Found = 'unknown' | 'self' | 'refused' | 'silent' | 'waiting' | 'view';

interface Target {
  readonly address: Address;
  found: Found;
  /** Who was there, when somebody was. */
  id: Incarnation;
  foundAt: number;
  lookAt: number;
  looking: boolean;
}

/** What a node in no view knows of the addresses it was given: where to join, or whether to found. */
export class Joining {
  readonly #timing: Timing;
  readonly #targets = new Map<string, Target>();
  /** Learnt from invitations, and from the view that this node was left out of. */
  readonly #remembered = new Map<string, Address>();
  #unresolved = 0;
  #beganAt = 0;
  /** The view that this node tries to get into. */
  view: View | null = null;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  begin(now: number): void {
    this.#beganAt = now;
    this.#targets.clear();
    this.view = null;
  }

  remember(addresses: readonly Address[]): void {
    for (const { host, port, busPort } of addresses) {
      if (this.#remembered.size >= TARGETS_MAX) return;
      this.#remembered.set(keyOf({ host, port, busPort }), { host, port, busPort });
    }
  }

  forget(): void {
    this.#remembered.clear();
    this.#targets.clear();
    this.view = null;
  }

  /** The addresses to look at now; first those for which it is longest due, as only so many are looked at at one time. */
  toLookAt(list: JoinAddresses, now: number): readonly Address[] {
    this.#unresolved = list.unresolved;
    const addresses = [...list.addresses, ...this.#remembered.values()].slice(0, TARGETS_MAX);
    const keys = new Set(addresses.map(keyOf));
    for (const key of this.#targets.keys()) if (!keys.has(key)) this.#targets.delete(key);
    for (const address of addresses) this.#want(address, now);
    return [...this.#targets.values()]
      .filter((target) => !target.looking && now >= target.lookAt)
      .sort((a, b) => a.lookAt - b.lookAt)
      .map(({ address }) => address);
  }

  looking(address: Address, now: number): void {
    const target = this.#targets.get(keyOf(address));
    if (target === undefined) return;
    target.looking = true;
    target.lookAt = now + this.#timing.heartbeatMs / 2;
  }

  met(address: Address, outcome: Outcome, self: Incarnation, now: number): void {
    const target = this.#targets.get(keyOf(address));
    if (target === undefined) return;
    target.looking = false;
    target.foundAt = now;
    if (outcome === 'refused' || outcome === 'silent') {
      target.found = outcome;
      return;
    }
    target.id = outcome.from;
    if (outcome.from === self) target.found = 'self';
    else target.found = outcome.view === null ? 'waiting' : 'view';
    if (outcome.view !== null && outcome.from !== self) this.#prefer(outcome.view);
  }

  /**
   * Whether nothing but the agreement of the nodes known keeps this one from founding a view: of
   * the addresses, at least one is another node's, and each of those refused, or is of a node in no
   * view with a higher id.
   */
  mayFound(self: Incarnation, now: number): boolean {
    if (now - this.#beganAt < this.#timing.foundingDelayMs) return false;
    if (this.#unresolved > 0 || this.view !== null) return false;
    const others = [...this.#targets.values()].filter(({ found }) => found !== 'self');
    // Who has started since then founds nothing in that time, and finds this node first.
    const freshMs = this.#timing.foundingDelayMs;
    return (
      others.length > 0 &&
      others.every(
        ({ found, id, foundAt }) =>
          now - foundAt <= freshMs && (found === 'refused' || (found === 'waiting' && id > self)),
      )
    );
  }

  /** The nodes in no view that were found: each of them has to agree. */
  get waiting(): Incarnation[] {
    return [...this.#targets.values()]
      .filter(({ found }) => found === 'waiting')
      .map(({ id }) => id);
  }

  /** What the wait is for, in words for the log. */
  waitingFor(self: Incarnation): string[] {
    const names = [...this.#targets].map(([key, { found, id }]) => {
      return found === 'waiting' && id < self ? `${key} has the lower id` : `${key} ${found}`;
    });
    return this.#unresolved > 0 ? [...names, `${this.#unresolved} names unresolved`] : names;
  }

  #want(address: Address, now: number): void {
    const key = keyOf(address);
    if (this.#targets.has(key)) return;
    this.#targets.set(key, {
      address,
      found: 'unknown',
      id: '',
      foundAt: Number.NEGATIVE_INFINITY,
      lookAt: now,
      looking: false,
    });
  }

  #prefer(view: View): void {
    if (this.view === null || view.members.length > this.view.members.length) this.view = view;
  }
}
