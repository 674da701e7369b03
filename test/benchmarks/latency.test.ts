import t, { type Test } from 'tap';
import { LatencyRecorder } from '../../benchmarks/load/latency.js';

/** Three significant digits: one in a thousand. */
const near = (t: Test, found: number, wanted: number, what: string) =>
  t.ok(Math.abs(found - wanted) <= wanted / 1000 + 1, `${what}: ${found}, wanted ${wanted}`);

t.test('percentiles of a known distribution, in microseconds', async (t) => {
  const recorder = new LatencyRecorder();
  for (let ms = 1; ms <= 1000; ms++) recorder.record(ms, 1);
  const summary = recorder.summary();
  t.equal(summary.count, 1000);
  near(t, summary.p50, 500_000, 'p50');
  near(t, summary.p99, 990_000, 'p99');
  near(t, summary.p999, 999_000, 'p99.9');
  near(t, summary.max, 1_000_000, 'max');
  near(t, summary.mean, 500_500, 'mean');
});

t.test('a batch counts as many times as it has operations', async (t) => {
  const recorder = new LatencyRecorder();
  recorder.record(1, 16 * 98);
  recorder.record(100, 16 * 2);
  t.equal(recorder.summary().count, 1600);
  near(t, recorder.summary().p50, 1000, 'p50');
  near(t, recorder.summary().p99, 100_000, 'p99');
});

t.test(
  'what is shorter than a microsecond or longer than a minute is recorded at the edge',
  async (t) => {
    const recorder = new LatencyRecorder();
    recorder.record(0, 1);
    recorder.record(3_600_000, 1);
    t.equal(recorder.summary().count, 2);
    near(t, recorder.summary().max, 60_000_000, 'max');
  },
);
