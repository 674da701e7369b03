import { number, table } from '../compare/table.js';
import type { GeneratorProcess } from '../load/generator-process.js';
import type { WorkloadName } from '../load/run-spec.js';
import { infoOf, type RunningServers, stopAll } from '../servers/server.js';
import { tandisLauncher } from '../servers/tandis.js';
import { fill, runLoad } from './load.js';

const KEYS = 100_000;
const FLOOD = { connections: 50, depth: 16 };

/** A flood of session ids that nobody has, of ids that were deleted, and of sessions that are there, each for `durationMs`. */
export async function unknown(generator: GeneratorProcess, durationMs: number): Promise<void> {
  const servers = await tandisLauncher({ nodeArgs: [], serverArgs: [] }).start(3);
  const [endpoint] = servers.endpoints;
  const heads = [
    'GET of',
    'operations/s',
    'p50 us',
    'p99 us',
    'CPU s/million',
    'bus messages each',
  ];
  const rows = [heads];
  const measure = async (what: string, workload: WorkloadName, keys: number): Promise<void> => {
    const before = await messagesOf(servers);
    const run = await runLoad(generator, servers, endpoint!, {
      workload,
      keys,
      durationMs,
      ...FLOOD,
    });
    // Those of the ramp are in the count of messages, and not in that of operations.
    const share = run.elapsedMs / (run.elapsedMs + 300);
    const messages = ((await messagesOf(servers)) - before) * share;
    rows.push([
      what,
      number(run.operationsPerSecond),
      ...[number(run.latencyUs.p50), number(run.latencyUs.p99)],
      ...[number(run.serverCpuSecondsPerMillion), number(messages / run.operations)],
    ]);
  };
  try {
    await measure('ids that nobody had, empty cluster', 'unknown', KEYS);
    await fill(generator, servers, endpoint!, KEYS);
    await measure('sessions of this node', 'get', KEYS);
    await measure('ids that nobody had', 'unknown', KEYS);
    const deleting = { workload: 'delete', keys: KEYS, durationMs, ...FLOOD } as const;
    await runLoad(generator, servers, endpoint!, deleting);
    const tombstones = await Promise.all(servers.endpoints.map(infoOf));
    const sum = tombstones.reduce((total, info) => total + Number(info.get('tombstones')), 0);
    // A GET of a missing key is no failure of this workload; the upper half was never there.
    await measure(`deleted ids and others (${number(sum)} tombstones)`, 'mixed', KEYS);
    console.log(`\nunknown: 3 nodes, 50 connections, 16 deep\n${table(rows)}`);
  } finally {
    await stopAll(servers.children);
  }
}

async function messagesOf({ endpoints }: RunningServers): Promise<number> {
  const infos = await Promise.all(endpoints.map(infoOf));
  const sent = infos.flatMap((info) =>
    [...info].filter(([name]) => name.startsWith('bus_messages_')),
  );
  return sent.reduce((sum, [, count]) => sum + Number(count), 0);
}
