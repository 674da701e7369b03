import { Flag } from '../../lib/cluster/entry-flags.js';
import { FrameType } from '../../lib/cluster/frames.js';
import { Role } from '../../lib/store/store.js';
import type { Call } from '../simulation/history.js';
import { keysOf, mustNotHappen, readAll, setAll } from './scenario.js';
import type { ScriptedCluster } from './scripted-cluster.js';

/** What must not happen to the second copy of a session, and to what the others know of it. */

const KEYS = keysOf(60);
/** A death, noticed by a closed port, and so many small copies made again. */
const RESTORED_MS_MAX = 2000;

const movesOpen = (cluster: ScriptedCluster): number =>
  cluster.running.reduce((sum, { node }) => sum + node.moves.open, 0);

// olric 20: "doesn't make a new copy for missing replicas immediately".
mustNotHappen(
  3,
  'The second copy is not made again until somebody asks for the session',
  { nodes: 5 },
  (t, cluster) => {
    const keys = keysOf(300);
    setAll(cluster, keys, 'kept');
    for (const victim of [0, 1, 2]) {
      cluster.kill(victim);
      cluster.settled(RESTORED_MS_MAX);
      for (const key of keys) cluster.pair(key);
    }
    t.equal(cluster.running.length, 2, 'three of five have died one after the other');
    readAll(t, cluster, keys, (key) => `${key} kept`);
  },
);

// Tomcat 7.0.63 changelog: a node that has failed is recorded as the backup of a session.
mustNotHappen(
  4,
  'A node that has failed is recorded as backup, and a write acknowledged with one copy',
  { nodes: 4 },
  (t, cluster) => {
    setAll(cluster, KEYS, 'before');
    const dead = cluster.process(3).incarnation;
    cluster.unplug(3);
    // Nobody knows yet: the others are going to name it as the backup of some of these.
    const keys = [...KEYS, ...keysOf(60, 'new')];
    const calls = keys.map((key, i) => cluster.send(i % 3, 'SET', key, `${key} after`));
    const seen = new Set<number>();
    const oneCopy: string[] = [];
    cluster.until('all are answered', () => {
      for (const call of calls) {
        if (call.reply === null || seen.has(call.id)) continue;
        seen.add(call.id);
        if (call.outcome !== 'replied') continue;
        const { primary, backup } = cluster.holders(call.args[1]!);
        if (primary.length + backup.length < 2) oneCopy.push(call.args[1]!);
      }
      return seen.size === calls.length;
    });
    t.same(oneCopy, [], 'what is acknowledged is on two nodes that live');
    const unknown = calls.filter(({ outcome }) => outcome !== 'replied');
    const replied = keys.filter((_, i) => calls[i]!.outcome === 'replied');
    t.ok(replied.length > keys.length / 2, `${unknown.length} outcomes are unknown`);
    cluster.settled();
    for (const process of cluster.running) {
      for (const key of keys) {
        const ref = cluster.refOf(process, key);
        if (ref === 0 || process.store.role(ref) !== Role.Primary) continue;
        t.not(process.node.state.peer(process.store.peer(ref))?.id, dead, key);
      }
    }
    readAll(t, cluster, replied, (key) => `${key} after`);
  },
);

// Tomcat 9.0.0.M4: promoting a proxy did not tell the original backup.
mustNotHappen(
  5,
  'A third node takes a session over, and an old holder goes on as if nothing had happened',
  { nodes: 4 },
  (t, cluster) => {
    const keys = keysOf(8);
    setAll(cluster, keys, '0');
    cluster.settled();
    for (const key of keys) {
      const old = cluster.pair(key);
      const taker = [0, 1, 2, 3].find((machine) => !old.includes(machine))!;
      for (let i = 1; i <= 6; i++) {
        t.equal(cluster.ask(taker, 'SET', key, `${key} ${i}`), 'OK');
        for (const holder of old) t.equal(cluster.ask(holder, 'GET', key), `${key} ${i}`);
        t.equal(cluster.ask(taker, 'GET', key), `${key} ${i}`);
      }
      for (let i = 0; i < 4; i++) cluster.ask(taker, 'SET', key, `${key} 6`);
      cluster.settled();
      t.equal(cluster.pair(key)[0], taker, 'it was taken over');
      cluster.kill(taker);
      for (const holder of old) t.equal(cluster.ask(holder, 'GET', key), `${key} 6`);
      cluster.start(taker);
      cluster.settled();
    }
  },
);

// valkey 885: a replica that has not been synchronised yet is promoted. Here the second copies are on their way to a node
// that joins when the primary dies, each time a little later.
for (const [size, options] of [
  ['small', { partBytes: 65_536 }],
  ['large, in parts', { partBytes: 300 }],
] as const) {
  mustNotHappen(
    14,
    `A copy that is not whole is promoted (values are ${size})`,
    { nodes: 3, spares: 1, delayMsMax: 4, ...options },
    (t, cluster) => {
      const keys = keysOf(40);
      let open = 0;
      for (let round = 0; round < 8; round++) {
        const text = `${round} ${'x'.repeat(size === 'small' ? 20 : 2500)}`;
        setAll(cluster, keys, text);
        const spare = cluster.start([0, 1, 2, 3].find((one) => cluster.process(one) === null)!);
        cluster.until('it is in', () => spare.node.state.view !== null);
        cluster.run(round * 6);
        open += movesOpen(cluster);
        const victim = cluster.running.filter((one) => one !== spare)[round % 3]!;
        victim.kill();
        const asked = cluster.running[round % 3]!.machine;
        t.same(
          cluster.askEach(asked, keys, 'GET'),
          keys.map((key) => `${key} ${text}`),
        );
        cluster.settled();
      }
      t.ok(open > 0, `${open} copies were on their way`);
    },
  );
}

// garnet 1670: what repairs replicas in the background gets in the way of a failover. Here the copies of one slot are made
// to differ, so that the digests send all of them again, and the primary dies in the middle of that.
mustNotHappen(
  26,
  'A repair in the background sabotages the failover',
  { nodes: 3, repairs: true },
  (t, cluster) => {
    const keys = keysOf(30, '{slot}');
    for (const key of keys) cluster.ask(0, 'SET', key, `${key} kept`);
    cluster.settled();
    const [first, second] = cluster.pair(keys[0]!);
    const primary = cluster.process(first);
    const backup = cluster.process(second);
    cluster.ask(first, 'SET', '{slot}lost', 'by a fault');
    cluster.settled();
    backup.store.remove(cluster.refOf(backup, '{slot}lost'));
    const sent = () => primary.node.state.statistics.framesSent[FrameType.RepairBegin]!;
    cluster.until('it is found', () => sent() > 0, 300_000);
    const calls = keys.slice(0, 10).map((key) => cluster.send(first, 'SET', key, `${key} new`));
    cluster.run(cluster.scheduler.random('when').between(0, 6));
    primary.kill();
    const asked = cluster.running.find((one) => one !== backup)!.machine;
    for (const machine of [asked, second]) {
      const values = cluster.askEach(machine, keys, 'GET');
      for (const [i, value] of values.entries()) {
        const isNew = calls[i]?.outcome === 'replied';
        t.match(value, isNew ? /new$/ : /(kept|new)$/, `${keys[i]}`);
      }
    }
    cluster.settled(RESTORED_MS_MAX);
  },
  4,
);

// Of a slot in which it has nothing for a backup, a primary says only that: what the backup has left over goes.
mustNotHappen(
  26,
  'A copy whose primary knows nothing of it stays for ever',
  { nodes: 3, repairs: true },
  (t, cluster) => {
    // As many as are watched for having two copies: the one that is spoiled is none of them.
    const keys = keysOf(8);
    for (const key of [...keys, 'left']) cluster.ask(0, 'SET', key, `${key} is set`);
    cluster.settled();
    const [first, second] = cluster.pair('left');
    const [primary, backup] = [cluster.process(first), cluster.process(second)];
    primary.store.remove(cluster.refOf(primary, 'left'));
    cluster.until('it is gone', () => cluster.refOf(backup, 'left') === 0, 300_000);
    for (const key of keys) t.equal(cluster.ask(0, 'GET', key), `${key} is set`);
    t.equal(backup.node.state.statistics.slotsRepaired, 1, 'and no other slot was taken for it');
  },
);

// The same with sessions of 20 parts, whose new copies come long after the end of the repair.
mustNotHappen(
  26,
  'A repair leaves a large session with one copy until it has come whole',
  { nodes: 3, repairs: true, partBytes: 300, delayMsMax: 5 },
  (t, cluster) => {
    const keys = keysOf(10, '{slot}');
    const padding = 'x'.repeat(6000);
    for (const key of keys) cluster.ask(0, 'SET', key, `${key} ${padding}`);
    cluster.ask(0, 'SET', '{slot}lost', 'by a fault');
    cluster.settled();
    const [first, second] = cluster.pair(keys[0]!);
    const [primary, backup] = [cluster.process(first), cluster.process(second)];
    cluster.ask(first, 'SET', '{slot}left', 'by a fault');
    cluster.settled();
    const spoiled = cluster.refOf(backup, keys[1]!);
    backup.store.setVersion(spoiled, backup.store.version(spoiled) - 1);
    backup.store.remove(cluster.refOf(backup, '{slot}lost'));
    primary.store.remove(cluster.refOf(primary, '{slot}left'));
    const isWhole = (key: string): boolean => {
      const ref = cluster.refOf(backup, key);
      if (ref === 0 || backup.store.role(ref) !== Role.Backup) return false;
      const mayPromote = (backup.store.flags(ref) & Flag.Full) !== 0;
      return mayPromote && backup.store.valueLength(ref) === key.length + 1 + padding.length;
    };
    const isRepaired = (): boolean => {
      for (const key of keys) if (!isWhole(key)) t.fail(`${key} has one copy at ${cluster.now}`);
      const version = primary.store.version(cluster.refOf(primary, keys[1]!));
      const isLeft = cluster.refOf(backup, '{slot}left') !== 0;
      const isThere = cluster.refOf(backup, '{slot}lost') !== 0;
      const copy = cluster.refOf(backup, keys[1]!);
      return isThere && !isLeft && copy !== 0 && backup.store.version(copy) === version;
    };
    cluster.until('all is repaired', isRepaired, 300_000);
    t.equal(primary.node.state.statistics.framesSent[FrameType.RepairEnd], 1);
  },
  4,
);

// Tomcat 7.0.62, 9.0.9 and 63441: the full copy of a session and its changes overtake each other, or a change comes
// before what it is a change of.
for (const [size, partBytes, padding] of [
  ['small', 65_536, 10],
  ['large, in parts', 300, 1500],
] as const) {
  mustNotHappen(
    29,
    `A change is lost between a full copy and the changes after it (values are ${size})`,
    { nodes: 3, spares: 1, delayMsMax: 5, partBytes, longHistories: true },
    (t, cluster) => {
      const keys = keysOf(6);
      for (const key of keys) cluster.ask(0, 'SET', key, 'x'.repeat(padding));
      // Each key is changed through two nodes, by one command after the other.
      const writers = keys.flatMap((key, i) =>
        [i % 3, (i + 1) % 3].map((machine) => ({ key, machine })),
      );
      const appended = writers.map((): Call[] => []);
      const stops = writers.map(({ key, machine }, i) =>
        cluster.repeat(4, (round) => {
          const node = cluster.machines[machine]!.process;
          if (!node?.serves || appended[i]!.at(-1)?.outcome === 'pending') return;
          if (round % 5 === 4) cluster.send(machine, 'PEXPIRE', key, '3600000');
          else appended[i]!.push(cluster.send(machine, 'APPEND', key, `${machine}.${round};`));
        }),
      );
      let open = 0;
      for (let round = 0; round < 4; round++) {
        const joiner = cluster.start(3);
        cluster.until('it is in', () => joiner.node.state.view !== null);
        for (let i = 0; i < 10; i++) {
          cluster.run(3);
          open += movesOpen(cluster);
        }
        // Whoever holds the changed copies now is asked for them when the other one is gone.
        cluster.kill(round % 3);
        cluster.run(300);
        cluster.start(round % 3);
        cluster.until('all are in', () => cluster.running.every(({ serves }) => serves));
        joiner.leave();
        cluster.until('it has left', () => joiner.hasEnded);
      }
      for (const stop of stops) stop();
      cluster.settled();
      t.ok(open > 0, `${open} copies were seen on their way`);
      for (const { machine } of cluster.running) {
        const values = cluster.askEach(machine, keys, 'GET');
        t.same(
          writers.flatMap(({ key }, i) => misplaced(values[keys.indexOf(key)]!, appended[i]!)),
          [],
        );
      }
    },
  );
}

/** What was appended by one writer and is not in the value once, in its order; what is unknown may be missing. */
function misplaced(value: string, appended: readonly Call[]): string[] {
  let from = 0;
  return appended.flatMap(({ args, outcome }) => {
    const at = value.indexOf(args[2]!, from);
    const isMissing = at < 0 && outcome === 'replied';
    const isTwice = at >= 0 && value.indexOf(args[2]!, at + 1) >= 0;
    const wasRefused = at >= 0 && outcome === 'not-run';
    if (at >= 0) from = at;
    return isMissing || isTwice || wasRefused ? [`${args[1]} ${args[2]}: ${outcome}`] : [];
  });
}

// Tomcat, read in the source: the backup dies, then the primary before it has told the others of a new backup; the entry
// at the others is never removed.
mustNotHappen(
  30,
  'An entry that names two dead holders stays for ever',
  { nodes: 5, loses: true },
  (t, cluster) => {
    for (const gapMs of [0, 1, 3, 8, 20]) {
      setAll(cluster, KEYS, 'there');
      // Everybody has learned where each is.
      readAll(t, cluster, KEYS, (key) => `${key} there`);
      cluster.settled();
      const [first, second] = cluster.pair(KEYS[gapMs]!);
      const lost = KEYS.filter((key) => {
        const pair = cluster.pair(key);
        return pair.includes(first) && pair.includes(second);
      });
      cluster.kill(second);
      cluster.run(gapMs);
      cluster.kill(first);
      cluster.settled();
      const left = KEYS.filter((key) => cluster.holders(key).primary.length > 0);
      t.ok(gapMs > 0 || left.length === KEYS.length - lost.length, 'only those of the two');
      for (const { machine } of cluster.running) {
        const values = cluster.askEach(machine, KEYS, 'GET');
        t.same(
          values,
          KEYS.map((key) => (left.includes(key) ? `${key} there` : null)),
          'absent, and not an error',
        );
        t.equal(cluster.ask(machine, 'DBSIZE'), String(left.length));
      }
      t.equal(cluster.ask(cluster.running[0]!.machine, 'SET', KEYS[gapMs]!, 'made anew'), 'OK');
      cluster.start(first);
      cluster.start(second);
      cluster.settled();
    }
  },
);

// The same system: a false suspicion leaves two primaries, and the last of their messages wins.
mustNotHappen(30, 'A false suspicion leaves two primaries', { nodes: 3 }, (t, cluster) => {
  setAll(cluster, KEYS, '0');
  for (let round = 1; round <= 3; round++) {
    const victim = round % 3;
    cluster.pause(victim);
    const others = [0, 1, 2].filter((machine) => machine !== victim);
    cluster.until('it is left out', () =>
      others.every((machine) => cluster.process(machine).node.state.view?.members.length === 2),
    );
    for (const key of KEYS) cluster.send(others[0]!, 'SET', key, `${key} ${round}`);
    cluster.run(1200);
    // It wakes with everything that it had, and with what was asked of it meanwhile.
    for (const key of KEYS) {
      cluster.send(victim, 'GET', key);
      cluster.send(victim, 'SET', key, `${key} ${round}`, 'XX');
    }
    cluster.run(5);
    cluster.resume(victim);
    cluster.settled();
    for (const key of KEYS) cluster.pair(key);
    readAll(t, cluster, KEYS, (key) => `${key} ${round}`);
  }
});
