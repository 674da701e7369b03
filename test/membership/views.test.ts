import t from 'tap';
import { ControlNetwork } from '../support/control-network.js';

/** Runs a scenario for a range of seeds; a failure names its seed and shows what happened. */
function seeds(count: number, scenario: (net: ControlNetwork) => void, make = plain): void {
  for (let seed = 1; seed <= count; seed++) {
    const net = make(seed);
    try {
      scenario(net);
    } catch (error) {
      t.comment(net.history());
      t.comment(net.describe());
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
}

function plain(seed: number): ControlNetwork {
  return new ControlNetwork(seed);
}

function expectWithin(
  net: ControlNetwork,
  what: string,
  condition: () => boolean,
  ms: number,
): void {
  const took = net.runUntil(condition, ms);
  if (took < 0) throw new Error(`seed ${net.seed}: not within ${ms} ms: ${what}`);
}

t.test('nodes that start together form exactly one cluster', async () => {
  seeds(60, (net) => {
    const nodes = net.add(1 + (net.seed % 5));
    if (nodes.length === 1) net.startWith(nodes[0]!, null);
    else for (const node of nodes) net.at(net.random.between(0, 400), () => net.start(node));
    expectWithin(net, 'one view', () => net.agree(nodes), 4000);
    net.run(3000);
    t.equal(new Set(nodes.map(({ view }) => view!.seed)).size, 1);
  });
});

t.test('a killed node is left out within tens of milliseconds', async () => {
  seeds(40, (net) => {
    const nodes = net.add(2 + (net.seed % 4));
    net.startAll();
    expectWithin(net, 'one view', () => net.agree(nodes), 4000);
    net.run(net.random.between(500, 3000));
    const victim = net.random.pick(nodes);
    const rest = nodes.filter((node) => node !== victim);
    net.crash(victim);
    expectWithin(net, 'left out', () => net.agree(rest), 150);
    for (const node of rest) {
      t.ok(node.installs.at(-1)!.certainFrom <= node.monotonic(net.now), 'nothing to wait for');
    }
  });
});
