import { parseArgs } from 'node:util';
import { FuzzFault, runTarget } from './fuzz-run.js';
import { TARGETS } from './targets.js';

/** `npm run fuzz -- --minutes N`: mutated inputs for everything that reads bytes of strangers. Exit status 1 after a fault. */

const USAGE = 'usage: npm run fuzz -- [--minutes N] [--seed N] [--target WORD] [--inputs N]';
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 30)) },
    target: { type: 'string', default: '' },
    inputs: { type: 'string', default: 'Infinity' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const inputsMax = Number(values.inputs);
const targets = TARGETS.filter(({ name }) => name.includes(values.target));
if (!(minutes > 0) || !Number.isInteger(seed) || !(inputsMax > 0) || targets.length === 0) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(2);
}

const MIB = 1024 * 1024;
process.stdout.write(`seed ${seed}, ${minutes} minutes, ${targets.length} targets\n`);
const eachMs = (minutes * 60_000) / targets.length;
for (const target of targets) {
  const before = process.memoryUsage().rss;
  const until = performance.now() + eachMs;
  try {
    const { inputs, taken, refused, slowestMs } = runTarget(
      target,
      seed,
      (count) => count >= inputsMax || performance.now() >= until,
    );
    const grown = Math.round((process.memoryUsage().rss - before) / MIB);
    process.stdout.write(
      `${target.name.padEnd(24)} ${inputs} inputs, ${taken} taken, ${refused} refused, slowest ${slowestMs.toFixed(1)} ms, resident ${grown >= 0 ? '+' : ''}${grown} MiB\n`,
    );
  } catch (error) {
    if (!(error instanceof FuzzFault)) throw error;
    process.stdout.write(
      `${error.message}\nagain: npm run fuzz -- --target '${target.name}' --inputs 1 --seed ${/seed (\d+)/.exec(error.message)?.[1]}\n`,
    );
    process.exitCode = 1;
  }
}
