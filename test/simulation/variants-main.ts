import { checkEdits, runVariant, SEEDS_MAX } from './variant-runner.js';
import { VARIANTS } from './variants.js';

const USAGE = `usage: simulate:variants [NAME...]
  runs every deliberately broken variant (or those named) from seed 1 of its profile until the simulator finds it`;

/** One line for each variant: the seed that found it, and what did not hold. */
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
    const { seed, what } = await runVariant(variant, 1, SEEDS_MAX);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    if (seed === null) missed++;
    const result = seed === null ? `NOT FOUND in ${SEEDS_MAX} seeds` : `seed ${seed}`;
    const first = what.split('\n')[0]!.slice(0, 160);
    console.log(`${variant.name} (${variant.profile}): ${result}, ${seconds} s: ${first}`);
  }
  return missed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
