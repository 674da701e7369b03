import t from 'tap';
import type { Member } from '../../lib/cluster/member.js';
import type { LinkEnd } from '../../lib/cluster/membership/contract.js';
import { Leases } from '../../lib/cluster/membership/leases.js';
import { Peers } from '../../lib/cluster/membership/peers.js';
import { timingOf } from '../../lib/cluster/membership/timing.js';

const timing = timingOf(2000);
const OTHER: Member = {
  id: 'b'.repeat(40),
  host: 'b',
  port: 6379,
  busPort: 16379,
  zone: '',
  leaving: false,
};

/** Links to one other node; `dials` counts them, the last one has that number. */
function links() {
  const state = { dials: 0, refusals: 0 };
  const peers = new Peers(timing, new Leases(timing), {
    send: () => undefined,
    self: () => ({ ...OTHER, id: 'a'.repeat(40) }),
    dial: () => ++state.dials,
    close: () => undefined,
    report: () => {
      throw new Error('nothing is pinged here');
    },
    connected: () => undefined,
    refused: () => state.refusals++,
  });
  const peer = peers.add(OTHER, 0);
  const ends = (end: LinkEnd, now: number) => peers.linkClosed(peer, state.dials, end, now);
  return { state, peers, ends };
}

t.test(
  'a fresh connection that is reset is tried again at once, and then with a tick',
  async (t) => {
    const { state, peers, ends } = links();
    ends('reset', 10);
    t.equal(state.dials, 2, 'its port may have closed in this moment: now it refuses');
    ends('refused', 11);
    t.equal(state.refusals, 1);
    peers.tick(12);
    t.equal(state.dials, 2);

    const other = links();
    other.ends('reset', 10);
    other.ends('reset', 11);
    t.equal(other.state.dials, 2, 'not again and again');
    other.peers.tick(12 + timing.tickMs);
    t.equal(other.state.dials, 3);
    other.ends('closed', 100);
    t.equal(other.state.dials, 3);
  },
);

t.test('a fresh connection that hangs says nothing about the port', async (t) => {
  const { state, ends } = links();
  ends('timeout', 10);
  t.equal(state.dials, 1);
});
