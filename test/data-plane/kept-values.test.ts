import t from 'tap';
import { Absences } from '../../lib/cluster/absences.js';
import { AtomicFrames } from '../../lib/cluster/atomic-frames.js';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { Flag } from '../../lib/cluster/entry-flags.js';
import { FrameType } from '../../lib/cluster/frames.js';
import { FramesAhead } from '../../lib/cluster/frames-ahead.js';
import { PART_BYTES } from '../../lib/cluster/large-frame.js';
import { LargeReceiver } from '../../lib/cluster/large-receiver.js';
import { LargeSender } from '../../lib/cluster/large-sender.js';
import { MirrorReceiver } from '../../lib/cluster/mirror-receiver.js';
import { Peer } from '../../lib/cluster/peer.js';
import { ClusterStatistics } from '../../lib/cluster/statistics.js';
import type { Streams } from '../../lib/cluster/streams.js';
import { type Ref, Role, Store, ValueType } from '../../lib/store/store.js';

/** Entries whose values go whole. */
const whole = (...refs: Ref[]) => new Map(refs.map((ref) => [ref, null]));

const VALUE_BYTES = 3 * 1024 * 1024;
/** What an entry has beside key and value: its header, its cells in the index, the head of its frame. */
const BESIDE_BYTES = 4096;
const member = { id: 'b', host: 'b', port: 1, busPort: 2, zone: '', leaving: false };

/** A primary that sends large values to its backup. */
class Link {
  readonly primary = new Store({ seed: 1 });
  readonly backup = new Store({ seed: 1 });
  readonly statistics = new ClusterStatistics();
  readonly sender: LargeSender;
  readonly atomicFrames: AtomicFrames;
  readonly #receiver: LargeReceiver;
  readonly #peer = new Peer(1, member);
  /** What the last frame was put together in. */
  assembled: Buffer = Buffer.alloc(0);
  #version = 100;

  constructor() {
    this.#peer.stream.resumed = true;
    const common = {
      config: { partBytes: PART_BYTES, stepKeys: 1000 },
      statistics: this.statistics,
      clock: { next: () => ++this.#version, observe() {}, wall: 1e12 },
      absences: new Absences(),
      floors: [],
      livePeer: () => this.#peer,
      keepsRecordOf: () => false,
    };
    const [from, to] = [this.primary, this.backup].map(
      (store) => ({ ...common, store }) as unknown as ClusterState,
    );
    const streams = { appended() {}, wantFlush() {} } as unknown as Streams;
    this.sender = new LargeSender(from!, streams, []);
    this.atomicFrames = new AtomicFrames(from!, this.sender);
    const listener = { becamePrimary() {}, primaryLost() {}, differs() {} };
    const mirror = new MirrorReceiver(to!, new FramesAhead(this.backup), listener);
    this.#receiver = new LargeReceiver(to!, {
      handle: (peer, type, buffer, start, end) => {
        this.assembled = buffer;
        return mirror.receive(peer, type, buffer, start, end);
      },
    });
  }

  set(key: string, bytes: number, fill: number): Ref {
    const store = this.primary;
    const found = this.#find(store, key);
    const name = Buffer.from(key);
    const ref =
      found === 0
        ? store.create(0, name, 0, name.length, ValueType.String, bytes)
        : store.resize(found, bytes);
    const start = store.valueStart(ref);
    store.valueBuffer(ref).fill(fill, start, start + bytes);
    store.setVersion(ref, ++this.#version);
    return ref;
  }

  send(type: number, ref: Ref): void {
    this.sender.sendEntry(this.#peer, type, ref, 3);
    this.deliver();
  }

  deliver(): void {
    const { log } = this.#peer.stream;
    while (this.sender.open > 0) {
      this.sender.pump();
      log.eachFrame(log.ackedOffset, (type, buffer, start, end) => {
        const isPart = type === FrameType.Part;
        if (isPart) this.#receiver.receivePart(this.#peer, buffer, start, end);
        else this.#receiver.receiveWhole(this.#peer, buffer, start, end);
      });
      this.#peer.stream.acknowledged(log.endOffset, 0);
    }
  }

  /** Whether the backup's value is where it was put together. */
  isKept(key: string): boolean {
    return this.backup.valueBuffer(this.received(key)).buffer === this.assembled.buffer;
  }

  received(key: string): Ref {
    return this.#find(this.backup, key);
  }

  value(key: string): Buffer {
    const ref = this.received(key);
    const start = this.backup.valueStart(ref);
    return this.backup.valueBuffer(ref).subarray(start, start + this.backup.valueLength(ref));
  }

  #find(store: Store, key: string): Ref {
    const name = Buffer.from(key);
    return store.find(0, name, 0, name.length);
  }
}

for (const [what, before] of [
  ['nothing', -1],
  ['a small value', 10],
  ['a shorter large value', 100_000],
  ['a longer large value', 2 * VALUE_BYTES],
] as const) {
  t.test(
    `a large value that comes in the place of ${what} is kept where it was put together`,
    (t) => {
      for (const type of [FrameType.Set, FrameType.Copy]) {
        const link = new Link();
        if (before >= 0) {
          const ref = link.backup.create(0, Buffer.from('k'), 0, 1, ValueType.String, before);
          link.backup.setRole(ref, Role.Backup);
          link.backup.setPeer(ref, 1);
        }
        link.send(type, link.set('k', VALUE_BYTES, 7));
        t.ok(link.isKept('k'), 'nothing was copied');
        t.ok(link.value('k').equals(Buffer.alloc(VALUE_BYTES, 7)));
        t.equal(link.backup.valueBytes(Role.Backup), VALUE_BYTES);
        t.equal(link.statistics.assemblyBytes, 0, 'it is not counted twice');
        const { usedBytes } = link.backup;
        t.ok(usedBytes >= VALUE_BYTES && usedBytes < VALUE_BYTES + BESIDE_BYTES, `${usedBytes}`);
      }
      t.end();
    },
  );
}

t.test('so is one that was renamed, and of two that were set at once both are copied', (t) => {
  const link = new Link();
  const one = link.set('one', VALUE_BYTES, 1);
  link.primary.setFlags(one, Flag.Held);
  const gone = link.set('gone', 0, 0);
  link.primary.setRole(gone, Role.Tombstone);
  link.atomicFrames.append(whole(one, gone));
  link.deliver();
  t.ok(link.isKept('one'));
  t.ok(link.value('one').equals(Buffer.alloc(VALUE_BYTES, 1)));
  t.equal(link.backup.role(link.received('gone')), Role.Tombstone);

  link.atomicFrames.append(
    whole(link.set('two', VALUE_BYTES, 2), link.set('three', VALUE_BYTES, 3)),
  );
  link.deliver();
  for (const [key, fill] of [
    ['two', 2],
    ['three', 3],
  ] as const) {
    t.notOk(link.isKept(key), 'it would keep the other one, too');
    t.ok(link.value(key).equals(Buffer.alloc(VALUE_BYTES, fill)));
  }
  const { usedBytes } = link.backup;
  t.ok(usedBytes >= 3 * VALUE_BYTES && usedBytes < 3 * VALUE_BYTES + BESIDE_BYTES, `${usedBytes}`);
  t.end();
});

t.test('a value that was kept is changed and removed as any other', (t) => {
  const link = new Link();
  link.send(FrameType.Set, link.set('k', VALUE_BYTES, 7));
  const end = Buffer.from('end');
  link.backup.splice(link.received('k'), VALUE_BYTES, 0, end, 0, end.length);
  t.ok(link.value('k').equals(Buffer.concat([Buffer.alloc(VALUE_BYTES, 7), end])));
  link.backup.splice(link.received('k'), 3, VALUE_BYTES, end, 0, 0);
  t.equal(link.value('k').toString(), '\x07\x07\x07');
  link.send(FrameType.Set, link.set('k', VALUE_BYTES, 8));
  link.backup.remove(link.received('k'));
  t.ok(link.backup.usedBytes < BESIDE_BYTES, 'all memory is given back');
  t.end();
});
