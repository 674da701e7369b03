import t from 'tap';
import { byFile, type CpuProfile, selfTimes } from '../../benchmarks/profile/self-times.js';

const frame = (id: number, functionName: string, url: string, lineNumber: number) => ({
  id,
  callFrame: { functionName, url, lineNumber },
});

/** Samples at 1000 us and then each 100 us: get, get, set, idle, get (of another call path). */
const PROFILE: CpuProfile = {
  nodes: [
    frame(1, 'get', 'file:///x/dist/lib/store/store.js', 9),
    frame(2, 'set', 'file:///x/dist/lib/store/store.js', 19),
    frame(3, '(idle)', '', -1),
    frame(4, 'get', 'file:///x/dist/lib/store/store.js', 9),
  ],
  startTime: 900,
  samples: [1, 1, 2, 3, 4, 3],
  timeDeltas: [100, 100, 100, 100, 100, 100],
};

t.test('times go to the function that a sample found, over all its call paths', async (t) => {
  t.same(selfTimes(PROFILE, 0, 1e9), [
    { name: 'get', place: 'lib/store/store.js:10', us: 300 },
    { name: 'set', place: 'lib/store/store.js:20', us: 100 },
    { name: '(idle)', place: '', us: 100 },
  ]);
});

t.test('only time in the window counts', async (t) => {
  t.same(
    selfTimes(PROFILE, 1150, 1350).map(({ name, us }) => [name, us]),
    [
      ['set', 100],
      ['get', 50],
      ['(idle)', 50],
    ],
  );
});

t.test('sums by file', async (t) => {
  t.same(byFile(selfTimes(PROFILE, 0, 1e9)), [
    { name: 'lib/store/store.js', place: '', us: 400 },
    { name: '(idle)', place: '', us: 100 },
  ]);
});
