import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { garbageCollector } from '../../lib/base/garbage.js';

const BYTES = 64 * 1024 * 1024;

/** The memory is given back by another thread, which may have to wait for a processor; V8 collects by itself after 8 seconds. */
const ROUNDS_MAX = 200;
const ROUND_MS = 10;

const arrayBuffers = (): number => process.memoryUsage().arrayBuffers;

t.test('memory of a buffer that was let go is freed, although nothing is allocated', async (t) => {
  const collect = garbageCollector();
  const held: ArrayBuffer[] = [];
  // In a function of its own: none of the places where this one keeps what it works with refers to the buffer.
  const hold = () => held.push(new ArrayBuffer(BYTES));
  hold();
  collect();
  const before = arrayBuffers();
  held.length = 0;
  collect();
  // Small ones come and go besides.
  const isFreed = () => before - arrayBuffers() > BYTES / 2;
  for (let round = 0; round < ROUNDS_MAX && !isFreed(); round++) await delay(ROUND_MS);
  t.ok(isFreed());
});

t.test('no other code gets at the collector', async (t) => {
  garbageCollector();
  t.equal('gc' in globalThis, false);
});
