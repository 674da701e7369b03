import { spawnSync } from 'node:child_process';
import type { Endpoint } from '../load/run-spec.js';
import { askOnce } from './admin-client.js';
import { Child, freePorts } from './children.js';
import {
  answersPing,
  infoOf,
  type Launcher,
  type RunningServers,
  startOrStop,
  untilReady,
} from './server.js';

const HOST = '127.0.0.1';
const NODES = 6;
/** Its bus is at the port of its clients plus 10000, so that must be a port too. */
const PORT_MAX = 55_000;
const PORT_STEP = 20_000;

export interface RedisCluster {
  readonly servers: RunningServers;
  /** A key of the first node, written and replicated. */
  readonly key: string;
  /** The replica of the first node. */
  readonly replica: Endpoint;
}

/** Its primaries, with their slots, of which each has its replica: whatever number of nodes is asked for. */
export function redisClusterLauncher(version: string | null): Launcher {
  return {
    name: 'redis-cluster',
    version,
    start: async () => {
      const { children, endpoints } = await startNodes();
      for (const one of endpoints) {
        await untilReady(children, 'redis replica', async () => {
          const info = await infoOf(one);
          return info.get('master_link_status') === 'up' || info.get('connected_slaves') === '1';
        });
      }
      return { children, endpoints: await primariesOf(endpoints[0]!) };
    },
  };
}

/** As CLUSTER SLOTS says: ranges of slots, each with its primary first. */
async function primariesOf(endpoint: Endpoint): Promise<Endpoint[]> {
  const ranges = (await askOnce(endpoint, 'CLUSTER', 'SLOTS')) as [
    number,
    number,
    [string, number],
  ][];
  return ranges.map(([first, last, [host, port]]) => ({ host, port, slots: [[first, last]] }));
}

/** A cluster of which one key's nodes are known. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const servers = await startNodes();
  const key = await keyOfFirst(servers.endpoints[0]!);
  const replica = await replicaOfFirst(servers);
  return { servers, key, replica };
}

/** Three primaries and three replicas with default settings, made by `redis-cli --cluster create`. */
function startNodes(): Promise<RunningServers> {
  return startOrStop(async (children) => {
    const free = await freePorts(NODES);
    const ports = free.map((port) => (port > PORT_MAX ? port - PORT_STEP : port));
    for (const port of ports) {
      const options = ['--bind', HOST, '--port', String(port), '--save', '', '--appendonly', 'no'];
      children.push(new Child('redis-server', [...options, '--cluster-enabled', 'yes']));
      await untilReady(children, 'redis cluster', () => answersPing({ host: HOST, port }));
    }
    const all = ports.map((port) => `${HOST}:${port}`);
    const create = ['--cluster', 'create', ...all, '--cluster-replicas', '1', '--cluster-yes'];
    const made = spawnSync('redis-cli', create, { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`redis-cli --cluster create: ${made.stdout}`);
    const endpoints = ports.map((port) => ({ host: HOST, port }));
    await untilReady(children, 'redis cluster', async () => {
      const states = await Promise.all(endpoints.map((one) => askOnce(one, 'CLUSTER', 'INFO')));
      return states.every((state) => String(state).includes('cluster_state:ok'));
    });
    return endpoints;
  });
}

async function keyOfFirst(first: Endpoint): Promise<string> {
  for (let i = 0; ; i++)
    if ((await askOnce(first, 'SET', `k${i}`, 'before')) === 'OK') return `k${i}`;
}

async function replicaOfFirst({ children, endpoints }: RunningServers): Promise<Endpoint> {
  let found: Endpoint | undefined;
  await untilReady(children, 'redis replica', async () => {
    const infos = await Promise.all(endpoints.map(infoOf));
    found = endpoints.find((_, i) => {
      const info = infos[i]!;
      const isOfFirst = info.get('master_port') === String(endpoints[0]!.port);
      return isOfFirst && info.get('master_link_status') === 'up';
    });
    return found !== undefined;
  });
  return found!;
}
