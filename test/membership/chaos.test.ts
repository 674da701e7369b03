import t from 'tap';
import { type ControlNetwork, type ControlNode, eachSeed } from '../support/control-network.js';

t.setTimeout(300_000);

const TROUBLE_MS = 20_000;

/** When the last freeze of each network ended, or will. */
const frozenUntil = new WeakMap<ControlNetwork, number>();

/**
 * Two that are frozen in turn can each find the other one silent and go on without it: that is what
 * a partition looks like. So where both may not serve, freezes are far apart.
 */
function freeze(net: ControlNetwork, node: ControlNode, stop: () => void): void {
  if (!node.isUp || node.backlog !== null) return;
  const apartMs = net.partitioned ? 0 : 3 * net.timeoutMs;
  if (net.now < (frozenUntil.get(net) ?? 0) + apartMs) return;
  const forMs = net.random.between(50, 5000);
  frozenUntil.set(net, net.now + forMs);
  stop();
  const { life } = node;
  net.at(forMs, () => node.life === life && net.resume(node));
}

/** Faults that no two nodes can take for a partition. */
const FAULTS: readonly ((net: ControlNetwork, node: ControlNode) => void)[] = [
  (net, node) => {
    if (node.isUp) net.crash(node);
  },
  (net, node) => {
    if (!node.isUp) net.start(node);
  },
  (net, node) => {
    if (!node.isUp) net.start(node);
  },
  (net, node) => freeze(net, node, () => net.pause(node)),
  (net, node) => freeze(net, node, () => net.stopMachine(node)),
  (_net, node) => node.jumpWall(3000),
];

const CUTS: readonly ((net: ControlNetwork, node: ControlNode) => void)[] = [
  (net, node) => net.cut(node, net.random.pick(net.nodes.filter((other) => other !== node))),
  (net, node) => net.cut(node, net.random.pick(net.nodes.filter((other) => other !== node)), true),
  (net, node) => {
    for (const other of net.nodes) if (other !== node) net.cut(node, other);
  },
  (net) => net.heal(),
  (net) => net.heal(),
];

function trouble(net: ControlNetwork, faults: typeof FAULTS): void {
  const until = net.now + TROUBLE_MS;
  while (net.now < until) {
    net.random.pick(faults)(net, net.random.pick(net.nodes));
    net.run(net.random.next() < 0.5 ? net.random.between(0, 20) : net.random.between(0, 3000));
  }
}

function calm(net: ControlNetwork): void {
  net.heal();
  for (const node of net.nodes) {
    if (node.backlog !== null) net.resume(node);
    if (!node.isUp) net.start(node);
  }
  net.run(3000);
  net.within(60_000, 'one view after all trouble', () => net.agree(net.nodes));
  net.partitioned = false;
  net.run(3000);
  if (!net.agree(net.nodes)) throw new Error('it did not last');
}

for (const policy of ['available', 'majority'] as const) {
  t.test(`${policy}: crashes, restarts and freezes in any order`, async () => {
    eachSeed(
      40,
      (seed) => ({ policy, delayMsMax: [2, 20, 60][seed % 3]! }),
      (net) => {
        net.form(2 + (net.seed % 4));
        net.partitioned = net.seed % 2 === 0;
        trouble(net, FAULTS);
        calm(net);
      },
    );
  });

  t.test(`${policy}: cut links in any order`, async () => {
    eachSeed(
      40,
      (seed) => ({ policy, delayMsMax: [2, 20, 60][seed % 3]! }),
      (net) => {
        net.form(2 + (net.seed % 4));
        net.partitioned = true;
        trouble(net, CUTS);
        calm(net);
      },
    );
  });

  t.test(`${policy}: everything in any order`, async () => {
    eachSeed(
      40,
      (seed) => ({ policy, delayMsMax: [2, 20, 60][seed % 3]! }),
      (net) => {
        net.form(2 + (net.seed % 4));
        net.partitioned = true;
        trouble(net, [...FAULTS, ...CUTS]);
        calm(net);
      },
    );
  });
}
