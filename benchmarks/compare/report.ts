import type { RunResult } from '../load/run-spec.js';
import type { Case } from './cases.js';
import { isDisturbed, type Round, type Side } from './compare-load.js';
import type { MemoryResult } from './compare-memory.js';
import type { WearResult } from './compare-wear.js';
import { ratioOf, type Summary, summarize } from './statistics.js';
import { number, table } from './table.js';

/**
 * A generator busier than this may be what limits the rate: the ratio is then nearer to 1 than it
 * should be.
 */
const GENERATOR_CORES_MAX = 0.9;

type LoadFigure =
  | 'operationsPerSecond'
  | 'p50Us'
  | 'p99Us'
  | 'p999Us'
  | 'serverCpuSecondsPerMillion'
  | 'serverCores'
  | 'generatorCores'
  | 'longestMs';
type MemoryFigure =
  | 'residentPerLiveByte'
  | 'grownPerLiveByte'
  | 'residentBytes'
  | 'fillOperationsPerSecond';
type WearFigure = keyof WearResult;
export type FigureName = LoadFigure | MemoryFigure | WearFigure;
type Result = RunResult | MemoryResult | WearResult;
/** Those of the case's kind are there. */
type Summaries = Readonly<Partial<Record<FigureName, Summary>>>;

/** Figures of one side over all its runs. */
export interface SideReport {
  readonly label: string;
  readonly version: string;
  readonly figures: Summaries;
}

/** Of one side to another, by their labels: ratio of medians with the range of the ratios within pairs. */
interface Ratio {
  readonly of: string;
  readonly to: string;
  readonly figures: Summaries;
}

/** What came of a case, as it is written to the JSON file. */
export interface CaseReport {
  readonly name: string;
  readonly title: string;
  /** Sides that were not run, and why. */
  readonly missing: readonly string[];
  readonly failure: string | null;
  readonly disturbedPairs: number;
  readonly sides: readonly SideReport[];
  /** First side over each other, then Tandis on another version of Node over the peers. */
  readonly ratios: readonly Ratio[];
  readonly runs: readonly (readonly Result[])[];
}

type Figures<Name extends string, R> = Readonly<Record<Name, (result: R) => number>>;

const LOAD_FIGURES: Figures<LoadFigure, RunResult> = {
  operationsPerSecond: (run) => run.operationsPerSecond,
  p50Us: (run) => run.latencyUs.p50,
  p99Us: (run) => run.latencyUs.p99,
  p999Us: (run) => run.latencyUs.p999,
  serverCpuSecondsPerMillion: (run) => run.serverCpuSecondsPerMillion,
  serverCores: (run) => run.serverCores,
  generatorCores: (run) => run.generatorCores,
  longestMs: (run) => run.latencyUs.max / 1000,
};

const MEMORY_FIGURES: Figures<MemoryFigure, MemoryResult> = {
  residentPerLiveByte: (result) => result.residentBytes / result.liveBytes,
  grownPerLiveByte: (result) => (result.residentBytes - result.emptyBytes) / result.liveBytes,
  residentBytes: (result) => result.residentBytes,
  fillOperationsPerSecond: (result) => result.fillOperationsPerSecond,
};

const WEAR_FIGURES: Figures<WearFigure, WearResult> = {
  fresh: (result) => result.fresh,
  updated: (result) => result.updated,
  shrunk: (result) => result.shrunk,
  longestLoadMs: (result) => result.longestLoadMs,
  longestUpdateMs: (result) => result.longestUpdateMs,
};

export function reportWear(
  one: Case,
  sides: readonly Side[],
  results: readonly (readonly WearResult[])[],
): CaseReport {
  return report(one, sides, results, WEAR_FIGURES);
}

export function reportLoad(
  one: Case,
  sides: readonly Side[],
  rounds: readonly Round[],
): CaseReport {
  const runs = rounds.map((round) => round.runs);
  const disturbedPairs = rounds.filter(isDisturbed).length;
  return { ...report(one, sides, runs, LOAD_FIGURES), disturbedPairs };
}

export function reportMemory(
  one: Case,
  sides: readonly Side[],
  results: readonly (readonly MemoryResult[])[],
): CaseReport {
  return report(one, sides, results, MEMORY_FIGURES);
}

/** The report of a case that was not run, or broke off. */
export function reportFailure(one: Case, failure: string): CaseReport {
  const { name, title } = one;
  return { name, title, failure, missing: [], disturbedPairs: 0, sides: [], ratios: [], runs: [] };
}

function report<R extends Result>(
  one: Case,
  sides: readonly Side[],
  runs: readonly (readonly R[])[],
  figures: Figures<string, R>,
): CaseReport {
  const values = (side: number, figure: (result: R) => number) =>
    runs.map((row) => figure(row[side]!));
  const isRatio = (of: number, to: number) =>
    to > 0 && (of === 0 || (isOnOther(sides[of]!) && !isOnOther(sides[to]!)));
  const mapped = (map: (figure: (result: R) => number) => Summary) =>
    Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, map(figure)]));
  return {
    ...reportFailure(one, ''),
    failure: null,
    runs,
    sides: sides.map(({ subject, launcher }, side) => ({
      label: subject.label,
      version: launcher.version ?? '',
      figures: mapped((figure) => summarize(values(side, figure))),
    })),
    ratios: sides.flatMap(({ subject: { label } }, of) =>
      sides.flatMap(({ subject }, to): Ratio[] => {
        if (!isRatio(of, to)) return [];
        const figures = mapped((figure) => ratioOf(values(of, figure), values(to, figure)));
        return [{ of: label, to: subject.label, figures }];
      }),
    ),
  };
}

const isOnOther = ({ subject }: Side) => subject.server === 'tandis-on';

/** The report as text for a terminal. */
export function format(report: CaseReport): string {
  const lines = [`\n${report.name}: ${report.title}`];
  for (const missing of report.missing) lines.push(`  missing: ${missing}`);
  if (report.failure !== null) lines.push(`  FAILED: ${report.failure}`);
  if (report.sides.length > 0) {
    const { figures } = report.sides[0]!;
    if ('fresh' in figures) lines.push(wearTable(report));
    else {
      const isMemory = 'residentBytes' in figures;
      lines.push(isMemory ? memoryTable(report) : loadTable(report));
      lines.push(...report.ratios.map((ratio) => ratioLine(ratio, isMemory)));
    }
  }
  if (report.disturbedPairs > 0)
    lines.push(`  ! other processes took CPU during ${report.disturbedPairs} of the pairs`);
  if (isGeneratorBound(report))
    lines.push('  * the load generator was near its own limit: compare CPU per million instead');
  return lines.join('\n');
}

const withRange = (summary: Summary) =>
  `${number(summary.median)} (${number(summary.min)} to ${number(summary.max)})`;

const isGeneratorBound = (report: CaseReport) =>
  report.sides.some((side) => (side.figures.generatorCores?.median ?? 0) > GENERATOR_CORES_MAX);

function loadTable(report: CaseReport): string {
  const heads = ['server', 'operations/s (range)', 'p50 us', 'p99 us', 'p99.9 us', 'longest ms'];
  const rows = [[...heads, 'CPU s/million', 'server cores', 'generator cores']];
  for (const { label, version, figures } of report.sides) {
    const generator = figures.generatorCores!.median;
    const mark = generator > GENERATOR_CORES_MAX ? '*' : '';
    rows.push([
      `${label} (${version})`,
      withRange(figures.operationsPerSecond!),
      number(figures.p50Us!.median),
      number(figures.p99Us!.median),
      number(figures.p999Us!.median),
      number(figures.longestMs!.median),
      number(figures.serverCpuSecondsPerMillion!.median),
      number(figures.serverCores!.median),
      number(generator) + mark,
    ]);
  }
  return table(rows);
}

function wearTable(report: CaseReport): string {
  const heads = ['fresh', 'after ten rounds', 'all to 300 bytes'];
  const rows = [['server, resident/live byte', ...heads, 'longest ms: loading', 'updating']];
  for (const { label, version, figures } of report.sides) {
    rows.push([
      `${label} (${version})`,
      ...[withRange(figures.fresh!), withRange(figures.updated!), withRange(figures.shrunk!)],
      ...[withRange(figures.longestLoadMs!), withRange(figures.longestUpdateMs!)],
    ]);
  }
  return table(rows);
}

function memoryTable(report: CaseReport): string {
  const rows = [['server', 'resident/live byte (range)', 'grown/live byte', 'MB', 'written/s']];
  for (const { label, version, figures } of report.sides) {
    rows.push([
      `${label} (${version})`,
      withRange(figures.residentPerLiveByte!),
      number(figures.grownPerLiveByte!.median),
      number(figures.residentBytes!.median / 2 ** 20),
      number(figures.fillOperationsPerSecond!.median),
    ]);
  }
  return table(rows);
}

function ratioLine(ratio: Ratio, isMemory: boolean): string {
  const to = `  ${ratio.of} / ${ratio.to}:`;
  const of = (name: FigureName) => ratio.figures[name]!;
  if (isMemory) return `${to} resident ${withRange(of('residentPerLiveByte'))}`;
  const rest = `p50 ${number(of('p50Us').median)}, p99 ${number(of('p99Us').median)}`;
  const cpu = `CPU per operation ${number(of('serverCpuSecondsPerMillion').median)}`;
  return `${to} throughput ${withRange(of('operationsPerSecond'))}, ${rest}, ${cpu}`;
}
