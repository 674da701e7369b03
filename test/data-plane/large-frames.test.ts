import t from 'tap';
import { AtomicFrames } from '../../lib/cluster/atomic-frames.js';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { Flag } from '../../lib/cluster/entry-flags.js';
import { FrameType, KeyFrame } from '../../lib/cluster/frames.js';
import type { Key } from '../../lib/cluster/key.js';
import { PART_BYTES } from '../../lib/cluster/large-frame.js';
import { LargeReceiver } from '../../lib/cluster/large-receiver.js';
import { LargeSender } from '../../lib/cluster/large-sender.js';
import { Peer } from '../../lib/cluster/peer.js';
import { ClusterStatistics } from '../../lib/cluster/statistics.js';
import { BODIES_BYTES_MAX } from '../../lib/cluster/stream.js';
import type { Streams } from '../../lib/cluster/streams.js';
import { isTicket } from '../../lib/cluster/tickets.js';
import { type Ref, Role, Store, ValueType } from '../../lib/store/store.js';

/** Entries whose values go whole. */
const whole = (...refs: Ref[]) => new Map(refs.map((ref) => [ref, null]));

const VALUE_BYTES = 10 * 1024 * 1024;
/** Parts that wait for acks, and the one that is on its way in any case. */
const UNACKED_BYTES_MAX = 512 * 1024 + 64 * 1024;

const KEY_FRAMES = new Set<number>([FrameType.Set, FrameType.Copy]);

const member = { id: 'b', host: 'b', port: 1, busPort: 2, zone: '', leaving: false };

/** A link from a node to one other. */
class Pair {
  readonly store = new Store({ seed: 1 });
  readonly peer = new Peer(1, member);
  readonly statistics = new ClusterStatistics();
  readonly sender: LargeSender;
  readonly receiver: LargeReceiver;
  readonly atomicFrames: AtomicFrames;
  /** Frames of keys that were put together. */
  readonly received: { type: number; version: number; value: Buffer }[] = [];
  /** Other frames, as they were handed on. */
  readonly handed: { type: number; bytes: Buffer }[] = [];
  /** What the keepers of tickets were told. */
  readonly closed: { key: string; ticket: number; offset: number }[] = [];
  acknowledged = 0;

  #version = 100;

  constructor() {
    this.peer.stream.resumed = true;
    const config = { partBytes: PART_BYTES };
    const { store, statistics } = this;
    const clock = { next: () => ++this.#version };
    const livePeer = () => this.peer;
    const state = { store, config, statistics, clock, livePeer } as unknown as ClusterState;
    const streams = { appended() {}, wantFlush() {} } as unknown as Streams;
    const ticketClosed = (key: Key, ticket: number, offset: number): void => {
      this.closed.push({ key: key.id, ticket, offset });
    };
    this.sender = new LargeSender(state, streams, [{ ticketClosed }]);
    this.atomicFrames = new AtomicFrames(state, this.sender);
    this.receiver = new LargeReceiver(state, {
      handle: (_peer, type, buffer, start, end) => {
        if (!KEY_FRAMES.has(type)) {
          this.handed.push({ type, bytes: Buffer.from(buffer.subarray(start, end)) });
          return true;
        }
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

  /** A question or answer of so many bytes. */
  ask(type: number, bytes: number, fill: number): Buffer {
    const body = Buffer.alloc(bytes, fill);
    this.sender.append(this.peer, type, bytes, (log) => log.bytes(body, 0, bytes));
    return body;
  }

  /** One turn of the receiver: everything that was sent is processed and acked. Returns the largest frame's bytes. */
  receive(): number {
    const { log } = this.peer.stream;
    let largest = 0;
    log.eachFrame(log.ackedOffset, (type, buffer, start, end) => {
      largest = Math.max(largest, end - start);
      if (type !== FrameType.Part && type !== FrameType.Whole) {
        this.handed.push({ type, bytes: Buffer.from(buffer.subarray(start, end)) });
        return;
      }
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

t.test(
  'a large value that is made anew while the flushed one is on its way is on its way, too',
  (t) => {
    const pair = new Pair();
    const flushed = pair.set('k', VALUE_BYTES, 1, 1);
    pair.sender.sendEntry(pair.peer, FrameType.Set, flushed, 3);
    pair.sender.pump();
    pair.store.remove(flushed);
    const ref = pair.set('k', VALUE_BYTES, 2, 2);
    pair.sender.sendEntry(pair.peer, FrameType.Set, ref, 3);
    const isSending = () => (pair.store.flags(ref) & Flag.Sending) !== 0;
    t.ok(isSending(), 'what changes of it now waits for the value');
    while (pair.received.length === 0) {
      while (pair.sender.pump());
      pair.receive();
    }
    t.same(
      pair.received.map(({ version, value }) => [version, value[0]]),
      [[2, 2]],
    );
    t.notOk(isSending());
    t.end();
  },
);

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

for (const isChanged of [false, true]) {
  const what = isChanged ? 'changed, and then flushed' : 'flushed';
  t.test(`a value that is ${what} on its way is dropped at both ends`, (t) => {
    const pair = new Pair();
    let ref = pair.set('k', VALUE_BYTES, 1, 1);
    pair.awaitAck(pair.sender.sendEntry(pair.peer, FrameType.Set, ref, 3));
    pair.sender.pump();
    pair.receive();
    t.ok(pair.statistics.assemblyBytes > VALUE_BYTES);
    if (isChanged) {
      ref = pair.set('k', VALUE_BYTES, 2, 2);
      pair.sender.sendEntry(pair.peer, FrameType.Set, ref, 3);
    }
    pair.store.remove(ref);
    pair.sender.pump();
    pair.receive();
    t.equal(pair.received.length, 0);
    t.equal(pair.acknowledged, 1);
    t.equal(pair.statistics.assemblyBytes, 0);
    t.end();
  });
}

t.test('a claim goes no further when its entry has become what another node gave away', (t) => {
  const pair = new Pair();
  const ref = pair.set('k', VALUE_BYTES, 1, 1);
  pair.store.setFlags(ref, Flag.Busy);
  pair.awaitAck(pair.sender.sendEntry(pair.peer, FrameType.Claim, ref, 3));
  pair.sender.pump();
  pair.receive();
  t.equal(pair.acknowledged, 0);
  pair.store.setFlags(ref, 0);
  pair.sender.pump();
  pair.receive();
  t.same(pair.handed, []);
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

t.test('small questions go between the parts of a large answer', (t) => {
  const pair = new Pair();
  const answer = pair.ask(FrameType.Answer, VALUE_BYTES, 1);
  t.equal(pair.peer.stream.bodyBytes, VALUE_BYTES);
  let asked = 0;
  while (pair.sender.open > 0) {
    pair.sender.pump();
    pair.ask(FrameType.Query, 100, 2);
    asked++;
    if (pair.peer.stream.log.pendingBytes > UNACKED_BYTES_MAX + 200) t.fail('it waits for more');
    if (pair.receive() > 64 * 1024) t.fail('a frame is larger than 64 KB');
  }
  t.ok(asked >= VALUE_BYTES / UNACKED_BYTES_MAX, `${asked} were asked meanwhile`);
  t.equal(pair.handed.length, asked + 1);
  const [first] = pair.handed.filter(({ type }) => type === FrameType.Answer);
  t.ok(first!.bytes.equals(answer), 'as it was');
  t.ok(pair.handed.indexOf(first!) >= asked - 1, 'the answer came last');
  t.equal(pair.peer.stream.bodyBytes, 0);
  t.equal(pair.statistics.assemblyBytes, 0);
  t.end();
});

t.test('what is no larger than a part goes at once', (t) => {
  const pair = new Pair();
  pair.ask(FrameType.Answer, PART_BYTES, 1);
  t.equal(pair.sender.open, 0);
  pair.receive();
  t.equal(pair.handed[0]?.bytes.length, PART_BYTES);
  t.end();
});

t.test('a large change of several keys is applied and acked as one', (t) => {
  const pair = new Pair();
  const one = pair.set('one', VALUE_BYTES, 1, 1);
  const gone = pair.set('gone', 0, 0, 1);
  pair.store.setRole(gone, Role.Tombstone);
  const sent = pair.atomicFrames.append(whole(one, gone))!;
  t.ok(isTicket(sent.offset));
  t.equal(pair.store.changeOffset(gone), sent.offset, 'what was deleted waits for it too');
  pair.awaitAck(sent.offset);
  while (pair.handed.length === 0) {
    t.equal(pair.acknowledged, 0);
    t.same(pair.closed, []);
    // It is sent as it was, whatever has become of the entry.
    pair.set('one', 10, 9, 1000);
    pair.sender.pump();
    pair.receive();
  }
  t.equal(pair.acknowledged, 1);
  t.equal(pair.handed[0]!.type, FrameType.Atomic);
  const offset = pair.closed[0]!.offset;
  t.same(
    pair.closed.map(({ key, ticket }) => [key, ticket]),
    [
      ['0:one', sent.offset],
      ['0:gone', sent.offset],
    ],
  );
  const name = Buffer.from('gone');
  t.equal(pair.store.changeOffset(pair.store.find(0, name, 0, name.length)), offset);
  const set = new KeyFrame();
  const { bytes } = pair.handed[0]!;
  t.ok(set.read(bytes, 5, 4 + bytes.readUInt32LE(0)));
  t.ok(bytes.subarray(set.valueStart, set.valueEnd).equals(Buffer.alloc(VALUE_BYTES, 1)));
  t.end();
});

t.test('a value that is held is not copied to be sent, but where a view is prepared', (t) => {
  for (const isPrepared of [false, true]) {
    const pair = new Pair();
    const one = pair.set('one', VALUE_BYTES, 1, 1);
    pair.store.setFlags(one, Flag.Held);
    const gone = pair.set('gone', 0, 0, 1);
    pair.store.setRole(gone, Role.Tombstone);
    const sent = pair.atomicFrames.append(whole(one, gone))!;
    pair.awaitAck(sent.offset);
    pair.sender.pump();
    pair.receive();
    if (isPrepared) pair.sender.keepLent();
    // Nobody does that to a key that is held: it shows whose bytes are sent.
    pair.store.valueBuffer(one).fill(7);
    while (pair.handed.length === 0) {
      pair.sender.pump();
      pair.receive();
    }
    t.equal(pair.acknowledged, 1);
    t.equal(pair.peer.stream.bodyBytes, 0);
    const { bytes } = pair.handed[0]!;
    const [gonePart, set] = [new KeyFrame(), new KeyFrame()];
    const from = 4 + bytes.readUInt32LE(0);
    t.ok(gonePart.read(bytes, 5, from));
    t.equal(bytes.toString('latin1', gonePart.keyStart, gonePart.keyEnd), 'gone');
    t.ok(set.read(bytes, from + 5, bytes.length));
    t.equal(set.valueEnd - set.valueStart, VALUE_BYTES);
    t.equal(bytes[set.valueStart], 1, 'what went before');
    t.equal(bytes[set.valueEnd - 1], isPrepared ? 1 : 7);
  }
  t.end();
});

t.test('the keys of a large change are known until it is acked', (t) => {
  const idsOf = (keys: readonly Key[] | undefined) => keys?.map(({ id }) => id);
  const unwritten = new Pair();
  const keys = (pair: Pair) => whole(pair.set('one', VALUE_BYTES, 1, 1), pair.set('two', 10, 1, 1));
  const { offset: ticket } = unwritten.atomicFrames.append(keys(unwritten))!;
  unwritten.sender.pump();
  unwritten.receive();
  t.same(idsOf(unwritten.sender.peerLost(unwritten.peer).get(ticket)), ['0:one', '0:two']);
  t.equal(unwritten.sender.open, 0);
  t.ok(unwritten.statistics.assemblyBytes > VALUE_BYTES);
  unwritten.receiver.peerLost(unwritten.peer);
  t.equal(unwritten.statistics.assemblyBytes, 0, 'the half that has come is dropped');
  t.same(unwritten.handed, []);

  const written = new Pair();
  written.atomicFrames.append(keys(written));
  while (written.sender.open > 0) {
    // All but what goes in this turn is acked, and gone from the backlog.
    written.receive();
    written.sender.pump();
  }
  const { endOffset } = written.peer.stream.log;
  t.same(idsOf(written.sender.peerLost(written.peer).get(endOffset)), ['0:one', '0:two']);

  const acked = new Pair();
  acked.atomicFrames.append(keys(acked));
  while (acked.sender.open > 0) {
    acked.sender.pump();
    acked.receive();
  }
  t.equal(acked.sender.peerLost(acked.peer).size, 0);
  t.end();
});

t.test('no two frames have one ticket, whoever they go to', (t) => {
  const pair = new Pair();
  const other = new Peer(2, { ...member, id: 'c' });
  const ref = pair.set('k', VALUE_BYTES, 1, 1);
  const first = pair.sender.sendEntry(pair.peer, FrameType.Set, ref, 3);
  const second = pair.sender.sendEntry(other, FrameType.Set, ref, 3);
  t.ok(isTicket(first) && isTicket(second));
  t.not(first, second);
  t.end();
});

t.test('a backlog of frames in parts holds back new commands', (t) => {
  const pair = new Pair();
  const { stream } = pair.peer;
  stream.bodyBytes = BODIES_BYTES_MAX;
  t.equal(stream.isFull, false);
  stream.bodyBytes++;
  t.equal(stream.isFull, true);
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
