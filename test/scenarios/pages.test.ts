import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';

/** The pages that say which test shows what must tell the truth: each test that they name is there. */

const ROOT = new URL('../../../', import.meta.url);
const SCENARIOS = 30;
const REFERENCE = /\[`(test\/[\w./-]+\.ts)`\]\((?:\.\.\/)+(test\/[\w./-]+\.ts)\) "([^"]+)"/g;

const pageOf = (path: string): string =>
  readFileSync(new URL(path, ROOT), 'utf8').replace(/\s+/g, ' ');

for (const [path, referencesMin] of [
  ['docs/testing/scenarios.md', 35],
  ['docs/guarantees.md', 30],
] as const) {
  t.test(`${path} names tests that are there`, (t) => {
    const page = pageOf(path);
    const references = [...page.matchAll(REFERENCE)];
    t.equal(references.length, page.match(/\]\((\.\.\/)+test\//g)?.length, 'each with a name');
    t.ok(references.length >= referencesMin, `${references.length} are named`);
    for (const [, file, link, name] of references) {
      t.equal(link, file);
      t.ok(pageOf(file!).includes(name!), `${file} has ${name}`);
    }
    t.end();
  });
}

t.test('docs/testing/scenarios.md lists all scenarios, and every test of them', (t) => {
  const page = pageOf('docs/testing/scenarios.md');
  for (let number = 1; number <= SCENARIOS; number++) {
    t.ok(page.includes(`| ${number} |`), `number ${number}`);
  }
  const here = new URL('test/scenarios/', ROOT);
  for (const file of readdirSync(here).filter((name) => name.endsWith('.test.ts'))) {
    const text = readFileSync(new URL(file, here), 'utf8');
    for (const [, title] of text.matchAll(/mustNotHappen\(\s*\d+,\s*['`]([^'`$(]+)/g)) {
      t.ok(page.includes(title!.trim()), `${file}: ${title}`);
    }
  }
  t.end();
});
