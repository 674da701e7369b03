import type { CaseReport, FigureName } from './report.js';
import { number, table } from './table.js';

interface Target {
  readonly what: string;
  readonly from: string;
  /** Beginning of the peer's label; of a figure of Tandis's own: null. */
  readonly to: string | null;
  readonly figure: FigureName;
  readonly least?: number;
  readonly most?: number;
}

const least = (what: string, from: string, to: string, ratio: number): Target => ({
  ...{ what, from, to, least: ratio },
  figure: 'operationsPerSecond',
});

const most = (
  what: string,
  from: string,
  to: string | null,
  figure: FigureName,
  ratio: number,
) => ({
  ...{ what, from, to, figure, most: ratio },
});

const ALONE = 'redis alone';
const REPLICA = 'redis + replica';

/** What the project wants to reach, as ratios of medians within one run. */
export const TARGETS: readonly Target[] = [
  least('SET, 1 deep', 'set-1', ALONE, 1.15),
  least('SET, 16 deep', 'set-16', ALONE, 2.5),
  least('GET, 1 deep', 'get-1', ALONE, 1.0),
  least('GET, 16 deep', 'get-16', ALONE, 1.4),
  least('session traffic, 1 deep', 'session-1', ALONE, 1.0),
  least('session traffic, 16 deep', 'session-16', ALONE, 1.4),
  least('SET on two nodes, WAIT after each, 1 deep', 'set-acked-1', REPLICA, 1.6),
  least('SET on two nodes, WAIT after each, 16 deep', 'set-acked-16', REPLICA, 5),
  least('SET on two nodes, one WAIT for 16', 'set-acked-16-batch', REPLICA, 2.6),
  least('SET on two nodes, replica not waited for, 1 deep', 'set-replica-1', REPLICA, 1.1),
  least('SET on two nodes, replica not waited for, 16 deep', 'set-replica-16', REPLICA, 1.8),
  least('session traffic on two nodes, WAIT, 1 deep', 'session-acked-1', REPLICA, 1.5),
  least('session traffic on two nodes, WAIT, 16 deep', 'session-acked-16', REPLICA, 5),
  most(
    'CPU of both nodes per SET, 1 deep, WAIT',
    'set-acked-1',
    REPLICA,
    'serverCpuSecondsPerMillion',
    0.65,
  ),
  least('SET, 16 deep, to Valkey', 'set-16', 'valkey alone', 1.3),
  least('GET, 16 deep, to Valkey', 'get-16', 'valkey alone', 1.3),
  most('p99.9, session traffic, 2 million', 'session-1-large', ALONE, 'p999Us', 1.0),
  most('p99.9, session traffic, 2 million, 16 deep', 'session-16-large', ALONE, 'p999Us', 1.0),
  most('memory of hashes of ten fields', 'memory-hashes', ALONE, 'residentPerLiveByte', 1.2),
  most('resident per live byte, fresh', 'wear', null, 'fresh', 1.12),
  most('resident per live byte, ten rounds', 'wear', null, 'updated', 1.1),
  most('resident per live byte, all to 300 bytes', 'wear', null, 'shrunk', 1.5),
  most('longest pause while loading', 'wear', ALONE, 'longestLoadMs', 1.0),
  most('longest pause while updating', 'wear', ALONE, 'longestUpdateMs', 1.0),
];

/** What was measured of Tandis for a target; null where its case was not run, or its peer is missing. */
function measuredFor(
  target: Target,
  reports: readonly CaseReport[],
  isOurs: (label: string) => boolean,
): number | null {
  const report = reports.find(({ name }) => name === target.from);
  const { to } = target;
  const figures =
    to === null
      ? report?.sides.find(({ label }) => isOurs(label))?.figures
      : report?.ratios.find((ratio) => isOurs(ratio.of) && ratio.to.startsWith(to))?.figures;
  return figures?.[target.figure]?.median ?? null;
}

const isOnOther = (label: string) => label.startsWith('tandis-on');
const isOnOwn = (label: string) => /^tandis[ ,]/.test(label);

/** The other version of Node, as it is named in reports; null where none was given. */
function otherNode(reports: readonly CaseReport[]): string | null {
  const side = reports.flatMap(({ sides }) => sides).find(({ label }) => isOnOther(label));
  return side === undefined ? null : side.version.replace(/^.*, /, '');
}

function isMet({ least, most }: Target, measured: number): boolean {
  return measured >= (least ?? Number.NEGATIVE_INFINITY) && measured <= (most ?? Infinity);
}

function verdict(target: Target, measured: number | null): string[] {
  if (measured === null) return ['', ''];
  return [number(measured), isMet(target, measured) ? 'met' : 'MISSED'];
}

/** The table of targets whose cases were run, with another version of Node beside where one was given; empty when there is none. */
export function formatTargets(reports: readonly CaseReport[]): string {
  const other = otherNode(reports);
  const rows = TARGETS.flatMap((target) => {
    const measured = measuredFor(target, reports, isOnOwn);
    if (measured === null) return [];
    const bound =
      target.least === undefined ? `at most ${target.most}` : `at least ${target.least}`;
    const beside = other === null ? [] : verdict(target, measuredFor(target, reports, isOnOther));
    return [[target.what, bound, ...verdict(target, measured), ...beside]];
  });
  if (rows.length === 0) return '';
  const heads = ['what', 'target', 'measured', '', ...(other === null ? [] : [`on ${other}`, ''])];
  return `\ntargets\n${table([heads, ...rows])}`;
}
