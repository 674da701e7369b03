import t from 'tap';
import {
  KEY_BYTES,
  measureSessions,
  type SessionTraffic,
  toAllNodes,
} from '../../benchmarks/traffic/session-traffic.js';
import { SimulatedCluster } from '../../benchmarks/traffic/simulated-cluster.js';
import type { LocationList } from '../../benchmarks/traffic/traffic-cluster.js';

const VALUE_BYTES = 500;
/** Length, type and two offsets. */
const ACK_BYTES = 21;
/** Sizes of clusters that are compared: the last is eight times the first with more than two holders. */
const SIZES = [2, 4, 8, 16, 32];

const measure = (nodes: number, list: LocationList): Promise<SessionTraffic> =>
  measureSessions(new SimulatedCluster(nodes, list), list, {
    sessionsPerNode: 20,
    valueBytes: VALUE_BYTES,
  });

t.test('one backup: a session costs the same in a cluster of any size', async (t) => {
  const all: SessionTraffic[] = [];
  for (const nodes of SIZES) all.push(await measure(nodes, 'anchor'));
  for (const { nodes, create, update, touch } of all) {
    t.same(update.byKind, { ack: 1, set: 1 }, `${nodes} nodes: an update is one frame and its ack`);
    t.ok(
      update.bytes - ACK_BYTES <= VALUE_BYTES + 64,
      `${nodes} nodes: the frame of an update, ${update.bytes - ACK_BYTES} bytes`,
    );
    t.same(touch.byKind, { ack: 1, expire: 1 }, `${nodes} nodes: so is a touch`);
    t.ok(
      touch.bytes - ACK_BYTES <= 80,
      `${nodes} nodes: the frame of a touch, ${touch.bytes - ACK_BYTES} bytes`,
    );
    t.equal(update.bytes, all[0]!.update.bytes);
    t.equal(touch.bytes, all[0]!.touch.bytes);
    // A claim, its confirmation and an ack for each, where the anchor is not the node itself: at most that.
    const most = VALUE_BYTES + KEY_BYTES + 100;
    t.ok(create.bytes <= most, `${nodes} nodes: a new session, ${create.bytes} bytes`);
    t.ok(create.messages <= 4, `${nodes} nodes: a new session, ${create.messages} messages`);
  }
});

t.test(
  'the list on all nodes: what is new costs a record for each, the rest nothing',
  async (t) => {
    const [small, large] = [await measure(4, 'all'), await measure(12, 'all')];
    t.equal(small.create.byKind['record'], 2);
    t.equal(large.create.byKind['record'], 10);
    const perNode = (large.create.bytes - small.create.bytes) / 8;
    t.ok(perNode > KEY_BYTES && perNode < 120, `${perNode} bytes for each further node`);
    t.equal(large.update.bytes, small.update.bytes);
  },
);

t.test('replication to all nodes is computed from one copy and its ack', async (t) => {
  const update = { bytes: 585, messages: 2, byKind: { set: 1, ack: 1 } };
  t.same(toAllNodes(update, 2), update);
  t.same(toAllNodes(update, 9), { bytes: 4680, messages: 16, byKind: { set: 8, ack: 8 } });
});
