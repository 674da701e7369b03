import { register } from 'node:module';
import { VARIANTS } from './variants.js';

/**
 * Runs one variant until a seed fails, and prints one line of JSON (`Found`, see variant-runner.ts):
 *
 *     node variant-child.js NAME FIRST_SEED SEEDS broken|whole
 *
 * `whole`: the same runs of what is not broken.
 */
async function main([name, first, seeds, how]: readonly string[]): Promise<void> {
  const variant = VARIANTS.find((one) => one.name === name)!;
  const isWhole = how === 'whole';
  if (!isWhole) register('./variant-hook.js', import.meta.url, { data: variant.edits });
  // After the hook is in place: these import what it changes.
  const { PROFILES } = await import('./profiles.js');
  const { Simulation } = await import('./simulation.js');
  const profile = { ...PROFILES[variant.profile]!, ...variant.options };
  for (let seed = Number(first); seed < Number(first) + Number(seeds); seed++) {
    const { failure } = new Simulation(seed, profile).run();
    if (failure === null) continue;
    // Whatever throws is broken in another way than it was meant to be.
    if (!isWhole && /\bat .*:\d+:\d+\)/.test(failure.what))
      throw new Error(`seed ${seed}: ${failure.what}`);
    console.log(JSON.stringify({ seed, what: failure.what }));
    return;
  }
  console.log(JSON.stringify({ seed: null, what: '' }));
}

await main(process.argv.slice(2));
