import { checkEdits, runVariant, SEEDS_MAX } from './variant-runner.js';
import { VARIANTS } from './variants.js';

const USAGE = `usage: simulate:variants [NAME...]
  runs every deliberately broken variant (or those named) from its seed on until the simulator finds it, and then the
  same seed of what is not broken`;

/** One line for each variant: the seed that found it, and what did not hold. Without what it breaks all has to hold. */
async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !VARIANTS.some((one) => one.name === name));
  if (unknown.length > 0) {
    console.log(USAGE);
    return names.includes('--help') ? 0 : 2;
  }
  let missed = 0;
  for (const variant of VARIANTS) {
    if (names.length > 0 && !names.includes(variant.name)) continue;
    checkEdits(variant);
    const startedAt = performance.now();
    const { seed, what } = await runVariant(variant, variant.seed, SEEDS_MAX);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const whole = seed === null ? null : await runVariant(variant, seed, 1, 'whole');
    if (seed === null || whole?.seed != null) missed++;
    const result = seed === null ? `NOT FOUND in ${SEEDS_MAX} seeds` : `seed ${seed}`;
    const first = what.split('\n')[0]!.slice(0, 160);
    console.log(`${variant.name} (${variant.profile}): ${result}, ${seconds} s: ${first}`);
    if (whole?.seed != null) console.log(`  THE SEED FAILS UNBROKEN, TOO: ${whole.what}`);
  }
  return missed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
