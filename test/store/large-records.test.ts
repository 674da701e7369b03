import t from 'tap';
import { u32At } from '../../lib/protocol/bytes.js';
import { FieldIndex } from '../../lib/store/collections/field-index.js';
import { EMPTY_RECORDS, KeyedRecords } from '../../lib/store/collections/keyed-records.js';
import { RecordKind } from '../../lib/store/collections/record-cursor.js';
import { ScoreOrder } from '../../lib/store/collections/score-order.js';
import { SortedSet } from '../../lib/store/collections/sorted-set.js';
import { isSound } from '../../lib/store/collections/soundness.js';
import type { ValueBytes } from '../../lib/store/collections/value-bytes.js';
import { ValueType } from '../../lib/store/entry.js';
import { KeyHash } from '../../lib/store/key-hash.js';
import type { Attachment } from '../../lib/store/large-payloads.js';
import { seededRandom } from './seeded-random.js';

const LARGE_BYTES = 3000;
const HASH = new KeyHash(7);
const UNSORTED = 2;
/** The index begins with so many cells, of which 5 in 8 are used. */
const CELLS_MIN = 1024;
const CELL_BYTES = 8;
/** The ring of positions has so many. */
const RING = 2 ** 32 - 2;

/** A value, and a copy of it that is made from its splices alone. What is given to splices is counted. */
class Bytes implements ValueBytes {
  buffer: Buffer = Buffer.alloc(64 * 1024);
  copy: Buffer = Buffer.from(EMPTY_RECORDS);
  start = 100;
  length: number = EMPTY_RECORDS.length;
  attached: Attachment | null = null;
  spliced = 0;
  hashed = 0;

  constructor() {
    EMPTY_RECORDS.copy(this.buffer, this.start);
  }

  get isLarge(): boolean {
    return this.length > LARGE_BYTES;
  }

  get dead(): number {
    return u32At(this.buffer, this.start + 4);
  }

  attach(index: Attachment | null): void {
    this.attached = this.isLarge ? index : null;
  }

  splice(at: number, removed: number, source: Buffer, from: number, to: number): void {
    const inserted = Buffer.from(source.subarray(from, to));
    this.spliced += inserted.length;
    if (inserted.length === removed) inserted.copy(this.copy, at);
    else {
      const rest = this.copy.subarray(at + removed);
      this.copy = Buffer.concat([this.copy.subarray(0, at), inserted, rest]);
    }
    // As in the store: what is behind stays where it is when the front goes, and the value moves when there is no room.
    if (at === 0) this.start += removed - inserted.length;
    else this.#move(at + removed, inserted.length - removed);
    this.length += inserted.length - removed;
    inserted.copy(this.buffer, this.start + at);
    if (!this.isLarge) this.attached = null;
  }

  #move(from: number, by: number): void {
    if (this.start + this.length + by > this.buffer.length) {
      const moved = Buffer.alloc(2 * (this.length + by) + 100);
      this.buffer.copy(moved, 100, this.start, this.start + this.length);
      this.buffer = moved;
      this.start = 100;
    }
    const at = this.start + from;
    if (by !== 0) this.buffer.copyWithin(at + by, at, this.start + this.length);
  }

  /** What they are, and that the copy has the same. */
  check(type: ValueType): string | null {
    const { buffer, start, length } = this;
    if (!this.copy.equals(buffer.subarray(start, start + length))) return 'the copy differs';
    const encoding = type === ValueType.ZSet ? (this.isLarge ? UNSORTED | 1 : 1) : 1;
    return isSound(type, encoding, buffer, start, start + length) ? null : 'not sound';
  }

  replace(value: Buffer): void {
    this.splice(0, this.length, value, 0, value.length);
    this.attached = null;
  }

  hashOf(buffer: Buffer, start: number, end: number): number {
    this.hashed++;
    return HASH.of(buffer, start, end);
  }
}

const textOf = (records: KeyedRecords): string =>
  records.buffer.latin1Slice(records.keyStart, records.keyEnd);

/** What is tested of each kind of collection: records with a text or number for each key. */
interface Collection {
  readonly type: ValueType;
  readonly records: KeyedRecords;
  open(bytes: Bytes, isSorted: boolean): void;
  put(name: string, value: number): void;
  valueOf(): number;
}

const key = (name: string): Buffer => Buffer.from(name, 'latin1');

const fields = new KeyedRecords(RecordKind.KeyValue);
const hash: Collection = {
  type: ValueType.Hash,
  records: fields,
  open: (bytes) => void fields.open(bytes),
  put(name, value) {
    const text = Buffer.from(`${value}`.padStart(1 + (value % 37), '0'));
    fields.put(key(name), 0, name.length, text, 0, text.length);
  },
  valueOf: () => Number(fields.buffer.latin1Slice(fields.valueStart, fields.valueEnd)),
};

const members = new KeyedRecords(RecordKind.Key);
const set: Collection = {
  type: ValueType.Set,
  records: members,
  open: (bytes) => void members.open(bytes),
  put: (name) => void members.put(key(name), 0, name.length, EMPTY_RECORDS, 0, 0),
  valueOf: () => 0,
};

const sorted = new SortedSet();
const sortedSet: Collection = {
  type: ValueType.ZSet,
  records: sorted,
  open: (bytes, isSorted) => void sorted.openSorted(bytes, isSorted),
  put(name, value) {
    if (sorted.find(key(name), 0, name.length)) sorted.setScore(value, key(name), 0, name.length);
    else sorted.insert(value, key(name), 0, name.length);
  },
  valueOf: () => sorted.score,
};

const COLLECTIONS = { hash, set, 'sorted set': sortedSet };

/** A collection with what it should hold. */
class Model {
  readonly bytes = new Bytes();
  readonly expected = new Map<string, number>();
  readonly collection: Collection;
  #isSorted = true;

  constructor(collection: Collection) {
    this.collection = collection;
  }

  open(): KeyedRecords {
    this.collection.open(this.bytes, this.#isSorted);
    return this.collection.records;
  }

  change(changes: (records: KeyedRecords) => void): void {
    changes(this.open());
    this.collection.records.close();
    this.#isSorted = !this.bytes.isLarge;
  }

  put(name: string, value: number): void {
    this.collection.put(name, value);
    this.expected.set(name, this.collection === set ? 0 : value);
  }

  remove(name: string): void {
    const isRemoved = this.collection.records.remove(key(name), 0, name.length);
    if (this.expected.delete(name) !== isRemoved) throw new Error(`${name} was removed`);
  }

  /** Removes so many at once, any of them, or a range of ranks. */
  removeMany(count: number, random: () => number): void {
    const { records } = this.collection;
    if (records instanceof SortedSet) {
      const first = Math.floor(random() * (records.count - count));
      for (const [name] of this.inOrder().slice(first, first + count)) this.expected.delete(name);
      records.removeRanks(first, first + count - 1);
      return;
    }
    const offsets = new Uint32Array(count);
    let at = 0;
    records.sample(count, random, () => {
      offsets[at++] = records.offset;
      if (!this.expected.delete(textOf(records))) throw new Error('met twice');
    });
    records.removeAll(offsets);
  }

  inOrder(): [string, number][] {
    return [...this.expected].sort(([a, x], [b, y]) => (x !== y ? x - y : key(a).compare(key(b))));
  }

  /** What is wrong, if anything; of all records that there are. */
  check(): string | null {
    const records = this.open();
    if (records.count !== this.expected.size) return `${records.count} records`;
    const found = new Map<string, number>();
    records.rewind();
    while (records.next()) found.set(textOf(records), this.collection.valueOf());
    if (found.size !== records.count) return `${found.size} in the bytes`;
    for (const [name, value] of this.expected) {
      if (found.get(name) !== value) return `${name} has ${found.get(name)}`;
      if (!records.find(key(name), 0, name.length)) return `${name} is not found`;
      if (textOf(records) !== name) return `${name} is another record`;
    }
    if (records instanceof SortedSet) {
      for (const [rank, [name]] of this.inOrder().entries()) {
        records.seek(rank);
        if (textOf(records) !== name) return `${textOf(records)} has rank ${rank}, not ${name}`;
      }
    }
    return this.bytes.check(this.collection.type);
  }
}

for (const [what, collection] of Object.entries(COLLECTIONS)) {
  for (const seed of [1, 2, 3]) {
    t.test(`any changes of a large ${what}, seed ${seed}`, async (t) => {
      const random = seededRandom(seed);
      const below = (limit: number): number => Math.floor(random() * limit);
      const model = new Model(collection);
      const { bytes, expected } = model;
      let most = 0;
      let cleaned = 0;
      model.change(() => model.put('m0', 0));
      for (let step = 0; step < 9000; step++) {
        // Grows beyond the first table of the index twice, then is changed, and shrinks.
        const phase = step % 4500;
        const growing = phase < 1500 ? 0.9 : phase < 3500 ? 0.5 : 0.15;
        const start = bytes.start;
        model.change((records) => {
          for (let i = below(10) === 0 ? below(40) : 0; i >= 0; i--) {
            const name = `m${below(3000)}`;
            if (random() < growing) model.put(name, below(100_000));
            else if (records.count > 1) model.remove(name);
          }
          if (below(1500) === 0 && records.count > 20) {
            model.removeMany(below(records.count / 2), random);
          }
        });
        if (bytes.start > start) cleaned++;
        if (bytes.isLarge) most = Math.max(most, bytes.dead / bytes.length);
        if (below(500) === 0) bytes.attach(null);
        const wrong = step % 90 === 0 ? model.check() : bytes.check(collection.type);
        if (wrong !== null) throw new Error(`step ${step}: ${wrong}`);
      }
      t.equal(model.check(), null);
      t.ok(cleaned > 50, `${cleaned} changes dropped some of the front`);
      t.ok(most < 0.64, `up to ${most} of the bytes were dead`);
      t.ok(most > 0.45 || expected.size === 0, 'cleaning was needed');
    });

    t.test(`a walk meets what stays in a changing ${what}, seed ${seed}`, async (t) => {
      const random = seededRandom(seed);
      const below = (limit: number): number => Math.floor(random() * limit);
      for (const [from, to] of [
        [700, 3000],
        [3000, 300],
        [900, 900],
      ] as const) {
        const model = new Model(collection);
        const stays = Array.from({ length: 100 }, (_, i) => `this one stays ${i}`);
        model.change(() => {
          for (const name of stays) model.put(name, below(1000));
          for (let i = 100; i < from; i++) model.put(`m${i}`, below(1000));
        });
        const met = new Set<string>();
        let cursor = 0;
        let calls = 0;
        do {
          const records = model.open();
          cursor = records.scan(cursor, 10, () => met.add(textOf(records)));
          calls++;
          // The other node makes an index of another size, or this one goes on with its own.
          if (below(40) === 0) model.bytes.attach(null);
          model.change(() => {
            for (let i = 0; i < 40; i++) {
              const name = `m${below(4000)}`;
              const isGrowing = model.expected.size < to;
              if (isGrowing || below(2) === 0) model.put(name, below(1000));
              else if (model.expected.size > 300) model.remove(name);
              if (below(5) === 0) model.put(stays[below(100)]!, below(1000));
            }
          });
        } while (cursor !== 0 && cursor < 2 ** 32 && calls < 10_000);
        t.ok(
          stays.every((name) => met.has(name)),
          `from ${from} to ${to}: all that stay were met`,
        );
        t.ok(calls > 10 && calls < 2000, `${calls} calls`);
      }
    });
  }
}

t.test('random records are equally likely while the index grows', async (t) => {
  const random = seededRandom(1);
  const model = new Model(set);
  model.change(() => {
    for (let i = 0; i < 1000; i++) model.put(`m${i}`, 0);
  });
  const { bytes } = model.open().index;
  for (let i = 1000; model.open().index.bytes === bytes; i++)
    model.change(() => model.put(`m${i}`, 0));
  const records = model.open();
  const counts = new Map<string, number>();
  const count = (): void =>
    void counts.set(textOf(records), (counts.get(textOf(records)) ?? 0) + 1);
  const isUniform = (mean: number): boolean =>
    counts.size === model.expected.size &&
    [...counts.values()].every((n) => Math.abs(n - mean) < 6 * Math.sqrt(mean));
  for (let i = 0; i < 200 * model.expected.size; i++) {
    records.pick(random);
    count();
  }
  t.ok(isUniform(200), 'one');
  counts.clear();
  for (let i = 0; i < 20 * model.expected.size; i++) records.sample(10, random, count);
  t.ok(isUniform(200), 'several');
});

t.test('the index grows in steps, and shrinks', async (t) => {
  const index = new FieldIndex(0);
  const hashOf = (i: number): number => HASH.of(key(`${i}`), 0, `${i}`.length);
  const isFound = (i: number): boolean => index.offsetAt(index.first(hashOf(i))) === 8 + i;
  let added = 0;
  const add = (): void => index.add(hashOf(added), 8 + added++);
  for (let cells = CELLS_MIN; cells < 64 * CELLS_MIN; cells *= 2) {
    while (index.bytes === cells * CELL_BYTES) add();
    t.equal(index.bytes, 3 * cells * CELL_BYTES, `${cells} cells and twice as many`);
    const before = added;
    while (index.bytes > 2 * cells * CELL_BYTES) add();
    t.ok(added - before > cells / 64 && added - before <= cells / 16, 'in steps');
    for (let i = 0; i < added; i += 7) if (!isFound(i)) t.fail(`${i} is lost`);
  }
  const most = index.bytes;
  const remove = (): void => {
    const hash = hashOf(--added);
    let cell = index.first(hash);
    while (index.offsetAt(cell) !== 8 + added) cell = index.next(hash, cell);
    index.removeAt(cell);
  };
  while (index.bytes === most) remove();
  const shrinking = added;
  while (index.bytes > most) remove();
  t.ok(shrinking - added > most / CELL_BYTES / 256, 'in steps');
  while (index.size > 100) remove();
  t.ok(index.bytes <= most / 8, `${index.bytes} of ${most}`);
  for (let i = 0; i < added; i++) t.ok(isFound(i));
  t.equal(index.first(hashOf(added)), -1, 'what was removed is not there');
});

t.test('positions go on beyond the end of their ring', async (t) => {
  const index = new FieldIndex(0);
  const order = new ScoreOrder();
  for (const skipped of [RING, RING, RING - 500]) {
    index.dropFront(skipped);
    order.dropFront(skipped);
  }
  // Of one byte each: so one of them is at each place around the end.
  const [record, records] = [1, 1000];
  for (let i = 0; i < records; i++) {
    index.add(i * 1000, 8 + record * i);
    order.append(i, 8 + record * i);
  }
  const expected = (first: number): number[] =>
    Array.from({ length: records - first }, (_, i) => 8 + record * i);
  const found = (first: number): number[] =>
    Array.from({ length: records - first }, (_, i) => {
      const cell = index.first((first + i) * 1000);
      return cell < 0 ? cell : index.offsetAt(cell);
    });
  t.same(found(0), expected(0));
  t.same([...order.offsets()], expected(0));
  for (let i = 0; i < 500; i++) {
    index.removeAt(index.first(i * 1000));
    order.remove(8, (score) => score < i);
    index.dropFront(record);
    order.dropFront(record);
    order.seek(0);
    if (order.offset !== 8 || order.score !== i + 1) t.fail(`${order.offset} of ${order.score}`);
  }
  t.same(found(500), expected(500));
  t.same([...order.offsets()], expected(500));
});

t.test('a hash is cleaned beyond the end of the ring of its index', async (t) => {
  const model = new Model(hash);
  const random = seededRandom(1);
  const below = (limit: number): number => Math.floor(random() * limit);
  model.change(() => {
    for (let i = 0; i < 500; i++) model.put(`m${i}`, below(1000));
  });
  const records = model.open();
  const index = new FieldIndex(records.count);
  index.dropFront(RING - model.bytes.length - 2000);
  records.rewind();
  while (records.next()) {
    index.add(HASH.of(records.buffer, records.keyStart, records.keyEnd), records.offset);
  }
  model.bytes.attach(index);
  for (let i = 0; i < 5000; i++) {
    model.change(() => model.put(`m${below(500)}`, below(1000)));
    const wrong = i % 50 === 0 ? model.check() : null;
    if (wrong !== null) throw new Error(`change ${i}: ${wrong}`);
  }
  t.equal(model.bytes.attached, index, 'it is the same index');
  t.equal(model.check(), null);
});

/** Bytes that one change of some 40 bytes gives to splices at most; and hashes that it computes. */
const SMALL_CHANGE_BYTES = 700;
const SMALL_CHANGE_HASHES = 80;

for (const [what, collection] of Object.entries(COLLECTIONS)) {
  t.test(`a small change of a large ${what} never moves much`, async (t) => {
    const random = seededRandom(1);
    const below = (limit: number): number => Math.floor(random() * limit);
    const model = new Model(collection);
    const { bytes } = model;
    const records = 4000;
    model.change(() => {
      for (let i = 0; i < records; i++) model.put(`m${i}`, i);
    });
    let spliced = 0;
    let hashed = 0;
    let most = 0;
    const change = (one: () => void): void => {
      bytes.spliced = 0;
      bytes.hashed = 0;
      model.change(one);
      spliced = Math.max(spliced, bytes.spliced);
      hashed = Math.max(hashed, bytes.hashed);
      most = Math.max(most, bytes.dead / bytes.length);
    };
    // All live ones are in front when cleaning begins, and are removed: the worst that there is.
    for (let i = records; i < 2 * records; i++) change(() => model.put(`m${i}`, i));
    for (let i = records; i < 2 * records; i++) change(() => model.remove(`m${i}`));
    for (let i = 0; i < records / 2; i++) change(() => model.remove(`m${i}`));
    t.equal(model.check(), null);
    for (let i = 0; i < 3 * records; i++) {
      const name = `m${below(records)}`;
      change(() => (below(3) > 0 ? model.put(name, below(1000)) : model.remove(name)));
    }
    t.equal(model.check(), null);
    t.ok(spliced < SMALL_CHANGE_BYTES, `${spliced} bytes`);
    t.ok(hashed < SMALL_CHANGE_HASHES, `${hashed} hashes`);
    t.ok(most < 0.63, `${most} of the bytes were dead`);
    t.ok(most > 0.5);
  });
}

t.test('a long field that goes does not move all short ones at once', async (t) => {
  const model = new Model(hash);
  const { bytes } = model;
  const long = Buffer.alloc(400_000, 'x');
  model.change((records) => {
    for (let i = 0; i < 8000; i++) model.put(`m${i}`, i);
    records.put(key('long'), 0, 4, long, 0, long.length);
  });
  const { length } = bytes;
  model.change((records) => records.remove(key('long'), 0, 4));
  t.ok(bytes.dead * 2 > bytes.length, 'more than half is dead');
  let spliced = 0;
  let changes = 0;
  for (; bytes.dead * 2 > bytes.length; changes++) {
    bytes.spliced = 0;
    model.change(() => model.remove(`m${changes}`));
    spliced = Math.max(spliced, bytes.spliced);
  }
  t.ok(spliced < 520 * 40, `${spliced} bytes`);
  t.ok(changes < 30, `${changes} changes`);
  t.ok(bytes.length < length / 2);
  t.equal(model.check(), null);
});

t.test('a long field in front is moved when changes have earned it', async (t) => {
  const model = new Model(hash);
  const { bytes } = model;
  const long = Buffer.alloc(50_000, 'x');
  model.change((records) => {
    records.put(key('long'), 0, 4, long, 0, long.length);
    for (let i = 0; i < 4000; i++) model.put(`m${i}`, i);
  });
  let worn = 0;
  let moves = 0;
  let most = 0;
  for (let i = 0; i < 12_000; i++) {
    bytes.spliced = 0;
    const isWorn = bytes.dead * 2 > bytes.length;
    model.change(() => model.put(`m${i % 4000}`, i));
    most = Math.max(most, bytes.dead / bytes.length);
    if (isWorn && moves === 0) worn++;
    if (bytes.spliced > long.length) moves++;
  }
  t.ok(worn > long.length / 4 / 50, `after ${worn} changes`);
  t.ok(moves > 0 && moves < 4, `${moves} moves`);
  t.ok(most < 0.75, `${most} of the bytes were dead`);
  const records = model.open();
  t.ok(records.find(key('long'), 0, 4));
  t.equal(records.valueEnd - records.valueStart, long.length);
});

t.test('when most members of a set go at once, the others have their index at once', async (t) => {
  for (const collection of [set, sortedSet]) {
    const model = new Model(collection);
    const { bytes } = model;
    model.change(() => {
      for (let i = 0; i < 6000; i++) model.put(`m${i}`, (i * 769) % 5003);
    });
    const { attached } = bytes;
    bytes.hashed = 0;
    model.change(() => model.removeMany(4000, seededRandom(1)));
    t.equal(bytes.hashed, 0, 'none of the others is hashed');
    t.equal(bytes.attached, attached);
    t.equal(bytes.dead, 0);
    t.equal(model.check(), null);
    model.change(() => model.removeMany(1400, seededRandom(2)));
    t.equal(bytes.attached, attached);
    const index = model.open().index.bytes;
    t.ok(index <= 2 * CELLS_MIN * CELL_BYTES, `${index} bytes of index`);
    t.equal(model.check(), null);
    bytes.hashed = 0;
    model.change(() => model.put('m0', 8));
    t.ok(bytes.hashed <= 3, `${bytes.hashed} hashes`);
    t.equal(model.check(), null);
  }
});

t.test(
  'members go at once while the index is on its way to another table, some of them dead',
  async (t) => {
    for (const collection of [set, sortedSet]) {
      const model = new Model(collection);
      // Of more records than it is made for: another table begins.
      model.change(() => {
        for (let i = 0; i < 3000; i++) model.put(i === 7 ? '' : `m${i}`, i % 50);
      });
      const { index } = model.open();
      let added = 3000;
      for (let bytes = index.bytes; index.bytes === bytes; added++) {
        model.change(() => model.put(`m${added}`, added % 50));
      }
      model.change(() => {
        for (let i = 10; i < 60; i++) model.remove(`m${i}`);
      });
      t.ok(model.bytes.dead > 0);
      model.change(() => model.removeMany(Math.floor(added / 2), seededRandom(3)));
      t.equal(model.bytes.dead, 0);
      t.equal(model.check(), null);
      for (let i = 0; i < 4000; i++) model.change(() => model.put(`n${i}`, i % 50));
      t.equal(model.check(), null);
      // What is left is small.
      model.change(() => model.removeMany(model.expected.size - 20, seededRandom(4)));
      t.notOk(model.bytes.isLarge);
      t.equal(model.check(), null);
    }
  },
);
