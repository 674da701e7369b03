import t from 'tap';
import { EMPTY_RECORDS, KeyedRecords } from '../../lib/store/collections/keyed-records.js';
import { ListBlocks } from '../../lib/store/collections/list-blocks.js';
import { EMPTY_LIST, ListValue } from '../../lib/store/collections/list-value.js';
import { RecordKind } from '../../lib/store/collections/record-cursor.js';
import { SortedSet } from '../../lib/store/collections/sorted-set.js';
import { isSound } from '../../lib/store/collections/soundness.js';
import type { ValueBytes } from '../../lib/store/collections/value-bytes.js';
import { ValueType } from '../../lib/store/entry.js';
import { KeyHash } from '../../lib/store/key-hash.js';
import type { Attachment } from '../../lib/store/large-payloads.js';
import { seededRandom } from './seeded-random.js';

/** So that a test meets large values soon. */
const LARGE_BYTES = 3000;
const HASH = new KeyHash(7);

/** A value on its own, and a copy of it that is made from its splices alone. */
class Bytes implements ValueBytes {
  buffer: Buffer;
  copy: Buffer;
  readonly start = 0;
  attached: Attachment | null = null;
  /** Splices that have moved what is behind them. */
  moves = 0;

  constructor(empty: Buffer) {
    this.buffer = Buffer.from(empty);
    this.copy = Buffer.from(empty);
  }

  get length(): number {
    return this.buffer.length;
  }

  get isLarge(): boolean {
    return this.length > LARGE_BYTES;
  }

  attach(index: Attachment | null): void {
    this.attached = this.isLarge ? index : null;
  }

  splice(at: number, removed: number, source: Buffer, from: number, to: number): void {
    const spliced = (bytes: Buffer): Buffer =>
      Buffer.concat([
        bytes.subarray(0, at),
        source.subarray(from, to),
        bytes.subarray(at + removed),
      ]);
    if (to - from === removed) {
      source.copy(this.copy, at, from, to);
      source.copy(this.buffer, at, from, to);
      return;
    }
    if (at + removed < this.length) this.moves++;
    this.copy = spliced(this.copy);
    this.buffer = spliced(this.buffer);
    if (!this.isLarge) this.attached = null;
  }

  /** As on another node: without an index. */
  moved(): void {
    this.attached = null;
  }

  replace(value: Buffer): void {
    this.splice(0, this.length, value, 0, value.length);
    this.attached = null;
  }

  hashOf(buffer: Buffer, start: number, end: number): number {
    return HASH.of(buffer, start, end);
  }
}

const STEPS = 6000;
const textOf = (records: KeyedRecords): string =>
  records.buffer.latin1Slice(records.keyStart, records.keyEnd);

for (const seed of [1, 2, 3]) {
  t.test(`fields of a hash, seed ${seed}`, (t) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const bytes = new Bytes(EMPTY_RECORDS);
    const fields = new KeyedRecords(RecordKind.KeyValue);
    const expected = new Map<string, string>();
    let wasLarge = false;
    for (let step = 0; step < STEPS; step++) {
      // Grows and shrinks by turns.
      const isGrowing = step % 2000 < 1000;
      const name = `field ${below(300)}`.padEnd(below(50) === 0 ? 200 : 0, '.');
      const key = Buffer.from(name);
      fields.open(bytes);
      if (random() < (isGrowing ? 0.8 : 0.2)) {
        const value = 'v'.repeat(below(20) === 0 ? below(400) : below(12));
        const isAdded = fields.put(key, 0, key.length, Buffer.from(value), 0, value.length);
        if (isAdded === expected.has(name)) t.fail(`step ${step}: ${name} was added: ${isAdded}`);
        expected.set(name, value);
      } else if (fields.remove(key, 0, key.length) !== expected.delete(name)) {
        t.fail(`step ${step}: ${name}`);
      }
      fields.close();
      if (expected.size === 0) bytes.splice(0, bytes.length, EMPTY_RECORDS, 0, 8);
      wasLarge ||= bytes.isLarge;
      if (below(50) === 0) bytes.moved();
      if (step % 20 !== 0) continue;
      fields.open(bytes);
      const found = new Map<string, string>();
      const visit = () => {
        found.set(textOf(fields), fields.buffer.latin1Slice(fields.valueStart, fields.valueEnd));
      };
      let cursor = 0;
      do cursor = fields.scan(cursor, 10, visit);
      while (cursor !== 0 && cursor < 2 ** 32);
      if (fields.count !== expected.size || found.size !== expected.size) {
        t.fail(`step ${step}: ${fields.count}, ${found.size}, ${expected.size}`);
      }
      for (const [name, value] of expected) {
        if (found.get(name) !== value) t.fail(`step ${step}: ${name}`);
        const key = Buffer.from(name);
        if (!fields.find(key, 0, key.length)) t.fail(`step ${step}: ${name} is not found`);
      }
      if (!bytes.copy.equals(bytes.buffer)) t.fail('the splices make another value');
    }
    t.ok(wasLarge, 'the value was large');
    t.end();
  });

  t.test(`members of a sorted set, seed ${seed}`, (t) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const bytes = new Bytes(EMPTY_RECORDS);
    const set = new SortedSet();
    const expected = new Map<string, number>();
    let isSorted = true;
    let wasLarge = false;
    for (let step = 0; step < STEPS; step++) {
      const isGrowing = step % 2000 < 1000;
      const name = `m${below(400)}`.padEnd(below(50) === 0 ? 300 : 0, '.');
      const key = Buffer.from(name);
      set.openSorted(bytes, isSorted);
      const isThere = set.find(key, 0, key.length);
      if (isThere !== expected.has(name)) t.fail(`step ${step}: ${name} is there: ${isThere}`);
      const score = below(5) === 0 ? Number.POSITIVE_INFINITY : below(40) - 20;
      if (random() < (isGrowing ? 0.8 : 0.2)) {
        if (isThere) set.setScore(score, key, 0, key.length);
        else set.insert(score, key, 0, key.length);
        expected.set(name, score);
      } else if (isThere) {
        set.removeFound(key, 0, key.length);
        expected.delete(name);
      }
      if (step % 97 === 0 && set.count > 12) {
        const first = below(set.count - 10);
        const order = sorted(expected);
        set.removeRanks(first, first + 4);
        for (const [gone] of order.slice(first, first + 5)) expected.delete(gone);
      }
      set.close();
      isSorted = set.isSorted;
      if (expected.size === 0) bytes.splice(0, bytes.length, EMPTY_RECORDS, 0, 8);
      wasLarge ||= bytes.isLarge;
      if (below(50) === 0) bytes.moved();
      if (step % 20 !== 0 || expected.size === 0) continue;
      set.openSorted(bytes, isSorted);
      const order = sorted(expected);
      if (set.count !== order.length) t.fail(`step ${step}: ${set.count}, ${order.length}`);
      set.seek(0);
      for (const [rank, [name, score]] of order.entries()) {
        if (textOf(set) !== name || set.score !== score) t.fail(`step ${step}: rank ${rank}`);
        if (rank + 1 < order.length) set.step(1);
      }
      const rank = below(order.length);
      const [member] = order[rank]!;
      set.find(Buffer.from(member), 0, member.length);
      if (set.rankOfFound() !== rank) t.fail(`step ${step}: ${member} has another rank`);
      const count = set.countBefore((score) => score < 3);
      if (count !== order.filter(([, score]) => score < 3).length) t.fail(`step ${step}: ${count}`);
      if (!bytes.copy.equals(bytes.buffer)) t.fail('the splices make another value');
    }
    t.ok(wasLarge, 'the value was large');
    t.end();
  });

  t.test(`elements of a long list, seed ${seed}`, (t) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const bytes = new Bytes(EMPTY_LIST);
    const list = new ListValue();
    let expected: string[] = [];
    // Long ones among them, so that there are blocks of one element; and some that are there often.
    const some = (count: number): string[] =>
      Array.from({ length: count }, () =>
        `e${below(below(2) ? 5000 : 20)}`.padEnd(below(500) ? below(2) * below(40) : 20_000, '.'),
      );
    const block = (texts: readonly string[]): void => {
      for (const text of texts) list.block.add(Buffer.from(text), 0, text.length);
    };
    const elementText = () => list.buffer.latin1Slice(list.elementStart, list.elementEnd);
    for (let step = 0; step < 400; step++) {
      list.open(bytes);
      const choice = below(step % 200 < 100 ? 8 : 12);
      const at = below(expected.length);
      if (choice < 4 || expected.length < 500) {
        const texts = some(below(4) === 0 ? 1000 : 20);
        block(texts);
        if (choice % 2 === 0) list.prependBlock();
        else list.appendBlock();
        expected = choice % 2 === 0 ? [...texts, ...expected] : [...expected, ...texts];
      } else if (choice < 8) {
        const texts = some(1);
        block(texts);
        list.seek(at);
        if (elementText() !== expected[at]) t.fail(`step ${step}: another element at ${at}`);
        if (choice < 6) list.replaceByBlock();
        else list.insertBlock(choice === 6);
        expected = expected.toSpliced(
          choice === 7 ? at : at + (choice === 6 ? 1 : 0),
          choice < 6 ? 1 : 0,
          ...texts,
        );
      } else if (choice < 10) {
        const text = expected[at]!;
        const pattern = Buffer.from(text);
        const limit = below(10) === 0 ? 20 : 2;
        const removed = list.removeEqual(pattern, 0, pattern.length, limit, false);
        for (let i = 0; i < removed; i++) {
          expected = expected.toSpliced(expected.indexOf(text), 1);
        }
      } else {
        const count = below(4) === 0 ? below(expected.length) : below(50);
        if (choice === 10) list.removeFirst(count);
        else list.removeLast(count);
        expected =
          choice === 10 ? expected.slice(count) : expected.slice(0, expected.length - count);
      }
      list.close();
      if (below(100) === 0) bytes.moved();
      list.open(bytes);
      if (list.count !== expected.length) t.fail(`step ${step}: ${list.count} elements`);
      for (let i = 0; i < 5; i++) {
        const index = below(expected.length);
        list.seek(index);
        if (elementText() !== expected[index]) t.fail(`step ${step}: another element at ${index}`);
      }
      if (!bytes.copy.equals(bytes.buffer)) t.fail('the splices make another value');
      if (!isSound(ValueType.List, 0, bytes.buffer, bytes.start, bytes.start + bytes.length)) {
        t.fail(`step ${step}: it is not sound`);
      }
    }
    list.rewindToEnd();
    for (const text of expected.toReversed()) {
      if (!list.previous() || elementText() !== text) t.fail('another element from behind');
    }
    t.notOk(list.previous());
    for (const [index, text] of expected.entries()) {
      list.seek(index);
      if (elementText() !== text) t.fail(`another element at ${index}`);
    }
    t.ok(bytes.attached instanceof ListBlocks, 'there were blocks');
    t.end();
  });

  t.test(`elements of a list, seed ${seed}`, (t) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const bytes = new Bytes(EMPTY_LIST);
    const list = new ListValue();
    let expected: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      const isGrowing = step % 2000 < 1000;
      const text = `e${below(50)}`.padEnd(below(60) === 0 ? 40_000 : below(30), '.');
      const element = Buffer.from(text);
      list.open(bytes);
      const choice = random();
      if (choice < (isGrowing ? 0.6 : 0.2) || expected.length < 2) {
        list.block.add(element, 0, element.length);
        const isHead = below(2) === 0;
        if (isHead) list.prependBlock();
        else list.appendBlock();
        expected = isHead ? [text, ...expected] : [...expected, text];
      } else if (choice < 0.85) {
        const count = 1 + below(Math.min(3, expected.length - 1));
        const isHead = below(2) === 0;
        if (isHead) list.removeFirst(count);
        else list.removeLast(count);
        expected = isHead ? expected.slice(count) : expected.slice(0, -count);
      } else if (choice < 0.95) {
        const at = below(expected.length);
        list.block.add(element, 0, element.length);
        list.seek(at);
        if (below(2) === 0) {
          list.replaceByBlock();
          expected = expected.with(at, text);
        } else {
          list.insertBlock(false);
          expected = expected.toSpliced(at, 0, text);
        }
      } else {
        const pattern = expected[below(expected.length)]!;
        const fromEnd = below(2) === 0;
        const removed = list.removeEqual(Buffer.from(pattern), 0, pattern.length, 2, fromEnd);
        for (let i = 0; i < removed; i++) {
          const at = fromEnd ? expected.lastIndexOf(pattern) : expected.indexOf(pattern);
          expected = expected.toSpliced(at, 1);
        }
      }
      list.close();
      if (expected.length === 0) bytes.splice(0, bytes.length, EMPTY_LIST, 0, 8);
      if (step % 10 !== 0) continue;
      list.open(bytes);
      const found: string[] = [];
      const elementText = () => list.buffer.latin1Slice(list.elementStart, list.elementEnd);
      list.rewind();
      while (list.next()) found.push(elementText());
      const back: string[] = [];
      list.rewindToEnd();
      while (list.previous()) back.push(elementText());
      if (String(found) !== String(expected) || list.count !== expected.length) {
        t.fail(`step ${step}: other elements`);
      }
      if (String(back.reverse()) !== String(expected)) t.fail(`step ${step}: from behind`);
      if (!bytes.copy.equals(bytes.buffer)) t.fail('the splices make another value');
    }
    t.pass('all elements are there');
    t.end();
  });
}

function sorted(expected: ReadonlyMap<string, number>): [string, number][] {
  return [...expected].sort(([a, x], [b, y]) => {
    if (x !== y) return x < y ? -1 : 1;
    return Buffer.from(a).compare(Buffer.from(b));
  });
}

t.test(
  'many members of a sorted set are removed by their ranks, across blocks of its order',
  (t) => {
    const bytes = new Bytes(EMPTY_RECORDS);
    const set = new SortedSet();
    const members = Array.from({ length: 2000 }, (_, i) => ({
      score: (i * 769) % 2003,
      name: `m${i}`,
    }));
    let left = [...members].sort((a, b) => a.score - b.score);
    set.openSorted(bytes, true);
    for (const { score, name } of members) set.insert(score, Buffer.from(name), 0, name.length);
    // The last leaves more than half of the value dead: it is packed anew.
    for (const [first, last] of [
      [1990, 1994],
      [300, 1099],
      [0, 599],
    ] as const) {
      set.removeRanks(first, last);
      left = left.filter((_, rank) => rank < first || rank > last);
      set.close();
      set.openSorted(bytes, set.isSorted);
      t.equal(set.count, left.length);
      const found = left.map((_, rank) => {
        set.seek(rank);
        return { score: set.score, name: textOf(set) };
      });
      t.same(found, left);
      t.ok(left.every(({ name }) => set.find(Buffer.from(name), 0, name.length)));
      t.ok(bytes.copy.equals(bytes.buffer));
    }
    t.ok(bytes.isLarge);
    t.end();
  },
);

t.test(
  'where elements of a long list change their length, little is moved, and little is left free',
  async (t) => {
    const random = seededRandom(1);
    const below = (limit: number): number => Math.floor(random() * limit);
    const elements = 40_000;
    const bytes = new Bytes(EMPTY_LIST);
    const list = new ListValue().open(bytes);
    const add = (length: number): void => list.block.add(Buffer.alloc(length, 'x'), 0, length);
    const lengths = Array.from({ length: elements }, () => 40);
    for (const length of lengths) add(length);
    list.appendBlock();
    list.close();
    const set = (index: number, length: number): void => {
      list.open(bytes);
      add(length);
      list.seek(index);
      list.replaceByBlock();
      list.close();
      lengths[index] = length;
    };
    const packed = (): number => lengths.reduce((sum, length) => sum + length + 2, 0);
    const isAll = (): boolean => {
      list.open(bytes);
      list.rewind();
      const isEqual = lengths.every(
        (length) => list.next() && list.elementEnd - list.elementStart === length,
      );
      return isEqual && !list.next();
    };
    for (let i = 0; i < 2000; i++) set(20_000, 1 + below(60));
    t.ok(bytes.moves < 10, `${bytes.moves} moves for one element`);
    bytes.moves = 0;
    for (let i = 0; i < 4000; i++) set(below(elements - 3000), 30 + below(20));
    t.ok(bytes.moves < 1000, `${bytes.moves} moves for any elements`);
    t.ok(isAll());
    for (let i = 0; i < elements; i++) set(i, 1);
    t.ok(isAll());
    t.ok(bytes.length < packed() * 1.4, `${bytes.length} bytes for ${packed()}`);
    bytes.moves = 0;
    const one = Buffer.from('x');
    list.open(bytes);
    for (let i = 0; i < 3; i++) t.equal(list.removeEqual(one, 0, 1, 2, false), 2);
    lengths.splice(0, 6);
    list.close();
    t.ok(isAll());
  },
);

for (const way of ['appended', 'put in front', 'appended all at once'] as const) {
  t.test(`an element that gets longer for the first time moves little: of elements ${way}`, (t) => {
    const random = seededRandom(1);
    const [elements, bytesOfOne] = [20_000, 42];
    const bytes = new Bytes(EMPTY_LIST);
    const list = new ListValue();
    const add = (length: number): void => list.block.add(Buffer.alloc(length, 'x'), 0, length);
    const batch = way === 'appended all at once' ? elements : 10;
    for (let i = 0; i < elements; i += batch) {
      list.open(bytes);
      for (let j = 0; j < batch; j++) add(bytesOfOne - 2);
      if (way === 'put in front') list.prependBlock();
      else list.appendBlock();
      list.close();
    }
    const gaps = way === 'put in front' ? 0.02 + 1 / 8 : 0.02;
    t.ok(bytes.length < elements * bytesOfOne * (1 + gaps), `${bytes.length} bytes`);
    bytes.moves = 0;
    // One in each block at most, and none in the last 64 KB, nor in the first: these are no more than what is moved anyway.
    for (let at = 2000; at < 18_000; at += 400) {
      list.open(bytes);
      add(bytesOfOne + Math.floor(random() * 50));
      list.seek(at);
      list.replaceByBlock();
      list.close();
    }
    t.ok(bytes.moves <= 4, `${bytes.moves} of 40 have moved all that is behind them`);
    t.end();
  });
}

t.test('a list that is not long has nothing free', (t) => {
  const bytes = new Bytes(EMPTY_LIST);
  const list = new ListValue();
  const element = Buffer.alloc(40, 'x');
  for (let i = 0; i < 1500; i++) {
    list.open(bytes);
    list.block.add(element, 0, element.length);
    list.appendBlock();
    list.close();
  }
  t.equal(bytes.length, EMPTY_LIST.length + 1500 * 42);
  t.end();
});
