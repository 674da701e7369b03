import t from 'tap';
import { IndexBuilder } from '../../lib/store/collections/index-builder.js';
import { KeyedRecords } from '../../lib/store/collections/keyed-records.js';
import { ListBlocks } from '../../lib/store/collections/list-blocks.js';
import { ListValue } from '../../lib/store/collections/list-value.js';
import { putNumber } from '../../lib/store/collections/numbers.js';
import { RecordKind } from '../../lib/store/collections/record-cursor.js';
import { SortedSet } from '../../lib/store/collections/sorted-set.js';
import { DAMAGED, isSound } from '../../lib/store/collections/soundness.js';
import { type Attachment, type Ref, Store, ValueType } from '../../lib/store/store.js';
import { Guarded, KINDS, MARGIN, mutated, type Random } from './random-values.js';
import { seededRandom } from './seeded-random.js';

const ROUNDS = 150;
const MUTATIONS = 20;

const randomOf = (seed: number): Random => {
  const random = seededRandom(seed);
  return (limit) => Math.floor(random() * limit);
};

function entryOf(
  store: Store,
  name: string,
  type: ValueType,
  encoding: number,
  value: Buffer,
): Ref {
  const ref = store.create(0, Buffer.from(name), 0, name.length, type, value.length);
  value.copy(store.valueBuffer(ref), store.valueStart(ref));
  store.setEncodingFlags(ref, encoding);
  return ref;
}

const shared = new Store({ seed: 7, chunkBytes: 256 * 1024 });

/** What the builder makes of a value, in slices of up to so much. */
function built(type: ValueType, encoding: number, value: Buffer, room: number): Attachment {
  const ref = entryOf(shared, 'k', type, encoding, value);
  const builder = new IndexBuilder(shared, ref);
  let result: Attachment | null = null;
  for (let slices = 0; result === null; slices++) {
    if (slices > 1e6) throw new Error('it comes to no end');
    result = builder.run({ left: room }, shared, ref);
  }
  shared.remove(ref);
  return result;
}

/** Keys of all records by looking through the index, and by looking at all bytes; each is found by its name. */
function checkRecords(records: KeyedRecords, value: Guarded): void {
  const keyOf = () =>
    records.buffer.toString('latin1', records.keyStart, records.keyEnd) + records.offset;
  const scanned: string[] = [];
  for (let cursor = 0, i = 0; i === 0 || cursor !== 0; i++) {
    cursor = records.scan(cursor, 7, () => scanned.push(keyOf()));
    if (cursor >= 2 ** 32) break;
  }
  const all: string[] = [];
  records.rewind();
  while (records.next()) all.push(keyOf());
  if (scanned.sort().join() !== all.sort().join()) throw new Error('other records in the index');
  records.rewind();
  const keys: Buffer[] = [];
  while (records.next()) {
    keys.push(Buffer.from(value.buffer.subarray(records.keyStart, records.keyEnd)));
  }
  for (const key of keys) {
    if (!records.find(key, 0, key.length)) throw new Error('a record is not found');
  }
}

/** Members in their order, as the index has them. */
function membersOf(set: SortedSet, value: Guarded, attached: Attachment | null): string[] {
  value.attach(attached);
  set.openSorted(value, false);
  const members: string[] = [];
  // Makes the index where there is none.
  set.countBefore(() => false);
  set.seek(0);
  for (let rank = 0; rank < set.count; rank++) {
    members.push(`${set.score} ${set.offset}`);
    set.step(1);
  }
  return members;
}

for (const [name, kind] of Object.entries(KINDS)) {
  t.test(`the index of a ${name} made in slices is the one made at once`, async (t) => {
    const below = randomOf(3);
    let compared = 0;
    for (let i = 0; i < ROUNDS; i++) {
      const bytes = kind.make(below);
      const value = new Guarded(bytes);
      if (!value.isLarge) continue;
      compared++;
      const encoding = kind.type === ValueType.ZSet ? 3 : 0;
      const index = built(kind.type, encoding, bytes, 1 + below(200));
      if (index === DAMAGED) throw new Error('a sound value is said to be damaged');
      if (kind.type === ValueType.ZSet) {
        const set = new SortedSet();
        const made = membersOf(set, value, index);
        if (value.attached !== index) throw new Error('the index is not used');
        checkRecords(set, value);
        if (made.join() !== membersOf(set, value, null).join()) throw new Error('another order');
      } else if (kind.type === ValueType.List) {
        if (!(index instanceof ListBlocks)) throw new Error('no blocks');
        value.attach(index);
        const list = new ListValue().open(value);
        const places: number[] = [];
        list.rewind();
        while (list.next()) places.push(list.elementStart);
        for (const [at, place] of places.entries()) {
          index.find(at);
          if (at < index.index) throw new Error('behind the element');
          list.seek(at);
          if (list.elementStart !== place) throw new Error(`element ${at} is not found`);
        }
      } else {
        value.attach(index);
        const isSet = kind.type === ValueType.Set;
        const records = new KeyedRecords(isSet ? RecordKind.Key : RecordKind.KeyValue).open(value);
        checkRecords(records, value);
        if (value.attached !== index) throw new Error('the index is not used');
      }
      // It changes with the value as the other one does.
      kind.use(value, encoding, below);
    }
    t.comment(`${compared} values`);
    t.ok(compared > 20);
  });

  t.test(`bytes of a ${name} that are not sound are found to be damaged in slices`, async (t) => {
    const below = randomOf(5);
    let damaged = 0;
    for (let i = 0; i < ROUNDS; i++) {
      const value = kind.make(below);
      for (let j = 0; j < MUTATIONS; j++) {
        const bytes = mutated(value, below);
        const encoding = below(10) === 0 ? below(8) : kind.encodings.at(-1)!;
        const guarded = new Guarded(bytes);
        const end = MARGIN + bytes.length;
        const isGood = isSound(kind.type, encoding, guarded.buffer, MARGIN, end);
        const result = built(kind.type, encoding, bytes, 1 + below(300));
        if ((result !== DAMAGED) !== isGood)
          throw new Error(`round ${i}, ${j}: sound is ${isGood}`);
        if (!isGood) damaged++;
      }
    }
    t.comment(`${damaged} damaged`);
    t.ok(damaged > ROUNDS);
  });
}

/** Records of a sorted set, behind a header; of some scores the same. */
function sortedSetOf(scores: readonly number[], memberOf: (i: number) => Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(scores.length);
  const records = scores.map((score, i) => {
    const member = memberOf(i);
    const head = Buffer.alloc(5);
    const bytes = putNumber(head, 0, member.length * 2);
    const scoreBytes = Buffer.alloc(8);
    scoreBytes.writeDoubleLE(score);
    return Buffer.concat([head.subarray(0, bytes), member, scoreBytes]);
  });
  return Buffer.concat([header, ...records]);
}

t.test('sorted sets of some thousand members in any order', async (t) => {
  const below = randomOf(11);
  const orders: Record<string, (i: number) => number> = {
    ascending: (i) => i,
    descending: (i) => -i,
    random: () => below(1e6) - 5e5,
    'few scores': () => below(3) - 1,
    'the same score': () => 0,
    'two halves': (i) => i % 2500,
    'all but one in order': (i) => (i === 4000 ? -1 : i),
    'zeros of both signs': () => (below(2) === 0 ? 0 : -0),
  };
  for (const [name, scoreOf] of Object.entries(orders)) {
    const scores = Array.from({ length: 5000 }, (_, i) => scoreOf(i));
    const long = Buffer.alloc(60, 'm');
    const bytes = sortedSetOf(scores, (i) => {
      const own = Buffer.from(String((i * 7919) % 5000));
      return i % 5 === 0 ? Buffer.concat([long, own]) : own;
    });
    const set = new SortedSet();
    const value = new Guarded(bytes);
    const index = built(ValueType.ZSet, 3, bytes, 1 + below(2000));
    const made = membersOf(set, value, index);
    t.ok(made.join() === membersOf(set, value, null).join(), name);
  }
});

t.test('records that are said to lie in their order, and do not, are damaged', async (t) => {
  const member = (i: number) => Buffer.from(String(i));
  const inOrder = sortedSetOf([1, 2, 3, 4], member);
  t.not(built(ValueType.ZSet, 1, inOrder, 1), DAMAGED);
  const another = sortedSetOf([1, 3, 2, 4], member);
  t.equal(built(ValueType.ZSet, 1, another, 1), DAMAGED);
  t.not(built(ValueType.ZSet, 3, another, 1), DAMAGED);
});

t.test('what is half made goes with the value to another key, and with it only', async (t) => {
  const store = new Store({ seed: 7, chunkBytes: 256 * 1024 });
  const bytes = sortedSetOf(
    Array.from({ length: 5000 }, (_, i) => -i),
    (i) => Buffer.from(`member ${i}`),
  );
  const from = entryOf(store, 'from', ValueType.ZSet, 3, bytes);
  let to = entryOf(store, 'to', ValueType.Set, 1, Buffer.alloc(40_000));
  const before = store.usedBytes;
  const builder = new IndexBuilder(store, from);
  t.equal(builder.run({ left: 20_000 }, store, from), null);
  store.attach(from, builder);
  t.equal(store.usedBytes - before, builder.bytes, 'what is half made is counted');
  store.exchangeLarge(from, to);
  t.equal(store.attached(from), null);
  t.equal(store.attached(to), builder);
  store.remove(from);
  // The entry is elsewhere now.
  to = store.find(0, Buffer.from('to'), 0, 2);
  let result: Attachment | null = null;
  while (result === null) result = builder.run({ left: 20_000 }, store, to);
  const value = new Guarded(bytes);
  const set = new SortedSet();
  t.ok(membersOf(set, value, result).join() === membersOf(set, value, null).join());
  store.remove(to);
  t.equal(store.size, 0);
});
