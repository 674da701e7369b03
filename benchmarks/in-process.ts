/**
 * GET of a session of 500 bytes by an application: from a node in its own process, and from a node in a process of its own,
 * by ioredis over loopback. In turn, so that both see the same machine. Each node has a second one for the copies.
 */
import { once } from 'node:events';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import { createNode } from '../lib/index.js';
import { endChildrenOnExit } from './servers/children.js';
import { stopAll } from './servers/server.js';
import { startJoiner, tandisLauncher } from './servers/tandis.js';

const VALUE = 'x'.repeat(500);
const PARALLEL = [1, 16];

interface Measured {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

type Get = (key: string) => Promise<string | null>;

/** So many callers, each of which calls again when it has its reply. */
async function measure(get: Get, parallel: number, forMs: number): Promise<Measured> {
  const latencies: number[] = [];
  const begin = performance.now();
  const caller = async () => {
    for (;;) {
      const start = performance.now();
      if (start - begin >= forMs) return;
      if ((await get('session')) !== VALUE) throw new Error('not the value');
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: parallel }, caller));
  const seconds = (performance.now() - begin) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)]! * 1000;
  return { perSecond: latencies.length / seconds, p50Us: at(0.5), p99Us: at(0.99) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const options = new Command('in-process')
  .description('GET of a session from a node in the process, and by ioredis from one beside it.')
  .option('--rounds <n>', 'of each, in turn; the median counts', '5')
  .option('--seconds <n>', 'of each round, after half of that to warm up', '2')
  .parse()
  .opts<{ rounds: string; seconds: string }>();
const rounds = Number(options.rounds);
const roundMs = 1000 * Number(options.seconds);
endChildrenOnExit();
const served = await tandisLauncher({ nodeArgs: [], serverArgs: [] }).start(2);
const node = await createNode({ clusterPort: 0 });
await node.ready();
const other = await startJoiner(node.address.busPort);
const redis = new Redis(served.endpoints[0]!);
await once(redis, 'ready');
await node.set('session', VALUE);
await redis.set('session', VALUE);
const ways: [string, Get][] = [
  ['in process', (key) => node.get(key)],
  ['ioredis', (key) => redis.get(key)],
];
for (const parallel of PARALLEL) {
  const results = ways.map(() => [] as Measured[]);
  for (const [, get] of ways) await measure(get, parallel, roundMs / 2);
  for (let round = 0; round < rounds; round++) {
    for (const [index, [, get]] of ways.entries()) {
      results[index]!.push(await measure(get, parallel, roundMs));
    }
  }
  const medians = results.map((all) => ({
    perSecond: median(all.map((one) => one.perSecond)),
    p50Us: median(all.map((one) => one.p50Us)),
    p99Us: median(all.map((one) => one.p99Us)),
  }));
  for (const [index, [name]] of ways.entries()) {
    const { perSecond, p50Us, p99Us } = medians[index]!;
    console.log(
      `${parallel} at a time, ${name}: ${perSecond.toFixed(0)}/s, p50 ${p50Us.toFixed(0)} us, p99 ${p99Us.toFixed(0)} us`,
    );
  }
  console.log(`ratio: ${(medians[0]!.perSecond / medians[1]!.perSecond).toFixed(1)}`);
}
redis.disconnect();
await node.close({ now: true });
await stopAll([...served.children, ...other.children]);
