import t from 'tap';
import type { ControlNetwork, ControlNode } from '../support/control-network.js';
import { eachSeed } from '../support/control-network.js';

t.setTimeout(120_000);

function forget(net: ControlNetwork, at: ControlNode, id: string, certain = false): string {
  return at.membership!.forget(id, certain, at.monotonic(net.now));
}

function expect(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what}: ${found}, not ${wanted}`);
}

t.test('a member that lives is not forgotten, by whatever link it is heard', async () => {
  for (const policy of ['available', 'majority'] as const) {
    eachSeed(10, { policy }, (net) => {
      const [a, b, c] = net.form(3) as [ControlNode, ControlNode, ControlNode];
      expect('itself', forget(net, a, a.id, true), 'self');
      expect('a stranger', forget(net, a, 'f'.repeat(40), true), 'unknown');
      expect('a member', forget(net, a, b.id, true), 'alive');
      net.cut(a, b);
      net.run(net.random.between(0, 2300));
      if (net.agree([a, b, c])) expect('one heard by another', forget(net, a, b.id, true), 'alive');
    });
  }
});

t.test('majority: those left serve once all the dead are forgotten, and never before', async () => {
  eachSeed(20, { policy: 'majority' }, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const kept = nodes.slice(0, Math.floor((nodes.length - 1) / 2) || 1);
    const ids = new Map(nodes.map((node) => [node, node.id]));
    const dead = nodes.filter((node) => !kept.includes(node));
    for (const node of dead) net.seed % 2 === 0 ? net.crash(node) : net.unplug(node);
    net.run(6000);
    // Of two, the older one goes on by itself.
    if (kept.some((node) => net.serves(node))) return;
    for (const node of dead) {
      expect('without FORCE', forget(net, kept[0]!, ids.get(node)!), 'unproven');
    }
    net.run(1000);
    if (kept.some((node) => net.serves(node))) throw new Error('serves all the same');
    for (const node of dead) {
      const outcome = forget(net, net.random.pick(kept), ids.get(node)!, true);
      // Half of them may be enough, with the oldest.
      if (outcome !== 'forgotten' && outcome !== 'silent') throw new Error(outcome);
    }
    net.within(6000, 'serve', () => net.agree(kept));
    for (const node of kept) expect('incarnation', node.id, ids.get(node));
    // The machines are set up anew: they are other members.
    for (const node of dead) net.start(node);
    net.within(20_000, 'whole', () => net.agree(nodes));
  });
});

t.test(
  'available: who was forgotten is not missed, and one side discards when it is back',
  async () => {
    eachSeed(24, {}, (net) => {
      const nodes = net.form(3 + (net.seed % 3));
      const lost = nodes.slice(0, 1 + (net.seed % 2));
      const rest = nodes.filter((node) => !lost.includes(node));
      const ids = new Map(nodes.map((node) => [node, node.id]));
      net.split([lost, rest]);
      net.within(6000, 'both serve', () => net.agree(lost) && net.agree(rest));
      expect('missing', rest[0]!.membership!.membersMissing(), lost.length);
      // Told to one, and known to all.
      for (const node of lost) expect('outcome', forget(net, rest[0]!, node.id), 'forgotten');
      net.within(1000, 'known', () =>
        rest.every((node) => node.membership!.membersMissing() === 0),
      );
      expect('again', forget(net, rest[0]!, lost[0]!.id), 'unknown');
      const before = net.seed % 4 === 0 ? lost : [];
      if (before.length === 2) {
        // The one that was forgotten dies there: whoever has its copies is no better.
        net.crash(before[0]!);
        net.within(4000, 'goes on', () => net.agree([before[1]!]));
      }
      const there = lost.filter((node) => node.isUp);
      net.heal();
      net.within(30_000, 'united', () => net.agree([...rest, ...there]));
      const gaveUp = (side: readonly ControlNode[]): boolean =>
        side.every((node) => node.id !== ids.get(node));
      if (!gaveUp(rest) && !gaveUp(there)) throw new Error('they merged: deletes may be unknown');
    });
  },
);

t.test('available: those who have forgotten one go on merging with all others', async () => {
  eachSeed(12, {}, (net) => {
    const nodes = net.form(4);
    const gone = nodes[3]!;
    const { id } = gone;
    const rest = nodes.slice(0, 3);
    net.unplug(gone);
    net.within(4000, 'left out', () => net.agree(rest));
    expect('outcome', forget(net, net.random.pick(rest), id), 'forgotten');
    net.run(1000);
    const ids = rest.map((node) => node.id);
    net.split([rest.slice(0, 2), rest.slice(2)]);
    net.within(6000, 'both serve', () => net.agree(rest.slice(0, 2)) && net.agree(rest.slice(2)));
    net.heal();
    net.within(15_000, 'united', () => net.agree(rest));
    if (rest.some((node, i) => node.id !== ids[i])) throw new Error('somebody discarded');
  });
});
