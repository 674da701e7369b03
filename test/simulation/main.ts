import { PROFILES, type Profile } from './profiles.js';
import { type Result, Simulation } from './simulation.js';

interface Options {
  readonly first: number;
  readonly seeds: number;
  readonly profiles: readonly string[];
  readonly nodes: number | null;
  readonly lines: number;
  readonly traceKey: string | null;
  readonly keepGoing: boolean;
}

const USAGE = `usage: simulate [--seeds N] [--seed N] [--profile NAME] [--nodes N] [--lines N] [--trace KEY]
  --seeds N       runs seeds 1 to N (or from --seed on) of each profile; 20 unless given
  --seed N        the first seed; alone: only this one
  --profile NAME  one of ${Object.keys(PROFILES).join(', ')}; all unless given
  --nodes N       so many nodes instead of the profile's
  --lines N       lines shown of the trace of a failing key; 150 unless given
  --trace KEY     shows the story of this key, failure or not
  --keep-going    does not stop at the first failure`;

function readOptions(args: readonly string[]): Options {
  const value = (name: string): string | undefined => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const seed = value('seed');
  const seeds = value('seeds') ?? (seed === undefined ? '20' : '1');
  const profile = value('profile');
  const nodes = value('nodes');
  return {
    first: Number(seed ?? 1),
    seeds: Number(seeds),
    profiles: profile === undefined ? Object.keys(PROFILES) : profile.split(','),
    nodes: nodes === undefined ? null : Number(nodes),
    lines: Number(value('lines') ?? 150),
    traceKey: value('trace') ?? null,
    keepGoing: args.includes('--keep-going'),
  };
}

function report(name: string, profile: Profile, result: Result, options: Options): void {
  console.log(`\nFAILED: profile ${name}, seed ${result.seed}`);
  console.log(result.failure!.what);
  const key = result.failure!.key ?? options.traceKey ?? 'r0';
  const again = new Simulation(result.seed, profile, key).run();
  if (again.hash !== result.hash) console.log('THE SECOND RUN OF THIS SEED WAS ANOTHER ONE');
  console.log(`\nthe story of ${key}, last ${options.lines} of ${again.lines.length} lines:`);
  console.log(again.lines.slice(-options.lines).join('\n'));
}

function main(): number {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  const isKnown = options.profiles.every((name) => PROFILES[name] !== undefined);
  if (args.includes('--help') || !isKnown || !(options.seeds > 0)) {
    console.log(USAGE);
    return args.includes('--help') ? 0 : 2;
  }
  let failures = 0;
  for (const name of options.profiles) {
    const base = PROFILES[name]!;
    const profile = options.nodes === null ? base : { ...base, nodes: options.nodes };
    const totals: Record<string, number> = {};
    const failed: number[] = [];
    const startedAt = performance.now();
    for (let seed = options.first; seed < options.first + options.seeds; seed++) {
      const result = new Simulation(seed, profile, options.traceKey).run();
      for (const [what, count] of Object.entries(result.counts)) {
        totals[what] = (totals[what] ?? 0) + count;
      }
      totals['events'] = (totals['events'] ?? 0) + result.events;
      if (options.traceKey !== null) console.log(result.lines.slice(-options.lines).join('\n'));
      if (result.failure === null) continue;
      failed.push(seed);
      if (options.keepGoing) {
        console.log(
          `${name} seed ${seed}: ${result.failure.what.split('\n').slice(0, 3).join(' | ')}`,
        );
      } else {
        report(name, profile, result, options);
        return 1;
      }
    }
    failures += failed.length;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const counts = Object.entries(totals).map(([what, count]) => `${what} ${count}`);
    const verdict = failed.length === 0 ? 'all hold' : `FAILED ${failed.join(' ')}`;
    console.log(
      `${name}: ${options.seeds} seeds in ${seconds} s, ${verdict} (${counts.join(', ')})`,
    );
  }
  return failures === 0 ? 0 : 1;
}

process.exitCode = main();
