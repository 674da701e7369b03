import type { Test } from 'tap';
import { isOwn } from '../support/own-share.js';
import { runVariant } from './variant-runner.js';
import { VARIANTS } from './variants.js';

/** A change of the code makes other runs of all seeds: what one in a few found is found by as many again. */
const SEEDS_MAX = 60;
/** The files that share the variants. */
export const VARIANT_SHARES = 2;

/** Of one version of Node's variants every VARIANT_SHARES-th, from number `share` on, but the rare ones: the simulator finds it. */
export async function testVariants(t: Test, share: number): Promise<void> {
  const often = VARIANTS.filter(({ isRare }) => isRare !== true);
  t.ok(often.length >= 35, 'most are found soon');
  const own = often.filter((_, i) => isOwn(i));
  for (const variant of own.filter((_, i) => i % VARIANT_SHARES === share)) {
    const { seed, what } = await runVariant(variant, variant.seed, SEEDS_MAX);
    const hint = `npm run simulate:variants -- ${variant.name}`;
    const seeds = `${SEEDS_MAX} seeds of profile ${variant.profile}`;
    t.not(seed, null, `${variant.name}: ${what.split('\n')[0] || `not in ${seeds} (${hint})`}`);
  }
}
