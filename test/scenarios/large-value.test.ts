import t from 'tap';
import { TestCluster } from '../support/test-cluster.js';

/** More than a node keeps of what a peer has not acknowledged (64 MB): with real processes, as a socket has a say in it. */
const VALUE_BYTES = 80 * 1024 * 1024;

t.setTimeout(120_000);

// redis 11667: a value larger than the output buffer of a replica closes its link, is sent anew, and so on without an end.
t.test('16. A value larger than a buffer of the link is sent again and again', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const [a, b] = cluster.nodes;
  const sent = async (): Promise<number> => Number((await a!.facts())['bus_output_bytes']);
  const before = await sent();
  t.equal(await a!.client.set('large', Buffer.alloc(VALUE_BYTES, 'x')), 'OK');
  t.equal(await b!.client.strlen('large'), VALUE_BYTES);
  await cluster.settled();
  const times = ((await sent()) - before) / VALUE_BYTES;
  t.ok(times >= 1 && times < 1.2, `${times.toFixed(3)} times its bytes were sent`);
});
