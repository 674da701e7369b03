import t from 'tap';
import { type ClusterOptions, ScriptedCluster } from '../scenarios/scripted-cluster.js';
import type { Process } from '../simulation/process.js';

t.setTimeout(180_000);

const NAME = 'option';

/** A cluster whose nodes keep what others have set. */
function start(seed: number, options: Partial<ClusterOptions> = {}) {
  const cluster = new ScriptedCluster(seed, { nodes: 3, delayMsMax: 5, ...options });
  cluster.form();
  const texts = new Map<Process, string>();
  const listen = (process: Process): void => {
    process.node.sharedSettings.changed = (_name, text) => texts.set(process, text);
  };
  for (const process of cluster.running) listen(process);
  const set = (process: Process, text: string): (() => boolean) => {
    let isTold = false;
    texts.set(process, text);
    process.input('set', () => {
      process.node.sharedSettings.set(NAME, text, () => {
        isTold = true;
      });
    });
    return () => isTold;
  };
  const all = () => cluster.running.map((process) => texts.get(process));
  return { cluster, set, all, listen };
}

t.test(
  'a setting holds on all nodes when its setter is told so, and on those that join',
  async (t) => {
    const { cluster, set, all, listen } = start(1, { spares: 1 });
    const [a, , c] = cluster.running as [Process, Process, Process];
    cluster.until('told', set(a, 'one'));
    t.same(all(), ['one', 'one', 'one']);
    cluster.until('told', set(c, 'two'));
    t.same(all(), ['two', 'two', 'two']);
    a.kill();
    const joiner = cluster.start(3);
    listen(joiner);
    cluster.settled();
    cluster.run(100);
    t.same(all(), ['two', 'two', 'two']);
  },
);

t.test('a setter that dies when it has told one of the others only has told all', async (t) => {
  const { cluster, set, all } = start(1);
  const [a] = cluster.running as [Process];
  cluster.until('told', set(a, 'old'));
  cluster.network.cut(0, 2);
  const isTold = set(a, 'new');
  cluster.until('one has heard of it', () => all()[1] === 'new');
  t.notOk(isTold());
  a.kill();
  cluster.network.mend(0, 2);
  cluster.settled();
  cluster.until('the other one has, too', () => all().every((text) => text === 'new'), 1000);
});

t.test(
  'of what two sides of a partition have set the newer one holds when they meet',
  async (t) => {
    const { cluster, set, all } = start(1, { sides: true });
    cluster.split([0], [1, 2]);
    cluster.run(5000);
    const [a, b] = cluster.running as [Process, Process];
    cluster.until('told', set(a, 'older'));
    cluster.run(50);
    cluster.until('told', set(b, 'newer'));
    t.same(all(), ['older', 'newer', 'newer']);
    cluster.network.heal();
    cluster.settled();
    cluster.run(100);
    t.same(all(), ['newer', 'newer', 'newer']);
  },
);
