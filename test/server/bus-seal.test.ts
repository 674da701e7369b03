import t from 'tap';
import { SEALED_BYTES_MAX, Sealer, SealOpener } from '../../lib/server/bus-seal.js';

const KEY = Buffer.alloc(32, 7);

/** Each of these writes, sealed. */
function sealed(...writes: Buffer[]): Buffer[] {
  const sealer = new Sealer(KEY);
  return writes.map((bytes) => {
    const parts: Buffer[] = [];
    sealer.seal(bytes, (part) => parts.push(part));
    return Buffer.concat(parts);
  });
}

/** What comes out of these chunks, and whether all of it was sound. */
function opened(chunks: readonly Buffer[], key = KEY): { text: string; isSound: boolean } {
  const opener = new SealOpener(key);
  let text = '';
  for (const chunk of chunks) {
    const shared = Buffer.from(chunk);
    const isSound = opener.open(shared, (payload) => {
      text += payload.toString('latin1');
    });
    shared.fill(0);
    if (!isSound) return { text, isSound };
  }
  return { text, isSound: true };
}

const [one, two, three] = sealed(Buffer.from('one'), Buffer.from('two'), Buffer.from('three')) as [
  Buffer,
  Buffer,
  Buffer,
];

t.test('records come out as they went in, however they are cut', async (t) => {
  const all = Buffer.concat([one, two, three]);
  for (let cut = 0; cut <= all.length; cut++) {
    const chunks = [all.subarray(0, cut), all.subarray(cut)];
    t.same(opened(chunks), { text: 'onetwothree', isSound: true });
  }
  const bytes = Array.from(all, (_, i) => all.subarray(i, i + 1));
  t.same(opened(bytes), { text: 'onetwothree', isSound: true });
});

t.test('long writes go in several records', async (t) => {
  const long = Buffer.alloc(SEALED_BYTES_MAX * 2 + 5, 'x');
  const { text, isSound } = opened(sealed(long));
  t.ok(isSound);
  t.equal(text, long.toString('latin1'));
});

t.test('what was changed, left out, repeated or put elsewhere is not read', async (t) => {
  for (let at = 0; at < one.length; at++) {
    const changed = Buffer.from(one);
    changed[at]! ^= 1;
    const { text, isSound } = opened([changed, two, three]);
    t.equal(text, '', `byte ${at}`);
    // A length that grew waits for bytes that were never meant for it.
    if (at >= 4) t.notOk(isSound);
  }
  t.same(opened([two]), { text: '', isSound: false });
  t.same(opened([one, three]), { text: 'one', isSound: false });
  t.same(opened([one, one]), { text: 'one', isSound: false });
  t.same(opened([one], Buffer.alloc(32, 8)), { text: '', isSound: false });
  t.same(opened([Buffer.alloc(4)]), { text: '', isSound: false }, 'no payload');
  t.same(opened([Buffer.from([0, 0, 1, 1])]), { text: '', isSound: false }, 'too long');
});
