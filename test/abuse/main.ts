import { parseArgs } from 'node:util';
import { type Owner, TestCluster } from '../support/test-cluster.js';
import { ATTACKS, MAX_CLIENTS_LONG, noticedDuring, showNoticed } from './attacks.js';

/** `npm run abuse`: every attack in full on a cluster of three, with what another client noticed. Exit status 1 when one had an error. */

const { values } = parseArgs({
  options: {
    attack: { type: 'string', default: '' },
    share: { type: 'string', default: '1' },
  },
});
const share = Number(values.share);
const attacks = ATTACKS.filter(({ name }) => name.includes(values.attack));
if (!(share > 0) || attacks.length === 0) {
  process.stderr.write('usage: npm run abuse -- [--attack WORD] [--share 0.1]\n');
  process.exit(2);
}

const ends: (() => Promise<void>)[] = [];
let isSound = true;
const owner: Owner = { teardown: (end) => ends.push(end), passing: () => isSound };
const MIB = 1024 * 1024;

try {
  const cluster = await TestCluster.start(owner, 3, '--maxclients', String(MAX_CLIENTS_LONG));
  const node = cluster.nodes[0]!;
  const resident = async (): Promise<number> =>
    Number(/used_memory_rss:(\d+)/.exec(await node.client.info('memory'))![1]) / MIB;
  const quiet = await noticedDuring(cluster, new Promise((done) => setTimeout(done, 5000)));
  process.stdout.write(`nothing: ${showNoticed(quiet)}\n`);
  for (const { name, long, run } of attacks) {
    const before = await resident();
    const attack = run(node, Math.ceil(long * share));
    const noticed = await noticedDuring(cluster, attack);
    if (noticed.errors > 0) isSound = false;
    const grown = Math.round((await resident()) - before);
    process.stdout.write(
      `${name}: ${await attack}; ${showNoticed(noticed)}; resident ${grown >= 0 ? '+' : ''}${grown} MiB\n`,
    );
  }
} catch (error) {
  isSound = false;
  process.stdout.write(`${(error as Error).stack}\n`);
}
for (const end of ends) await end();
process.exitCode = isSound ? 0 : 1;
