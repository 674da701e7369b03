/** Compares Tandis with its peers: see README.md in this directory. */
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { CASES, type Case, type ServerName } from './compare/cases.js';
import { compareLoad, type Progress, type Side } from './compare/compare-load.js';
import { compareMemory } from './compare/compare-memory.js';
import { describeMachine } from './compare/machine.js';
import {
  type CaseReport,
  format,
  reportFailure,
  reportLoad,
  reportMemory,
} from './compare/report.js';
import { FULL, PAIRS_TO_QUOTE, QUICK, type Settings } from './compare/settings.js';
import { GeneratorProcess } from './load/generator-process.js';
import { endChildrenOnExit } from './servers/children.js';
import { redisLauncher } from './servers/redis.js';
import type { Launcher } from './servers/server.js';
import { tandisLauncher } from './servers/tandis.js';

interface Options {
  readonly only?: string[];
  readonly list?: true;
  readonly quick?: true;
  readonly busy?: true;
  readonly pairs?: number;
  readonly seconds?: number;
  readonly connections?: number;
  readonly json?: string;
  readonly without: string[];
  readonly serverArgs: string[];
}

function parseOptions(): Options {
  return new Command('bench')
    .description('Compares Tandis with Redis and Valkey under the same load.')
    .option(
      '--only <name...>',
      'run only the cases with these names; a trailing * matches the rest',
    )
    .option('--list', 'list the cases')
    .option('--quick', 'short runs, to see that everything works; not to be quoted')
    .option('--busy', 'do not wait for a quiet machine, and keep disturbed pairs')
    .option('--pairs <n>', 'runs of each server', positive)
    .option('--seconds <n>', 'counted time of each run', positive)
    .option('--connections <n>', 'connections of the load generator', positive)
    .option('--without <server...>', 'leave these servers out', [])
    .option('--server-args <option...>', 'further options for tandis server (after =)', [])
    .option('--json <file>', 'write everything measured to this file')
    .parse()
    .opts<Options>();
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0');
  return value;
}

function settingsFrom(options: Options): Settings {
  const base = options.quick ? QUICK : FULL;
  return {
    ...base,
    wantsQuiet: options.busy !== true,
    pairs: options.pairs ?? base.pairs,
    durationMs: options.seconds === undefined ? base.durationMs : options.seconds * 1000,
    connections: options.connections ?? base.connections,
  };
}

/** Cases whose names match one of `patterns`; throws when a pattern matches none. */
function selectCases(patterns: readonly string[] | undefined): readonly Case[] {
  if (patterns === undefined) return CASES;
  const matches = (pattern: string, name: string) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  for (const pattern of patterns) {
    if (!CASES.some((one) => matches(pattern, one.name)))
      throw new Error(`no case is named ${pattern}; --list shows them`);
  }
  return CASES.filter((one) => patterns.some((pattern) => matches(pattern, one.name)));
}

type Launchers = Readonly<Record<ServerName, Launcher>>;

function missingReason(launcher: Launcher, without: readonly string[]): string | null {
  if (without.includes(launcher.name)) return 'left out by --without';
  return launcher.version === null ? 'not installed' : null;
}

async function runCase(
  generator: GeneratorProcess,
  one: Case,
  launchers: Launchers,
  settings: Settings,
  without: readonly string[],
): Promise<CaseReport> {
  const all = one.subjects.map(
    (subject): Side => ({ subject, launcher: launchers[subject.server] }),
  );
  const reasonOf = (side: Side) => missingReason(side.launcher, without);
  const missing = all
    .filter((side) => reasonOf(side) !== null)
    .map((side) => `${side.subject.label}: ${reasonOf(side)}`);
  const sides = all.filter((side) => reasonOf(side) === null);
  const progress: Progress = (text) => console.error(`  ${one.name}: ${text}`);
  try {
    if (sides.length === 0) throw new Error('none of its servers is there');
    const result =
      one.kind === 'memory'
        ? reportMemory(one, sides, await compareMemory(generator, one, sides, settings, progress))
        : reportLoad(one, sides, await compareLoad(generator, one, sides, settings, progress));
    return { ...result, missing };
  } catch (error) {
    return { ...reportFailure(one, (error as Error).message), missing };
  }
}

async function main(): Promise<void> {
  const options = parseOptions();
  const cases = selectCases(options.only);
  if (options.list) {
    for (const one of cases) console.log(`${one.name.padEnd(24)}${one.title}`);
    return;
  }
  const settings = settingsFrom(options);
  const launchers: Launchers = {
    tandis: tandisLauncher({ nodeArgs: [], serverArgs: options.serverArgs }),
    redis: redisLauncher('redis', 'redis-server'),
    valkey: redisLauncher('valkey', 'valkey-server'),
  };
  const machine = describeMachine();
  console.log('machine ', JSON.stringify(machine));
  console.log('settings', JSON.stringify(settings));
  if (options.quick || settings.pairs < PAIRS_TO_QUOTE)
    console.log(
      'short or few runs: the figures show that the cases work, they are not to be quoted',
    );
  endChildrenOnExit();
  const generator = new GeneratorProcess();
  const reports: CaseReport[] = [];
  for (const one of cases) {
    reports.push(await runCase(generator, one, launchers, settings, options.without));
    console.log(format(reports.at(-1)!));
  }
  generator.stop();
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, settings, cases: reports }, null, 1)}\n`,
    );
  if (reports.some((report) => report.failure !== null)) process.exitCode = 1;
}

await main();
