import t from 'tap';
import { keyOf } from '../../lib/cluster/key.js';
import { LOCATIONS_MAX, Locations } from '../../lib/cluster/locations.js';

t.test('the location cache has a bound, and forgets what was used longest ago', (t) => {
  const locations = new Locations();
  const keys = Array.from({ length: LOCATIONS_MAX + 5000 }, (_, i) => {
    const bytes = Buffer.from(`key:${i}`);
    return keyOf(0, bytes, 0, bytes.length);
  });
  const [first, second] = keys;
  for (const key of keys) {
    locations.learn(key, 'somebody');
    locations.primaryOf(first!);
  }
  t.equal(locations.size, LOCATIONS_MAX);
  t.equal(locations.primaryOf(first!), 'somebody', 'in use all the time');
  t.equal(locations.primaryOf(second!), undefined);
  t.equal(locations.primaryOf(keys.at(-1)!), 'somebody');
  t.end();
});
