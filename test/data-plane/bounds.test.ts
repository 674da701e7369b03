import t from 'tap';
import type { AwaitedKeys } from '../../lib/cluster/awaited-keys.js';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { Routing } from '../../lib/cluster/routing.js';
import { ClusterStatistics } from '../../lib/cluster/statistics.js';
import { Swapping } from '../../lib/cluster/swapping.js';
import type { Task } from '../../lib/cluster/task.js';
import { ValueType } from '../../lib/store/store.js';
import { keysOf } from '../scenarios/scenario.js';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';

/** What waits in the cluster part has bounds: past them one is told so, and it is counted. */

const QUERIES_MAX = 10_000;
const WAITING_MAX = 1000;
const HINTS_MAX = 250_000;
const PARKED_MAX = 100_000;
const PACED_MOVES_MAX = 64;
const KEYS_PER_MS = 60;
const PACE_LOOK_MS = 10;
const GATHERS_MAX = 10_000;

function formed(nodes: number): ScriptedCluster {
  const cluster = new ScriptedCluster(1, { nodes, longHistories: true });
  cluster.form();
  return cluster;
}

t.test('questions to all members: QUERIES_MAX', (t) => {
  const cluster = formed(2);
  const { node } = cluster.process(0);
  const asked: boolean[] = [];
  cluster.process(0).input('questions', () => {
    for (let i = 0; i <= QUERIES_MAX; i++)
      asked.push(node.router.locating.locate(0, Buffer.from('k'), () => undefined));
  });
  t.same([asked.indexOf(false), asked.at(-1)], [QUERIES_MAX, false]);
  t.equal(node.state.statistics.limits.all.get('queries'), 1);
  t.same(cluster.finish(), []);
  t.end();
});

t.test('SWAPDBs that wait: WAITING_MAX', (t) => {
  const statistics = new ClusterStatistics();
  const membership = { membersMissing: () => 0 };
  const state = {
    isAlone: true,
    isServing: true,
    now: 0,
    deadline: () => 1,
    membership,
    statistics,
  };
  const isAtRest = (): boolean => false;
  const swapping = new Swapping(state as unknown as ClusterState, isAtRest, () => undefined);
  const swap = (): boolean => swapping.run(0, 1, () => undefined);
  for (let i = 0; i < WAITING_MAX; i++) if (!swap()) t.fail(`the one after ${i}`);
  t.notOk(swap());
  t.equal(statistics.limits.all.get('swaps'), 1);
  t.end();
});

t.test('members that wait for keys, as their anchor remembers: HINTS_MAX', (t) => {
  const cluster = formed(2);
  const { node } = cluster.process(0);
  const keyWaits = node.router.keyWaits as AwaitedKeys;
  const [peer] = node.state.livePeers();
  const anchored = 'of this node: ';
  let last = 0;
  cluster.process(0).input('waits', () => {
    for (let i = 0; node.state.statistics.hintsRefused === 0; i++) {
      last = i;
      const key = Buffer.from(`${anchored}${i}`);
      const frame = Buffer.concat([Buffer.from([0, ValueType.List, 0]), key]);
      keyWaits.receive(peer!, frame, 0, frame.length);
    }
  });
  t.equal(keyWaits.hints, HINTS_MAX);
  t.ok(last > HINTS_MAX, 'those of other anchors are not kept here');
  t.end();
});

t.test('commands that wait for leases or a view: PARKED_MAX', (t) => {
  const state = { now: 0, statistics: new ClusterStatistics() };
  const parts = { state, claims: {}, forwarding: {} };
  const routing = new Routing(parts as unknown as ConstructorParameters<typeof Routing>[0]);
  const refused: string[] = [];
  const sink = { complete: (_token: number, reply: Buffer) => void refused.push(reply.toString()) };
  const task = { deadline: 1, from: null, operation: { token: 1, sink } } as unknown as Task;
  for (let i = 0; i < PARKED_MAX; i++) routing.park(task);
  t.same(refused, []);
  routing.park(task);
  t.equal(routing.parked, PARKED_MAX);
  t.match(refused, [/^-TRYAGAIN /]);
  t.equal(state.statistics.limits.all.get('parked'), 1);
  t.end();
});

t.test('commands that gather keys of several nodes: GATHERS_MAX', (t) => {
  const cluster = formed(2);
  const { node } = cluster.process(0);
  cluster.pause(1);
  const keys = keysOf(20).flatMap((key) => [key, 'v']);
  for (let i = 0; i <= GATHERS_MAX; i++) cluster.send(0, 'MSETNX', ...keys);
  const { limits } = node.state.statistics;
  cluster.until('one is refused', () => limits.all.get('gathers')! > 0, 1500);
  t.ok(node.open['gathers']! >= GATHERS_MAX);
  t.end();
});

t.test('what a member has not acknowledged: BACKLOG_BYTES_MAX', (t) => {
  const cluster = formed(2);
  const { node } = cluster.process(0);
  const value = 'x'.repeat(60_000);
  const [peer] = node.state.livePeers();
  cluster.pause(1);
  const keys = keysOf(3000);
  let sent = 0;
  cluster.until('full', () => {
    if (peer!.stream.isFull) return true;
    for (const key of keys.slice(sent, sent + 100)) cluster.send(0, 'SET', key, value);
    sent += 100;
    return false;
  });
  cluster.send(0, 'SET', 's0', value);
  cluster.until('one waits', () => (node.state.statistics.limits.all.get('bus-backlog') ?? 0) > 0);
  t.ok(node.busBacklogBytes < 80 * 1024 * 1024, `${node.busBacklogBytes} bytes`);
  cluster.resume(1);
  t.same(cluster.finish(), []);
  t.end();
});

t.test('keys on their way to a node that has joined: PACED_MOVES_MAX, and KEYS_PER_MS', (t) => {
  const delays = { delayMsMax: 0.1, lateShare: 0 };
  const cluster = new ScriptedCluster(1, { nodes: 2, spares: 1, longHistories: true, ...delays });
  cluster.form();
  const keys = keysOf(6000);
  cluster.answers(keys.map((key) => cluster.send(0, 'SET', key, key)));
  cluster.settled();
  const { moves, state } = cluster.process(0).node;
  const started: number[] = [];
  let most = 0;
  const watches = [
    cluster.repeat(0.05, () => {
      most = Math.max(most, moves.open);
    }),
    cluster.repeat(PACE_LOOK_MS, () => started.push(state.statistics.changeOvers)),
  ];
  cluster.start(2);
  cluster.until('it has joined', () => state.view?.members.length === 3);
  cluster.settled();
  for (const stop of watches) stop();
  const moved = keys.filter((key) => cluster.pair(key)[1] === 2).length;
  t.ok(moved > keys.length / 3, `${moved} keys moved`);
  // The keys of one slot are not parted: some come on top.
  t.ok(most > PACED_MOVES_MAX / 2 && most < PACED_MOVES_MAX + 8, `${most} at a time`);
  const fastest = Math.max(...started.slice(1).map((count, i) => count - started[i]!));
  const fair = KEYS_PER_MS * PACE_LOOK_MS;
  t.ok(fastest > fair / 2 && fastest < 1.2 * fair, `${fastest} in ${PACE_LOOK_MS} ms`);
  t.same(cluster.finish(), []);
  t.end();
});

t.test('keys that have lost a copy do not go by that pace', (t) => {
  const cluster = formed(3);
  const keys = keysOf(3000);
  cluster.answers(keys.map((key) => cluster.send(0, 'SET', key, key)));
  cluster.settled();
  const { moves } = cluster.process(0).node;
  cluster.kill(1);
  cluster.until('many at a time', () => moves.open > 2 * PACED_MOVES_MAX);
  t.same(cluster.finish(), []);
  t.end();
});
