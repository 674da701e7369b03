import { number, table } from '../compare/table.js';
import type { GeneratorProcess } from '../load/generator-process.js';
import type { RunResult } from '../load/run-spec.js';
import { AdminClient } from '../servers/admin-client.js';
import { type RunningServers, stopAll } from '../servers/server.js';
import { tandisLauncher } from '../servers/tandis.js';
import { CONNECTIONS, fill, keyOf, runLoad } from './load.js';

const KEYS = 2000;
const NEVER = '0';
const DEFAULT = '3';
/** Read of another node's session, p50, to a local one. */
const READ_RATIO_MAX = 1.6;

/**
 * Sessions used through the node that is their primary, through one that holds no copy, and after they have moved there.
 * Each is measured for `durationMs`.
 */
export async function forwarded(generator: GeneratorProcess, durationMs: number): Promise<void> {
  const servers = await tandisLauncher({ nodeArgs: [], serverArgs: [] }).start(3);
  const [owner, other] = servers.endpoints;
  try {
    await setTakeOverAfter(servers, NEVER);
    await fill(generator, servers, owner!, KEYS);
    const only = await keysWithoutCopyAt(servers, 1);
    const rows = [['through', 'read p50 us', 'p99', 'write p50 us', 'p99', 'reads/s']];
    const measure = async (what: string, endpoint: typeof owner): Promise<RunResult> => {
      const run = (workload: 'get' | 'set') =>
        runLoad(generator, servers, endpoint!, { workload, keys: KEYS, only, durationMs });
      const [read, write] = [await run('get'), await run('set')];
      const times = [read, write].flatMap(({ latencyUs }) => [latencyUs.p50, latencyUs.p99]);
      rows.push([what, ...times.map(number), number(read.operationsPerSecond)]);
      return read;
    };
    const local = await measure('its primary', owner);
    const remote = await measure('a node without a copy', other);
    await setTakeOverAfter(servers, DEFAULT);
    // So long that each key is used more often than take-over-after says.
    const moving = { workload: 'get', keys: KEYS, only, durationMs: 2 * durationMs } as const;
    await runLoad(generator, servers, other!, moving);
    await measure('the same node after take-over', other);
    const ratio = remote.latencyUs.p50 / local.latencyUs.p50;
    console.log(
      `\nforwarded: ${only.length} sessions, 3 nodes, ${CONNECTIONS} connections\n${table(rows)}`,
    );
    console.log(
      `  read of another node's session, p50 to a local one: ${number(ratio)}, target at most ${READ_RATIO_MAX}: ${ratio <= READ_RATIO_MAX ? 'met' : 'MISSED'}`,
    );
  } finally {
    await stopAll(servers.children);
  }
}

async function setTakeOverAfter({ endpoints }: RunningServers, count: string): Promise<void> {
  for (const endpoint of endpoints) {
    const client = new AdminClient(endpoint);
    const reply = await client.ask('CONFIG', 'SET', 'take-over-after', count);
    client.close();
    if (reply !== 'OK') throw new Error(`CONFIG SET: ${String(reply)}`);
  }
}

/** Numbers of the keys of which that node is neither primary nor backup. */
async function keysWithoutCopyAt({ endpoints }: RunningServers, node: number): Promise<number[]> {
  const client = new AdminClient(endpoints[0]!);
  const port = `:${endpoints[node]!.port}`;
  const found: number[] = [];
  for (let key = 0; key < KEYS; key++) {
    const reply = (await client.ask('CLUSTER', 'LOCATE', keyOf(key))) as string[];
    const of = (name: string) => String(reply[reply.indexOf(name) + 1]);
    if (!of('primary').endsWith(port) && !of('backup').endsWith(port)) found.push(key);
  }
  client.close();
  return found;
}
