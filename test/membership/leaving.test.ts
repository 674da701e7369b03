import t from 'tap';
import type { ControlNetwork, ControlNode } from '../support/control-network.js';
import { eachSeed } from '../support/control-network.js';

t.setTimeout(300_000);

function leave(net: ControlNetwork, node: ControlNode): void {
  node.membership!.leave(node.monotonic(net.now));
}

function goodbye(net: ControlNetwork, node: ControlNode): void {
  node.membership!.goodbye(node.monotonic(net.now), true);
}

function hasLeft(net: ControlNetwork, node: ControlNode): boolean {
  return node.membership!.hasLeft(node.monotonic(net.now));
}

function isLeaving(nodes: readonly ControlNode[], node: ControlNode): boolean {
  return nodes.every(
    ({ view }) => view!.members.find(({ id }) => id === node.id)?.leaving === true,
  );
}

for (const policy of ['available', 'majority'] as const) {
  t.test(`${policy}: a leaver is marked, and goes with a goodbye`, async () => {
    eachSeed(60, { policy }, (net) => {
      const nodes = net.form(2 + (net.seed % 4));
      const leaver = net.random.pick(nodes);
      const rest = nodes.filter((node) => node !== leaver);
      leave(net, leaver);
      net.within(250, 'marked', () => isLeaving(nodes, leaver));
      net.run(net.random.between(0, 1000));
      if (!net.agree(nodes)) throw new Error('a leaver serves until it goes');
      goodbye(net, leaver);
      if (net.serves(leaver)) throw new Error('serves after its goodbye');
      net.within(200, 'gone', () => hasLeft(net, leaver) && net.agree(rest));
      net.crash(leaver);
      net.run(500);
      if (!net.agree(rest)) throw new Error('the others do not go on');
      for (const node of rest) {
        const { certainFrom } = node.installs.at(-1)!;
        if (certainFrom > node.monotonic(net.now)) throw new Error('waits for leases');
      }
    });
  });
}

t.test('a rolling restart ends with the same cluster', async () => {
  eachSeed(20, {}, (net) => {
    const nodes = net.form(3);
    const { seed } = nodes[0]!.view!;
    for (const node of nodes) {
      leave(net, node);
      net.within(250, 'marked', () => isLeaving(nodes, node));
      goodbye(net, node);
      net.within(200, 'gone', () => hasLeft(net, node));
      net.crash(node);
      net.run(net.random.between(50, 1000));
      net.start(node);
      net.within(2000, 'back', () => net.agree(nodes));
    }
    if (nodes[0]!.view!.seed !== seed) throw new Error('another cluster');
  });
});

t.test('when all leave, nobody stays, and no joiner is admitted', async () => {
  eachSeed(30, {}, (net) => {
    const nodes = net.form(3);
    for (const node of nodes) {
      if (node.membership!.nobodyStays(false)) throw new Error('the others stay');
      leave(net, node);
    }
    net.within(200, 'all marked', () => nodes.every((node) => isLeaving(nodes, node)));
    for (const node of nodes)
      if (!node.membership!.nobodyStays(false)) throw new Error('nobody stays');
    const [joiner] = net.add(1);
    net.start(joiner!);
    net.run(2000);
    if (joiner!.view !== null) throw new Error('admitted');
    if (!net.agree(nodes)) throw new Error('leavers serve until they go');
  });
});

t.test('a leaver whose others died stays, and leaves when somebody has come', async () => {
  eachSeed(40, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 2));
    const [leaver, ...others] = nodes;
    leave(net, leaver!);
    net.within(250, 'marked', () => isLeaving(nodes, leaver!));
    for (const node of others) net.crash(node);
    net.within(300, 'alone', () => net.agree([leaver!]));
    net.run(200);
    const { self, view } = leaver!.membership!;
    if (self.leaving || view!.members[0]!.leaving) throw new Error('still leaving');
    if (leaver!.membership!.nobodyStays(false)) throw new Error('somebody may come');
    net.start(others[0]!);
    net.within(2000, 'two', () => net.agree([leaver!, others[0]!]));
    leave(net, leaver!);
    net.within(200, 'marked', () => isLeaving([leaver!, others[0]!], leaver!));
  });
});

t.test('who has said goodbye does not wait for those who have ended since', async () => {
  eachSeed(30, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 3));
    const [first, ...others] = nodes;
    for (const node of nodes) leave(net, node);
    net.within(250, 'marked', () => nodes.every((node) => isLeaving(nodes, node)));
    goodbye(net, first!);
    for (const node of others) net.crash(node);
    net.within(300, 'gone', () => hasLeft(net, first!));
  });
});
