import t from 'tap';
import { TestCluster } from '../support/test-cluster.js';
import { ATTACKS, MAX_CLIENTS, noticedDuring, showNoticed } from './attacks.js';

t.setTimeout(120_000);

/** A short piece of `npm run abuse`. */
t.test('what clients may try costs other clients no command', async (t) => {
  const cluster = await TestCluster.start(t, 2, '--maxclients', String(MAX_CLIENTS));
  const [node] = cluster.nodes;
  const { view } = await node!.facts();
  for (const { name, short, run } of ATTACKS) {
    const attack = run(node!, short);
    const noticed = await noticedDuring(cluster, attack);
    t.comment(`${name}: ${await attack}; ${showNoticed(noticed)}`);
    t.equal(noticed.errors, 0, `${name}: no error for others`);
    t.ok(noticed.commands > 0);
  }
  t.equal((await node!.facts())['view'], view, 'no member was lost');
});
