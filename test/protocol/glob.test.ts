import fc from 'fast-check';
import t from 'tap';
import { matchesGlob } from '../../lib/protocol/glob.js';

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const surrounded = Buffer.from(`]*${pattern}]*`, 'latin1');
  const bytes = Buffer.from(`a${text}z`, 'latin1');
  return matchesGlob(surrounded, 2, surrounded.length - 2, bytes, 1, bytes.length - 1, ignoreCase);
}

const MATCHING: [pattern: string, text: string][] = [
  ['', ''],
  ['*', 'anything'],
  ['***', 'a'],
  ['a*', 'a'],
  ['sess:*', 'sess:1'],
  ['*:1', 'sess:1'],
  ['s*s*:*1*', 'sess:1'],
  ['?ess', 'sess'],
  ['[abc]', 'b'],
  ['[a-c]', 'b'],
  ['[c-a]', 'b'],
  ['[^a-c]', 'd'],
  ['[\\]]', ']'],
  ['[\\^]', '^'],
  ['[a', 'a'],
  ['[^a', 'b'],
  ['[^', 'b'],
  ['[a-', '-'],
  ['[a-]', '^'],
  ['\\*', '*'],
  ['\\', '\\'],
  ['a\\?b', 'a?b'],
  ['[\x80-\xff]', '\xc0'],
  ['[a-\xff]', '\x05'],
  ['?', '\xff'],
  ['a\0*', 'a\0b'],
];

const NOT_MATCHING: [pattern: string, text: string][] = [
  ['', 'a'],
  ['*', ''],
  ['a', ''],
  ['a', 'ab'],
  ['ab', 'a'],
  ['?', ''],
  ['?', 'ab'],
  ['a*b', 'abc'],
  ['[abc]', 'd'],
  ['[^abc]', 'a'],
  ['[]', 'a'],
  ['[', 'a'],
  ['\\*', 'a'],
  ['a', 'A'],
  ['[a-z]', 'B'],
];

t.test('patterns', async (t) => {
  for (const [pattern, text] of MATCHING) t.ok(matches(pattern, text), `${pattern} = ${text}`);
  for (const [pattern, text] of NOT_MATCHING)
    t.notOk(matches(pattern, text), `${pattern} ! ${text}`);
});

t.test('without regard to case', async (t) => {
  t.ok(matches('SeSS:*', 'sEss:1', true));
  t.ok(matches('[A-C]x', 'bX', true));
  t.ok(matches('[aX]', 'x', true));
  t.notOk(matches('[\\a]', 'A', true), 'an escaped byte in brackets keeps its case, as in Redis');
  t.notOk(matches('\xc0', '\xe0', true), 'only ASCII letters have cases');
});

/** The definition: every way to stretch every asterisk. */
function matchesByTrying(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern[0] === '*')
    return (
      matchesByTrying(pattern.slice(1), text) ||
      (text !== '' && matchesByTrying(pattern, text.slice(1)))
    );
  return (
    text !== '' &&
    (pattern[0] === '?' || pattern[0] === text[0]) &&
    matchesByTrying(pattern.slice(1), text.slice(1))
  );
}

t.test('asterisks stretch as far as they must', async () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 10 }),
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 10 }),
      (pattern, text) => matches(pattern, text) === matchesByTrying(pattern, text),
    ),
    { numRuns: 5000 },
  );
});

t.test('any bytes are a pattern', async () => {
  const bytes = fc.string({ unit: fc.constantFrom(...'[]^-\\*?ab'), maxLength: 12 });
  fc.assert(
    fc.property(bytes, bytes, fc.boolean(), (pattern, text, ignoreCase) => {
      matches(pattern, text, ignoreCase);
    }),
    { numRuns: 5000 },
  );
});

t.test('many asterisks do not make it exponential', { timeout: 5000 }, async (t) => {
  t.notOk(matches(`${'*a'.repeat(500)}b`, 'a'.repeat(5000)));
  t.notOk(matches(`${'a*'.repeat(50)}b`, 'a'.repeat(5000)));
});
