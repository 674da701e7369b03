import t from 'tap';
import { KeyWalk, ListWalk } from '../../benchmarks/load/batch-source.js';
import { FillBatch } from '../../benchmarks/load/fill-batch.js';
import { EMPTY_KEY, encode } from '../../benchmarks/load/request-bytes.js';
import { keysBySlots } from '../../benchmarks/load/slot-keys.js';
import { keySlot } from '../../lib/protocol/crc16.js';

const at = (port: number, first: number, last: number) => ({
  host: '127.0.0.1',
  port,
  slots: [[first, last] as const],
});
const ENDPOINTS = [at(1, 0, 5460), at(2, 5461, 10922), at(3, 10923, 16383)];
const KEYS = 3000;

function slotOf(number: number): number {
  const key = Buffer.from(EMPTY_KEY.slice(0, 5) + String(number).padStart(12, '0'));
  return keySlot(key, 0, key.length);
}

t.test('every key is at the one endpoint that has its slot', async (t) => {
  const lists = keysBySlots(ENDPOINTS, KEYS);
  const all = lists.flatMap((numbers) => [...numbers]).sort((a, b) => a - b);
  t.strictSame(
    all,
    Array.from({ length: KEYS }, (_, i) => i),
  );
  for (const [i, numbers] of lists.entries()) {
    const [[first, last]] = ENDPOINTS[i]!.slots as [readonly [number, number]];
    t.ok(numbers.every((number) => slotOf(number) >= first && slotOf(number) <= last));
  }
});

t.test('slots that nobody has are an error', async (t) => {
  t.throws(() => keysBySlots(ENDPOINTS.slice(0, 2), KEYS), /at none of the endpoints/);
});

t.test('a fill and a walk use the keys of a list, and no others', async (t) => {
  const numbers = Int32Array.of(5, 17, 29);
  const fill = new FillBatch([encode('GET', EMPTY_KEY)], 16, KEYS, 0, 1, numbers);
  const written = Buffer.from(fill.next()!)
    .toString('latin1')
    .match(/sess:\d+/g);
  t.strictSame(written, ['sess:000000000005', 'sess:000000000017', 'sess:000000000029']);
  t.equal(fill.next(), null);
  const walk = new ListWalk(Int32Array.of(0, 4, 8), 1, numbers);
  t.strictSame([walk.next(), walk.next(), walk.next()], [17, 29, 5]);
  t.equal(new KeyWalk(Int32Array.of(7), 0, 3, 2).next(), 8);
});
