import t, { type Test } from 'tap';
import { type ClusterOptions, ScriptedCluster } from './scripted-cluster.js';

/** Each script is played with so many seeds: delays, clocks and the order of what is simultaneous differ. */
const SEEDS = 2;
/** All of one file runs in ten seconds on an idle machine. */
t.setTimeout(240_000);

/**
 * A test of something that must not happen, by its number in the list of docs/testing/scenarios.md. The script gets a cluster that
 * is formed and settled; after it the cluster must become whole, and the history of every key be linearizable.
 */
export function mustNotHappen(
  number: number,
  what: string,
  options: ClusterOptions,
  play: (t: Test, cluster: ScriptedCluster) => void,
  seeds = SEEDS,
): void {
  t.test(`${number}. ${what}`, (t) => {
    for (let seed = 1; seed <= seeds; seed++) {
      t.test(`seed ${seed}`, (t) => {
        const cluster = new ScriptedCluster(seed, options);
        cluster.form();
        play(t, cluster);
        t.same(cluster.finish(), [], 'and after all of it the cluster is whole');
        t.end();
      });
    }
    t.end();
  });
}

/** Names of keys: s0, s1 ... */
export const keysOf = (count: number, prefix = 's'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Sets all keys, through the running nodes in turn, all at once. Each value is its key and `text`. */
export function setAll(
  cluster: ScriptedCluster,
  keys: readonly string[],
  text: string,
  ...options: string[]
): void {
  const { running } = cluster;
  const calls = keys.map((key, i) =>
    cluster.send(running[i % running.length]!.machine, 'SET', key, `${key} ${text}`, ...options),
  );
  const failed = cluster.answers(calls).filter((answer) => answer !== 'OK');
  if (failed.length > 0) throw new Error(`not set: ${failed[0]}`);
}

/** Reads all keys through every running node: each must have what is expected of it. */
export function readAll(
  t: Test,
  cluster: ScriptedCluster,
  keys: readonly string[],
  expected: (key: string) => string | null,
): void {
  for (const { machine, name } of cluster.running) {
    t.same(cluster.askEach(machine, keys, 'GET'), keys.map(expected), `through ${name}`);
  }
}
