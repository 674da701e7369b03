import type { Test } from 'tap';
import { Flag } from '../../lib/cluster/entry-flags.js';
import { Role } from '../../lib/store/store.js';
import type { ScriptedCluster } from '../scenarios/scripted-cluster.js';
import { areThere, KEYS, roleOf, startAgain, withEachSeed } from '../scenarios/whole-stop.js';

/** All nodes stop, each writes a file, and they begin again with these (docs/decisions/0031-snapshots.md, from 21 on). */

const NODE_TIMEOUT_MS = 2000;
/** Who vanishes with its machine before it has told that it is ending may be serving somewhere, for all that is known. */
const GAPS_MS = { kill: [0, 3, 6, 15, 40], unplug: [0, 15, 25, 40] } as const;
/** Who vanishes with its machine is missed after a node-timeout, and its fate may be waited for as long. */
const LONGEST_MS = { kill: 1.5 * NODE_TIMEOUT_MS, unplug: 3 * NODE_TIMEOUT_MS } as const;
const LINKS = [0, 1, 2].flatMap((from) => [0, 1, 2].map((to) => [from, to] as const));
withEachSeed(
  'what a command on several keys has changed is kept as a whole',
  { nodes: 3 },
  (t, cluster, seed) => {
    cluster.ask(0, 'SET', 'old', 'x');
    cluster.ask(0, 'RENAME', 'old', 'between');
    cluster.settled();
    const [at, backup] = cluster.pair('between');
    // What it tells the others about keys is later than what is said about who stops.
    cluster.network.lagData(at, backup, 400);
    const call = cluster.send(at, 'RENAME', 'between', 'new');
    const primary = cluster.process(at);
    cluster.until('run', () => roleOf(cluster, primary, 'between') === Role.Tombstone);
    cluster.stopAndStart(() => cluster.network.heal());
    const values = cluster.askEach(0, ['between', 'new'], 'GET');
    t.equal(values.filter((value) => value === 'x').length, 1, `seed ${seed}: ${values.join(' ')}`);
    if (call.outcome === 'replied') t.same(values, [null, 'x']);
  },
);

const NUMBERS = Array.from({ length: 30 }, (_, i) => i);

/** Every millisecond each node is told to rename one key, there and back; data is on its way for so long. Returns what ends it. */
function keepRenaming(
  cluster: ScriptedCluster,
  lagMs: (from: number, to: number) => number,
): () => void {
  for (const number of NUMBERS) cluster.ask(0, 'SET', `one:${number}`, 'x');
  for (const [from, to] of LINKS) cluster.network.lagData(from, to, lagMs(from, to));
  return cluster.repeat(1, (round) => {
    const number = round % NUMBERS.length;
    const [from, to] =
      Math.floor(round / NUMBERS.length) % 2 === 0 ? ['one', 'other'] : ['other', 'one'];
    for (const { machine } of cluster.running)
      cluster.send(machine, 'RENAME', `${from}:${number}`, `${to}:${number}`);
  });
}

function areWhole(t: Test, cluster: ScriptedCluster, what: string): void {
  for (const number of NUMBERS) {
    const values = cluster.askEach(0, [`one:${number}`, `other:${number}`], 'GET');
    t.equal(values.filter((value) => value === 'x').length, 1, `${what}: ${values.join(' ')}`);
  }
}

withEachSeed(
  'clients that go on with such commands keep nobody from stopping',
  { nodes: 3 },
  (t, cluster, seed) => {
    const stop = keepRenaming(cluster, () => 20);
    cluster.run(200);
    const from = cluster.now;
    cluster.stop([0, 1, 2]);
    stop();
    t.ok(cluster.now - from < NODE_TIMEOUT_MS / 2, `stopped after ${cluster.now - from} ms`);
    startAgain(cluster);
    areWhole(t, cluster, `seed ${seed}`);
  },
);

for (const partitionPolicy of ['available', 'majority'] as const) {
  withEachSeed(
    `${partitionPolicy}: one is killed in the midst of that: no such command is kept by half`,
    { nodes: 3, partitionPolicy },
    (t, cluster, seed) => {
      for (const gapMs of [10, 30, 50]) {
        const stop = keepRenaming(cluster, (from, to) => ((seed + 7) * (from + 3 * to)) % 80);
        cluster.run(150);
        for (const { machine } of cluster.running) cluster.process(machine).leave();
        cluster.run(gapMs);
        if (cluster.isUp(seed % 3)) cluster.kill(seed % 3);
        cluster.until('stopped', () => cluster.running.length === 0);
        stop();
        startAgain(cluster);
        areWhole(t, cluster, `seed ${seed}, ${gapMs} ms`);
        cluster.askEach(
          1,
          NUMBERS.map((number) => `other:${number}`),
          'DEL',
        );
      }
    },
  );
}

withEachSeed(
  'a copy that was to be told that it is full is kept, where its primary has just died',
  { nodes: 3, spares: 1 },
  (t, cluster, seed) => {
    const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`);
    cluster.askEach(0, keys, 'SET', 'value');
    cluster.settled();
    const joiner = cluster.start(3);
    const holders = (key: string) => cluster.holders(key);
    const isInTheMaking = (key: string): boolean => {
      const { primary, backup } = holders(key);
      if (primary.length !== 1 || backup.length !== 1 || backup[0] !== 3) return false;
      return (joiner.store.flags(cluster.refOf(joiner, key)) & Flag.Full) === 0;
    };
    let key: string | undefined;
    cluster.until('a backup moves', () => {
      key = keys.find(isInTheMaking);
      return key !== undefined;
    });
    const gone = holders(key!).primary[0]!;
    cluster.kill(gone);
    // It takes long to ask the others what they know of its keys.
    for (const { machine } of cluster.running) cluster.network.lagData(3, machine, 300);
    cluster.stopAndStart(() => cluster.network.heal());
    const values = cluster.askEach(3, keys, 'GET');
    const lost = keys.filter((_, i) => values[i] !== 'value');
    t.same(lost, [], `seed ${seed}`);
  },
);

withEachSeed(
  'who was left out before, and has served, is no reason against loading',
  { nodes: 4 },
  (t, cluster, seed) => {
    cluster.ask(0, 'SET', 'key', 'first');
    // What it has loaded is none either.
    if (seed % 2 === 0) cluster.stopAndStart();
    const lost = cluster.process(3);
    t.equal(cluster.ask(3, 'GET', 'key'), 'first');
    cluster.ask(0, 'SET', 'key', 'second');
    cluster.pause(3);
    const others = [0, 1, 2];
    const areOne = (): boolean =>
      others.every((one) => cluster.process(one).node.state.view?.members.length === 3);
    cluster.until('left out', areOne);
    const before = lost.incarnation;
    cluster.resume(3);
    cluster.until('it is another incarnation', () => lost.incarnation !== before);
    cluster.split([3], others);
    cluster.stop(others);
    cluster.network.heal();
    for (const one of others) cluster.start(one);
    cluster.until('all are there', () =>
      cluster.running.every(({ node, hasLoaded }) => {
        return node.state.view?.members.length === 4 && hasLoaded;
      }),
    );
    t.equal(cluster.ask(3, 'GET', 'key'), 'second', `seed ${seed}`);
  },
);

/** All have ended by then, and what they have kept is there when they begin again. */
function stopsAndKeeps(t: Test, cluster: ScriptedCluster, until: number, what: string): void {
  cluster.until('stopped', () => cluster.running.length === 0);
  t.ok(cluster.now < until, `${what}: stopped ${until - cluster.now} ms before that`);
  startAgain(cluster);
  areThere(t, cluster, what);
}

for (const partitionPolicy of ['available', 'majority'] as const) {
  for (const fate of ['kill', 'unplug'] as const) {
    withEachSeed(
      `${partitionPolicy}: as all stop, ${fate} one: the others wait for nobody, and have all`,
      { nodes: 3, partitionPolicy },
      (t, cluster, seed) => {
        for (const gapMs of GAPS_MS[fate]) {
          cluster.askEach(0, KEYS, 'SET', 'value');
          cluster.settled();
          const told = cluster.now;
          for (const { machine } of cluster.running) cluster.process(machine).leave();
          cluster.run(gapMs);
          if (cluster.isUp(seed % 3)) cluster[fate](seed % 3);
          stopsAndKeeps(t, cluster, told + LONGEST_MS[fate], `seed ${seed}, ${gapMs} ms`);
        }
      },
    );
  }
}

withEachSeed(
  'of three one dies as the others are told to stop: the last one waits for nobody',
  { nodes: 3 },
  (t, cluster, seed) => {
    for (const gapMs of [0, 10, 20, 30, 40, 50]) {
      cluster.askEach(0, KEYS, 'SET', 'value');
      cluster.settled();
      const told = cluster.now;
      cluster.kill(0);
      for (const machine of seed % 2 === 0 ? [1, 2] : [2, 1]) {
        cluster.run(gapMs);
        cluster.process(machine).leave();
      }
      stopsAndKeeps(t, cluster, told + LONGEST_MS.kill, `seed ${seed}, ${gapMs} ms`);
    }
  },
);

withEachSeed(
  'of three that stop one is told to stay: it is too late for that, or the others hand over to it',
  { nodes: 3 },
  (t, cluster, seed) => {
    for (const gapMs of [2, 5, 10, 20, 40, 60]) {
      const [stayer, one] = [seed % 3, (seed + 1) % 3];
      cluster.askEach(one, KEYS, 'SET', 'value');
      cluster.ask(one, 'SET', 'old', 'x');
      cluster.settled();
      cluster.network.lag(0, 2, 20);
      cluster.network.lag(2, 0, 20);
      for (const { machine } of cluster.running) cluster.process(machine).leave();
      cluster.run(gapMs);
      const stays = cluster.machines[stayer]!.process?.stay() === true;
      const call = stays ? cluster.send(stayer, 'RENAME', 'old', 'new') : null;
      cluster.run(1.5 * NODE_TIMEOUT_MS);
      const what = `seed ${seed}, ${gapMs} ms`;
      t.equal(cluster.running.length, stays ? 1 : 0, `${what}: the others have ended`);
      if (call !== null) t.equal(call.outcome, 'replied', what);
      startAgain(cluster);
      areThere(t, cluster, what);
      cluster.askEach(0, [...KEYS, 'old', 'new'], 'DEL');
    }
  },
);

withEachSeed(
  'one that has handed over everything says goodbye as the others stop: these wait all the same',
  { nodes: 4 },
  (t, cluster, seed) => {
    const numbers = Array.from({ length: 12 }, (_, i) => i);
    for (const number of numbers) cluster.ask(1, 'SET', `old:${number}`, 'x');
    cluster.settled();
    const leaver = cluster.process(seed % 4);
    const others = cluster.running.filter((one) => one !== leaver);
    leaver.leave();
    cluster.until('it goes', () => leaver.node.membership.saidGoodbye);
    for (const from of others)
      for (const to of others) cluster.network.lagData(from.machine, to.machine, 400);
    for (const number of numbers)
      cluster.send(others[number % 3]!.machine, 'RENAME', `old:${number}`, `new:${number}`);
    for (const { machine } of others) cluster.process(machine).leave();
    cluster.until('stopped', () => cluster.running.length === 0);
    startAgain(cluster);
    for (const number of numbers) {
      const values = cluster.askEach(0, [`old:${number}`, `new:${number}`], 'GET');
      t.equal(values.filter((value) => value === 'x').length, 1, `seed ${seed}: ${values}`);
    }
  },
);
