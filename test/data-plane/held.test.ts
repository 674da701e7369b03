import t from 'tap';
import { ClusterState } from '../../lib/cluster/cluster-state.js';
import { FrameType } from '../../lib/cluster/frames.js';
import { FramesAhead } from '../../lib/cluster/frames-ahead.js';
import type { Member } from '../../lib/cluster/member.js';
import type { MembershipView } from '../../lib/cluster/membership/contract.js';
import type { Peer } from '../../lib/cluster/peer.js';
import { Streams } from '../../lib/cluster/streams.js';
import { FrameReader } from '../../lib/protocol/bus-frames.js';
import { Store } from '../../lib/store/store.js';

const NODE_TIMEOUT_MS = 2000;
const LINK = 1;
const CONFIG = {
  nodeTimeoutMs: NODE_TIMEOUT_MS,
  locationList: 'anchor',
  minBackupsToWrite: 0,
} as ConstructorParameters<typeof ClusterState>[1];

const memberOf = (id: string): Member => ({
  id,
  host: '127.0.0.1',
  port: 1,
  busPort: 2,
  zone: '',
  leaving: false,
});

/** The streams of one of two members, with what it has written on its data link. */
class End {
  readonly written: Buffer[] = [];
  readonly state: ClusterState;
  readonly streams: Streams;
  readonly other: Peer;
  broken = 0;
  /** Holds the leases that it needs. */
  serves = true;

  constructor(self: string, other: string) {
    const membership: Partial<MembershipView> = {
      self: memberOf(self),
      view: null,
      servesUntil: () => (this.serves ? Number.POSITIVE_INFINITY : 0),
      isDown: () => false,
      readsUntil: () => Number.POSITIVE_INFINITY,
      medianClockMs: (wall) => wall,
      isSilent: () => false,
      dataLinkBroken: () => this.broken++,
    };
    this.state = new ClusterState(
      new Store({ seed: 1 }),
      CONFIG,
      () => membership as MembershipView,
    );
    this.state.now = 1;
    const host = {
      dialData: () => LINK,
      sendData: (_link: number, buffer: Buffer, start: number, end: number) =>
        this.written.push(Buffer.from(buffer.subarray(start, end))),
      closeData: () => undefined,
      wantFlush: () => undefined,
      wantFlushIn: () => undefined,
    };
    const ahead = new FramesAhead(this.state.store);
    this.streams = new Streams(this.state, host, { handle: () => true }, ahead);
    const id = { number: 1, coordinator: self };
    const members = [memberOf('a'), memberOf('b')];
    this.state.install({ id, seed: 1, members });
    this.state.refreshLeases();
    this.streams.mark(this.state.view!);
    this.other = this.state.peerById(other)!;
  }

  tick(now: number): void {
    this.state.now = now;
    this.state.refreshLeases();
    this.streams.tick();
    this.streams.flush();
  }

  /** What was written since the last time. */
  take(): Buffer {
    return Buffer.concat(this.written.splice(0));
  }
}

function typesOf(bytes: Buffer): number[] {
  const reader = new FrameReader(1 << 20);
  reader.feed(bytes, bytes.length);
  const types: number[] = [];
  while (reader.next()) types.push(reader.type);
  return types;
}

/** A link whose dialler `a` has read the other's RESUME; its own one is not to arrive yet. */
function halfResumed(): { a: End; b: End; late: Buffer } {
  const a = new End('a', 'b');
  const b = new End('b', 'a');
  a.streams.dataOpened(LINK);
  b.streams.dataAccepted(LINK, 'a');
  const late = a.take();
  const greeting = b.take();
  t.same(typesOf(greeting), [FrameType.Taken, FrameType.Resume]);
  a.streams.dataReceived(LINK, greeting, greeting.length);
  return { a, b, late };
}

t.test(
  'who reads nothing for want of leases says HELD, also on a link that is not resumed',
  async (t) => {
    const { a, b, late } = halfResumed();
    a.tick(100);
    const frames = a.take();
    t.same(typesOf(frames), [FrameType.View], 'what is not acked from now on');
    b.serves = false;
    b.state.refreshLeases();
    b.streams.dataReceived(LINK, late.subarray(0, 3), 3);
    t.notOk(b.other.stream.resumed);
    for (let now = 100; now < 3 * NODE_TIMEOUT_MS; now += NODE_TIMEOUT_MS / 40) {
      b.tick(now);
      const said = b.take();
      t.ok(typesOf(said).includes(FrameType.Held));
      a.streams.dataReceived(LINK, said, said.length);
      a.tick(now);
    }
    t.equal(a.broken, 0, 'its link does not count as broken');
  },
);

t.test('without HELD the same link counts as broken', async (t) => {
  const { a } = halfResumed();
  for (let now = 100; now < 3 * NODE_TIMEOUT_MS; now += NODE_TIMEOUT_MS / 40) a.tick(now);
  t.ok(a.broken > 0, 'it is reset after half a node-timeout, and then again');
});

t.test('nothing is said on a link before RESUME', async (t) => {
  const a = new End('a', 'b');
  a.serves = false;
  a.other.isPaused = true;
  for (let now = 100; now < NODE_TIMEOUT_MS; now += 50) a.tick(now);
  t.same(typesOf(a.take()), [], 'dialled, and not open yet');
  a.streams.dataOpened(LINK);
  a.tick(NODE_TIMEOUT_MS);
  t.same(typesOf(a.take()), [FrameType.Taken, FrameType.Resume, FrameType.Held]);
});
