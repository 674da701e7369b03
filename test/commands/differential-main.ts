import { RedisServer } from '../support/redis-server.js';
import type { Owner } from '../support/test-cluster.js';
import {
  compareRound,
  FAMILY_NAMES,
  type Mismatch,
  type Round,
  roundsFrom,
  SEEDS_IN_A_ROW,
} from './differential-rounds.js';
import { TARGETS, type Target, targetOf } from './differential-targets.js';

/** Commands of one seed: keys that were made early are met by many. */
const ROUND_COMMANDS = 1500;
const PROGRESS_MS = 10_000;
/** After so many a target is left: it will not tell more. */
const FAILURES_MAX = 10;

const USAGE = `usage: differential [--commands N] [--seed N] [--target N] [--family NAME]
  --commands N     compares so many in all, or a few more; 100000 unless given
  --seed N         the first seed; drawn unless given
  --target N       only one of these, not one after the other:
${Object.keys(TARGETS)
  .map((name, i) => `                     ${i + 1}  ${name}`)
  .join('\n')}
  --family NAME    only one of ${FAMILY_NAMES.join(', ')}`;

interface Options {
  readonly commands: number;
  readonly seed: number;
  readonly targets: readonly string[];
  readonly families: readonly string[];
}

function readOptions(args: readonly string[]): Options | null {
  const value = (name: string): string | undefined => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const target = value('target');
  const family = value('family');
  const options: Options = {
    commands: Number(value('commands') ?? 100_000),
    seed: Number(value('seed') ?? Math.floor(Math.random() * 1e9)),
    targets: Object.keys(TARGETS).filter(
      (_, i) => target === undefined || i + 1 === Number(target),
    ),
    families: FAMILY_NAMES.filter((name) => family === undefined || name === family),
  };
  const { commands, seed, targets, families } = options;
  const isValid = commands > 0 && seed >= 0 && targets.length > 0 && families.length > 0;
  return isValid && !args.includes('--help') ? options : null;
}

/** Ends what was started for it, the last first. */
class Run implements Owner {
  readonly #ends: (() => Promise<void>)[] = [];
  readonly failures: string[] = [];

  teardown(end: () => Promise<void>): void {
    this.#ends.push(end);
  }

  passing(): boolean {
    return this.failures.length === 0;
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }
}

function* roundsOf({ seed, families }: Options): Generator<Round> {
  for (let first = seed; ; first += SEEDS_IN_A_ROW) {
    yield* roundsFrom(first).filter(({ family }) => families.includes(family));
  }
}

function printMismatch(name: string, { where, difference, ours, theirs, recent }: Mismatch): void {
  console.log(`NOT EQUAL from ${name}: ${where}: ${difference}`);
  for (const command of recent) console.log(`    ${command}`);
  console.log(`  Tandis: ${JSON.stringify(ours.slice(0, 1000))}`);
  console.log(`  Redis:  ${JSON.stringify(theirs.slice(0, 1000))}`);
}

/** Rounds against one target until so many commands were compared; how many there were, and what was not equal. */
async function compareWith(
  redis: Target,
  name: string,
  commands: number,
  options: Options,
): Promise<{ compared: number; rounds: number; failures: readonly string[] }> {
  const run = new Run();
  let compared = 0;
  let rounds = 0;
  let shownAt = Date.now();
  try {
    const tandis = await TARGETS[name]!(run);
    for (const round of roundsOf(options)) {
      if (compared >= commands || run.failures.length >= FAILURES_MAX) break;
      const count = Math.min(ROUND_COMMANDS, commands - compared);
      const mismatch = await compareRound(redis, tandis, round, count);
      rounds++;
      if (mismatch === null) compared += count;
      else {
        printMismatch(name, mismatch);
        run.failures.push(`${round.family} seed ${round.seed} RESP${round.proto} from ${name}`);
      }
      if (Date.now() - shownAt < PROGRESS_MS) continue;
      shownAt = Date.now();
      console.log(`${name}: ${compared} of ${commands} commands`);
    }
  } finally {
    await run.end();
  }
  return { compared, rounds, failures: run.failures };
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
    process.exitCode = 1;
    return;
  }
  const { commands, seed, targets } = options;
  console.log(`--seed ${seed}`);
  const run = new Run();
  const totals = { compared: 0, rounds: 0, failures: [] as string[] };
  try {
    const server = await RedisServer.start('--enable-debug-command', 'yes');
    run.teardown(() => server.stop());
    const redis = await targetOf(run, [server.port]);
    for (const name of targets) {
      const each = Math.ceil(commands / targets.length);
      const { compared, rounds, failures } = await compareWith(redis, name, each, options);
      totals.compared += compared;
      totals.rounds += rounds;
      totals.failures.push(...failures);
    }
  } finally {
    await run.end();
  }
  const { compared, rounds, failures } = totals;
  for (const failure of failures) console.log(`failed: ${failure}`);
  console.log(
    `${compared} commands compared in ${rounds} rounds from seed ${seed} on: ${failures.length} rounds failed`,
  );
  process.exitCode = failures.length > 0 ? 1 : 0;
}

await main();
