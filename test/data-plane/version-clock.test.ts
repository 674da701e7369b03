import t from 'tap';
import { VersionClock, versionMs } from '../../lib/cluster/version-clock.js';

t.test('versions grow strictly, also when the wall clock stands still or goes back', async (t) => {
  const clock = new VersionClock();
  clock.wall = 1_700_000_000_000;
  const first = clock.next();
  const second = clock.next();
  clock.wall -= 60_000;
  const third = clock.next();
  t.ok(first < second && second < third);
  t.ok(Number.isSafeInteger(third));
  t.equal(versionMs(first), 1_700_000_000_000);
});

t.test('a version is above every version observed', async (t) => {
  const clock = new VersionClock();
  clock.wall = 1000;
  clock.observe(5_000_000_000);
  t.ok(clock.next() > 5_000_000_000);
  clock.observe(1);
  t.ok(clock.next() > 5_000_000_000);
});

t.test('a clock that was raised far into the future is reported', async (t) => {
  const clock = new VersionClock();
  clock.wall = 1_700_000_000_000;
  clock.next();
  t.notOk(clock.isFarAhead);
  clock.observe((clock.wall + 11_000) * 2048);
  t.ok(clock.isFarAhead);
});
