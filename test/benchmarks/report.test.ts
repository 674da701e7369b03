import t from 'tap';
import { CASES } from '../../benchmarks/compare/cases.js';
import type { Round, Side } from '../../benchmarks/compare/compare-load.js';
import { format, reportLoad } from '../../benchmarks/compare/report.js';
import { number, table } from '../../benchmarks/compare/table.js';
import type { RunResult } from '../../benchmarks/load/run-spec.js';
import { parseInfo } from '../../benchmarks/servers/server.js';

function run(change: Partial<RunResult>): RunResult {
  const latencyUs = { count: 1, mean: 1, p50: 500, p99: 900, p999: 1000, max: 1000 };
  return {
    ...{ operations: 1, elapsedMs: 1000, operationsPerSecond: 1000, errors: 0, firstError: '' },
    ...{ unanswered: 0, nils: 0, zeros: 0, latencyUs, sendLatenessUs: null },
    ...{ generatorCores: 0.5, serverCores: 1, otherCores: 0, serverCpuSecondsPerMillion: 10 },
    ...change,
  };
}

const one = CASES.find((found) => found.name === 'set-1')!;
const sides: Side[] = one.subjects.slice(0, 2).map((subject) => ({
  subject,
  launcher: {
    name: subject.server,
    version: '1.2.3',
    start: () => Promise.reject(new Error('not started here')),
  },
}));

/** Rounds of two sides with these operations per second. */
const roundsOf = (...rates: [number, number][]): Round[] =>
  rates.map(([ours, theirs]) => ({
    runs: [run({ operationsPerSecond: ours }), run({ operationsPerSecond: theirs })],
    otherCores: 0,
  }));

t.test('medians, ranges and the ratio of the medians', async (t) => {
  const report = reportLoad(one, sides, roundsOf([100, 50], [300, 60], [200, 80]));
  t.same(report.sides[0]!.figures.operationsPerSecond, { median: 200, min: 100, max: 300 });
  t.same(report.sides[1]!.figures.operationsPerSecond, { median: 60, min: 50, max: 80 });
  t.same(report.ratios[0]!.figures.operationsPerSecond, { median: 200 / 60, min: 2, max: 5 });
  t.equal(report.runs.length, 3);
  const text = format(report);
  t.match(text, /tandis alone \(1\.2\.3\) +200 \(100 to 300\)/);
  t.match(text, /tandis alone \/ redis alone: throughput 3\.33 \(2\.00 to 5\.00\)/);
  t.notMatch(text, /near its own limit|other processes|missing|FAILED/);
});

t.test('says when figures are not to be trusted', async (t) => {
  const busy = roundsOf([100, 100]).map((round) => ({ ...round, otherCores: 0.5 }));
  t.match(format(reportLoad(one, sides, busy)), /other processes took CPU during 1 of the pairs/);
  const limited: Round[] = [{ runs: [run({ generatorCores: 0.95 }), run({})], otherCores: 0 }];
  t.match(format(reportLoad(one, sides, limited)), /0\.95\*[\s\S]*near its own limit/);
});

t.test('every case has a name of its own, and a peer', async (t) => {
  t.equal(new Set(CASES.map((found) => found.name)).size, CASES.length);
  for (const found of CASES) t.ok(found.subjects.length >= 2, found.name);
});

t.test('numbers and columns', async (t) => {
  t.same([12345.6, 99.94, 1.234, Number.NaN].map(number), ['12,346', '99.9', '1.23', 'n/a']);
  t.equal(
    table([
      ['a', 'b'],
      ['ccc', '1'],
    ]),
    '  a    b\n  ccc  1',
  );
});

t.test('INFO as facts', async (t) => {
  const info = parseInfo('# Tandis\r\nmembers:2\r\n\r\nslave0:ip=1,state=online\r\n');
  t.same(
    [...info],
    [
      ['members', '2'],
      ['slave0', 'ip=1,state=online'],
    ],
  );
});
