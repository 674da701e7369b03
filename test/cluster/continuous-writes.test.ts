import t, { type Test } from 'tap';
import { ContinuousLoad } from '../support/continuous-load.js';
import { delay, type NodeProcess, TestCluster } from '../support/test-cluster.js';

const PROBES = 30;
/** So long the load runs between two faults, so that every state of a key is met. */
const LOAD_MS = 700;
/** A killed process is noticed by its broken connections, not by its silence for node-timeout. */
const KILLED_MS_MAX = 2000;
const FROZEN_MS = 4000;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Keys whose primary is `node`. */
async function probesOn(node: NodeProcess, name: string): Promise<string[]> {
  const keys = Array.from({ length: PROBES }, (_, i) => `probe:${name}:${i}`);
  await Promise.all(keys.map((key) => node.client.set(key, 'before')));
  return keys;
}

/** Milliseconds until each key was written through one of `nodes`; a write that failed is tried again. */
async function timesToWrite(
  nodes: readonly NodeProcess[],
  keys: readonly string[],
  value: string,
): Promise<number[]> {
  const start = performance.now();
  return Promise.all(
    keys.map(async (key, i) => {
      for (;;) {
        try {
          await nodes[i % nodes.length]!.client.set(key, value);
          return performance.now() - start;
        } catch {
          await delay(2);
        }
      }
    }),
  );
}

function report(t: Test, what: string, times: readonly number[]): void {
  const [first, all] = [Math.min(...times), Math.max(...times)];
  const texts = [first, median(times), all].map((ms) => `${ms.toFixed(0)} ms`);
  t.comment(`${what}: first success after ${texts[0]}, median ${texts[1]}, all after ${texts[2]}`);
}

function reportErrors(t: Test, load: ContinuousLoad): void {
  const { acknowledged, unknown } = load.journal;
  t.comment(`${acknowledged} changes acknowledged, ${unknown} without a known outcome`);
  for (const [error, count] of load.errors) t.comment(`${count} times ${error}`);
}

t.test('every node in turn is killed under continuous writes', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const load = new ContinuousLoad(cluster.nodes);
  t.teardown(() => load.close());
  for (const [index, victim] of cluster.nodes.entries()) {
    await t.test(`node ${index + 1}`, async (t) => {
      load.start();
      await delay(LOAD_MS);
      const probes = await probesOn(victim, `killed ${index}`);
      t.equal((await victim.locate(probes[0]!)).primary, victim.port);
      const survivors = cluster.nodes.filter((node) => node !== victim);
      const ended = victim.end('SIGKILL');
      const times = await timesToWrite(survivors, probes, 'after');
      await ended;
      report(t, 'killed', times);
      t.ok(Math.min(...times) < KILLED_MS_MAX);
      await cluster.settled();
      await load.pause();
      t.same(await load.verify(), [], 'every acknowledged change is there, with one copy lost');
      await probesAre(t, cluster, probes, 'after');
      load.start();
      victim.start();
      await cluster.settled();
      await load.pause();
      t.same(await load.verify(), [], 'and when the node is back');
      await probesAre(t, cluster, probes, 'after');
    });
  }
  t.ok(load.journal.acknowledged > 1000);
  reportErrors(t, load);
});

t.test('a frozen node serves nothing stale when it wakes', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const load = new ContinuousLoad(cluster.nodes);
  t.teardown(() => load.close());
  load.start();
  await delay(LOAD_MS);
  const [victim, ...others] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  const probes = await probesOn(victim, 'frozen');
  const { node_id: before } = await victim.facts();

  victim.freeze();
  const frozenAt = performance.now();
  // These reach a node that holds the old values, and every right to read them when it fell asleep.
  const asked = probes.map((key) => victim.client.get(key).catch(String));
  const times = await timesToWrite(others, probes, 'after');
  report(t, 'frozen', times);
  t.ok(Math.min(...times) > 500, 'not before the frozen node has lost its leases');
  for (const key of probes) t.equal(await others[0]!.client.get(key), 'after');
  await delay(Math.max(0, FROZEN_MS - (performance.now() - frozenAt)));
  victim.thaw();

  const answers = await Promise.all(asked);
  for (const answer of answers) {
    t.match(answer, /^after$|^ReplyError: (LOADING|TRYAGAIN|CLUSTERDOWN)/, 'the new value or none');
  }
  await cluster.settled();
  await load.pause();
  t.not((await victim.facts())['node_id'], before, 'it is another incarnation');
  t.same(await load.verify(), [], 'every acknowledged change is there');
  await probesAre(t, cluster, probes, 'after');
  reportErrors(t, load);
});

async function probesAre(t: Test, cluster: TestCluster, keys: readonly string[], value: string) {
  for (const node of cluster.running) {
    t.same(await node.client.mget([...keys]), new Array(keys.length).fill(value));
  }
}
