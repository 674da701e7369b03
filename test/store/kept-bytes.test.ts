import t from 'tap';
import { KeptBytes } from '../../lib/store/collections/kept-bytes.js';
import { seededRandom } from './seeded-random.js';

t.test('bytes that stay are where they would be if each was copied by itself', async (t) => {
  const random = seededRandom(1);
  const below = (limit: number): number => Math.floor(random() * limit);
  const lengths = [1, 31, 32, 33, 63, 64, 65, ...Array.from({ length: 300 }, () => 1 + below(700))];
  for (const length of lengths) {
    const start = below(5);
    const source = Buffer.from(Array.from({ length: start + length + 9 }, () => below(256)));
    const isKept = new Array<boolean>(length).fill(true);
    const kept = new KeptBytes(length);
    for (let drops = below(8); drops > 0; drops--) {
      const from = below(length);
      const to = from + 1 + below(Math.min(length - from, below(2) === 0 ? 4 : length));
      kept.drop(from, to);
      isKept.fill(false, from, to);
    }
    const offsets = Array.from({ length }, (_, i) => i).filter((i) => isKept[i]);
    const expected = Buffer.from(offsets.map((offset) => source[start + offset]!));
    const isSame =
      kept.count() === offsets.length &&
      isKept.every((is, i) => kept.isKept(i) === is) &&
      isKept.every((is, i) => kept.offsetOf(i) === (is ? offsets.indexOf(i) : -1));
    if (!isSame) t.fail(`${length} bytes, other ones stay`);
    const target = Buffer.alloc(length + 4, 1);
    kept.copy(source, start, target);
    if (!target.subarray(0, offsets.length).equals(expected)) t.fail(`${length} bytes, copied`);
    if (target.subarray(offsets.length).some((byte) => byte !== 1)) t.fail('more than that');
  }
  t.ok(lengths.length > 300);
});
