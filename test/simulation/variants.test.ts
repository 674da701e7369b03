import t from 'tap';
import { runVariant } from './variant-runner.js';
import { VARIANTS } from './variants.js';

/** A change of the code makes other runs of all seeds: what one in a few found is found by as many again. */
const SEEDS_MAX = 60;
/** All of it runs in a minute on an idle machine. */
const TIMEOUT_MS = 240_000;
/** With `run-tests.js --sample` so many: that code is broken as it is loaded, which each version of Node does its way. */
const SAMPLE = 4;

t.setTimeout(TIMEOUT_MS);

t.test('the simulator finds every variant but the rare ones', async (t) => {
  const often = VARIANTS.filter(({ isRare }) => isRare !== true);
  t.ok(often.length >= 35, 'most are found soon');
  const isSample = process.env['TEST_SAMPLE'] === '1';
  for (const variant of isSample ? often.slice(0, SAMPLE) : often) {
    const { seed, what } = await runVariant(variant, variant.seed, SEEDS_MAX);
    const hint = `npm run simulate:variants -- ${variant.name}`;
    const seeds = `${SEEDS_MAX} seeds of profile ${variant.profile}`;
    t.not(seed, null, `${variant.name}: ${what.split('\n')[0] || `not in ${seeds} (${hint})`}`);
  }
});
