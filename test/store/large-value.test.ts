import t, { type Test } from 'tap';
import { allocateWithRoom, LargeValue, MOVED_AT_ONCE_MAX } from '../../lib/store/large-value.js';
import { seededRandom } from './seeded-random.js';

const MEGABYTE = 1024 * 1024;
/** What one change of a hundred bytes may copy, whatever the value's length. */
const COPIED_MAX = 64 * 1024;

const contentOf = ({ buffer, start, length }: LargeValue): Buffer =>
  buffer.subarray(start, start + length);

/** Bytes that `run` copies from one place to another. */
function copiedBy(run: () => void): number {
  const { copy, copyWithin } = Buffer.prototype;
  let bytes = 0;
  Object.assign(Buffer.prototype, {
    copy(this: Buffer, target: Uint8Array, to: number, from: number, end: number): number {
      bytes += end - from;
      return copy.call(this, target, to, from, end);
    },
    copyWithin(this: Buffer, to: number, from: number, end: number): Buffer {
      bytes += end - from;
      return copyWithin.call(this, to, from, end) as Buffer;
    },
  });
  try {
    run();
  } finally {
    Object.assign(Buffer.prototype, { copy, copyWithin });
  }
  return bytes;
}

/** Random changes of a value; how many of them met it on its way to another allocation. */
function changeAtRandom(t: Test, seed: number): number {
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  let expected: Buffer = Buffer.alloc(300_000 * (1 + below(4)), 1);
  const given = allocateWithRoom(expected.length);
  given.set(expected);
  const value = new LargeValue(given);
  let met = 0;
  for (let i = 0; i < 1500; i++) {
    if (value.targetBytes > 0) met++;
    if (below(50) === 0) value.move(below(200_000));
    if (below(300) === 0) {
      const length = below(MEGABYTE);
      expected = Buffer.concat([expected.subarray(0, length)], length);
      value.resize(length);
      contentOf(value).set(expected);
    }
    const size = below(60) === 0 ? below(200_000) : below(1000);
    const side = below(4);
    const last = Math.max(0, expected.length - size);
    const at = side === 0 ? below(Math.min(50, last + 1)) : side === 1 ? last : below(last + 1);
    const removed = Math.min(expected.length - at, below(3) === 0 ? size : below(40));
    const source = Buffer.alloc(below(3) === 0 ? removed : below(2) * size, 2 + below(250));
    value.splice(at, removed, source, 0, source.length);
    expected = Buffer.concat([expected.subarray(0, at), source, expected.subarray(at + removed)]);
    if (i % 20 === 0 && !contentOf(value).equals(expected)) t.fail(`change ${i}`);
  }
  t.ok(contentOf(value).equals(expected));
  return met;
}

t.test('random changes agree with a buffer', async (t) => {
  let met = 0;
  for (let seed = 1; seed <= 8; seed++) met += changeAtRandom(t, seed);
  t.ok(met > 100, 'values were changed on their way to another allocation');
});

const CHANGES: Readonly<Record<string, (value: LargeValue, record: Buffer, i: number) => void>> = {
  'grows at its end': (value, record) => value.splice(value.length, 0, record, 0, record.length),
  'grows at its beginning': (value, record) => value.splice(8, 0, record, 0, record.length),
  'grows at both': (value, record, i) =>
    value.splice(i % 2 === 0 ? 8 : value.length, 0, record, 0, record.length),
  'grows behind as it shrinks in front': (value, record, i) => {
    if (i % 2 === 0) value.splice(value.length, 0, record, 0, record.length);
    else value.splice(8, record.length, record, 0, 0);
  },
  'shrinks at its end': (value, record) =>
    value.splice(value.length - record.length, record.length, record, 0, 0),
};

for (const [name, change] of Object.entries(CHANGES)) {
  t.test(`no change copies all of a value that ${name}`, async (t) => {
    const record = Buffer.alloc(100, 7);
    const value = new LargeValue(allocateWithRoom(4 * MEGABYTE));
    const first = value.buffer;
    let most = 0;
    for (let i = 0; i < 30_000; i++)
      most = Math.max(
        most,
        copiedBy(() => change(value, record, i)),
      );
    t.ok(most <= COPIED_MAX, `${most} bytes`);
    t.not(value.buffer, first, 'it has moved');
    t.ok(value.bytes <= 2.6 * value.length, `${value.bytes} for ${value.length}`);
  });
}

for (const [grown, other] of [
  ['grows at its end', 'grows at its beginning'],
  ['grows at its beginning', 'grows at its end'],
]) {
  t.test(`a value that ${grown} has room where it has not grown yet`, async (t) => {
    const record = Buffer.alloc(100, 7);
    const value = new LargeValue(allocateWithRoom(300_000));
    for (let i = 0; value.length < 4 * MEGABYTE; i++) CHANGES[grown!]!(value, record, i);
    while (value.move(MEGABYTE));
    const copied = copiedBy(() => CHANGES[other!]!(value, record, 0));
    t.ok(copied <= COPIED_MAX, `${copied} bytes`);
  });
}

t.test('a move ends without changes, too', async (t) => {
  const record = Buffer.alloc(100, 7);
  const value = new LargeValue(allocateWithRoom(4 * MEGABYTE));
  for (let i = 0; i < 50_000 && value.targetBytes === 0; i++) {
    value.splice(value.length, 0, record, 0, record.length);
  }
  t.ok(value.targetBytes > 0);
  const expected = Buffer.from(contentOf(value));
  while (value.move(100_000));
  t.equal(value.targetBytes, 0);
  t.ok(contentOf(value).equals(expected));
});

t.test('a value that is not very large moves at once', async (t) => {
  const record = Buffer.alloc(100, 7);
  const value = new LargeValue(Buffer.allocUnsafeSlow(100_000));
  const first = value.buffer;
  while (value.length <= MOVED_AT_ONCE_MAX - record.length) {
    value.splice(value.length, 0, record, 0, record.length);
    if (value.targetBytes > 0) t.fail(`${value.length} bytes`);
  }
  t.not(value.buffer, first, 'it has moved');
});
