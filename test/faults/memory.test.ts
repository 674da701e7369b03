import t from 'tap';
import { Curve, showCurves } from './memory.js';

const MB = 1024 * 1024;
const EVERY_MS = 2000;

/** A process that ran for so long; its memory by the share of its life that has passed. */
function curveOf(lastsMs: number, bytesAt: (share: number) => number): Curve {
  const curve = new Curve('n1.1', 5000);
  for (let ms = 0; ms <= lastsMs; ms += EVERY_MS) curve.add(5000 + ms, bytesAt(ms / lastsMs));
  return curve;
}

t.test('what grows at first and then stays is flat', async (t) => {
  const curve = curveOf(600_000, (share) => (60 + 30 * Math.min(1, share * 4)) * MB);
  t.equal(curve.isFlat, true);
  t.equal(curve.median(2 / 3, 1), 90 * MB);
});

t.test('what goes on growing is not', async (t) => {
  t.equal(curveOf(600_000, (share) => (60 + 60 * share) * MB).isFlat, false);
  t.equal(curveOf(600_000, (share) => (share < 0.8 ? 60 : 90) * MB).isFlat, false);
});

t.test('a peak now and then is no growth', async (t) => {
  const curve = curveOf(600_000, (share) => ((share * 100) % 7 < 1 ? 120 : 80) * MB);
  t.equal(curve.isFlat, true);
});

t.test('a short life is not judged', async (t) => {
  const short = curveOf(100_000, (share) => (60 + 60 * share) * MB);
  t.equal(short.isFlat, null);
  const lines = showCurves([short, curveOf(600_000, () => 80 * MB)]);
  t.equal(lines.length, 3);
  t.match(lines[1], /^n1\.1 +5 s to 605 s +█* *▆*[ █▆]* 80 80 80 +flat$/);
  t.match(lines[2], /^1 processes ran for less than 120 s/);
});
