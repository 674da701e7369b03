import t from 'tap';
import { TestCluster } from '../support/test-cluster.js';

const MIB = 1024 * 1024;
const VALUE_BYTES = 20_000;
/** What is on its way when a member says that it is full. */
const OVER_BYTES = MIB;

t.test(
  'a member at its maxmemory goes on taking the copies of what others have executed',
  async (t) => {
    const cluster = await TestCluster.prepare(t, [[], ['--maxmemory', '10mb']]);
    for (const node of cluster.nodes) node.start();
    await cluster.settled();
    const [roomy, full] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
    const memory = async (name: string): Promise<number> => {
      const text = await full.client.info('memory');
      return Number(new RegExp(`^${name}:(-?\\d+)`, 'm').exec(text)![1]);
    };
    const value = 'x'.repeat(VALUE_BYTES);
    const kept: string[] = [];
    let error = '';
    // One that counts with a report of a while ago may say so too early: it takes more when it has heard.
    const isFull = async (): Promise<boolean> => (await memory('maxmemory_headroom')) < OVER_BYTES;
    for (let i = 0; error === '' || !(await isFull()); i++) {
      const key = `sess:${i}`;
      await roomy.client.set(key, value, 'EX', 1000).then(
        () => kept.push(key),
        ({ message }: Error) => {
          error = message;
        },
      );
    }
    t.match(error, /^OOM /, 'said before the command is executed');
    t.ok(kept.length > 300, `${kept.length} sessions were taken`);
    t.ok(
      (await memory('used_memory_backups')) > 9 * MIB - OVER_BYTES,
      'most of it are copies for the other',
    );
    t.ok((await memory('used_memory')) < 10 * MIB + OVER_BYTES, 'the limit holds');

    // What needs no room is taken: nobody is logged out, and every session stays on two nodes.
    const pipeline = roomy.client.pipeline();
    for (const key of kept) pipeline.expire(key, 2000);
    t.ok((await pipeline.exec())!.every(([failed, set]) => failed === null && set === 1));
    t.ok((await full.client.ttl(kept[0]!)) > 1000, 'the full one knows it too');
    await cluster.until(async () => (await roomy.facts())['keys_without_backup'] === '0');
    await roomy.end('SIGKILL');
    await cluster.until(async () => (await full.facts())['members'] === '1');
    t.equal(await full.client.exists(...kept), kept.length, 'and none is lost with the other one');
  },
);
