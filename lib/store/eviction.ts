import { type Ref, Role } from './entry.js';
import { randomEntry } from './sampling.js';
import type { Store } from './store.js';

export const EVICTION_POLICIES = [
  'allkeys-lfu',
  'allkeys-lru',
  'allkeys-random',
  'volatile-lfu',
  'volatile-lru',
  'volatile-random',
  'volatile-ttl',
] as const;
export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

/** Draws per sample that is wanted: other roles, and entries that do not expire, are drawn in vain. */
const DRAWS_PER_SAMPLE = 8;
/** Entries searched one after the other when all draws were in vain. */
const SEARCH_ENTRIES_MAX = 10_000;

/**
 * The primary entry to evict next: of `samples` drawn at random the one that was used longest ago, or least often, or that
 * expires first; or just the first one. 0 when there is none, or (where they are very rare) none was met. `random` gives numbers in 0 <= x < 1.
 */
export function evictionCandidate(
  store: Store,
  policy: EvictionPolicy,
  random: () => number,
  samples: number,
  frequencyOf: (ref: Ref) => number = () => 0,
): Ref {
  const isVolatile = policy.startsWith('volatile');
  const eligible = isVolatile ? store.allWithExpiry : store.countOfRole(Role.Primary);
  if (eligible === 0) return 0;
  const fits = (ref: Ref) =>
    store.role(ref) === Role.Primary && (!isVolatile || store.expireAt(ref) !== 0);
  let best = 0;
  let bestRank = Number.POSITIVE_INFINITY;
  for (let draws = samples * DRAWS_PER_SAMPLE, met = 0; draws > 0 && met < samples; draws--) {
    const ref = randomEntry(store, random);
    if (!fits(ref)) continue;
    if (policy.endsWith('random')) return ref;
    met++;
    const rank = policy.endsWith('lfu')
      ? frequencyOf(ref)
      : policy === 'volatile-ttl'
        ? store.expireAt(ref)
        : store.usedAt(ref);
    if (rank < bestRank) {
      best = ref;
      bestRank = rank;
    }
  }
  if (best !== 0) return best;
  const from = Math.floor(random() * store.size);
  return (
    store.search(from, SEARCH_ENTRIES_MAX, fits) ||
    store.search(0, Math.min(from, SEARCH_ENTRIES_MAX), fits)
  );
}
