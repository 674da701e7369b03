import { setTimeout as delay } from 'node:timers/promises';
import { summarize } from '../compare/statistics.js';
import { number, table } from '../compare/table.js';
import type { Endpoint } from '../load/run-spec.js';
import { AdminClient, askOnce, type Reply } from '../servers/admin-client.js';
import { startRedisCluster } from '../servers/redis-cluster.js';
import { type RunningServers, stopAll } from '../servers/server.js';
import { tandisLauncher } from '../servers/tandis.js';
import { keyOf } from './load.js';

const FAULTS = { killed: 'SIGKILL', frozen: 'SIGSTOP', graceful: 'SIGTERM' } as const;
const KEYS = 20;
/** Between two attempts, milliseconds; after so many the key counts as lost. */
const RETRY_MS = 2;
const ATTEMPT_MS_MAX = 60_000;
const KILLED_P99_MS_MAX = 100;
/** Redis Cluster promotes nobody when its primary goes in order: only what fails is compared. */
const REDIS_FAULTS = ['killed', 'frozen'] as const;

/**
 * How long sessions cannot be written after their primary has gone: from the fault to the first OK, for each of some
 * sessions, all of that primary, asked for through another node.
 */
export async function failover(rounds: number, withRedis: boolean): Promise<void> {
  const rows = [['', 'sessions', 'median ms', 'p99 ms', 'longest ms']];
  const add = (what: string, times: number[]): number => {
    const sorted = [...times].sort((a, b) => a - b);
    const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1]!;
    const { median, max } = summarize(times);
    rows.push([what, String(times.length), number(median), number(p99), number(max)]);
    return p99;
  };
  let killed = 0;
  for (const fault of ['killed', 'frozen', 'graceful'] as const) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(...(await tandisRound(fault)));
    const p99 = add(`tandis, 3 nodes, ${fault}`, times);
    if (fault === 'killed') killed = p99;
  }
  if (withRedis)
    for (const fault of REDIS_FAULTS)
      add(`redis cluster, 6 nodes, ${fault}`, await redisRound(fault));
  const verdict = killed <= KILLED_P99_MS_MAX ? 'met' : 'MISSED';
  console.log(`\nfailover: from the fault to the first write that is acknowledged\n${table(rows)}`);
  console.log(
    `  killed, p99: ${number(killed)} ms, target at most ${KILLED_P99_MS_MAX} ms: ${verdict}`,
  );
}

async function tandisRound(fault: keyof typeof FAULTS): Promise<number[]> {
  const servers = await tandisLauncher({ nodeArgs: [], serverArgs: [] }).start(3);
  const keys = Array.from({ length: KEYS }, (_, i) => keyOf(i));
  try {
    for (const key of keys) await askOnce(servers.endpoints[0]!, 'SET', key, 'before');
    return await timesOf(servers, 0, fault, keys, servers.endpoints[1]!);
  } finally {
    await end(servers);
  }
}

async function redisRound(fault: keyof typeof FAULTS): Promise<number[]> {
  const { servers, key, replica } = await startRedisCluster();
  try {
    return await timesOf(servers, 0, fault, [key], replica);
  } finally {
    await end(servers);
  }
}

async function timesOf(
  { children }: RunningServers,
  victim: number,
  fault: keyof typeof FAULTS,
  keys: readonly string[],
  through: Endpoint,
): Promise<number[]> {
  const clients = keys.map(() => new AdminClient(through));
  await Promise.all(clients.map((client) => client.ask('PING')));
  const began = performance.now();
  children[victim]!.signal(FAULTS[fault]);
  const times = keys.map(async (key, i) => {
    let reply: Reply = null;
    while (reply !== 'OK') {
      reply = await clients[i]!.ask('SET', key, 'after');
      const ms = performance.now() - began;
      if (reply === 'OK') return ms;
      if (ms > ATTEMPT_MS_MAX) throw new Error(`${key} is not served: ${String(reply)}`);
      await delay(RETRY_MS);
    }
    return 0;
  });
  return Promise.all(times).finally(() => {
    for (const client of clients) client.close();
  });
}

/** A frozen process does not end by itself. */
async function end({ children }: RunningServers): Promise<void> {
  for (const child of children) if (!child.hasEnded) child.signal('SIGCONT');
  await stopAll(children);
}
