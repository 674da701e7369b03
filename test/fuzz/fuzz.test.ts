import t from 'tap';
import { runTarget } from './fuzz-run.js';
import { TARGETS } from './targets.js';

/** A short piece of `npm run fuzz`, with the same seeds each time. */
const INPUTS = 2000;

t.setTimeout(120_000);

for (const target of TARGETS) {
  t.test(target.name, async (t) => {
    const { taken, refused } = runTarget(
      target,
      1,
      (inputs) => inputs >= (target.inputsOfTest ?? INPUTS),
    );
    t.ok(taken > 0, 'some are valid');
    t.ok(refused > 0, 'most are not');
  });
}

t.test('a fault is found, and named by its seed', async (t) => {
  const faulty = {
    name: 'faulty',
    sample: () => Buffer.from('valid'),
    run: (input: Buffer) => {
      if (input.includes(0xff)) throw new RangeError('out of range');
      return 'taken' as const;
    },
  };
  t.throws(
    () => runTarget(faulty, 1, (inputs) => inputs >= INPUTS),
    /^faulty, seed \d+: out of range\ninput: [0-9a-f]*ff/,
  );
});
