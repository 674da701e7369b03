import { keysOf, mustNotHappen, readAll, setAll } from './scenario.js';

/** What must not happen when nodes are restarted, in any way and order. */

const KEYS = keysOf(60);

// kubeblocks 10753, redis 1297, valkey 579: a primary restarts empty before its death is noticed, is taken for what it
// was, and the good copy follows it.
for (const nodes of [2, 3]) {
  mustNotHappen(
    1,
    `An empty node that is back before its death was noticed wins over the copy (${nodes} nodes)`,
    { nodes },
    (t, cluster) => {
      setAll(cluster, KEYS, 'kept');
      const before = cluster.process(0).incarnation;
      cluster.kill(0);
      cluster.start(0);
      // Asked at once, while the others still take it for a member that holds half of everything.
      const early = KEYS.flatMap((key, i) => {
        const machine = i % nodes;
        return machine === 0 ? [] : [{ key, call: cluster.send(machine, 'GET', key) }];
      });
      const answers = cluster.answers(early.map(({ call }) => call));
      t.same(
        answers,
        early.map(({ key }) => `${key} kept`),
        'no session is gone, not for a moment',
      );
      cluster.settled();
      t.not(cluster.process(0).incarnation, before, 'the same address is another member');
      readAll(t, cluster, KEYS, (key) => `${key} kept`);
    },
  );
}

// olric 225, hazelcast-tomcat-sessionmanager 35, keycloak 37825: both holders are restarted one after the other, the
// second one before the first one's copies were made again.
mustNotHappen(
  2,
  'Both holders of a session are stopped in good order one after the other, and it is lost',
  { nodes: 3 },
  (t, cluster) => {
    setAll(cluster, KEYS, 'kept');
    for (const [first, second] of [
      [0, 1],
      [1, 2],
      [2, 0],
    ] as const) {
      // The second is told to go while the first one is still at it.
      const leavers = [first, second].map((machine) => cluster.process(machine));
      for (const leaver of leavers) leaver.leave();
      cluster.until('both are gone', () => leavers.every(({ hasEnded }) => hasEnded));
      t.equal(cluster.running.length, 1);
      readAll(t, cluster, KEYS, (key) => `${key} kept`);
      cluster.start(first);
      cluster.start(second);
      cluster.settled();
    }
    readAll(t, cluster, KEYS, (key) => `${key} kept`);
  },
);

// The same three: with kill -9 there is a moment at which the second restart would be too early; it can be known.
mustNotHappen(
  2,
  'A node says that the next one may be stopped while a session has one copy',
  { nodes: 4 },
  (t, cluster) => {
    setAll(cluster, KEYS, 'kept');
    for (const victim of [0, 1, 2, 3]) {
      const asked = cluster.process((victim + 1) % 4);
      cluster.kill(victim);
      // Nobody can know sooner; what it says until then is of the time before.
      cluster.until('it has learned of it', () => asked.node.state.view?.members.length === 3);
      cluster.until('all have two copies', () => cluster.hasTwoCopies(asked));
      for (const key of KEYS) cluster.pair(key);
      cluster.start(victim);
      cluster.until('it is back', () => cluster.process(victim).serves);
      cluster.until('all have two copies again', () => cluster.hasTwoCopies(asked));
    }
    readAll(t, cluster, KEYS, (key) => `${key} kept`);
  },
);

// KeyDB 365: the healthy node loads from the one that returns, and answers LOADING meanwhile.
mustNotHappen(
  17,
  'The survivor stops serving while the other one comes back',
  { nodes: 2 },
  (t, cluster) => {
    const keys = keysOf(400);
    setAll(cluster, keys, 'x'.repeat(300));
    cluster.kill(1);
    cluster.until('it is alone', () => cluster.process(0).node.state.isAlone);
    cluster.ask(0, 'SET', 'mine', '0');
    cluster.start(1);
    let longest = 0;
    for (let round = 1; !(cluster.running.length === 2 && cluster.isSettled); round++) {
      const calls = [
        cluster.send(0, 'GET', keys[round % keys.length]!),
        cluster.send(0, 'SET', 'mine', String(round)),
        cluster.send(0, 'SET', `new${round}`, 'v'),
      ];
      const from = cluster.now;
      const answers = cluster.answers(calls);
      longest = Math.max(longest, cluster.now - from);
      t.same(answers.slice(1), ['OK', 'OK'], `round ${round}`);
      t.match(answers[0], /x$/, `round ${round}`);
      cluster.run(2);
    }
    t.ok(longest < 250, `no command waited for longer than ${longest.toFixed(0)} ms`);
  },
);

// keycloak 45980, hazelcast 319: after a failure of some kind a node never comes back into the cluster.
mustNotHappen(18, 'A node never rejoins', { nodes: 3, sides: true }, (t, cluster) => {
  setAll(cluster, KEYS, 'kept');
  const isBack = (): boolean => cluster.running.length === 3 && cluster.isSettled;
  const losses: [string, (machine: number) => void, (machine: number) => void][] = [
    ['killed', (machine) => cluster.kill(machine), (machine) => cluster.start(machine)],
    [
      'unplugged',
      (machine) => cluster.unplug(machine),
      (machine) => {
        cluster.plug(machine);
        cluster.start(machine);
      },
    ],
    ['frozen', (machine) => cluster.pause(machine), (machine) => cluster.resume(machine)],
    [
      'cut off',
      (machine) =>
        cluster.split(
          [machine],
          [0, 1, 2].filter((other) => other !== machine),
        ),
      () => cluster.network.heal(),
    ],
  ];
  for (const [i, [how, lose, bring]] of losses.entries()) {
    const victim = i % 3;
    const others = cluster.running.filter(({ machine }) => machine !== victim);
    lose(victim);
    cluster.until(`${how}: it is left out`, () =>
      others.every(({ node }) => node.state.view?.members.length === 2),
    );
    cluster.run(3000);
    bring(victim);
    cluster.until(`${how}: it is back`, isBack, 20_000);
    t.pass(how);
    readAll(t, cluster, KEYS, (key) => `${key} kept`);
  }
});

// keycloak 47970: two nodes split, the one that goes on dies, and the other one stays not ready.
mustNotHappen(
  18,
  'Of two nodes that lost each other the survivor stays not ready',
  { nodes: 2, sides: true },
  (t, cluster) => {
    setAll(cluster, KEYS, 'kept');
    cluster.split([0], [1]);
    cluster.until('each is alone', () => cluster.running.every(({ node }) => node.state.isAlone));
    cluster.kill(0);
    t.equal(cluster.ask(1, 'SET', 's0', 'alone'), 'OK');
    cluster.network.heal();
    t.equal(cluster.ask(1, 'GET', 's0'), 'alone');
    cluster.start(0);
    cluster.settled();
    readAll(t, cluster, KEYS, (key) => (key === 's0' ? 'alone' : `${key} kept`));
  },
);

// The same under a majority: the younger one must wait for the older one, and no longer.
mustNotHappen(
  18,
  'Under majority the younger of two stays not ready when the older one is back, empty',
  { nodes: 2, partitionPolicy: 'majority', sides: true },
  (t, cluster) => {
    setAll(cluster, KEYS, 'kept');
    cluster.split([0], [1]);
    cluster.until('one is left', () =>
      cluster.running.some(({ node }) => node.state.view?.members.length === 1),
    );
    const older = cluster.running.find(({ node }) => node.state.view?.members.length === 1)!;
    const younger = 1 - older.machine;
    cluster.run(5000);
    t.match(cluster.ask(younger, 'GET', 's0'), /^-(CLUSTERDOWN|TRYAGAIN|LOADING)/);
    cluster.kill(older.machine);
    cluster.network.heal();
    cluster.start(older.machine);
    cluster.settled();
    t.equal(cluster.ask(younger, 'SET', 'after', 'v'), 'OK');
    t.equal(cluster.ask(older.machine, 'GET', 'after'), 'v');
  },
);

// memcached-session-manager 289: a node that returned is used again only after all clients were restarted.
mustNotHappen(
  23,
  'A node that has returned is not used by clients that were connected all along',
  { nodes: 3 },
  (t, cluster) => {
    setAll(cluster, KEYS, 'kept');
    // Everybody has learned where each key is.
    readAll(t, cluster, KEYS, (key) => `${key} kept`);
    cluster.kill(2);
    cluster.start(2);
    cluster.settled();
    const backups = KEYS.filter((key) => cluster.pair(key)[1] === 2);
    t.ok(backups.length > KEYS.length / 6, `${backups.length} of ${KEYS.length} copies are there`);
    // Those whose users come through it now live there; to the others nothing has happened.
    const moved = keysOf(10);
    for (let round = 0; round < 4; round++) {
      for (const key of moved) t.equal(cluster.ask(2, 'SET', key, `${key} ${round}`), 'OK');
    }
    cluster.settled();
    for (const key of moved) t.equal(cluster.pair(key)[0], 2, 'it is primary again');
    readAll(t, cluster, moved, (key) => `${key} 3`);
  },
);

// hazelcast 21428: a late reply for the process that was at this address before ends the shutdown of the new one early.
mustNotHappen(
  25,
  'A late message for the process before cuts a shutdown short',
  { nodes: 3 },
  (t, cluster) => {
    setAll(cluster, KEYS, 'kept');
    for (let round = 0; round < 3; round++) {
      const first = cluster.process(2);
      first.leave();
      cluster.until('it hands over', () => first.hasEnded);
      // All that the others still say to it is held up until the next process is there and leaves as well.
      for (const other of [0, 1]) cluster.network.cut(other, 2, true);
      cluster.run(1);
      const second = cluster.start(2);
      cluster.run(300);
      for (const other of [0, 1]) cluster.network.mend(other, 2);
      cluster.until('it is in', () => second.serves);
      setAll(cluster, KEYS, `round ${round}`);
      second.leave();
      cluster.until('it hands over again', () => second.hasEnded);
      // It has gone with nothing left to do: all keys have two copies without it, and one of the two may go.
      cluster.kill(1);
      readAll(t, cluster, KEYS, (key) => `${key} round ${round}`);
      cluster.start(1);
      cluster.start(2);
      cluster.settled();
    }
  },
);
