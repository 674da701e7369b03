import t from 'tap';
import { Absences } from '../../lib/cluster/absences.js';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { FrameType, valueFlags } from '../../lib/cluster/frames.js';
import { FramesAhead } from '../../lib/cluster/frames-ahead.js';
import { MirrorReceiver } from '../../lib/cluster/mirror-receiver.js';
import { Peer } from '../../lib/cluster/peer.js';
import { HEADER_BYTES } from '../../lib/store/collections/record-cursor.js';
import { isSound } from '../../lib/store/collections/soundness.js';
import { type Ref, Store, ValueType } from '../../lib/store/store.js';
import { Guarded, KINDS, type Kind, mutated, type Random } from '../store/random-values.js';
import { seededRandom } from '../store/seeded-random.js';

const STEPS = 1500;
const KEYS = ['a', 'b', 'c', 'd'];
const FULL = 3;
const member = { id: 'b', host: 'b', port: 1, busPort: 2, zone: '', leaving: false };

function keyFrame(flags: number, key: string, version: number, value: Buffer): Buffer {
  const header = Buffer.alloc(22);
  header[0] = flags;
  header.writeUInt32LE(key.length, 2);
  header.writeDoubleLE(version, 6);
  return Buffer.concat([header, Buffer.from(key), value]);
}

const u32s = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4);
  return bytes;
};

/** The backup's side of one link, and what stands beside its values in the store. */
class Receiver {
  readonly store = new Store({ seed: 1 });
  readonly receiver: MirrorReceiver;
  readonly peer = new Peer(1, member);
  differs = 0;
  #version = 1;
  readonly #neighbours = new Map<string, Buffer>();

  constructor(below: Random) {
    const { store, peer } = this;
    const state = {
      store,
      clock: { observe() {}, wall: 1e12 },
      absences: new Absences(),
      floors: [],
      config: { stepKeys: 1000 },
      livePeer: () => peer,
      keepsRecordOf: () => false,
    };
    this.receiver = new MirrorReceiver(state as unknown as ClusterState, new FramesAhead(store), {
      becamePrimary() {},
      primaryLost() {},
      differs: () => this.differs++,
    });
    for (let i = 0; i < 50; i++) {
      const name = `neighbour ${i}`;
      const value = Buffer.alloc(10 + below(200), below(256));
      this.send(FrameType.Set, 4 | FULL, name, value);
      this.#neighbours.set(name, value);
    }
  }

  find(key: string): Ref {
    return this.store.find(0, Buffer.from(key), 0, key.length);
  }

  send(type: number, flags: number, key: string, value: Buffer): boolean {
    const frame = keyFrame(flags, key, ++this.#version, value);
    return this.receiver.receive(this.peer, type, frame, 0, frame.length);
  }

  valueOf(key: string): Buffer {
    const ref = this.find(key);
    if (ref === 0) return Buffer.alloc(0);
    const start = this.store.valueStart(ref);
    const end = start + this.store.valueLength(ref);
    return Buffer.from(this.store.valueBuffer(ref).subarray(start, end));
  }

  /** What a backup has of a value would do no harm here, and nothing else has changed. */
  check(): void {
    for (const key of KEYS) {
      const ref = this.find(key);
      if (ref === 0 || this.store.isLarge(ref)) continue;
      const value = this.valueOf(key);
      const type = this.store.type(ref);
      const encoding = this.store.encodingFlags(ref);
      if (!isSound(type, encoding, value, 0, value.length)) throw new Error(`${key} is damaged`);
    }
    for (const [name, value] of this.#neighbours) {
      if (!this.valueOf(name).equals(value)) throw new Error(`${name} was changed`);
    }
  }
}

/** The change that a command makes of the value, as EDIT carries it. */
function editOf(to: Receiver, key: string, kind: Kind, below: Random): Buffer {
  const ref = to.find(key);
  const changed = new Guarded(to.valueOf(key));
  kind.use(changed, to.store.encodingFlags(ref), below);
  // What has lost its last element is deleted.
  if (changed.length <= HEADER_BYTES) return editOf(to, key, kind, below);
  const base = Buffer.alloc(8);
  base.writeDoubleLE(to.store.version(ref));
  const splices = changed.splices.flatMap(([at, removed, inserted]) => [
    u32s(at, removed, inserted.length),
    inserted,
  ]);
  return Buffer.concat([base, u32s(changed.length), ...splices]);
}

/** Mostly the splices; where the version that it builds on is another one the edit is not looked at any further. */
function damaged(edit: Buffer, below: Random): Buffer {
  if (below(8) === 0) return mutated(edit, below);
  return Buffer.concat([edit.subarray(0, 12), mutated(edit.subarray(12), below)]);
}

for (const [name, kind] of Object.entries(KINDS)) {
  t.test(`frames with bad bytes of a ${name} change nothing`, async (t) => {
    const random = seededRandom(99);
    const below: Random = (limit) => Math.floor(random() * limit);
    const to = new Receiver(below);
    const counts = { good: 0, bad: 0, edited: 0, refused: 0 };
    for (let step = 0; step < STEPS; step++) {
      const key = KEYS[below(KEYS.length)]!;
      const before = to.valueOf(key);
      const ref = to.find(key);
      // What is large was not looked at.
      const isThere = ref !== 0 && !to.store.isLarge(ref);
      let isTaken: boolean;
      if (isThere && below(3) > 0) {
        const flags = valueFlags(to.store, ref) | FULL;
        const edit = editOf(to, key, kind, below);
        const isGood = below(3) === 0;
        isTaken = to.send(FrameType.Edit, flags, key, isGood ? edit : damaged(edit, below));
        if (isGood && !isTaken) throw new Error('an edit as commands make it was refused');
        counts[isTaken ? 'edited' : 'refused']++;
      } else {
        const value = kind.make(below);
        // Of a sorted set that may be large elsewhere.
        const encoding = kind.type === ValueType.ZSet ? 2 : 0;
        const flags = (kind.type << 2) | (encoding << 5) | FULL;
        const isGood = below(2) === 0;
        isTaken = to.send(FrameType.Set, flags, key, isGood ? value : mutated(value, below));
        if (isGood && !isTaken) throw new Error('a value as commands make it was refused');
        counts[isTaken ? 'good' : 'bad']++;
      }
      if (!isTaken && !to.valueOf(key).equals(before))
        throw new Error('what is refused has changed it');
      to.check();
    }
    t.comment(JSON.stringify({ ...counts, differs: to.differs }));
    for (const [what, count] of Object.entries(counts)) t.ok(count > 10, `${count} ${what}`);
  });
}

t.test('the state of several keys comes as a whole, or not at all', async (t) => {
  const to = new Receiver(() => 0);
  const inner = (type: number, frame: Buffer): Buffer =>
    Buffer.concat([u32s(frame.length + 1), Buffer.from([type]), frame]);
  const text = (key: string) => keyFrame(4 | FULL, key, 1e6, Buffer.from('text'));
  const bad = keyFrame((ValueType.Hash << 2) | FULL, 'h', 1e6, Buffer.alloc(20, 0xff));
  const send = (...frames: Buffer[]): boolean => {
    const all = Buffer.concat(frames);
    return to.receiver.receive(to.peer, FrameType.Atomic, all, 0, all.length);
  };
  t.notOk(send(inner(FrameType.Set, text('a')), inner(FrameType.Set, bad)));
  t.equal(to.valueOf('a').length, 0);
  t.notOk(send(inner(FrameType.Set, text('a')), inner(FrameType.Swap, text('neighbour 1'))));
  t.equal(to.valueOf('a').length, 0);
  t.ok(send(inner(FrameType.Set, text('a')), inner(FrameType.Delete, text('neighbour 1'))));
  t.equal(to.valueOf('a').toString(), 'text');
});

t.test('numbers that cannot be are refused', async (t) => {
  const to = new Receiver(() => 0);
  for (const version of [Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 60]) {
    const frame = keyFrame(4 | FULL, 'a', version, Buffer.from('text'));
    t.notOk(to.receiver.receive(to.peer, FrameType.Set, frame, 0, frame.length), String(version));
  }
});
