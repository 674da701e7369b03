/** Compares Tandis with its peers: see README.md in this directory. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { nodeTls } from '../test/support/certificates.js';
import { CASES, type Case, type ServerName } from './compare/cases.js';
import { compareLoad, type Progress, type Side } from './compare/compare-load.js';
import { compareMemory } from './compare/compare-memory.js';
import { compareWear } from './compare/compare-wear.js';
import { describeMachine } from './compare/machine.js';
import { ratioChart } from './compare/ratio-chart.js';
import {
  type CaseReport,
  format,
  reportFailure,
  reportLoad,
  reportMemory,
  reportWear,
} from './compare/report.js';
import { FULL, PAIRS_TO_QUOTE, QUICK, type Settings } from './compare/settings.js';
import { formatTargets } from './compare/targets.js';
import { GeneratorProcess } from './load/generator-process.js';
import { bareForwardLauncher, bareLauncher } from './servers/bare.js';
import { endChildrenOnExit } from './servers/children.js';
import { redisLauncher, versionOf } from './servers/redis.js';
import { redisClusterLauncher } from './servers/redis-cluster.js';
import type { Launcher } from './servers/server.js';
import { type TandisOptions, tandisLauncher } from './servers/tandis.js';

const SECRET = ['--cluster-secret', 'of the benchmarks alone'];

interface Options {
  readonly only?: string[];
  readonly list?: true;
  readonly quick?: true;
  readonly busy?: true;
  readonly pairs?: number;
  readonly seconds?: number;
  readonly connections?: number;
  readonly large?: number;
  readonly json?: string;
  readonly charts?: string;
  readonly node?: string;
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
    .option('--node <binary>', 'another version of Node: Tandis runs on that too, beside')
    .option('--without <server...>', 'leave these servers out', [])
    .option('--server-args <option...>', 'further options for tandis server (after =)', [])
    .option('--large <n>', 'sessions of the cases with very many', positive)
    .option('--charts <directory>', 'write the charts there')
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
    wearPairs: options.pairs ?? base.wearPairs,
    largeKeys: options.large ?? base.largeKeys,
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

/** Without the other version of Node where none was given. */
type Launchers = Readonly<Partial<Record<ServerName, Launcher>>>;

function missingReason(launcher: Launcher, without: readonly string[]): string | null {
  if (without.includes(launcher.name)) return 'left out by --without';
  return launcher.version === null ? 'not installed' : null;
}

async function compare(
  generator: GeneratorProcess,
  one: Case,
  sides: readonly Side[],
  settings: Settings,
  progress: Progress,
): Promise<CaseReport> {
  const task = [generator, one, sides, settings, progress] as const;
  switch (one.kind) {
    case 'memory':
      return reportMemory(one, sides, await compareMemory(...task));
    case 'wear':
      return reportWear(one, sides, await compareWear(...task));
    case 'load':
      return reportLoad(one, sides, await compareLoad(...task));
  }
}

async function runCase(
  generator: GeneratorProcess,
  one: Case,
  launchers: Launchers,
  settings: Settings,
  without: readonly string[],
): Promise<CaseReport> {
  const all = one.subjects.flatMap((subject): Side[] => {
    const launcher = launchers[subject.server];
    return launcher === undefined ? [] : [{ subject, launcher }];
  });
  const reasonOf = (side: Side) => missingReason(side.launcher, without);
  const missing = all
    .filter((side) => reasonOf(side) !== null)
    .map((side) => `${side.subject.label}: ${reasonOf(side)}`);
  const sides = all.filter((side) => reasonOf(side) === null);
  const progress: Progress = (text) => console.error(`  ${one.name}: ${text}`);
  try {
    if (sides.length === 0) throw new Error('none of its servers is there');
    const result = await compare(generator, one, sides, settings, progress);
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
  const tandis = { nodeArgs: [], serverArgs: options.serverArgs };
  const withBus = (args: readonly string[]): TandisOptions => ({
    ...tandis,
    serverArgs: [...tandis.serverArgs, ...args],
  });
  const { node } = options;
  const launchers: Launchers = {
    tandis: tandisLauncher(tandis),
    ...(node === undefined ? {} : { 'tandis-on': tandisLauncher({ ...tandis, node }) }),
    'tandis-secret': tandisLauncher(withBus(SECRET)),
    'tandis-tls': tandisLauncher(withBus(['--tls-cluster', 'yes', ...nodeTls()])),
    bare: bareLauncher(),
    'bare-forward': bareForwardLauncher(),
    redis: redisLauncher('redis', 'redis-server'),
    'redis-cluster': redisClusterLauncher(versionOf('redis-server')),
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
  console.log(formatTargets(reports));
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, settings, cases: reports }, null, 1)}\n`,
    );
  const chart = ratioChart(reports);
  if (options.charts !== undefined && chart !== '') {
    mkdirSync(options.charts, { recursive: true });
    writeFileSync(join(options.charts, 'throughput.svg'), chart);
  }
  if (reports.some((report) => report.failure !== null)) process.exitCode = 1;
}

await main();
