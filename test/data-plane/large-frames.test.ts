import t from 'tap';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { FrameType, KeyFrame } from '../../lib/cluster/frames.js';
import { PART_BYTES } from '../../lib/cluster/large-frame.js';
import { LargeReceiver } from '../../lib/cluster/large-receiver.js';
import { LargeSender } from '../../lib/cluster/large-sender.js';
import { Peer } from '../../lib/cluster/peer.js';
import { ClusterStatistics } from '../../lib/cluster/statistics.js';
import type { Streams } from '../../lib/cluster/streams.js';
import { type Ref, Store, ValueType } from '../../lib/store/store.js';

const VALUE_BYTES = 10 * 1024 * 1024;
/** Parts that wait for acks, and the one that is on its way in any case. */
const UNACKED_BYTES_MAX = 512 * 1024 + 64 * 1024;

const member = { id: 'b', host: 'b', port: 1, busPort: 2, zone: '', leaving: false };

class Pair {
  readonly store = new Store({ seed: 1 });
  readonly peer = new Peer(1, member);
  readonly statistics = new ClusterStatistics();
  readonly sender: LargeSender;
  readonly receiver: LargeReceiver;
  /** Values of the frames that were put together, by key. */
  readonly received: { type: number; version: number; value: Buffer }[] = [];
  acknowledged = 0;

  constructor() {
    this.peer.stream.resumed = true;
    const config = { partBytes: PART_BYTES };
    const { store, statistics } = this;
    const state = { store, config, statistics } as unknown as ClusterState;
    const streams = { appended() {}, wantFlush() {} } as unknown as Streams;
    this.sender = new LargeSender(state, streams, []);
    this.receiver = new LargeReceiver(state, {
      handle: (_peer, type, buffer, start, end) => {
        const frame = new KeyFrame();
        frame.read(buffer, start, end);
        const value = Buffer.from(buffer.subarray(frame.valueStart, frame.valueEnd));
        this.received.push({ type, version: frame.version, value });
        return true;
      },
    });
  }

  set(key: string, bytes: number, fill: number, version: number): Ref {
    const name = Buffer.from(key);
    let ref = this.store.find(0, name, 0, name.length);
    if (ref === 0) ref = this.store.create(0, name, 0, name.length, ValueType.String, bytes);
    else ref = this.store.resize(ref, bytes);
    const start = this.store.valueStart(ref);
    this.store.valueBuffer(ref).fill(fill, start, start + bytes);
    this.store.setVersion(ref, version);
    return ref;
  }

  awaitAck(ticket: number): void {
    const acknowledged = () => {
      this.acknowledged += 1;
    };
    this.peer.stream.awaitAck(ticket, { acknowledged, complete() {}, fail() {} }, 0);
  }

  /** One turn of the receiver: everything that was sent is processed and acked. */
  receive(): number {
    const { log } = this.peer.stream;
    let largest = 0;
    log.eachFrame(log.ackedOffset, (type, buffer, start, end) => {
      largest = Math.max(largest, end - start);
      const isPart = type === FrameType.Part;
      const isRead = isPart
        ? this.receiver.receivePart(this.peer, buffer, start, end)
        : this.receiver.receiveWhole(this.peer, buffer, start, end);
      if (!isRead) throw new Error(`frame of type ${type} was not understood`);
    });
    this.peer.stream.acknowledged(log.endOffset, 0);
    return largest;
  }
}

t.test('a large value goes in parts, and never more than a window of it at once', (t) => {
  const pair = new Pair();
  const ref = pair.set('k', VALUE_BYTES, 7, 1);
  pair.awaitAck(pair.sender.sendEntry(pair.peer, FrameType.Set, ref, 3));
  let turns = 0;
  while (pair.received.length === 0) {
    turns++;
    while (pair.sender.pump());
    const { pendingBytes } = pair.peer.stream.log;
    if (pendingBytes > UNACKED_BYTES_MAX) t.fail(`${pendingBytes} bytes before a small frame`);
    t.equal(pair.acknowledged, 0, 'not acked before the last part');
    if (pair.receive() > 64 * 1024) t.fail('a part is larger than 64 KB');
  }
  t.ok(turns >= VALUE_BYTES / UNACKED_BYTES_MAX, `${turns} turns`);
  t.equal(pair.acknowledged, 1);
  t.ok(pair.received[0]!.value.equals(Buffer.alloc(VALUE_BYTES, 7)));
  t.equal(pair.statistics.assemblyBytes, 0);
  t.equal(pair.sender.open, 0);
  t.end();
});

t.test('a value that changes on its way arrives as it is at the end', (t) => {
  const pair = new Pair();
  const ref = pair.set('k', VALUE_BYTES, 1, 1);
  pair.awaitAck(pair.sender.sendEntry(pair.peer, FrameType.Set, ref, 3));
  pair.sender.pump();
  pair.receive();
  const changed = pair.set('k', VALUE_BYTES + 1000, 2, 2);
  pair.awaitAck(pair.sender.sendEntry(pair.peer, FrameType.Set, changed, 3));
  while (pair.sender.open > 0) {
    pair.sender.pump();
    pair.receive();
  }
  t.equal(pair.received.length, 1);
  t.equal(pair.received[0]!.version, 2);
  t.ok(pair.received[0]!.value.equals(Buffer.alloc(VALUE_BYTES + 1000, 2)));
  t.equal(pair.acknowledged, 2);
  t.end();
});

t.test('a value that is flushed on its way is dropped at both ends', (t) => {
  const pair = new Pair();
  const ref = pair.set('k', VALUE_BYTES, 1, 1);
  pair.awaitAck(pair.sender.sendEntry(pair.peer, FrameType.Set, ref, 3));
  pair.sender.pump();
  pair.receive();
  t.ok(pair.statistics.assemblyBytes > VALUE_BYTES);
  pair.store.remove(ref);
  pair.sender.pump();
  pair.receive();
  t.equal(pair.received.length, 0);
  t.equal(pair.acknowledged, 1);
  t.equal(pair.statistics.assemblyBytes, 0);
  t.end();
});

t.test('what somebody waits for and what is paced go in turn', (t) => {
  const pair = new Pair();
  const paced = pair.set('paced', VALUE_BYTES, 1, 1);
  pair.sender.sendEntry(pair.peer, FrameType.Copy, paced, 0);
  const urgent = pair.set('urgent', 1024 * 1024, 2, 2);
  pair.sender.sendEntry(pair.peer, FrameType.Set, urgent, 3);
  while (pair.sender.open > 0) {
    pair.sender.pump();
    pair.receive();
  }
  t.same(
    pair.received.map(({ type }) => type),
    [FrameType.Set, FrameType.Copy],
  );
  t.end();
});

t.test('parts that do not fit together are refused', (t) => {
  const pair = new Pair();
  const part = (lane: number, number: number, head: number, total: number, bytes: number) => {
    const frame = Buffer.alloc(13 + bytes);
    frame[0] = lane;
    frame.writeUInt32LE(number, 1);
    frame.writeUInt32LE(head, 5);
    frame.writeUInt32LE(total, 9);
    return pair.receiver.receivePart(pair.peer, frame, 0, frame.length);
  };
  t.equal(part(2, 1, 0, 10, 5), false, 'no such lane');
  t.equal(part(0, 1, 20, 10, 5), false, 'more head than frame');
  t.equal(part(0, 1, 0, 2 ** 31, 5), false, 'larger than any value');
  t.equal(part(0, 1, 22, 32, 5), true);
  t.equal(part(0, 1, 22, 32, 6), false, 'more than was announced');
  const whole = Buffer.alloc(6 + 22);
  whole.writeUInt32LE(1, 1);
  whole[5] = FrameType.Set;
  t.equal(pair.receiver.receiveWhole(pair.peer, whole, 0, whole.length), false, 'not all has come');
  whole[5] = FrameType.Drop;
  t.equal(pair.receiver.receiveWhole(pair.peer, whole, 0, whole.length), false, 'not in parts');
  pair.receiver.peerLost(pair.peer);
  t.equal(pair.statistics.assemblyBytes, 0);
  t.end();
});
