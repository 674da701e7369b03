import type { Tally } from './tally.js';

/** All runs of one profile. */
export interface ProfileSummary {
  readonly name: string;
  readonly runs: number;
  readonly commands: number;
  readonly failed: readonly number[];
  readonly tally: Tally;
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** One table of everything: a line for each profile and one for all, then the faults by kind. */
export function showSummary(summaries: readonly ProfileSummary[], total: Tally): string {
  const kinds = Object.keys(total.checks).sort();
  const header = ['profile', 'runs', 'commands', 'faults', ...kinds, 'undecided', 'failed'];
  const rows = summaries.map((summary) => rowOf(summary, kinds));
  const all: ProfileSummary = {
    name: 'all',
    runs: sumBy(summaries, ({ runs }) => runs),
    commands: sumBy(summaries, ({ commands }) => commands),
    failed: summaries.flatMap(({ failed }) => failed),
    tally: total,
  };
  const table = tableOf([header, ...rows, rowOf(all, kinds)]);
  const faults = ['faults:', ...summaries.map(faultsOf), faultsOf(all)];
  const { counts } = total;
  const outcomes = ['replied', 'not-run', 'unknown', 'pending'].map(
    (outcome) => `${outcome} ${counts[outcome] ?? 0}`,
  );
  const others = Object.entries(counts)
    .filter(
      ([what]) => !outcomes.some((each) => each.startsWith(`${what} `)) && what !== 'undecided',
    )
    .map(([what, count]) => `${what} ${count}`);
  return [
    table,
    ...faults,
    `outcomes: ${outcomes.join(', ')}`,
    `others: ${others.join(', ')}`,
  ].join('\n');
}

function rowOf(
  { name, runs, commands, failed, tally }: ProfileSummary,
  kinds: readonly string[],
): string[] {
  const checks = kinds.map((kind) => tally.checks[kind] ?? 0);
  const undecided = tally.counts['undecided'] ?? 0;
  return [
    name,
    ...[runs, commands, sumOf(tally.faults), ...checks, undecided, failed.length].map(String),
  ];
}

function faultsOf({ name, tally }: ProfileSummary): string {
  const faults = Object.entries(tally.faults).sort(([a], [b]) => (a < b ? -1 : 1));
  return `  ${name}: ${faults.map(([kind, count]) => `${kind} ${count}`).join(', ') || 'none'}`;
}

/** Columns as wide as their widest cell: the first one to the left, numbers to the right. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ');
  return rows.map(line).join('\n');
}

function sumBy<T>(list: readonly T[], value: (one: T) => number): number {
  return list.reduce((total, one) => total + value(one), 0);
}
