import type { Waits, WorkloadName } from '../load/run-spec.js';

/**
 * `tandis-on` is Tandis on another version of Node, where one was given; `tandis-secret` and `tandis-tls` protect what members
 * say to one another.
 */
export type TandisName = 'tandis' | 'tandis-on' | 'tandis-secret' | 'tandis-tls';
/** `bare`: the least server in Node; `bare-forward`: one that asks another one. */
export type ServerName =
  | TandisName
  | 'bare'
  | 'bare-forward'
  | 'redis'
  | 'valkey'
  | 'redis-cluster';

/** One of the sides of a comparison. */
export interface Subject {
  readonly server: ServerName;
  readonly nodes: number;
  readonly waits: Waits;
  readonly label: string;
}

/** A comparison: the first subject against each of the others. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly kind: 'load' | 'memory' | 'wear';
  readonly workload: WorkloadName;
  readonly depth: number;
  /** Open loop at so many operations per second; 0 is the closed loop. */
  readonly ratePerSecond: number;
  /** Where they are not those of the settings. */
  readonly connections?: number;
  /** Clients of all nodes, each with the keys of its own. */
  readonly isSpread?: true;
  /** As many sessions as `largeKeys` of the settings. */
  readonly isLarge?: true;
  readonly subjects: readonly Subject[];
}

/** Operations per second of the cases at a fixed rate: about a quarter of what one node can do. */
const FIXED_RATE = 20_000;

const PEERS = ['redis', 'valkey'] as const;
const WAIT_LABELS: Record<Waits, string> = {
  none: 'not waited for',
  each: 'WAIT after each write',
  batch: 'one WAIT per batch',
};

const tandis = (nodes: number, server: TandisName = 'tandis'): Subject => ({
  server,
  nodes,
  waits: 'none',
  label: nodes === 1 ? `${server} alone` : `${server}, ${nodes} nodes`,
});

const peer = (server: ServerName, nodes: number, waits: Waits): Subject => ({
  server,
  nodes,
  waits,
  label: nodes === 1 ? `${server} alone` : `${server} + replica, ${WAIT_LABELS[waits]}`,
});

const alone = (): Subject[] => [
  tandis(1),
  ...PEERS.map((name) => peer(name, 1, 'none')),
  tandis(1, 'tandis-on'),
];
const onTwo = (waits: Waits): Subject[] => [
  tandis(2),
  ...PEERS.map((name) => peer(name, 2, waits)),
  tandis(2, 'tandis-on'),
];

/** What is left to be had by a server in Node, and what Tandis has of it. */
const bareServer = (nodes: number): Subject => ({
  server: 'bare',
  nodes,
  waits: 'none',
  label: nodes === 1 ? 'bare server' : 'bare server and backup',
});
const bare = (nodes: number, waits: Waits): Subject[] => [
  bareServer(nodes),
  tandis(nodes),
  peer('redis', nodes, waits),
];
const forwardingServer: Subject = {
  server: 'bare-forward',
  nodes: 2,
  waits: 'none',
  label: 'bare server that asks another one',
};

/** What protecting the bus costs. */
const busProtected = (): Subject[] => [
  tandis(2),
  tandis(2, 'tandis-secret'),
  tandis(2, 'tandis-tls'),
];

/** Three nodes for the clients on either side, and every write on two nodes. */
const cluster = (waits: Waits): Subject[] => [
  { ...tandis(3), label: 'tandis, 3 nodes, clients of all' },
  {
    server: 'redis-cluster',
    nodes: 6,
    waits,
    label: `redis cluster, 6 nodes, ${WAIT_LABELS[waits]}`,
  },
];
const CLUSTER_CONNECTIONS = 48;

function load(
  name: string,
  title: string,
  workload: WorkloadName,
  depth: number,
  subjects: Subject[],
  ratePerSecond = 0,
): Case {
  return { name, title, kind: 'load', workload, depth, ratePerSecond, subjects };
}

const spread = (
  name: string,
  title: string,
  workload: WorkloadName,
  depth: number,
  waits: Waits,
): Case => ({
  ...load(name, title, workload, depth, cluster(waits)),
  connections: CLUSTER_CONNECTIONS,
  isSpread: true,
});

const HASHES = 'hash sessions (HGETALL, then HSET and EXPIRE)';
const SESSION = 'session traffic (GET, then EXPIRE or one of five times SET)';

export const CASES: readonly Case[] = [
  load('set-1', 'SET, 1 deep, one node alone', 'set', 1, alone()),
  load('set-16', 'SET, 16 deep, one node alone', 'set', 16, alone()),
  load('get-1', 'GET, 1 deep, one node alone', 'get', 1, alone()),
  load('get-16', 'GET, 16 deep, one node alone', 'get', 16, alone()),
  load('set-acked-1', 'SET acknowledged on two nodes, 1 deep', 'set', 1, onTwo('each')),
  load('set-acked-16', 'SET acknowledged on two nodes, 16 deep', 'set', 16, onTwo('each')),
  load('set-acked-16-batch', 'SET acknowledged on two nodes, 16 deep', 'set', 16, onTwo('batch')),
  load('set-protected-1', 'SET on two nodes, the bus protected, 1 deep', 'set', 1, busProtected()),
  load(
    'set-protected-16',
    'SET on two nodes, the bus protected, 16 deep',
    'set',
    16,
    busProtected(),
  ),
  load(
    'set-replica-1',
    'SET on two nodes, the replica not waited for, 1 deep',
    'set',
    1,
    onTwo('none'),
  ),
  load(
    'set-replica-16',
    'SET on two nodes, the replica not waited for, 16 deep',
    'set',
    16,
    onTwo('none'),
  ),
  load('session-1', `${SESSION}, 1 deep, one node alone`, 'session', 1, alone()),
  load('session-16', `${SESSION}, 16 deep, one node alone`, 'session', 16, alone()),
  load(
    'session-acked-1',
    `${SESSION}, acknowledged on two nodes, 1 deep`,
    'session',
    1,
    onTwo('each'),
  ),
  load(
    'session-acked-16',
    `${SESSION}, acknowledged on two nodes, 16 deep`,
    'session',
    16,
    onTwo('each'),
  ),
  load(
    'session-acked-16-batch',
    `${SESSION}, acknowledged on two nodes, 16 deep`,
    'session',
    16,
    onTwo('batch'),
  ),
  load(
    'session-replica-1',
    `${SESSION}, the replica not waited for, 1 deep`,
    'session',
    1,
    onTwo('none'),
  ),
  load(
    'session-replica-16',
    `${SESSION}, the replica not waited for, 16 deep`,
    'session',
    16,
    onTwo('none'),
  ),
  ...[1, 16].flatMap((depth) => [
    spread(`set-cluster-${depth}`, `SET, ${depth} deep, a cluster`, 'set', depth, 'each'),
    spread(
      `session-cluster-${depth}`,
      `${SESSION}, ${depth} deep, a cluster`,
      'session',
      depth,
      'none',
    ),
  ]),
  load('set-64', 'SET, 64 deep, one node alone', 'set', 64, alone()),
  load('get-64', 'GET, 64 deep, one node alone', 'get', 64, alone()),
  load('hash-1', `${HASHES}, 1 deep, one node alone`, 'hash', 1, alone()),
  load('hash-16', `${HASHES}, 16 deep, one node alone`, 'hash', 16, alone()),
  load('hash-acked-16', `${HASHES}, acknowledged on two nodes, 16 deep`, 'hash', 16, onTwo('each')),
  load('mixed-1', 'GET, half of them of missing keys, 1 deep, one node alone', 'mixed', 1, alone()),
  load('mixed-16', 'GET, half of them of missing keys, 16 deep', 'mixed', 16, alone()),
  ...[1, 1000].flatMap((connections): Case[] => [
    {
      ...load(
        `set-1-c${connections}`,
        `SET, 1 deep, ${connections} connections`,
        'set',
        1,
        alone(),
      ),
      connections,
    },
    {
      ...load(
        `get-1-c${connections}`,
        `GET, 1 deep, ${connections} connections`,
        'get',
        1,
        alone(),
      ),
      connections,
    },
  ]),
  {
    ...load('session-1-large', `${SESSION}, 2 million sessions, 1 deep`, 'session', 1, alone()),
    isLarge: true,
  },
  {
    ...load('session-16-large', `${SESSION}, 2 million sessions, 16 deep`, 'session', 16, alone()),
    isLarge: true,
  },
  load(
    'set-rate',
    `SET at ${FIXED_RATE}/s (open loop), one node alone`,
    'set',
    16,
    alone(),
    FIXED_RATE,
  ),
  load(
    'get-rate',
    `GET at ${FIXED_RATE}/s (open loop), one node alone`,
    'get',
    16,
    alone(),
    FIXED_RATE,
  ),
  load(
    'set-acked-rate',
    `SET at ${FIXED_RATE}/s (open loop), acknowledged on two nodes`,
    'set',
    16,
    onTwo('each'),
    FIXED_RATE,
  ),
  {
    name: 'memory',
    title: 'resident memory of sessions, one node alone',
    kind: 'memory',
    workload: 'fill',
    depth: 16,
    ratePerSecond: 0,
    subjects: alone(),
  },
  {
    name: 'memory-two',
    title: 'resident memory of sessions on two nodes, both copies',
    kind: 'memory',
    workload: 'fill',
    depth: 16,
    ratePerSecond: 0,
    subjects: onTwo('none'),
  },
  {
    name: 'memory-hashes',
    title: 'resident memory of sessions that are hashes of ten fields, one node alone',
    kind: 'memory',
    workload: 'fill-fields',
    depth: 16,
    ratePerSecond: 0,
    subjects: alone(),
  },
  {
    name: 'wear',
    title: 'memory and longest pause: 2 million sessions loaded, updated, shrunk',
    kind: 'wear',
    workload: 'update',
    depth: 16,
    ratePerSecond: 0,
    isLarge: true,
    subjects: alone(),
  },
  load('bare-forwarded', 'GET, 1 deep, of what another bare server has', 'get', 1, [
    forwardingServer,
    bareServer(1),
  ]),
  ...[1, 16].flatMap((depth) => [
    load(`bare-set-${depth}`, `SET, ${depth} deep, a bare server`, 'set', depth, bare(1, 'none')),
    load(`bare-get-${depth}`, `GET, ${depth} deep, a bare server`, 'get', depth, bare(1, 'none')),
    load(
      `bare-acked-${depth}`,
      `SET kept on two nodes, ${depth} deep, a bare server`,
      'set',
      depth,
      bare(2, 'each'),
    ),
  ]),
  load('noise', 'SET, 1 deep: redis against itself, what a ratio of 1 looks like here', 'set', 1, [
    { ...peer('redis', 1, 'none'), label: 'redis alone (A)' },
    { ...peer('redis', 1, 'none'), label: 'redis alone (B)' },
  ]),
];
