import t from 'tap';
import { Histogram } from '../../lib/base/histogram.js';

t.test('percentiles are those of the values, to within a hundredth', async (t) => {
  const histogram = new Histogram();
  const values = Array.from({ length: 10_000 }, (_, i) => 0.003 * 1.0017 ** i);
  for (const value of values) histogram.record(value);
  t.equal(histogram.count, values.length);
  for (const share of [0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(share * values.length) - 1]!;
    const found = histogram.percentile(share);
    t.ok(Math.abs(found - exact) / exact < 0.01, `${share}: ${found} for ${exact}`);
  }
  t.equal(histogram.maxMs, values.at(-1));
});

t.test('small, none, and too large', async (t) => {
  const histogram = new Histogram();
  t.equal(histogram.percentile(0.5), 0);
  histogram.record(0);
  t.equal(histogram.percentile(1), 0);
  histogram.record(1e12);
  t.ok(histogram.percentile(1) > 3_600_000);
  histogram.reset();
  t.equal(histogram.count, 0);
});
