import type { Ref, Store } from './store.js';

/** How uses are counted, as by Redis's LFU policies: `lfu-log-factor` and `lfu-decay-time`. */
export interface UseCounting {
  readonly logFactor: number;
  /** Minutes without a use that cost one; 0 for none. */
  readonly decayMinutes: number;
}

/** What a new entry has, so that it is not the next to go. Its byte is 0: that is kept by the difference to this. */
const INITIAL = 5;
const FREQUENCY_MAX = 255;

/** Uses of the entry, on a scale that grows the slower the more they are: 0 to 255. `now` in seconds. */
export function frequencyOf(store: Store, ref: Ref, now: number, decayMinutes: number): number {
  const counted = store.frequency(ref) ^ INITIAL;
  if (decayMinutes === 0) return counted;
  const periods = Math.floor((now - store.usedAt(ref)) / 60 / decayMinutes);
  return Math.max(0, counted - Math.max(0, periods));
}

export function setFrequency(store: Store, ref: Ref, frequency: number): void {
  store.setFrequency(ref, frequency ^ INITIAL);
}

/** A use at `now`, seconds; before that is noted as the last one. `random` is a number in 0 <= x < 1. */
export function countUse(
  store: Store,
  ref: Ref,
  now: number,
  { logFactor, decayMinutes }: UseCounting,
  random: number,
): void {
  const frequency = frequencyOf(store, ref, now, decayMinutes);
  const chance = 1 / (Math.max(0, frequency - INITIAL) * logFactor + 1);
  const isCounted = frequency < FREQUENCY_MAX && random < chance;
  setFrequency(store, ref, isCounted ? frequency + 1 : frequency);
}
