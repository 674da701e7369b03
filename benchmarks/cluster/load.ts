import type { GeneratorProcess } from '../load/generator-process.js';
import type { Endpoint, RunResult, RunSpec } from '../load/run-spec.js';
import type { RunningServers } from '../servers/server.js';

/** Sessions are named by the generator. */
export const keyOf = (number: number): string => `sess:${String(number).padStart(12, '0')}`;

/** One deep. As many as the targets are given for: frames of a turn share one write on the bus. */
export const CONNECTIONS = 50;
const FILL = { connections: 50, depth: 16 };

/** How long a run counts unless it is said, milliseconds. */
export const RUN_MS = 3000;

/** A run against one node of a cluster; throws on error replies. */
export async function runLoad(
  generator: GeneratorProcess,
  servers: RunningServers,
  endpoint: Endpoint,
  changes: Partial<RunSpec> & Pick<RunSpec, 'workload' | 'keys'>,
): Promise<RunResult> {
  const result = await generator.run({
    endpoints: [endpoint],
    connections: CONNECTIONS,
    depth: 1,
    valueBytes: 500,
    ttlSeconds: 3600,
    waits: 'none',
    seed: 1,
    rampMs: 300,
    durationMs: RUN_MS,
    ratePerSecond: 0,
    serverPids: servers.children.map(({ pid }) => pid),
    ...changes,
  });
  if (result.errors > 0) throw new Error(`${changes.workload}: ${result.firstError}`);
  return result;
}

/** Writes all keys through one node, which becomes their primary. */
export function fill(
  generator: GeneratorProcess,
  servers: RunningServers,
  endpoint: Endpoint,
  keys: number,
): Promise<RunResult> {
  return runLoad(generator, servers, endpoint, { workload: 'fill', keys, ...FILL });
}
