import { readFileSync } from 'node:fs';
import t from 'tap';
import { checkEdits } from './variant-runner.js';
import { VARIANTS } from './variants.js';

/** A change of the code that a variant breaks is noticed at once; whether it is still found takes longer (`variants-1.test.ts`, `-2`). */

t.test('every variant breaks what it says', (t) => {
  for (const variant of VARIANTS) t.doesNotThrow(() => checkEdits(variant), variant.name);
  t.ok(VARIANTS.length >= 20, 'at least twenty');
  t.equal(new Set(VARIANTS.map(({ name }) => name)).size, VARIANTS.length, 'each has a name');
  t.end();
});

t.test('docs/testing/variants.md lists them', (t) => {
  const page = readFileSync(new URL('../../../docs/testing/variants.md', import.meta.url), 'utf8');
  for (const { name, breaks, invariant, profile, seed } of VARIANTS) {
    const row = `| ${name} | ${breaks} | ${invariant} | ${profile} | ${seed} |`;
    t.ok(page.includes(row), row);
  }
  t.end();
});
