import { Flag } from '../../lib/cluster/entry-flags.js';
import { Role } from '../../lib/store/store.js';
import { answerOf } from '../scenarios/scripted-cluster.js';
import {
  areThere,
  KEYS,
  keyBetween,
  renameLate,
  roleOf,
  startAgain,
  withEachSeed,
} from '../scenarios/whole-stop.js';

/** Found by an attack on the two rounds in which all stop (docs/decisions/0031-snapshots.md, 27 to 31). */

for (const partitionPolicy of ['available', 'majority'] as const) {
  for (const fault of ['cut', 'freeze'] as const) {
    withEachSeed(
      `${partitionPolicy}: the others go on without one (${fault}) before they stop: what it writes later is not loaded`,
      { nodes: 3, sides: true, partitionPolicy },
      (t, cluster, seed) => {
        const away = seed % 3;
        const others = [0, 1, 2].filter((one) => one !== away);
        cluster.askEach(0, KEYS, 'SET', 'old');
        const renamed = keyBetween(cluster, (_, backup) => backup === away);
        renameLate(cluster, renamed);
        for (const { machine } of cluster.running) cluster.process(machine).leave();
        const { incarnation } = cluster.process(away);
        const isEnding = (one: number): boolean =>
          cluster.process(one).node.membership.statusOf(incarnation)?.ending === 1;
        cluster.until('it is known that it stops', () => others.every(isEnding));
        if (fault === 'cut') cluster.split([away], others);
        else cluster.pause(away);
        const calls = KEYS.map((key, i) =>
          cluster.send(others[0]!, ...(i % 2 === 0 ? ['SET', key, 'new'] : ['DEL', key])),
        );
        cluster.until('the others stopped', () => others.every((one) => !cluster.isUp(one)));
        if (fault === 'freeze') {
          cluster.run(5000);
          cluster.resume(away);
        }
        cluster.until('stopped', () => cluster.running.length === 0);
        startAgain(cluster);
        const values = cluster.askEach(0, KEYS, 'GET');
        const wrong = KEYS.filter((_, i) => {
          const isDone = calls[i]!.outcome === 'replied' && !answerOf(calls[i]!)?.startsWith('-');
          return isDone && values[i] !== (i % 2 === 0 ? 'new' : null);
        });
        t.same(wrong, [], `seed ${seed}`);
        const both = cluster.askEach(0, [renamed, 'new'], 'GET');
        t.equal(both.filter((value) => value === 'x').length, 1, `seed ${seed}: ${both.join(' ')}`);
      },
    );
  }
}

withEachSeed(
  'FLUSHALL of which one has not heard as all stop is kept as a whole',
  { nodes: 3 },
  (t, cluster, seed) => {
    cluster.askEach(0, KEYS, 'SET', 'old');
    cluster.settled();
    const [at, late] = [seed % 3, (seed + 1) % 3];
    cluster.send(at, 'FLUSHALL');
    const isFlushing = (one: number): boolean => cluster.process(one).node.state.flushing;
    cluster.until('begun', () => isFlushing(late));
    for (const { machine } of cluster.running)
      if (machine !== late) cluster.network.lagData(machine, late, 400);
    cluster.until('dropped', () => cluster.process(at).store.size === 0);
    cluster.stopAndStart(() => cluster.network.heal());
    const values = cluster.askEach(0, KEYS, 'GET');
    t.same(
      KEYS.filter((_, i) => values[i] !== null),
      [],
      `seed ${seed}`,
    );
  },
);

withEachSeed(
  'FLUSHALL that comes as all stop is run as a whole, or not at all',
  { nodes: 3 },
  (t, cluster, seed) => {
    for (const gapMs of [1, 3, 5, 7, 9]) {
      cluster.askEach(0, KEYS, 'SET', 'value');
      cluster.settled();
      for (const from of [0, 1, 2])
        for (const to of [0, 1, 2])
          cluster.network.lagData(from, to, 10 * ((from + to + seed) % 4));
      for (const { machine } of cluster.running) cluster.process(machine).leave();
      cluster.run(gapMs);
      const call = cluster.send(seed % 3, 'FLUSHALL');
      cluster.until('stopped', () => cluster.running.length === 0);
      startAgain(cluster);
      const count = cluster.askEach(0, KEYS, 'GET').filter((value) => value !== null).length;
      t.ok(count === 0 || count === KEYS.length, `seed ${seed}, ${gapMs} ms: ${count} are there`);
      if (call.outcome === 'replied' && answerOf(call) === 'OK') t.equal(count, 0);
    }
  },
);

withEachSeed(
  'a copy that is not known yet to be full is not taken for one: the file of its primary is not there',
  { nodes: 3, spares: 1 },
  (t, cluster, seed) => {
    cluster.askEach(0, KEYS, 'SET', 'value');
    cluster.settled();
    const joiner = cluster.start(3);
    for (const from of [0, 1, 2]) cluster.network.lagData(from, 3, 40);
    const isGranting = (one: number): boolean =>
      cluster.process(one).node.moves.open === 0 &&
      KEYS.some((key) => {
        const { primary, backup } = cluster.holders(key);
        if (primary[0] !== one || backup.length !== 1 || backup[0] !== 3) return false;
        return (joiner.store.flags(cluster.refOf(joiner, key)) & Flag.Full) === 0;
      });
    let granting: number | undefined;
    cluster.until('all that one had to move is told, and not heard', () => {
      granting = [0, 1, 2].find(isGranting);
      return granting !== undefined;
    });
    cluster.stop([0, 1, 2, 3]);
    cluster.loseSnapshot(granting!);
    startAgain(cluster);
    areThere(t, cluster, `seed ${seed}`);
  },
);

withEachSeed(
  'who has told that it is quiet stays so: a key that it is handed then is not moved on',
  { nodes: 3, seeds: [12, 13, 17, 19, 22] },
  (t, cluster, seed) => {
    const [next, at, other] = [seed % 3, (seed + 1) % 3, (seed + 2) % 3];
    const heldUp = keyBetween(cluster, (primary, backup) => primary === other && backup === at);
    const keys = Array.from({ length: 60 }, (_, i) => `handed:${i}`);
    cluster.askEach(at, keys, 'SET', 'value');
    cluster.settled();
    const handed = keys.filter((key) => cluster.pair(key).join() === `${at},${next}`);
    cluster.network.lagData(at, next, 60);
    cluster.network.lagData(other, at, 90);
    cluster.network.lagData(next, other, 150);
    cluster.send(other, 'RENAME', heldUp, 'new');
    for (const key of handed.slice(0, 12)) cluster.send(next, 'RENAME', key, `${key}:new`);
    const isUnderWay = (key: string): boolean =>
      [at, next].every((one) => roleOf(cluster, cluster.process(one), key) === Role.Backup);
    cluster.until('handed over', () => handed.some(isUnderWay));
    for (const { machine } of cluster.running) cluster.process(machine).leave();
    const isSingle = (key: string): boolean => {
      if (roleOf(cluster, cluster.process(next), key) !== Role.Primary) return false;
      const ref = cluster.refOf(cluster.process(other), key);
      const isFull = ref !== 0 && (cluster.process(other).store.flags(ref) & Flag.Full) !== 0;
      return !isFull && roleOf(cluster, cluster.process(at), key) === null;
    };
    cluster.until('one copy is left, or all have stopped', () => {
      return cluster.running.length < 3 || handed.some(isSingle);
    });
    if (cluster.isUp(next)) cluster.kill(next);
    cluster.until('stopped', () => cluster.running.length === 0);
    startAgain(cluster);
    for (const key of handed) {
      const values = cluster.askEach(0, [key, `${key}:new`], 'GET');
      t.equal(values.filter((value) => value === 'value').length, 1, `seed ${seed}: ${values}`);
    }
  },
);

withEachSeed(
  'one of two leaves, and the other one dies: who leaves waits for it, and hands over',
  { nodes: 2, expect: 0 },
  (t, cluster, seed) => {
    cluster.askEach(0, KEYS, 'SET', 'value');
    cluster.settled();
    cluster.process(0).leave();
    cluster.run(20);
    cluster.kill(1);
    cluster.run(1000);
    cluster.start(1);
    cluster.until('it has left', () => !cluster.isUp(0));
    cluster.until('the other one serves', () => cluster.isSettled);
    cluster.ask(1, 'SET', 'later', 'value');
    cluster.start(0);
    cluster.settled();
    areThere(t, cluster, `seed ${seed}`);
  },
);

withEachSeed(
  'two of three leave, and the one that stays dies: no leaver has gone with what only the two of them had',
  { nodes: 3, partitionPolicy: 'majority', seeds: [7, 14, 32, 35] },
  (t, cluster, seed) => {
    const stayer = seed % 3;
    cluster.askEach(stayer, KEYS, 'SET', 'value');
    cluster.settled();
    for (const { machine } of cluster.running)
      if (machine !== stayer) cluster.process(machine).leave();
    cluster.run(75);
    cluster.kill(stayer);
    cluster.until('stopped', () => cluster.running.length === 0);
    startAgain(cluster);
    areThere(t, cluster, `seed ${seed}`);
  },
);
