import t from 'tap';
import { type ControlNode, eachSeed } from '../support/control-network.js';

t.setTimeout(300_000);

function without(nodes: readonly ControlNode[], ...left: readonly ControlNode[]): ControlNode[] {
  return nodes.filter((node) => !left.includes(node));
}

t.test('a killed node is left out within tens of milliseconds', async () => {
  const took: number[] = [];
  eachSeed(100, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const victim = net.random.pick(nodes);
    const rest = without(nodes, victim);
    net.crash(victim);
    took.push(net.within(120, 'left out', () => net.agree(rest)));
    for (const node of rest) {
      const { certainFrom } = node.installs.at(-1)!;
      if (certainFrom > node.monotonic(net.now)) throw new Error('waits for leases of the dead');
    }
  });
  took.sort((a, b) => a - b);
  const middle = took[took.length >>> 1]!;
  t.comment(`left out after ${middle.toFixed(1)} ms, at most ${took.at(-1)!.toFixed(1)} ms`);
  t.ok(middle < 30);
});

t.test('the log of a view change names each member that is dead once', async (t) => {
  eachSeed(5, {}, (net) => {
    const nodes = net.form(3);
    const victim = nodes[2]!;
    const dead = [victim.id.slice(0, 8)];
    net.crash(victim);
    net.within(120, 'left out', () => net.agree(without(nodes, victim)));
    const changes = nodes
      .flatMap(({ log }) => log)
      .filter((line) => line.includes(' view-change {'))
      .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as { dead: string[] });
    t.same(changes.filter((change) => change.dead.length > 0)[0]?.dead, dead);
  });
});

t.test('two nodes killed together are left out together', async () => {
  eachSeed(60, {}, (net) => {
    const nodes = net.form(3 + (net.seed % 3));
    const first = net.random.pick(nodes);
    const second = net.random.pick(without(nodes, first));
    net.crash(first);
    net.at(net.random.between(0, 10), () => net.crash(second));
    net.within(600, 'left out', () => net.agree(without(nodes, first, second)));
  });
});

t.test('a silent node is left out soon after node-timeout', async () => {
  const took: number[] = [];
  eachSeed(60, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const victim = net.random.pick(nodes);
    if (net.seed % 2 === 0) net.unplug(victim);
    else net.pause(victim);
    const rest = without(nodes, victim);
    took.push(net.within(2500, 'left out', () => net.agree(rest)));
  });
  took.sort((a, b) => a - b);
  const middle = took[took.length >>> 1]!;
  t.comment(`left out after ${middle.toFixed(0)} ms, at most ${took.at(-1)!.toFixed(0)} ms`);
  t.ok(took[0]! > 1900, 'and not before');
});

t.test('a frozen node that wakes is fenced, and comes back as another incarnation', async () => {
  eachSeed(100, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const victim = net.random.pick(nodes);
    const before = victim.id;
    net.pause(victim);
    net.run(net.random.between(2600, 12_000));
    net.resume(victim);
    if (net.serves(victim)) throw new Error('serves when it wakes');
    net.within(3000, 'back', () => net.agree(nodes));
    if (victim.id === before || victim.exclusions !== 1) throw new Error('the same incarnation');
  });
});

t.test('a short freeze costs nobody its place', async () => {
  eachSeed(60, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const victim = net.random.pick(nodes);
    const { number } = victim.view!.id;
    for (let i = 0; i < 3; i++) {
      net.pause(victim);
      net.run(net.random.between(100, 1500));
      net.resume(victim);
      net.within(100, 'serving', () => net.agree(nodes));
      net.run(1000);
    }
    if (victim.view!.id.number !== number) throw new Error('the view has changed');
  });
});

t.test('all nodes frozen together go on together', async () => {
  eachSeed(40, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const { number } = nodes[0]!.view!.id;
    for (const node of nodes) net.pause(node);
    net.run(net.random.between(500, 20_000));
    for (const node of nodes) net.at(net.random.between(0, 300), () => net.resume(node));
    net.run(300);
    net.within(500, 'serving', () => net.agree(nodes));
    if (nodes[0]!.view!.id.number !== number) throw new Error('the view has changed');
  });
});

t.test('a stopped virtual machine is fenced as soon as its clocks disagree', async () => {
  eachSeed(60, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const victim = net.random.pick(nodes);
    net.stopMachine(victim);
    net.run(net.random.between(3000, 8000));
    net.resume(victim);
    if (net.serves(victim)) throw new Error('serves when it wakes');
    net.within(3000, 'back', () => net.agree(nodes));
  });
});

t.test('a wall clock that is set costs a heartbeat, not a place', async () => {
  eachSeed(20, {}, (net) => {
    const nodes = net.form(3);
    const { number } = nodes[0]!.view!.id;
    net.random.pick(nodes).jumpWall(net.random.between(-1, 1) < 0 ? -3_600_000 : 3_600_000);
    net.run(400);
    if (!net.agree(nodes)) throw new Error('not serving');
    if (nodes[0]!.view!.id.number !== number) throw new Error('the view has changed');
  });
});

t.test('a node restarted in place joins, and its old incarnation is proven dead', async () => {
  eachSeed(100, {}, (net) => {
    const nodes = net.form(2 + (net.seed % 4));
    const victim = net.random.pick(nodes);
    const { seed } = victim.view!;
    net.crash(victim);
    net.run(net.seed % 3 === 0 ? 0 : net.random.between(0, 3000));
    net.start(victim);
    net.within(1500, 'back', () => net.agree(nodes));
    if (victim.view!.seed !== seed) throw new Error('another cluster');
  });
});

t.test('the coordinator dies in the middle of a change', async () => {
  const kinds = ['survey', 'surveyed', 'prepare', 'prepared', 'install'];
  eachSeed(200, {}, (net) => {
    const nodes = net.form(3 + (net.seed % 3));
    const coordinator = nodes.find(({ id }) => id === nodes[0]!.view!.members[0]!.id)!;
    const victim = net.random.pick(without(nodes, coordinator));
    const kind = net.random.pick(kinds);
    let left = net.random.below(nodes.length - 1);
    net.intercept = (from, to, message) => {
      if (message.kind !== kind || (from !== coordinator && to !== coordinator)) return false;
      if (left-- > 0) return false;
      if (coordinator.isUp) net.at(0, () => net.crash(coordinator));
      return true;
    };
    net.crash(victim);
    net.runUntil(() => !coordinator.isUp, 300);
    net.intercept = null;
    if (coordinator.isUp) net.crash(coordinator);
    net.within(700, 'left out', () => net.agree(without(nodes, victim, coordinator)));
  });
});

t.test('who was left out by a change that nobody finished stays out', async () => {
  let finished = 0;
  const runs = eachSeed(100, {}, (net) => {
    const nodes = net.form(4);
    const { members } = nodes[0]!.view!;
    const byAge = members.map(({ id }) => nodes.find((node) => node.id === id)!);
    const [oldest, second, third, youngest] = byAge;
    net.cut(oldest!, youngest!);
    // Only one of the two in the middle learns of the view that leaves the youngest out.
    const reached = net.seed % 2 === 0 ? second! : third!;
    net.intercept = (from, to, message) => {
      if (from !== oldest || message.kind !== 'prepare') return false;
      net.at(5, () => oldest.isUp && net.crash(oldest));
      return to !== reached;
    };
    net.within(3000, 'the oldest is gone', () => !oldest!.isUp);
    net.intercept = null;
    net.within(4000, 'one view', () => net.agree([second!, third!, youngest!]));
    if (youngest!.exclusions === 1) finished++;
  });
  t.ok(finished > runs / 2, `${finished} of ${runs} were left out`);
});

t.test('messages of a change that are lost with their links only delay it', async () => {
  eachSeed(150, {}, (net) => {
    const nodes = net.form(3 + (net.seed % 3));
    const victim = net.random.pick(nodes);
    const rest = without(nodes, victim);
    net.intercept = (from, to, message) =>
      from !== victim &&
      to !== victim &&
      ['survey', 'surveyed', 'prepare', 'prepared', 'install', 'probe', 'probed'].includes(
        message.kind,
      ) &&
      net.random.next() < 0.4;
    net.crash(victim);
    net.run(700);
    net.intercept = null;
    net.within(1500, 'left out', () => net.agree(rest));
  });
});

t.test('a data link that broke costs the youngest of the two its place', async () => {
  eachSeed(40, {}, (net) => {
    const nodes = net.form(3 + (net.seed % 3));
    const { members } = nodes[0]!.view!;
    const [a, b] = [net.random.pick(nodes), net.random.pick(nodes)];
    if (a === b) return;
    const age = (node: ControlNode): number => members.findIndex(({ id }) => id === node.id);
    const [older, younger] = age(a) < age(b) ? [a, b] : [b, a];
    const before = younger.id;
    a.log.push(`${net.now} ${a.name} broke with ${b.name}`);
    a.membership!.dataLinkBroken(b.id, a.monotonic(net.now));
    net.within(200, 'left out', () => younger.exclusions === 1);
    net.within(2000, 'back', () => net.agree(nodes));
    if (younger.id === before || older.exclusions > 0) throw new Error('the wrong one went');
  });
});
