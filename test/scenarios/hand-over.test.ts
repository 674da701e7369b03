import { keysOf, mustNotHappen, readAll, setAll } from './scenario.js';

/** What must not happen when the primary of a session changes, and when a node leaves or falls silent. */

// redis 6062: the old primary keeps acknowledging during a hand-over; the key is rolled back ten seconds later.
mustNotHappen(
  13,
  'The old primary acknowledges a write during the hand-over, and it is rolled back',
  { nodes: 3, delayMsMax: 6, takeOverAfter: 2 },
  (t, cluster) => {
    const keys = keysOf(3);
    // Two users of each session, in turn: it goes to and fro. The other one has a word in between now and then.
    const stops = keys.flatMap((key, k) =>
      [0, 1].map((user) => {
        let call = cluster.send(user, 'GET', key);
        return cluster.repeat(2, (round) => {
          if (call.outcome === 'pending') return;
          const hasTurn = Math.floor(cluster.now / 100) % 2 === user;
          if (hasTurn || round % 11 === 0) call = cluster.send((k + user) % 3, 'INCR', key);
        });
      }),
    );
    cluster.run(3000);
    for (const stop of stops) stop();
    cluster.answers(cluster.calls);
    const takeOvers = cluster.running.reduce(
      (sum, { node }) => sum + node.state.statistics.takeOvers,
      0,
    );
    t.ok(takeOvers > 20, `${takeOvers} hand-overs`);
    for (const key of keys) {
      const incremented = cluster.calls.filter(
        ({ args, outcome }) => args[0] === 'INCR' && args[1] === key && outcome === 'replied',
      );
      const replies = new Set(incremented.map(({ reply }) => JSON.stringify(reply)));
      t.equal(replies.size, incremented.length, 'no number was given twice');
      t.equal(cluster.ask(2, 'GET', key), String(incremented.length), 'and none was lost');
      t.ok(incremented.length > 100, `${incremented.length} increments`);
    }
  },
);

// redis 4027: the hand-over never completes while many keys expire.
mustNotHappen(
  13,
  'A hand-over never completes while many keys expire',
  { nodes: 3 },
  (t, cluster) => {
    for (const [i, key] of keysOf(600).entries()) {
      cluster.send(i % 3, 'SET', key, 'x'.repeat(100), 'PX', String(500 + 10 * i));
    }
    cluster.run(500);
    const stop = cluster.repeat(5, (round) => {
      const { machine } = cluster.running[round % 2]!;
      cluster.send(machine, 'SET', `late${round}`, 'v', 'PX', String(20 + (round % 50) * 10));
    });
    const leaver = cluster.process(2);
    const from = cluster.now;
    leaver.leave();
    cluster.until('it has left', () => leaver.hasEnded, 5000);
    t.pass(`it has left after ${(cluster.now - from).toFixed(0)} ms`);
    stop();
    cluster.run(7000);
    t.equal(cluster.ask(0, 'DBSIZE'), '0');
  },
);

// Tomcat 7.0.50: a member that has stopped is added again by a ping of it that comes late.
for (const how of ['has left', 'was killed'] as const) {
  mustNotHappen(
    19,
    `A node that ${how} is a member again by its last words, which come late`,
    { nodes: 3 },
    (t, cluster) => {
      setAll(cluster, keysOf(30), 'kept');
      const gone = cluster.process(2);
      const others = [0, 1].map((machine) => cluster.process(machine));
      const isOut = (): boolean =>
        others.every(({ node }) => node.state.view?.members.length === 2);
      if (how === 'has left') {
        gone.leave();
        cluster.until('it is in no view', isOut);
      }
      // From here on it speaks, and nobody hears it.
      for (const { machine } of others) cluster.network.cut(2, machine, true);
      cluster.run(how === 'has left' ? 1 : 300);
      if (!gone.hasEnded) gone.kill();
      cluster.until('it is gone', isOut);
      const views = others.map(({ node }) => node.state.view!.id.number);
      // What it has said arrives now.
      for (const { machine } of others) cluster.network.mend(2, machine);
      cluster.run(20_000);
      t.same(
        others.map(({ node }) => node.state.view!.id.number),
        views,
        'no view has changed since',
      );
      readAll(t, cluster, keysOf(30), (key) => `${key} kept`);
    },
  );
}

// memcached-session-manager 291: a node fails without a word, and requests wait for minutes.
mustNotHappen(
  22,
  'A request waits for minutes for a node that is silent',
  { nodes: 3 },
  (t, cluster) => {
    const keys = keysOf(60);
    setAll(cluster, keys, 'kept');
    const touched = keys.filter((key) => !cluster.pair(key).includes(2));
    cluster.unplug(2);
    const from = cluster.now;
    const calls = keys.flatMap((key, i) => [
      cluster.send(i % 2, 'GET', key),
      cluster.send((i + 1) % 2, 'GET', `absent${i}`),
      cluster.send((i + 1) % 2, 'SET', `new${i}`, 'v'),
    ]);
    const early = touched.map((key) => cluster.send(cluster.pair(key)[0], 'GET', key));
    cluster.answers(early);
    t.ok(cluster.now - from < 50, 'sessions that the silent node does not hold go on');
    cluster.answers(calls);
    const waited = cluster.now - from;
    // What nobody has is certain when the last lease of the silent node has run out: node-timeout x 1.5.
    t.ok(waited < 3500, `the last answer came after ${waited.toFixed(0)} ms, node-timeout is 2000`);
    const sessions = calls.filter(({ args }) => keys.includes(args[1]!));
    const longest = Math.max(...sessions.map(({ returnedAt }) => returnedAt - from));
    t.ok(longest < 2500, `sessions that are there are answered after ${longest.toFixed(0)} ms`);
    t.same(
      calls.filter(({ args }) => args[0] === 'GET').filter(({ outcome }) => outcome !== 'replied'),
      [],
      'and no read has failed',
    );
    cluster.settled();
    readAll(t, cluster, keys, (key) => `${key} kept`);
  },
);

// hazelcast-tomcat-sessionmanager 31: a click during the shutdown of a node loses the session, two seconds later it works.
mustNotHappen(
  22,
  'A request during the shutdown of a node does not find its session',
  { nodes: 3 },
  (t, cluster) => {
    const keys = keysOf(200);
    setAll(cluster, keys, 'kept');
    const leaver = cluster.process(1);
    const wrong: string[] = [];
    let asked = 0;
    let longest = 0;
    const stop = cluster.repeat(1, (round) => {
      const key = keys[(round * 7) % keys.length]!;
      for (const { machine } of cluster.running) {
        const call = cluster.send(machine, 'GET', key);
        asked++;
        cluster.scheduler.at(100, () => {
          longest = Math.max(longest, call.returnedAt - call.invokedAt);
          // The clients of the leaver go when it has nothing left (Process.leave); these do not, and wait for nothing.
          const isCutOff = machine === 1 && call.reply === null;
          const isFound = call.reply?.type === '$' && call.reply.text === `${key} kept`;
          if (!isFound && !isCutOff) wrong.push(`${machine}: ${key} ${JSON.stringify(call.reply)}`);
        });
      }
    });
    leaver.leave();
    cluster.until('it has left', () => leaver.hasEnded);
    cluster.run(500);
    stop();
    cluster.run(200);
    t.ok(asked > 500);
    t.same(wrong, [], 'each of the requests found its session, within 100 ms');
  },
);
