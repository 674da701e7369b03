import { availableParallelism } from 'node:os';
import { PROFILES } from './profiles.js';
import { limitsOf, profileOf, type Run, runAll } from './runs.js';
import { shorten } from './shrink.js';
import { type Limits, type Result, Simulation } from './simulation.js';
import { type ProfileSummary, showSummary } from './summary.js';
import { Tally } from './tally.js';

interface Options {
  readonly first: number;
  readonly seeds: number;
  readonly profiles: readonly string[];
  readonly nodes: number | null;
  readonly clients: number | null;
  readonly jobs: number;
  readonly lines: number;
  readonly traceKey: string | null;
  readonly keepGoing: boolean;
  /** Those that were given. */
  readonly limits: Partial<Limits>;
}

const NODES_MAX = 200;
/** With more nodes than these node-timeout is as much longer: pings grow with the square of the nodes. */
const NODES_PER_TIMEOUT = 25;
/** Between two lines of progress. */
const PROGRESS_MS = 10_000;

const USAGE = `usage: simulate [options]
  --seeds N       runs seeds 1 to N (or from --seed on) of each profile; 20 unless given
  --seed N        the first seed; alone: only this one
  --profile NAME  one or more, with commas: ${Object.keys(PROFILES).join(', ')}; all unless given
  --nodes N       so many nodes instead of the profile's, 2 to ${NODES_MAX}
  --clients N     so many clients instead of the profile's
  --jobs N        processes; as many as there are processors unless given. The results are the same
  --keep-going    does not stop at the first failure
  --lines N       lines shown of the trace of a failing key; 150 unless given
  --trace KEY     shows the story of this key, failure or not
  --until MS, --faults N, --commands N, --splits N
                  ends each run early: what a failure says about its shortest beginning`;

function readOptions(args: readonly string[]): Options {
  const value = (name: string): string | undefined => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const number = (name: string, otherwise: number): number => Number(value(name) ?? otherwise);
  const optional = (name: string): number | null =>
    value(name) === undefined ? null : Number(value(name));
  const seed = value('seed');
  return {
    first: Number(seed ?? 1),
    seeds: number('seeds', seed === undefined ? 20 : 1),
    profiles: value('profile')?.split(',') ?? Object.keys(PROFILES),
    nodes: optional('nodes'),
    clients: optional('clients'),
    jobs: number('jobs', availableParallelism()),
    lines: number('lines', 150),
    traceKey: value('trace') ?? null,
    keepGoing: args.includes('--keep-going'),
    limits: readLimits(optional),
  };
}

function readLimits(read: (name: string) => number | null): Partial<Limits> {
  const given: [keyof Limits, number | null][] = [
    ['untilMs', read('until')],
    ['faults', read('faults')],
    ['commands', read('commands')],
    ['splits', read('splits')],
  ];
  return Object.fromEntries(given.filter(([, limit]) => limit !== null));
}

function isValid({ profiles, seeds, first, jobs, nodes }: Options): boolean {
  if (!profiles.every((name) => PROFILES[name] !== undefined)) return false;
  if (nodes !== null && !(nodes >= 2 && nodes <= NODES_MAX)) return false;
  return seeds > 0 && jobs > 0 && Number.isInteger(first);
}

function runsOf({ profiles, first, seeds, nodes, clients, limits }: Options): Run[] {
  const changes = {
    ...(nodes === null ? {} : { nodes }),
    ...(clients === null ? {} : { clients }),
  };
  const slower = Math.max(1, (nodes ?? 0) / NODES_PER_TIMEOUT);
  return profiles.flatMap((profile) => {
    const nodeTimeoutMs = PROFILES[profile]!.nodeTimeoutMs * slower;
    const all = slower > 1 ? { ...changes, nodeTimeoutMs } : changes;
    return Array.from({ length: seeds }, (_, i) => ({
      profile,
      seed: first + i,
      changes: all,
      limits,
    }));
  });
}

/** What does not hold, the shortest beginning that still fails, and the story of its key. */
function report(run: Run, result: Result, lines: number): void {
  console.log(`\nFAILED: profile ${run.profile}, seed ${run.seed}`);
  console.log(result.failure!.what);
  const profile = profileOf(run);
  const { limits, result: shortest, runs } = shorten(run.seed, profile, result, limitsOf(run));
  const flags = [
    ['until', limits.untilMs],
    ['faults', limits.faults],
    ['commands', limits.commands],
    ['splits', limits.splits],
  ] as const;
  const given = flags.filter(([, limit]) => limit < Number.POSITIVE_INFINITY);
  const options = given.map(([name, limit]) => ` --${name} ${limit}`).join('');
  console.log(
    `\nthe shortest beginning that still fails, of ${runs} runs: ${shortest.calls} of ${result.calls} commands, ` +
      `${shortest.events} of ${result.events} events:\n` +
      `  npm run simulate -- --profile ${run.profile} --seed ${run.seed}${options}\n` +
      shortest.failure!.what,
  );
  const key = shortest.failure!.key ?? 'r0';
  const again = new Simulation(run.seed, profile, key, limits).run();
  if (again.hash !== shortest.hash) console.log('THE SECOND RUN OF THIS SEED WAS ANOTHER ONE');
  console.log(`\nthe story of ${key}, last ${lines} of ${again.lines.length} lines:`);
  console.log(again.lines.slice(-lines).join('\n'));
}

/** One run by hand: with limits, and the story of its key if it fails, or with the story of a key. */
function runOne(run: Run, { traceKey, lines }: Options): number {
  const profile = profileOf(run);
  const limits = limitsOf(run);
  let result = new Simulation(run.seed, profile, traceKey, limits).run();
  const key = traceKey ?? result.failure?.key ?? null;
  if (traceKey === null && key !== null) {
    result = new Simulation(run.seed, profile, key, limits).run();
  }
  console.log(result.lines.slice(-lines).join('\n'));
  console.log(result.failure?.what ?? `all holds: ${result.calls} commands, hash ${result.hash}`);
  return result.failure === null ? 0 : 1;
}

/** Sums up results by profile, and says now and then how far it is. */
class Collector {
  readonly #options: Options;
  readonly #runs: number;
  readonly #total = new Tally();
  readonly #byProfile = new Map<
    string,
    { runs: number; commands: number; failed: number[]; tally: Tally }
  >();
  readonly #startedAt = performance.now();
  #saidAt = performance.now();
  #done = 0;
  failed: { readonly run: Run; readonly result: Result } | null = null;

  constructor(options: Options, runs: number) {
    this.#options = options;
    this.#runs = runs;
  }

  /** False when that was the last one to be looked at. */
  add(run: Run, result: Result): boolean {
    const { profile, seed } = run;
    const summary = this.#byProfile.get(profile) ?? {
      runs: 0,
      commands: 0,
      failed: [],
      tally: new Tally(),
    };
    this.#byProfile.set(profile, summary);
    summary.runs++;
    summary.commands += result.calls;
    summary.tally.addAll(result);
    this.#total.addAll(result);
    this.#done++;
    if (performance.now() - this.#saidAt > PROGRESS_MS) this.#sayProgress(run);
    if (result.failure === null) return true;
    summary.failed.push(seed);
    this.failed ??= { run, result };
    const what = result.failure.what.split('\n').slice(0, 3).join(' | ');
    console.log(`FAILED ${profile} seed ${seed}: ${what}`);
    return this.#options.keepGoing;
  }

  #sayProgress({ profile, seed }: Run): void {
    this.#saidAt = performance.now();
    const seconds = ((this.#saidAt - this.#startedAt) / 1000).toFixed(0);
    console.error(
      `${this.#done} of ${this.#runs} runs in ${seconds} s, now ${profile} seed ${seed}`,
    );
  }

  show(): void {
    const summaries: ProfileSummary[] = [...this.#byProfile].map(([name, rest]) => ({
      name,
      ...rest,
    }));
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    console.log(`\n${showSummary(summaries, this.#total)}`);
    console.log(
      `${this.#done} runs in ${seconds} s, ${this.failed === null ? 'all hold' : 'FAILED'}`,
    );
    for (const { name, failed } of summaries) {
      if (failed.length > 0) console.log(`  ${name}: seeds ${failed.join(' ')}`);
    }
  }
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (args.includes('--help') || !isValid(options)) {
    console.log(USAGE);
    return args.includes('--help') ? 0 : 2;
  }
  const runs = runsOf(options);
  const isByHand = runs.length === 1 && Object.keys(options.limits).length > 0;
  if (options.traceKey !== null || isByHand) return runOne(runs[0]!, options);
  const collector = new Collector(options, runs.length);
  await runAll(runs, options.jobs, (run, result) => collector.add(run, result));
  collector.show();
  const { failed } = collector;
  if (failed !== null) report(failed.run, failed.result, options.lines);
  return failed === null ? 0 : 1;
}

process.exitCode = await main();
