import t from 'tap';
import type { ControlNetwork, ControlNode } from '../support/control-network.js';
import { eachSeed } from '../support/control-network.js';

t.setTimeout(300_000);

function halves(
  net: ControlNetwork,
  nodes: readonly ControlNode[],
): [ControlNode[], ControlNode[]] {
  const one: ControlNode[] = [];
  const other: ControlNode[] = [];
  for (const node of nodes) (net.random.next() < 0.5 ? one : other).push(node);
  if (one.length === 0) one.push(other.pop()!);
  if (other.length === 0) other.push(one.pop()!);
  return [one, other];
}

t.test('available: both sides of a partition serve, and are one again after it', async () => {
  eachSeed(150, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const ids = nodes.map(({ id }) => id);
    const [one, other] = halves(net, nodes);
    net.split([one, other]);
    net.within(3500, 'both sides serve', () => net.agree(one) && net.agree(other));
    net.run(net.random.between(500, 10_000));
    net.heal();
    net.within(9000, 'united', () => net.agree(nodes));
    if (nodes.some(({ id }, i) => id !== ids[i])) throw new Error('somebody lost what it held');
    if (!nodes.some(({ installs }) => installs.at(-1)!.merge)) throw new Error('not a merge');
    net.partitioned = false;
    net.run(3000);
    if (!net.agree(nodes)) throw new Error('it did not last');
  });
});

t.test('available: three sides unite', async () => {
  eachSeed(40, {}, (net) => {
    const nodes = net.form(5);
    net.split([nodes.slice(0, 2), nodes.slice(2, 4), nodes.slice(4)]);
    net.run(5000);
    net.heal();
    net.within(15_000, 'united', () => net.agree(nodes));
  });
});

t.test('available: a partition that heals at any moment leaves one cluster', async () => {
  eachSeed(200, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const [one, other] = halves(net, nodes);
    net.split([one, other]);
    net.run(net.random.between(2150, 3200));
    net.heal();
    net.within(15_000, 'united', () => net.agree(nodes));
  });
});

t.test(
  'available: one that hears nobody until about node-timeout costs nobody else its place',
  async () => {
    eachSeed(150, {}, (net) => {
      const nodes = net.form(3 + (net.seed % 3));
      const ids = nodes.map(({ id }) => id);
      const deaf = net.random.pick(nodes);
      for (const node of nodes) if (node !== deaf) net.cut(node, deaf, true);
      net.run(net.random.between(1900, 2550));
      net.heal();
      net.within(9000, 'united', () => net.agree(nodes));
      nodes.forEach((node, i) => {
        if (node !== deaf && node.id !== ids[i])
          throw new Error('a node that was heard is left out');
      });
    });
  },
);

t.test('available: two members that cannot reach each other cost one its place', async () => {
  eachSeed(
    100,
    (seed) => ({ delayMsMax: seed % 4 === 0 ? 20 : 2 }),
    (net) => {
      const nodes = net.form(3 + (net.seed % 3));
      const { members } = nodes[0]!.view!;
      const a = net.random.pick(nodes);
      const b = net.random.pick(nodes.filter((node) => node !== a));
      const age = (node: ControlNode): number => members.findIndex(({ id }) => id === node.id);
      const younger = age(a) > age(b) ? a : b;
      net.cut(a, b, net.seed % 2 === 0);
      const rest = nodes.filter((node) => node !== younger);
      net.within(3000, 'left out', () => net.agree(rest));
      net.run(5000);
      if (!net.agree(rest)) throw new Error('it did not last');
      if (rest.some(({ exclusions }) => exclusions > 0)) throw new Error('more than one went');
      net.heal();
      net.within(9000, 'back', () => net.agree(nodes));
    },
  );
});

t.test('a member that reaches only one of many goes, not those it cannot reach', async () => {
  eachSeed(60, {}, (net) => {
    const nodes = net.form(5);
    const { members } = nodes[0]!.view!;
    const loner = net.random.pick(nodes);
    const others = nodes.filter((node) => node !== loner);
    const friend = net.random.pick(others);
    for (const node of others) if (node !== friend) net.cut(loner, node);
    net.within(3200, 'left out', () => net.agree(others));
    if (others.some(({ exclusions }) => exclusions > 0)) throw new Error('more than one went');
    net.heal();
    net.within(9000, 'back', () => net.agree(nodes));
    t.ok(members.length);
  });
});

t.test('majority: only the side with more than half serves', async () => {
  eachSeed(150, { policy: 'majority' }, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const [one, other] = halves(net, nodes);
    const oldest = nodes.find(({ id }) => id === nodes[0]!.view!.members[0]!.id)!;
    const isFirst =
      one.length > other.length || (one.length === other.length && one.includes(oldest));
    const [winners, losers] = isFirst ? [one, other] : [other, one];
    net.split([one, other]);
    net.within(3200, 'the larger side serves', () => net.agree(winners));
    net.run(3200);
    if (losers.some((node) => net.serves(node))) throw new Error('the smaller side serves');
    net.run(net.random.between(0, 5000));
    net.heal();
    net.within(15_000, 'united', () => net.agree(nodes));
  });
});

t.test('majority: a killed node is left out at once, but its leases are waited for', async () => {
  eachSeed(60, { policy: 'majority' }, (net) => {
    const nodes = net.form(3 + (net.seed % 3));
    const victim = net.random.pick(nodes);
    const rest = nodes.filter((node) => node !== victim);
    net.crash(victim);
    net.within(150, 'left out', () => net.agree(rest));
    for (const node of rest) {
      const remains = node.installs.at(-1)!.certainFrom - node.monotonic(net.now);
      if (remains < 1500) throw new Error(`refusals were taken for a proof: ${remains}`);
    }
    net.run(1000);
    net.start(victim);
    net.within(3000, 'back', () => net.agree(nodes));
  });
});

t.test('majority: of two, the younger one waits for the older one', async () => {
  eachSeed(40, { policy: 'majority' }, (net) => {
    const nodes = net.form(2);
    const older = nodes.find(({ id }) => id === nodes[0]!.view!.members[0]!.id)!;
    const younger = nodes.find((node) => node !== older)!;
    net.crash(older);
    net.run(6000);
    if (net.serves(younger)) throw new Error('serves alone');
    net.start(older);
    net.within(2500, 'back', () => net.agree(nodes));
    net.run(500);
    const first = nodes.find(({ id }) => id === nodes[0]!.view!.members[0]!.id)!;
    const second = nodes.find((node) => node !== first)!;
    net.crash(second);
    net.within(4500, 'the older one serves alone', () => net.agree([first]));
  });
});

t.test('available: a link cut right after another one healed makes no two sides', async () => {
  eachSeed(200, {}, (net) => {
    const nodes = net.form(3);
    const byAge = nodes[0]!.view!.members.map(
      ({ host }) => nodes.find(({ name }) => name === host)!,
    );
    const [oldest, second, third] = byAge as [ControlNode, ControlNode, ControlNode];
    net.cut(oldest, second);
    // It heals at about the time at which it costs the younger one its place.
    net.run(net.random.between(2050, 2350));
    net.heal();
    net.runUntil(() => net.agree(nodes), 300);
    net.cut(oldest, third);
    net.run(4000);
    net.heal();
    net.within(9000, 'one again', () => net.agree(nodes));
  });
});
