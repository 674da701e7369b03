import type { Test } from 'tap';
import { runVariant } from './variant-runner.js';
import { VARIANTS } from './variants.js';

/** A change of the code makes other runs of all seeds: what one in a few found is found by as many again. */
const SEEDS_MAX = 60;
/** With `run-tests.js --sample` so many of each share: code is broken as it is loaded, which each version of Node does its way. */
const SAMPLE = 2;

/** The files that share the variants. */
export const VARIANT_SHARES = 2;

/** Every VARIANT_SHARES-th variant, from number `share` on, but the rare ones: the simulator finds it. */
export async function testVariants(t: Test, share: number): Promise<void> {
  const often = VARIANTS.filter(({ isRare }) => isRare !== true);
  t.ok(often.length >= 35, 'most are found soon');
  const own = often.filter((_, i) => i % VARIANT_SHARES === share);
  const isSample = process.env['TEST_SAMPLE'] === '1';
  for (const variant of isSample ? own.slice(0, SAMPLE) : own) {
    const { seed, what } = await runVariant(variant, variant.seed, SEEDS_MAX);
    const hint = `npm run simulate:variants -- ${variant.name}`;
    const seeds = `${SEEDS_MAX} seeds of profile ${variant.profile}`;
    t.not(seed, null, `${variant.name}: ${what.split('\n')[0] || `not in ${seeds} (${hint})`}`);
  }
}
