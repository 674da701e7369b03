import { FrameType } from '../../lib/cluster/frames.js';
import { keysOf, mustNotHappen, setAll } from './scenario.js';
import type { ScriptedCluster } from './scripted-cluster.js';

/** What must not go on for ever: no node and no pair of nodes keeps itself busy. */

/** Compared all the time, whatever clients do; and acks of that. */
const BACKGROUND = new Set<number>([FrameType.Digest, FrameType.Ack]);

function framesSent(cluster: ScriptedCluster, counts = (_type: number): boolean => true): number {
  let sum = 0;
  for (const { node } of cluster.running) {
    node.state.statistics.framesSent.forEach((count, type) => {
      if (!BACKGROUND.has(type) && counts(type)) sum += count;
    });
  }
  return sum;
}

const forwards = (cluster: ScriptedCluster): number =>
  cluster.running.reduce((sum, { node }) => sum + node.state.statistics.forwards, 0);

// KeyDB 778: two nodes send each other the same update again and again.
mustNotHappen(16, 'Two nodes echo an update', { nodes: 3 }, (t, cluster) => {
  const before = framesSent(cluster);
  for (let i = 0; i < 50; i++) cluster.ask(0, 'SET', 'key', String(i));
  cluster.run(1000);
  const sent = framesSent(cluster) - before;
  t.ok(sent >= 49 && sent <= 60, `${sent} frames for 50 changes`);
  setAll(cluster, keysOf(50), 'v', 'PX', '3600000');
  cluster.settled();
  const quiet = framesSent(cluster);
  cluster.run(30_000);
  t.equal(framesSent(cluster), quiet, 'nothing is sent when nothing happens');
});

// redis 1400: a replica connects again each second. Here: to a node that is gone, and to one that is on its way.
mustNotHappen(16, 'A node that is gone is called without a pause', { nodes: 3 }, (t, cluster) => {
  setAll(cluster, keysOf(50), 'v');
  cluster.kill(2);
  cluster.settled();
  let dials = 0;
  const dial = cluster.network.dial.bind(cluster.network);
  cluster.network.dial = (...args) => {
    dials++;
    return dial(...args);
  };
  cluster.run(60_000);
  // Each of the two looks at its address with every heartbeat of 200 ms, so that it is found when it is back.
  t.ok(dials <= 2 * 300 + 20, `${dials} calls in a minute`);
  t.ok(dials > 20, 'it is looked for');
});

// redis 11667: a value larger than a buffer is sent again and again, since its link is closed for being too slow each time.
mustNotHappen(
  16,
  'A large value is sent again from its beginning each time that its link breaks',
  { nodes: 2 },
  (t, cluster) => {
    const bytes = 4_000_000;
    const random = cluster.scheduler.random('resets');
    const sent = (): number =>
      cluster.running.reduce((sum, { node }) => sum + node.state.statistics.busBytesSent, 0);
    const before = sent();
    const call = cluster.send(0, 'SET', 'large', 'x'.repeat(bytes));
    let resets = 0;
    cluster.until('it is on its way', () => sent() - before > 300_000);
    while (call.outcome === 'pending') {
      if (resets < 8 && cluster.network.resetSome('data', random)) resets++;
      cluster.run(8);
    }
    t.equal(call.outcome, 'replied');
    t.ok(resets >= 3, `the link broke ${resets} times`);
    const times = (sent() - before) / bytes;
    t.ok(times < 2.5, `${times.toFixed(2)} times its bytes were sent`);
    t.equal(cluster.ask(1, 'STRLEN', 'large'), String(bytes));
  },
);

// olric 54: requests go from node to node in a circle.
mustNotHappen(
  16,
  'A request goes in circles after those who know where its session was',
  { nodes: 5, loses: true },
  (t, cluster) => {
    const keys = keysOf(60);
    setAll(cluster, keys, 'v');
    // Everybody has learned where each key is, and then it is elsewhere.
    for (const { machine } of cluster.running) cluster.askEach(machine, keys, 'GET');
    for (let i = 0; i < 4; i++) cluster.askEach(4, keys, 'SET', 'moved');
    cluster.settled();
    const before = forwards(cluster);
    for (const machine of [0, 1, 2, 3]) {
      t.same(new Set(cluster.askEach(machine, keys, 'GET')), new Set(['moved']));
    }
    const each = (forwards(cluster) - before) / (4 * keys.length);
    t.ok(each <= 2, `${each} forwards for each request with an old hint`);
    const [first, second] = cluster.pair('s0');
    cluster.kill(first);
    cluster.kill(second);
    const lost = forwards(cluster);
    const { running } = cluster;
    const calls = keys.map((key, i) => cluster.send(running[i % 3]!.machine, 'GET', key));
    cluster.answers(calls);
    const all = (forwards(cluster) - lost) / keys.length;
    t.ok(all <= 8, `${all} forwards for each request after both holders were lost`);
  },
);

// A script that nobody here knows is asked for; its keys are held meanwhile.
mustNotHappen(
  16,
  'A node turns without a pause while it waits for what others say',
  { nodes: 3 },
  (t, cluster) => {
    const { node } = cluster.process(0);
    cluster.process(1).pause();
    const call = cluster.send(0, 'EVALSHA', 'f'.repeat(40), '1', 'key');
    cluster.run(50);
    let turns = 0;
    const flush = node.flush.bind(node);
    node.flush = () => {
      turns++;
      flush();
    };
    cluster.run(500);
    t.equal(call.outcome, 'pending');
    t.ok(turns < 100, `${turns} turns in half a second`);
    cluster.process(1).resume();
    t.match(cluster.answers([call]), [/^-?NOSCRIPT/]);
  },
);

// What its links have brought meanwhile lies in the sockets of a node that could not run for a second: acks, too.
mustNotHappen(16, 'A node that stood still makes its links anew', { nodes: 3 }, (t, cluster) => {
  const resumes = (): number => framesSent(cluster, (type) => type === FrameType.Resume);
  const stop = cluster.repeat(5, (round) => {
    for (const machine of [0, 1, 2]) cluster.send(machine, 'SET', `k${machine}`, String(round));
  });
  cluster.run(500);
  const before = resumes();
  for (let i = 0; i < 6; i++) {
    cluster.pause(0);
    cluster.run(1100);
    cluster.resume(0);
    cluster.run(400);
  }
  stop();
  cluster.settled();
  t.equal(resumes(), before);
});
