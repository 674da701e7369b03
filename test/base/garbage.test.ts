import t from 'tap';
import { garbageCollector } from '../../lib/base/garbage.js';

const BYTES = 64 * 1024 * 1024;

t.test('memory of a buffer that was let go is freed, although nothing is allocated', async (t) => {
  const collect = garbageCollector();
  const held: ArrayBuffer[] = [new ArrayBuffer(BYTES)];
  collect();
  const before = process.memoryUsage().arrayBuffers;
  held.length = 0;
  collect();
  // Small ones come and go besides.
  t.ok(before - process.memoryUsage().arrayBuffers > BYTES / 2);
});

t.test('no other code gets at the collector', async (t) => {
  garbageCollector();
  t.equal('gc' in globalThis, false);
});
