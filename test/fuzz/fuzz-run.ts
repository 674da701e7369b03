import { seededRandom } from '../store/seeded-random.js';
import { mutate } from './mutations.js';
import type { Target } from './targets.js';

/** A single input that takes more of the processor is a fault, milliseconds. (The first of a target, for which nothing is compiled, has taken 520.) */
const SLOW_MS = 2000;

export interface Figures {
  readonly target: string;
  readonly inputs: number;
  readonly taken: number;
  readonly refused: number;
  readonly slowestMs: number;
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export class FuzzFault extends Error {
  override readonly name = 'FuzzFault';
}

/** One input: the one that `seed` makes. Returns what became of it, and how long it took. */
function runOne(target: Target, seed: number): { verdict: 'taken' | 'refused'; ms: number } {
  const draw = seededRandom(seed);
  const valid = target.sample(draw);
  const input = draw() < 0.05 ? valid : mutate(valid, target.sample(draw), draw);
  const start = processorMs();
  try {
    const verdict = target.run(input, draw);
    const ms = processorMs() - start;
    if (ms > SLOW_MS) throw new Error(`took ${Math.round(ms)} ms`);
    return { verdict, ms };
  } catch (error) {
    const { message, stack } = error as Error;
    throw new FuzzFault(
      `${target.name}, seed ${seed}: ${message}\ninput: ${input.toString('hex')}\n${stack}`,
    );
  }
}

/** Runs inputs from seed on, until `isOver`. Throws FuzzFault. */
export function runTarget(
  target: Target,
  firstSeed: number,
  isOver: (inputs: number) => boolean,
): Figures {
  let inputs = 0;
  let taken = 0;
  let slowestMs = 0;
  while (!isOver(inputs)) {
    const { verdict, ms } = runOne(target, firstSeed + inputs);
    inputs += 1;
    if (verdict === 'taken') taken += 1;
    slowestMs = Math.max(slowestMs, ms);
  }
  return { target: target.name, inputs, taken, refused: inputs - taken, slowestMs };
}
