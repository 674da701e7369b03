import t from 'tap';
import { ratioOf, summarize } from '../../benchmarks/compare/statistics.js';
import { cpuSecondsOf, residentBytesOf } from '../../benchmarks/process-stats.js';

t.test('median and range', async (t) => {
  t.same(summarize([3, 1, 2]), { median: 2, min: 1, max: 3 });
  t.same(summarize([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
  t.same(summarize([10, 9, 100]), { median: 10, min: 9, max: 100 }, 'by value, not by text');
  t.throws(() => summarize([]));
});

t.test('the ratio is of medians, its range is of pairs', async (t) => {
  t.same(ratioOf([10, 20, 30], [10, 10, 5]), { median: 2, min: 1, max: 6 });
});

t.test('CPU time and memory of a process', { skip: process.platform !== 'linux' }, async (t) => {
  const before = cpuSecondsOf(process.pid);
  const started = process.cpuUsage();
  let sum = 0;
  // Asked rarely, so that it is time of the program itself and not of the system.
  while (process.cpuUsage(started).user < 300_000) for (let i = 0; i < 1e6; i++) sum += i;
  t.ok(sum > 0);
  const used = cpuSecondsOf(process.pid) - before;
  t.ok(used >= 0.25 && used < 1, `${used} s`);
  const resident = residentBytesOf(process.pid);
  t.ok(Math.abs(resident - process.memoryUsage.rss()) < 20e6, `${resident} bytes`);
  t.ok(Number.isNaN(cpuSecondsOf(-1)) && Number.isNaN(residentBytesOf(-1)));
});
