import t, { type Test } from 'tap';
import { Role } from '../../lib/store/store.js';
import type { Process } from '../simulation/process.js';
import { ScriptedCluster } from './scripted-cluster.js';

/** What scripts have in common in which all nodes stop, each writes a file, and they begin again with these. */

const SEEDS = [1, 2, 3, 4, 5, 6];
const OPTIONS = { disks: true, loses: true, longHistories: true, lateShare: 0 } as const;
export const KEYS: readonly string[] = Array.from({ length: 60 }, (_, i) => `key:${i}`);

/** One test of a script, played in a new cluster for each of some seeds; in the end all is to be whole. */
export function withEachSeed(
  what: string,
  {
    seeds = SEEDS,
    ...options
  }: {
    nodes: number;
    spares?: number;
    /** 1 to 6 unless said otherwise. */
    seeds?: readonly number[];
    expect?: number;
    sides?: boolean;
    partitionPolicy?: 'available' | 'majority';
  },
  play: (t: Test, cluster: ScriptedCluster, seed: number) => void,
): void {
  t.test(what, (t) => {
    for (const seed of seeds) {
      const cluster = new ScriptedCluster(seed, { ...OPTIONS, expect: options.nodes, ...options });
      cluster.form();
      play(t, cluster, seed);
      t.same(cluster.finish(), [], `seed ${seed}`);
    }
    t.end();
  });
}

export function roleOf(cluster: ScriptedCluster, process: Process, key: string): Role | null {
  const ref = cluster.refOf(process, key);
  return ref === 0 ? null : (process.store.role(ref) as Role);
}

/** All begin again, with what they have in files, and answer. */
export function startAgain(cluster: ScriptedCluster): void {
  cluster.network.heal();
  for (const { index, process } of cluster.machines) if (process === null) cluster.start(index);
  cluster.until('loaded', () => cluster.isSettled && cluster.running.every((one) => one.hasLoaded));
}

export function areThere(t: Test, cluster: ScriptedCluster, what: string): void {
  const values = cluster.askEach(1, KEYS, 'GET');
  const lost = KEYS.filter((_, i) => values[i] !== 'value');
  t.same(lost, [], what);
}

/** A key with its primary and its backup at such machines. */
export function keyBetween(
  cluster: ScriptedCluster,
  isWanted: (primary: number, backup: number) => boolean,
): string {
  for (let i = 0; ; i++) {
    const key = `between:${i}`;
    cluster.ask(i % 3, 'SET', `old:${i}`, 'x');
    cluster.ask(i % 3, 'RENAME', `old:${i}`, key);
    cluster.settled();
    if (isWanted(...cluster.pair(key))) return key;
  }
}

/** That key is renamed to "new": a command on several keys that has run, and that the backup hears of late. */
export function renameLate(cluster: ScriptedCluster, key: string): void {
  const [at, backup] = cluster.pair(key);
  cluster.network.lagData(at, backup, 400);
  cluster.send(at, 'RENAME', key, 'new');
  const primary = cluster.process(at);
  cluster.until('run', () => roleOf(cluster, primary, key) === Role.Tombstone);
}
