import t from 'tap';
import { ratioChart } from '../../benchmarks/compare/ratio-chart.js';
import type { CaseReport } from '../../benchmarks/compare/report.js';
import { formatTargets } from '../../benchmarks/compare/targets.js';

const report = (name: string, operations: number): CaseReport => ({
  ...{ name, title: name, missing: [], failure: null, disturbedPairs: 0, sides: [], runs: [] },
  ratios: [
    {
      of: 'tandis alone',
      to: 'redis alone',
      figures: { operationsPerSecond: { median: operations, min: operations, max: operations } },
    },
  ],
});

t.test('each target whose case was run is met or missed', async (t) => {
  const text = formatTargets([report('set-1', 1.2), report('get-1', 0.9)]);
  t.match(text, /SET, 1 deep +at least 1\.15 +1\.20 +met/);
  t.match(text, /GET, 1 deep +at least 1 +0\.90 +MISSED/);
  t.notMatch(text, /16 deep/);
  t.equal(formatTargets([]), '');
});

t.test('another version of Node stands beside', async (t) => {
  const of = (label: string, ratio: number) => ({
    ...{ of: label, to: 'redis alone' },
    figures: { operationsPerSecond: { median: ratio, min: ratio, max: ratio } },
  });
  const side = (label: string, node: string, fresh: number) => ({
    ...{ label, version: `0.1.0, Node ${node}` },
    figures: { fresh: { median: fresh, min: fresh, max: fresh } },
  });
  const sides = [side('tandis alone', 'v20.0.0', 1.1), side('tandis-on alone', 'v99.0.0', 1.3)];
  const ratios = [of('tandis alone', 1.2), of('tandis-on alone', 1)];
  const text = formatTargets([
    { ...report('set-1', 0), sides, ratios },
    { ...report('get-1', 0.9) },
    { ...report('wear', 0), sides, ratios: [] },
  ]);
  t.match(text, /what +target +measured +on Node v99\.0\.0/);
  t.match(text, /SET, 1 deep +at least 1\.15 +1\.20 +met +1(\.00)? +MISSED/);
  t.match(text, /GET, 1 deep +at least 1 +0\.90 +MISSED *\n/);
  t.match(text, /fresh +at most 1\.12 +1\.10 +met +1\.30 +MISSED/);
});

t.test('the chart shows values, and marks targets', async (t) => {
  const svg = ratioChart([report('set-1', 1.2), report('set-64', 3)]);
  t.match(svg, />set-1<[\s\S]*>1\.20</);
  t.equal(svg.split('class="mark"').length - 1, 1, 'set-64 has no target');
  t.match(svg, /prefers-color-scheme: dark/);
  t.equal(ratioChart([]), '');
});
