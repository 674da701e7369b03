import { countUse, frequencyOf, setFrequency } from '../store/frequency.js';
import type { Ref, Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';

const secondsOf = (now: number): number => Math.floor(now / 1000);

/** When a key was used here, and how often where a policy counts that: what eviction goes by. All times in Unix milliseconds. */
export class KeyUses {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #random: () => number;

  constructor(state: ClusterState, random: () => number) {
    this.#state = state;
    this.#store = state.store;
    this.#random = random;
  }

  used(ref: Ref, now: number): void {
    const seconds = secondsOf(now);
    const { useCounting } = this.#state.config;
    if (useCounting !== null) countUse(this.#store, ref, seconds, useCounting, this.#random());
    this.#store.setUsedAt(ref, seconds);
  }

  idleSeconds(ref: Ref, now: number): number {
    return Math.max(0, secondsOf(now) - this.#store.usedAt(ref));
  }

  setIdle(ref: Ref, seconds: number, now: number): void {
    this.#store.setUsedAt(ref, Math.max(0, secondsOf(now) - seconds));
  }

  /** 0 to 255; null where uses are not counted. */
  frequency(ref: Ref, now: number): number | null {
    const { useCounting } = this.#state.config;
    if (useCounting === null) return null;
    return frequencyOf(this.#store, ref, secondsOf(now), useCounting.decayMinutes);
  }

  setFrequency(ref: Ref, frequency: number): void {
    setFrequency(this.#store, ref, frequency);
  }
}
