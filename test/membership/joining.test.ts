import t from 'tap';
import { ControlNetwork, eachSeed } from '../support/control-network.js';

t.setTimeout(300_000);

/** Networks that are fast, slow and very slow: the slower, the more happens at the same time. */
function slow(seed: number): { delayMsMax: number } {
  return { delayMsMax: [2, 20, 60][seed % 3]! };
}

t.test('nodes that start together form exactly one cluster', async () => {
  eachSeed(100, slow, (net) => {
    const nodes = net.add(2 + (net.seed % 4));
    const spreadMs = net.random.pick([0, 5, 100, 400, 1500]);
    for (const node of nodes) net.at(net.random.between(0, spreadMs), () => net.start(node));
    net.run(spreadMs);
    net.within(4000, 'one view', () => net.agree(nodes));
    net.run(2000);
    if (!net.agree(nodes)) throw new Error('it did not last');
    if (nodes.some(({ exclusions }) => exclusions > 0)) throw new Error('somebody was left out');
  });
});

t.test('messages of founding that are lost with their links make no second cluster', async () => {
  eachSeed(100, slow, (net) => {
    const nodes = net.add(2 + (net.seed % 4));
    net.intercept = () => net.random.next() < 0.1;
    for (const node of nodes) net.at(net.random.between(0, 200), () => net.start(node));
    net.run(1500);
    net.intercept = null;
    net.within(6000, 'one view', () => net.agree(nodes));
  });
});

t.test('a node without a join list is a cluster at once', async () => {
  const net = new ControlNetwork(1);
  const [node] = net.add(1);
  net.startWith(node!, null);
  t.ok(net.agree([node!]));
  t.equal(node!.membership!.servesUntil(), Number.POSITIVE_INFINITY);
});

t.test('a node whose join addresses all refuse founds a cluster', async () => {
  const net = new ControlNetwork(1);
  const [node] = net.add(3);
  net.start(node!);
  t.ok(net.within(1000, 'alone', () => net.agree([node!])) > 0);
});

t.test('a silent or unresolved join address keeps a node waiting', async () => {
  eachSeed(10, {}, (net) => {
    const [a, b, c] = net.add(3);
    net.unplug(c!);
    net.start(a!);
    net.start(b!);
    net.run(10_000);
    if (a!.view !== null || b!.view !== null) throw new Error('founded, and c may be a cluster');
    net.start(c!);
    net.within(2500, 'one view', () => net.agree([a!, b!, c!]));
  });
  eachSeed(5, {}, (net) => {
    const [a, b] = net.add(2);
    a!.unresolved = 1;
    net.start(a!, [b!]);
    net.run(5000);
    if (a!.view !== null) throw new Error('founded without knowing all names');
    a!.unresolved = 0;
    net.within(1000, 'alone', () => net.agree([a!]));
  });
});

t.test('a node that is only given its own address founds nothing', async () => {
  const net = new ControlNetwork(1);
  const [node] = net.add(1);
  net.start(node!, [node!]);
  net.run(5000);
  t.equal(node!.view, null);
});

t.test('with --expect nobody founds before so many nodes hear each other', async () => {
  eachSeed(30, { expect: 3 }, (net) => {
    const [a, b, c] = net.add(3);
    net.start(a!);
    net.start(b!);
    net.run(5000);
    if (a!.view !== null || b!.view !== null) throw new Error('founded by two');
    net.start(c!);
    net.within(2500, 'one view', () => net.agree([a!, b!, c!]));
  });
});

t.test('nodes that know only one seed form one cluster with it', async () => {
  eachSeed(60, {}, (net) => {
    const nodes = net.add(5);
    const [seed, ...others] = nodes;
    net.start(seed!, others);
    for (const node of others) net.at(net.random.between(1, 500), () => net.start(node, [seed!]));
    net.run(500);
    net.within(3000, 'one view', () => net.agree(nodes));
  });
});

t.test('founders that are alone and empty join a seed that was slow to start', async () => {
  eachSeed(40, {}, (net) => {
    const nodes = net.add(4);
    const [seed, ...others] = nodes;
    for (const node of nodes) node.keys = 0;
    net.partitioned = true;
    for (const node of others) net.start(node, [seed!]);
    net.run(net.random.between(300, 2000));
    net.start(seed!, others);
    net.within(6000, 'one view', () => net.agree(nodes));
  });
});

t.test('a founder that holds keys joins no other cluster', async () => {
  eachSeed(10, {}, (net) => {
    const [a, b] = net.add(2);
    net.start(a!, [b!]);
    net.within(1000, 'founded', () => net.agree([a!]));
    net.partitioned = true;
    net.startWith(b!, null);
    net.run(6000);
    if (a!.exclusions + b!.exclusions > 0) throw new Error('discarded what it held');
  });
});

t.test('a seed restarted in place is invited, though nobody of its list is there', async () => {
  eachSeed(60, {}, (net) => {
    const [seed, other, gone] = net.add(3);
    net.start(seed!, [gone!]);
    net.within(1000, 'founded', () => net.agree([seed!]));
    net.start(other!, [seed!]);
    net.within(2000, 'two', () => net.agree([seed!, other!]));
    net.run(1000);
    net.crash(seed!);
    net.run(net.random.between(0, 20_000));
    net.start(seed!, [gone!]);
    net.within(3000, 'back', () => net.agree([seed!, other!]));
  });
});

t.test('a joiner that cannot reach a member stays outside, and the members go on', async () => {
  eachSeed(40, {}, (net) => {
    const [a, b, c, joiner] = net.add(4);
    const members = [a!, b!, c!];
    for (const node of members)
      net.start(
        node,
        members.filter((other) => other !== node),
      );
    net.within(3000, 'one view', () => net.agree(members));
    net.cut(joiner!, net.random.pick(members), net.seed % 2 === 0);
    net.start(joiner!, members);
    net.run(8000);
    if (!net.agree(members)) throw new Error('the members do not go on');
    if (joiner!.view !== null) throw new Error('in a view that is not connected');
    net.heal();
    net.within(8000, 'joined', () => net.agree([...members, joiner!]));
  });
});

t.test('thirty nodes form one cluster', async () => {
  const net = new ControlNetwork(7);
  const nodes = net.add(30);
  for (const node of nodes) net.at(net.random.between(0, 300), () => net.start(node));
  net.run(300);
  const tookMs = net.within(4000, 'one view', () => net.agree(nodes));
  t.comment(`one view after ${tookMs.toFixed(0)} ms, ${nodes[0]!.view!.id.number} views`);
  t.ok(nodes[0]!.view!.id.number < 8);
});
