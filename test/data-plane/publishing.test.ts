import t, { type Test } from 'tap';
import { Kind } from '../../lib/cluster/announcements.js';
import { FrameType } from '../../lib/cluster/frames.js';
import type { TopicKind } from '../../lib/cluster/interest.js';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';
import type { Process } from '../simulation/process.js';

t.setTimeout(120_000);

/** A cluster whose nodes note the messages that come from others, as "channel message". */
function start(nodes: number, seed = 1, spares = 0) {
  const cluster = new ScriptedCluster(seed, { nodes, spares, delayMsMax: 5 });
  cluster.form();
  const heard = new Map<Process, string[]>();
  const listen = (process: Process): void => {
    const messages: string[] = [];
    heard.set(process, messages);
    process.node.publishing.subscribers = {
      deliver: (_kind, channel, message) => messages.push(`${channel} ${message}`),
    };
  };
  for (const process of cluster.running) listen(process);
  const publish = (process: Process, channel: string, message: string): number => {
    let receivers = -1;
    process.input('publish', () => {
      const { publishing } = process.node;
      receivers = publishing.publish(Kind.Channel, Buffer.from(channel), Buffer.from(message));
    });
    return receivers;
  };
  const announce = (process: Process, kind: TopicKind, name: string, count: number): void =>
    process.input('announce', () => process.node.publishing.announce(kind, name, count));
  /** Announces and waits until all know. */
  const subscribe = (process: Process, kind: TopicKind, name: string, count = 1): void => {
    let isTold = false;
    announce(process, kind, name, count);
    process.input('wait', () => process.node.publishing.whenTold(() => (isTold = true)));
    cluster.until('all are told', () => isTold);
  };
  const sent = (process: Process, type: number): number =>
    process.node.state.statistics.framesSent[type]!;
  return {
    cluster,
    heard: (process: Process) => heard.get(process)!,
    listen,
    publish,
    subscribe,
    announce,
    sent,
  };
}

t.test(
  'a message goes to the members with subscribers for it, once, and to nobody else',
  async (t) => {
    const { cluster, heard, publish, subscribe, sent } = start(4);
    const [a, b, c, d] = cluster.running as [Process, Process, Process, Process];
    subscribe(b, Kind.Channel, 'news', 2);
    subscribe(c, Kind.Pattern, 'n*', 1);
    subscribe(c, Kind.Channel, 'news', 3);
    subscribe(d, Kind.Channel, 'other');
    subscribe(d, Kind.ShardChannel, 'news');
    t.equal(publish(a, 'news', '1'), 6, 'subscribers at the others');
    t.equal(publish(a, 'nothing', '2'), 1);
    t.equal(publish(a, 'silence', '3'), 0);
    cluster.run(50);
    t.same(heard(b), ['news 1']);
    t.same(heard(c), ['news 1', 'nothing 2']);
    t.same(heard(d), []);
    t.equal(sent(a, FrameType.Publish), 3, 'nothing went where nobody listens');
    subscribe(b, Kind.Channel, 'news', 0);
    t.equal(publish(a, 'news', '4'), 4);
    cluster.run(50);
    t.same(heard(b), ['news 1']);
    t.same(cluster.finish(), []);
  },
);

t.test(
  'what is published after the confirmation of a subscription comes, from wherever',
  async (t) => {
    for (let seed = 1; seed <= 10; seed++) {
      const { cluster, heard, publish, subscribe } = start(5, seed);
      const expected: string[] = [];
      for (let round = 0; round < 20; round++) {
        const subscriber = cluster.running[round % 5]!;
        subscribe(subscriber, Kind.Channel, `c${round}`);
        const from = cluster.running[(round * 3 + 1) % 5]!;
        if (from === subscriber) continue;
        t.equal(publish(from, `c${round}`, 'x'), 1);
        if (subscriber === cluster.running[0]) expected.push(`c${round} x`);
      }
      cluster.run(50);
      t.same(heard(cluster.running[0]!), expected);
    }
  },
);

t.test('a member that joins is told of everything, and told from the first moment', async (t) => {
  const { cluster, heard, listen, publish, subscribe } = start(2, 1, 1);
  const [a] = cluster.running as [Process];
  const names = Array.from({ length: 3000 }, (_, i) => `channel ${i}`);
  for (const name of names) subscribe(a, Kind.Channel, name);
  const joiner = cluster.start(2);
  listen(joiner);
  cluster.until('it is in', () => joiner.node.state.view?.members.length === 3);
  // It knows nothing yet of who is subscribed to what: everybody gets what it publishes.
  t.equal(publish(joiner, 'channel 17', 'early'), 0);
  cluster.run(200);
  t.same(heard(a), ['channel 17 early']);
  t.equal(publish(joiner, 'channel 2999', 'late'), 1);
  cluster.run(50);
  t.same(heard(a), ['channel 17 early', 'channel 2999 late']);
  t.same(cluster.finish(), []);
});

t.test('a subscription is not confirmed before the node is in a view', async (t) => {
  const cluster = new ScriptedCluster(1, { nodes: 2 });
  const process = cluster.start(0);
  let isTold = false;
  process.input('wait', () => {
    process.node.publishing.announce(Kind.Channel, 'c', 1);
    process.node.publishing.whenTold(() => (isTold = true));
  });
  t.equal(isTold, false);
  cluster.start(1);
  cluster.until('told', () => isTold);
  t.not(process.node.state.view, null);
});

t.test(
  'a subscription at a node that joins is confirmed when all members know of it',
  async (t) => {
    const { cluster } = start(2, 1, 1);
    const [a, b] = cluster.running as [Process, Process];
    const joiner = cluster.start(2);
    const counts: number[] = [];
    for (const name of ['first', 'second', 'third']) {
      joiner.input('wait', () => {
        const { publishing } = joiner.node;
        publishing.announce(Kind.Channel, name, 1);
        publishing.whenTold(() => {
          for (const { node } of [a, b]) {
            counts.push(node.publishing.interest.count(Kind.Channel, name));
          }
        });
      });
    }
    cluster.until('all are confirmed', () => counts.length === 6);
    t.same(counts, [1, 1, 1, 1, 1, 1]);
    t.same(cluster.finish(), []);
  },
);

t.test(
  'of a member that dies nothing is waited for, and its subscribers no longer count',
  async (t) => {
    const { cluster, publish, subscribe, announce } = start(3);
    const [a, b, c] = cluster.running as [Process, Process, Process];
    subscribe(c, Kind.Channel, 'news', 7);
    t.equal(publish(a, 'news', '1'), 7);
    announce(b, Kind.Channel, 'mine', 1);
    c.kill();
    let isTold = false;
    b.input('wait', () => b.node.publishing.whenTold(() => (isTold = true)));
    cluster.until('told without it', () => isTold, 5000);
    cluster.settled();
    t.equal(publish(a, 'news', '2'), 0);
    t.equal(publish(a, 'mine', '3'), 1);
    t.same(cluster.finish(), []);
  },
);

/** Numbers that one publisher's messages carry. */
const numbersOf = (messages: readonly string[], from: string): number[] =>
  messages.filter((one) => one.includes(` ${from} `)).map((one) => Number(one.split(' ')[2]));

function checkOrder(t: Test, messages: readonly string[], publishers: readonly string[]): void {
  for (const from of publishers) {
    const numbers = numbersOf(messages, from);
    const isRising = numbers.every((number, i) => i === 0 || number > numbers[i - 1]!);
    t.ok(isRising, `${from}: in order, and none twice`);
  }
}

t.test('links that break lose no message, and nothing comes twice or out of order', async (t) => {
  let resumed = 0;
  for (let seed = 1; seed <= 5; seed++) {
    const { cluster, heard, publish, subscribe } = start(3, seed);
    const all = cluster.running;
    for (const process of all) subscribe(process, Kind.Channel, 'c');
    const stop = cluster.repeat(1, (round) => {
      for (const process of all) {
        const text = 'x'.repeat(round % 10 === 0 ? 200_000 : 10);
        publish(process, 'c', `${process.name} ${round} ${text}`);
      }
    });
    for (let round = 0; round < 5; round++) {
      cluster.run(40);
      for (const peer of all[0]!.node.state.livePeers()) {
        const { link } = peer.stream;
        if (peer.lossy.hasUnsent) resumed++;
        all[0]!.input('cut', () => {
          all[0]!.closeData(link);
          all[0]!.node.dataClosed(link);
        });
      }
    }
    cluster.run(40);
    stop();
    cluster.run(5000);
    const names = all.map(({ name }) => name);
    for (const process of all) {
      checkOrder(t, heard(process), names);
      for (const from of names) {
        if (from === process.name) continue;
        const numbers = numbersOf(heard(process), from);
        t.ok(numbers.at(-1)! > 200);
        t.equal(numbers.length, numbers.at(-1)! + 1, `all of ${from}`);
      }
    }
    t.same(cluster.finish(), []);
  }
  t.ok(resumed > 0, 'the links broke while messages were on their way');
});
