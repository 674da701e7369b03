import { type Bar, barChart } from '../charts/bar-chart.js';
import type { CaseReport } from './report.js';
import { TARGETS } from './targets.js';

/** Throughput of Tandis over that of Redis for every load case that was run; empty when there is none. */
export function ratioChart(reports: readonly CaseReport[]): string {
  const bars = reports.flatMap(({ name, ratios }): Bar[] => {
    const ratio = ratios.find(({ to }) => to.startsWith('redis'));
    const figure = ratio?.figures.operationsPerSecond;
    if (figure === undefined || name.endsWith('-rate') || name === 'noise') return [];
    const target = TARGETS.find(
      ({ from, to, least }) => from === name && least !== undefined && to?.startsWith('redis'),
    );
    const { median, min, max } = figure;
    return [{ label: name, value: median, min, max, mark: target?.least ?? null }];
  });
  if (bars.length === 0) return '';
  const note = 'ratio of medians; dashed: the target; the cases are told in benchmarks/README.md';
  return barChart('Throughput of Tandis to Redis', note, bars);
}
