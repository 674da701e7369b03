import { readFileSync } from 'node:fs';
import t from 'tap';
import { checkEdits, runVariant } from './variant-runner.js';
import { VARIANTS } from './variants.js';

/** Seeds from shortly before the one that once found the variant: a change of the code makes other runs of them. */
const SEEDS_BEFORE = 1;
const SEEDS_MAX = 40;
/** All of it runs in a minute and a half on an idle machine. */
const TIMEOUT_MS = 240_000;

t.setTimeout(TIMEOUT_MS);

t.test('every variant breaks what it says', (t) => {
  for (const variant of VARIANTS) t.doesNotThrow(() => checkEdits(variant), variant.name);
  t.ok(VARIANTS.length >= 20, 'at least twenty');
  t.equal(new Set(VARIANTS.map(({ name }) => name)).size, VARIANTS.length, 'each has a name');
  t.end();
});

t.test('docs/testing.md lists them', (t) => {
  const page = readFileSync(new URL('../../../docs/testing.md', import.meta.url), 'utf8');
  for (const { name, breaks, invariant, profile, seed } of VARIANTS) {
    const row = `| ${name} | ${breaks} | ${invariant} | ${profile} | ${seed} |`;
    t.ok(page.includes(row), row);
  }
  t.end();
});

t.test('the simulator finds every variant', async (t) => {
  for (const variant of VARIANTS) {
    const first = Math.max(1, variant.seed - SEEDS_BEFORE);
    const { seed, what } = await runVariant(variant, first, SEEDS_MAX);
    const hint = `npm run simulate:variants -- ${variant.name}`;
    const seeds = `seeds ${first} to ${first + SEEDS_MAX - 1} of profile ${variant.profile}`;
    t.not(seed, null, `${variant.name}: ${what.split('\n')[0] || `not in ${seeds} (${hint})`}`);
  }
});
