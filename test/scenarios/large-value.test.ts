import t from 'tap';
import { clientOf, TestCluster } from '../support/test-cluster.js';
import { ScriptedCluster } from './scripted-cluster.js';

/** More than a node keeps of what a peer has not acknowledged (64 MB): with real processes, as a socket has a say in it. */
const VALUE_BYTES = 80 * 1024 * 1024;
/** Of each of the two values that one MSET sets. */
const MSET_VALUE_BYTES = 20 * 1024 * 1024;
/** Bytes on the bus that say that the change is on its way; its last part is far from being sent. */
const BEGUN_BYTES = 2 * 1024 * 1024;
/**
 * At most 512 KB are sent ahead of acks, so a change of 40 MB takes 80 rounds at least, and each may take a small one
 * along. Sent as one frame it would let one or two of them through: what was sent before it, and what is acked with it.
 */
const SMALL_CHANGES_MIN = 25;

/** Ticks come every 500 ms: nothing may have to wait for one. */
const NODE_TIMEOUT_MS = 20_000;
const WAIT_MS_MAX = 100;
/** Takes several round trips, as only so much may be on its way at once. */
const LARGE = 'x'.repeat(2 * 1024 * 1024);

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

// The same of a change of two keys, which the backup applies as one.
t.test('small changes go between the parts of a large one of two keys', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const [a, b] = cluster.nodes;
  // Here, so that the other one is the backup of all.
  t.equal(await a!.client.mset('one', '1', 'two', '2', 'small', '0'), 'OK');
  await cluster.settled();
  const sent = async (): Promise<number> => Number((await a!.facts())['bus_output_bytes']);
  const before = await sent();
  const value = Buffer.alloc(MSET_VALUE_BYTES, 'x');
  const client = clientOf(a!.port);
  let isSet = false;
  const mset = client.mset('one', value, 'two', value).finally(() => {
    isSet = true;
  });
  while (!isSet && (await sent()) - before < BEGUN_BYTES);
  let changes = 0;
  for (; !isSet; changes++) await a!.client.incr('small');
  t.equal(await mset, 'OK');
  t.ok(changes >= SMALL_CHANGES_MIN, `${changes} small changes were acknowledged meanwhile`);
  t.same(await b!.client.mget('small'), [String(changes)]);
  t.same(
    [await b!.client.strlen('one'), await b!.client.strlen('two')],
    [MSET_VALUE_BYTES, MSET_VALUE_BYTES],
  );
  client.disconnect();
});

t.test(
  'a key whose value is on its way to its backup is handed over as soon as it is there',
  async (t) => {
    for (let seed = 1; seed <= 5; seed++) {
      const cluster = new ScriptedCluster(seed, {
        nodes: 3,
        nodeTimeoutMs: NODE_TIMEOUT_MS,
        delayMsMax: 2,
        lateShare: 0,
        longHistories: true,
      });
      cluster.form();
      cluster.ask(0, 'SET', 'k', 'small');
      const large = cluster.send(0, 'SET', 'k', LARGE);
      cluster.run(3);
      t.equal(large.outcome, 'pending');
      const several = cluster.send(2, 'MSET', 'k', '1', 'j', '2');
      cluster.until('both are answered', () => several.outcome === 'replied');
      t.equal(large.outcome, 'replied');
      const waited = several.returnedAt - several.invokedAt;
      t.ok(waited < WAIT_MS_MAX, `seed ${seed}: ${waited} ms`);
      t.same(cluster.finish(), []);
    }
  },
);
