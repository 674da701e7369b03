import t from 'tap';
import { isSound } from '../../lib/store/collections/soundness.js';
import { ValueType } from '../../lib/store/entry.js';
import { Guarded, KINDS, LARGE_BYTES, MARGIN, mutated, type Random } from './random-values.js';
import { seededRandom } from './seeded-random.js';

const VALUES = 60;
const MUTATIONS = 60;

for (const [name, kind] of Object.entries(KINDS)) {
  t.test(`bytes of a ${name}: what is taken for sound can be used`, async (t) => {
    const random = seededRandom(42);
    const below: Random = (limit) => Math.floor(random() * limit);
    const sound = (bytes: Buffer, encoding: number): boolean => {
      const value = new Guarded(bytes);
      return isSound(kind.type, encoding, value.buffer, MARGIN, MARGIN + bytes.length);
    };
    let accepted = 0;
    let refused = 0;
    for (let i = 0; i < VALUES; i++) {
      const value = kind.make(below);
      // Records of a large sorted set lie as they came.
      const isUnsorted = kind.type === ValueType.ZSet && value.length > LARGE_BYTES;
      const made = isUnsorted ? 3 : kind.encodings[below(kind.encodings.length)]!;
      if (!sound(value, made)) throw new Error(`a value as it is made is refused: ${i}`);
      for (let j = 0; j < MUTATIONS; j++) {
        const bytes = mutated(value, below);
        const encoding = below(20) === 0 ? below(8) : made;
        if (!sound(bytes, encoding)) {
          refused++;
          continue;
        }
        accepted++;
        if (!kind.encodings.includes(encoding)) throw new Error(`encoding ${encoding}`);
        kind.use(new Guarded(bytes), encoding, below);
      }
    }
    t.comment(`${accepted} of ${accepted + refused} taken for sound`);
    t.ok(accepted > VALUES && refused > VALUES);
  });
}

t.test('random bytes are never used', async (t) => {
  const random = seededRandom(7);
  const below: Random = (limit) => Math.floor(random() * limit);
  for (let i = 0; i < 8000; i++) {
    const bytes = Buffer.from(Array.from({ length: below(64) }, () => below(below(2) ? 256 : 8)));
    for (const kind of Object.values(KINDS)) {
      const value = new Guarded(bytes);
      for (const encoding of kind.encodings) {
        if (!isSound(kind.type, encoding, value.buffer, MARGIN, MARGIN + bytes.length)) continue;
        kind.use(new Guarded(bytes), encoding, below);
      }
    }
  }
  t.pass();
});
