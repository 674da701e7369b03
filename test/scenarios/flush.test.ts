import t from 'tap';
import type { Call } from '../simulation/history.js';
import { keysOf, setAll } from './scenario.js';
import { answerOf, ScriptedCluster } from './scripted-cluster.js';

/** Its asker dies when one member has heard of the floor, and another one has not. */

const SEEDS = 6;
const [ASKER, TOLD, UNTOLD] = [0, 1, 2];
/** What is sent is on its way for so long: below half a node-timeout, at which a stream counts as stuck. */
const LATE_MS = 400;
const KEYS = keysOf(90);

t.setTimeout(240_000);

const floorAt = (cluster: ScriptedCluster, machine: number): number =>
  cluster.process(machine).node.state.floors[0]!;

/** All are in a view of so many members. */
const areIn = (cluster: ScriptedCluster, machines: readonly number[], members: number): boolean =>
  machines.every((machine) => cluster.process(machine).node.state.view?.members.length === members);

function halfFlushed(seed: number, nodes: number, spares: number): ScriptedCluster {
  const cluster = new ScriptedCluster(seed, { nodes, spares, longHistories: true });
  cluster.form();
  setAll(cluster, KEYS, 'old');
  cluster.settled();
  cluster.send(ASKER, 'FLUSHALL');
  cluster.until('all have stopped writing', () =>
    cluster.running.every(({ node }) => node.state.flushing),
  );
  for (const { index } of cluster.machines) cluster.network.lagData(index, UNTOLD, LATE_MS);
  cluster.until('one has heard', () => floorAt(cluster, TOLD) > 0);
  cluster.kill(ASKER);
  return cluster;
}

t.test('a joiner keeps no records of flushed keys, however late they are told', async (t) => {
  let early = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = halfFlushed(seed, 3, 1);
    const JOINER = 3;
    cluster.network.lagData(UNTOLD, JOINER, LATE_MS / 4);
    cluster.start(JOINER);
    cluster.until('it has joined', () => areIn(cluster, [TOLD, UNTOLD, JOINER], 3));
    cluster.until('it has heard of the flush', () => floorAt(cluster, JOINER) > 0);
    if (floorAt(cluster, UNTOLD) === 0) early++;
    cluster.settled();
    for (const { machine } of cluster.running) {
      t.equal(cluster.ask(machine, 'DBSIZE'), '0', `seed ${seed}: through ${machine}`);
    }
    t.same(cluster.finish(), [], `seed ${seed}: the cluster is whole`);
  }
  t.ok(early > 0, 'now and then it hears of the flush before a member that holds keys');
});

t.test('once a key was made anew nobody shows what it was before the flush', async (t) => {
  let early = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = halfFlushed(seed, 4, 0);
    cluster.until('its death is overcome', () => areIn(cluster, [TOLD, UNTOLD, 3], 3));
    cluster.until('writes go on', () => !cluster.process(TOLD).node.state.flushing);
    const reads: Call[] = [];
    const writes = new Map(KEYS.map((key) => [key, cluster.send(TOLD, 'SET', key, 'new')]));
    while (writes.size > 0) {
      cluster.run(1);
      for (const [key, call] of writes) {
        if (call.outcome === 'pending') continue;
        writes.delete(key);
        t.equal(answerOf(call), 'OK');
        if (floorAt(cluster, UNTOLD) === 0) early++;
        reads.push(cluster.send(UNTOLD, 'GET', key));
      }
    }
    t.same(new Set(cluster.answers(reads)), new Set(['new']), `seed ${seed}: what is read then`);
    t.same(cluster.finish(), [], `seed ${seed}: the cluster is whole`);
  }
  t.ok(early > 0, 'some are made anew before a holder has heard of the flush');
});
