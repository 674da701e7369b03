import t from 'tap';
import { ScriptedCluster } from '../scenarios/scripted-cluster.js';

const ELEMENTS = 20_000;

t.test(
  'a long list that is changed in the middle is the same on its backup, gaps and all',
  async (t) => {
    for (let seed = 1; seed <= 4; seed++) {
      const cluster = new ScriptedCluster(seed, { nodes: 3, longHistories: true });
      cluster.form();
      const random = cluster.scheduler.random('elements');
      const elements = Array.from({ length: ELEMENTS }, (_, i) => `element:${i}`);
      for (let from = 0; from < ELEMENTS; from += 5000) {
        cluster.ask(0, 'RPUSH', 'list', ...elements.slice(from, from + 5000));
      }
      for (let step = 0; step < 200; step++) {
        const at = random.below(elements.length);
        const text = `${'x'.repeat(random.below(40))}:${step}`;
        const luck = random.below(10);
        if (luck < 8) {
          t.equal(cluster.ask(0, 'LSET', 'list', `${at}`, text), 'OK');
          elements[at] = text;
        } else if (luck === 8) {
          const place = elements.indexOf(elements[at]!);
          cluster.ask(0, 'LINSERT', 'list', 'BEFORE', elements[at]!, text);
          elements.splice(place, 0, text);
        } else {
          const place = elements.indexOf(elements[at]!);
          cluster.ask(0, 'LREM', 'list', '1', elements[at]!);
          elements.splice(place, 1);
        }
      }
      const primary = cluster.running.findIndex(
        (process) => process.node.state.store.countOfRole(0) > 0,
      );
      cluster.kill(primary);
      const other = (primary + 1) % 3;
      t.equal(cluster.ask(other, 'LLEN', 'list'), `${elements.length}`);
      for (let i = 0; i < 50; i++) {
        const at = random.below(elements.length);
        t.equal(cluster.ask(other, 'LINDEX', 'list', `${at}`), elements[at]);
      }
      cluster.ask(other, 'LSET', 'list', '10000', 'y'.repeat(100));
      t.equal(cluster.ask(other, 'LINDEX', 'list', '10001'), elements[10_001]);
      t.same(cluster.finish(), []);
    }
  },
);
