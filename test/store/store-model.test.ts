import t from 'tap';
import { keySlot } from '../../lib/protocol/crc16.js';
import { type Ref, Role, Store, type ValueType } from '../../lib/store/store.js';
import { seededRandom } from './seeded-random.js';

interface Expected {
  readonly db: number;
  readonly key: string;
  readonly value: Buffer;
  type: ValueType;
  role: Role;
  flags: number;
  peer: number;
  version: number;
  expireAt: number;
  changeOffset: number;
  usedAt: number;
  frequency: number;
  encodingFlags: number;
}

/** A store and what it should hold, changed side by side by random operations. */
class Model {
  readonly store: Store;
  readonly expected = new Map<string, Expected>();
  readonly random: () => number;
  readonly valueLengthMax: number;

  constructor(seed: number, valueLengthMax: number) {
    this.random = seededRandom(seed);
    this.valueLengthMax = valueLengthMax;
    this.store = new Store({ seed, chunkBytes: 1 << 20 });
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  find(db: number, key: string): Ref {
    const bytes = Buffer.from(`>${key}<`);
    return this.store.find(db, bytes, 1, bytes.length - 1);
  }

  step(): void {
    if (this.below(2000) === 0) this.swap(this.below(3), this.below(3));
    const db = this.below(3);
    const key = this.below(20) === 0 ? `{tag}${this.below(200)}` : `key:${this.below(2000)}`;
    const id = `${db}/${key}`;
    const ref = this.find(db, key);
    const entry = this.expected.get(id);
    if ((ref !== 0) !== (entry !== undefined)) throw new Error(`${id}: found ${ref}`);
    if (entry === undefined) this.create(id, db, key);
    else {
      const choice = this.below(10);
      if (choice < 3) this.remove(id, ref);
      else if (choice < 6) this.resize(id, ref, entry);
      else this.setFields(ref, entry);
    }
  }

  value(): Buffer {
    const length =
      this.below(50) === 0 ? this.below(this.valueLengthMax) : this.below(this.valueLengthMax / 40);
    return Buffer.alloc(length, this.below(255) + 1);
  }

  create(id: string, db: number, key: string): void {
    const bytes = Buffer.from(key);
    const value = this.value();
    const type = this.below(6) as ValueType;
    const ref = this.store.create(db, bytes, 0, bytes.length, type, value.length);
    value.copy(this.store.valueBuffer(ref), this.store.valueStart(ref));
    this.expected.set(id, {
      db,
      key,
      value,
      type,
      role: Role.Primary,
      flags: 0,
      peer: 0,
      version: 0,
      expireAt: 0,
      changeOffset: 0,
      usedAt: 0,
      frequency: 0,
      encodingFlags: 0,
    });
  }

  swap(first: number, second: number): void {
    this.store.swapDatabases(first, second);
    const entries = [...this.expected.values()];
    this.expected.clear();
    for (const entry of entries) {
      const db = entry.db === first ? second : entry.db === second ? first : entry.db;
      this.expected.set(`${db}/${entry.key}`, { ...entry, db });
    }
  }

  remove(id: string, ref: Ref): void {
    this.store.remove(ref);
    this.expected.delete(id);
  }

  resize(id: string, ref: Ref, entry: Expected): void {
    const value = this.value();
    const common = Math.min(value.length, entry.value.length);
    entry.value.copy(value, 0, 0, common);
    const moved = this.store.resize(ref, value.length);
    if (moved !== this.find(entry.db, entry.key)) throw new Error(`${id}: resize lost its ref`);
    value.copy(this.store.valueBuffer(moved), this.store.valueStart(moved) + common, common);
    this.expected.set(id, { ...entry, value });
  }

  setFields(ref: Ref, entry: Expected): void {
    const { store } = this;
    entry.role = this.below(4) as Role;
    entry.flags = this.below(256);
    entry.peer = this.below(65536);
    entry.version = this.below(2 ** 53);
    entry.expireAt = this.below(2) * this.below(2 ** 45);
    entry.changeOffset = this.below(2 ** 53);
    entry.usedAt = this.below(2 ** 32);
    entry.frequency = this.below(256);
    entry.encodingFlags = this.below(8);
    entry.type = this.below(6) as ValueType;
    store.setType(ref, entry.type);
    store.setExpireAt(ref, entry.expireAt);
    store.setRole(ref, entry.role);
    store.setFlags(ref, entry.flags);
    store.setPeer(ref, entry.peer);
    store.setVersion(ref, entry.version);
    store.setChangeOffset(ref, entry.changeOffset);
    store.setUsedAt(ref, entry.usedAt);
    store.setFrequency(ref, entry.frequency);
    store.setEncodingFlags(ref, entry.encodingFlags);
  }

  /** What the store says about an entry, in the form of the model. */
  observed(ref: Ref): Expected {
    const { store } = this;
    const keyStart = store.keyStart(ref);
    const valueStart = store.valueStart(ref);
    return {
      db: store.db(ref),
      key: store.keyBuffer(ref).toString('latin1', keyStart, keyStart + store.keyLength(ref)),
      value: Buffer.from(
        store.valueBuffer(ref).subarray(valueStart, valueStart + store.valueLength(ref)),
      ),
      type: store.type(ref),
      role: store.role(ref),
      flags: store.flags(ref),
      peer: store.peer(ref),
      version: store.version(ref),
      expireAt: store.expireAt(ref),
      changeOffset: store.changeOffset(ref),
      usedAt: store.usedAt(ref),
      frequency: store.frequency(ref),
      encodingFlags: store.encodingFlags(ref),
    };
  }

  verify(t: Tap): void {
    const { store, expected } = this;
    t.equal(store.size, expected.size, 'size');
    const left = new Map(expected);
    for (let slot = 0; slot < 16384; slot++) {
      let seen = 0;
      let hash = -1;
      store.eachInSlot(slot, (ref) => {
        seen++;
        const got = this.observed(ref);
        const id = `${got.db}/${got.key}`;
        const bytes = Buffer.from(got.key);
        const wanted = left.get(id);
        left.delete(id);
        if (wanted === undefined || !same(got, wanted)) t.same(got, wanted, id);
        if (store.slot(ref) !== slot || keySlot(bytes, 0, bytes.length) !== slot) {
          t.fail(`${id} is in slot ${slot}`);
        }
        if (store.hash(ref) !== store.hashOf(bytes, 0, bytes.length)) {
          t.fail(`${id}: hash`);
        }
        if (store.hash(ref) < hash) t.fail('walk is in the order of hashes');
        hash = store.hash(ref);
        return false;
      });
      if (seen !== store.countInSlot(slot)) t.fail(`slot ${slot} counts ${seen} entries`);
    }
    t.equal(left.size, 0, 'walks see all entries');
    this.verifyCounts(t);
  }

  verifyCounts(t: Tap): void {
    const { store } = this;
    const all = [...this.expected.values()];
    const sum = (entries: Expected[]) => entries.reduce((n, entry) => n + entry.value.length, 0);
    for (const role of Object.values(Role)) {
      const ofRole = all.filter((entry) => entry.role === role);
      t.equal(store.countOfRole(role), ofRole.length, `entries of role ${role}`);
      if (role <= Role.Backup) {
        for (const { peer } of ofRole.slice(0, 5)) {
          const count = ofRole.filter((entry) => entry.peer === peer).length;
          t.equal(store.countWithPeer(role, peer), count, `role ${role} with peer ${peer}`);
        }
      }
      t.equal(store.valueBytes(role), sum(ofRole), `value bytes of role ${role}`);
      for (let db = 0; db < 3; db++) {
        const count = ofRole.filter((entry) => entry.db === db).length;
        t.equal(store.count(db, role), count, `role ${role} in database ${db}`);
      }
    }
    const expiring = all.filter((entry) => entry.role === Role.Primary && entry.expireAt !== 0);
    t.equal(store.allWithExpiry, expiring.length, 'entries with expiry');
    const inFirst = expiring.filter((entry) => entry.db === 0).length;
    t.equal(store.countWithExpiry(0), inFirst, 'entries with expiry in database 0');
    const late = expiring.filter(
      (entry) =>
        entry.expireAt <
        store.earliestExpiry[keySlot(Buffer.from(entry.key), 0, entry.key.length)]!,
    );
    t.equal(late.length, 0, 'nothing expires before the earliest expiry of its slot');
  }
}

type Tap = Pick<typeof t, 'equal' | 'same' | 'fail'>;

function same(a: Expected, b: Expected): boolean {
  const { value: valueA, ...restA } = a;
  const { value: valueB, ...restB } = b;
  return valueA.equals(valueB) && JSON.stringify(restA) === JSON.stringify(sorted(restB, restA));
}

/** The same properties in the order of `like`. */
function sorted(value: object, like: object): object {
  const from = new Map(Object.entries(value));
  return Object.fromEntries(Object.keys(like).map((key) => [key, from.get(key)]));
}

for (const [seed, steps, valueLengthMax] of [
  [1, 30_000, 4000],
  [2, 20_000, 120_000],
  [3, 3_000, 1_000_000],
] as const) {
  t.test(`random operations agree with a map, seed ${seed}`, async (t) => {
    const model = new Model(seed, valueLengthMax);
    for (let i = 1; i <= steps; i++) {
      model.step();
      if (i % 50 === 0) model.store.compact(model.below(4));
      if (i % (steps / 5) === 0) model.verify(t);
    }
    for (const [id, entry] of [...model.expected]) {
      model.remove(id, model.find(entry.db, entry.key));
    }
    model.verify(t);
    t.ok(model.store.usedBytes <= 16384 * 32, 'an empty store keeps the smallest tables only');
  });
}
