import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { Forwarding } from '../../lib/cluster/forwarding.js';
import type { LargeSender } from '../../lib/cluster/large-sender.js';
import type { Executor } from '../../lib/cluster/operation.js';
import type { Peer } from '../../lib/cluster/peer.js';
import type { Streams } from '../../lib/cluster/streams.js';

/** A FORWARD: request id, protocol 2, database 0, and the arguments. */
function frameOf(...args: Buffer[]): Buffer {
  const head = Buffer.alloc(14 + 4 * args.length);
  head.writeDoubleLE(1, 0);
  head[8] = 2;
  head.writeUInt32LE(args.length, 10);
  args.forEach((arg, i) => {
    head.writeUInt32LE(arg.length, 14 + 4 * i);
  });
  return Buffer.concat([head, ...args]);
}

function forwardingThatKnows(executor: Partial<Executor>): Forwarding {
  const unused = {};
  return new Forwarding(
    unused as ClusterState,
    unused as Streams,
    unused as LargeSender,
    executor as Executor,
  );
}

t.test(
  'a command that this release does not know is refused, and leaves nothing of its frame in memory',
  async (t) => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const forwarding = forwardingThatKnows({ classify: () => null });
    // Nobody is there to be told.
    const peer = { isLive: false } as Peer;
    const receive = (): WeakRef<ArrayBufferLike> => {
      const frame = frameOf(Buffer.from('NEWER'), Buffer.from('k'), Buffer.alloc(1_000_000));
      t.ok(forwarding.receiveForward(peer, frame, 0, frame.length));
      return new WeakRef(frame.buffer);
    };
    const memory = receive();
    t.equal(forwarding.open, 0);
    // A reference is kept until the end of the turn in which it was made.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    t.equal(memory.deref(), undefined);
  },
);

t.test('a FORWARD whose numbers do not add up breaks the link', (t) => {
  const classify = (): null => {
    t.fail('was read');
    return null;
  };
  const forwarding = forwardingThatKnows({ classify });
  const peer = { isLive: true } as Peer;
  const whole = frameOf(Buffer.from('GET'), Buffer.from('key'));
  const changed = (at: number, byte: number): Buffer => {
    const frame = Buffer.from(whole);
    frame[at] = byte;
    return frame;
  };
  const broken = [
    Buffer.alloc(0),
    whole.subarray(0, 13),
    whole.subarray(0, whole.length - 1),
    Buffer.concat([whole, Buffer.from('x')]),
    changed(8, 4),
    changed(10, 0),
    changed(10, 200),
    changed(12, 255),
    changed(14, 4),
    changed(17, 255),
  ];
  for (const frame of broken) t.notOk(forwarding.receiveForward(peer, frame, 0, frame.length));
  t.equal(forwarding.open, 0);
  t.end();
});
