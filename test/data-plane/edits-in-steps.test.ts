import t from 'tap';
import { Role } from '../../lib/store/store.js';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';

const MEMBERS = 3000;
const PADDING = 'x'.repeat(60);
/** What one step that moves a member from one set to another puts on the bus: two edits, not the sets of 300 KB. */
const BYTES_PER_STEP_MAX = 1500;
const STEPS = 100;

const member = (i: number): string => `${i}:${PADDING}`;

/** Bytes that all nodes have sent to one another. */
function sentBytes(cluster: ScriptedCluster): number {
  const peers = cluster.running.flatMap(({ node }) => node.state.peers);
  return peers.reduce((sum, peer) => sum + (peer?.stream?.log.endOffset ?? 0), 0);
}

t.test('a step sends what it has done to large values, and both copies are the same', async (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const cluster = new ScriptedCluster(seed, { nodes: 3, longHistories: true });
    cluster.form();
    const random = cluster.scheduler.random('members');
    const sets = { '{s}one': new Set<string>(), '{s}two': new Set<string>() };
    for (const [i, [key, members]] of Object.entries(sets).entries()) {
      for (let n = 0; n < MEMBERS; n++) members.add(member(i * MEMBERS + n));
      cluster.ask(0, 'SADD', key, ...members);
    }
    cluster.run(5000);
    const before = sentBytes(cluster);
    for (let i = 0; i < STEPS; i++) {
      const [from, to] =
        random.below(2) === 0 ? (['{s}one', '{s}two'] as const) : (['{s}two', '{s}one'] as const);
      const moved = [...sets[from]][random.below(sets[from].size)]!;
      t.equal(cluster.ask(0, 'SMOVE', from, to, moved), '1');
      sets[from].delete(moved);
      sets[to].add(moved);
    }
    const bytes = (sentBytes(cluster) - before) / STEPS;
    t.ok(bytes < BYTES_PER_STEP_MAX, `${Math.round(bytes)} bytes per step`);
    const primary = cluster.running.findIndex(
      ({ node }) => node.state.store.countOfRole(Role.Primary) > 0,
    );
    cluster.kill(primary);
    const other = (primary + 1) % 3;
    for (const key of ['{s}one', '{s}two'] as const) {
      t.equal(cluster.ask(other, 'SCARD', key), `${sets[key].size}`);
      for (const each of [...sets[key]].slice(0, 50)) {
        t.equal(cluster.ask(other, 'SISMEMBER', key, each), '1');
      }
    }
    t.same(cluster.finish(), []);
  }
});
