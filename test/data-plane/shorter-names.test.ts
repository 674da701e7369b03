import t from 'tap';
import { Role } from '../../lib/store/store.js';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';

const LONG = `{k}${'long'.repeat(2000)}`;
const SHORT = '{k}';
/** Scores are a thousand times these. */
const scoreOf = (i: number): number => (i * 7919) % 1009;

/** Members that make a sorted set large under its long name, and small under the short one. */
function build(cluster: ScriptedCluster): string[] {
  const members: [number, string][] = [];
  const isLarge = (): boolean =>
    cluster.running.some((process) => {
      const ref = cluster.refOf(process, LONG);
      return ref !== 0 && process.store.role(ref) === Role.Primary && process.store.isLarge(ref);
    });
  for (let i = 0; !isLarge(); i++) {
    const member = `m${i}:${'x'.repeat(30)}`;
    cluster.ask(0, 'ZADD', LONG, `${scoreOf(i)}`, member);
    members.push([scoreOf(i), member]);
  }
  return members.sort(([a], [b]) => a - b).map(([, member]) => member);
}

const CHANGES: readonly (readonly [string, readonly string[], (members: string[]) => void])[] = [
  ['ZADD', ['ZADD', SHORT, '-1', 'first'], (members) => members.unshift('first')],
  ['ZREMRANGEBYRANK', ['ZREMRANGEBYRANK', SHORT, '0', '1'], (members) => members.splice(0, 2)],
  ['ZPOPMAX', ['ZPOPMAX', SHORT], (members) => members.pop()],
];

for (const way of ['RENAME', 'COPY']) {
  for (const [name, change, expect] of CHANGES) {
    t.test(`${name} on what is small after ${way}, and was large`, async (t) => {
      const cluster = new ScriptedCluster(1, { nodes: 2, longHistories: true });
      cluster.form();
      const members = build(cluster);
      cluster.ask(0, way, LONG, SHORT);
      cluster.ask(0, ...change);
      expect(members);
      for (const rank of [0, 1, 2, members.length >> 1, members.length - 1]) {
        const found = cluster.ask(0, 'ZRANK', SHORT, members[rank]!);
        t.equal(found, `${rank}`, `rank of ${members[rank]}`);
      }
      cluster.run(2000);
      cluster.kill(cluster.pair(SHORT)[0]);
      const [left] = cluster.running;
      t.equal(cluster.ask(left!.machine, 'ZCARD', SHORT), `${members.length}`);
      t.equal(cluster.ask(left!.machine, 'ZRANK', SHORT, members[1]!), '1');
      t.same(cluster.finish(), []);
    });
  }
}
