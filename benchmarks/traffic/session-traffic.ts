import type { BusCount, LocationList, TrafficCluster } from './traffic-cluster.js';

/** As express-session names its sessions. */
const KEY_DIGITS = 32;
export const KEY_BYTES: number = 'sess:'.length + KEY_DIGITS;
const TTL_SECONDS = '3600';

/** What one operation costs on the bus, all nodes together. */
export interface Cost {
  readonly bytes: number;
  readonly messages: number;
  /** Frames per operation by kind; those that were sent at all. */
  readonly byKind: Readonly<Record<string, number>>;
}

export interface SessionTraffic {
  readonly nodes: number;
  readonly list: LocationList;
  readonly create: Cost;
  readonly update: Cost;
  readonly touch: Cost;
}

export interface TrafficSettings {
  readonly sessionsPerNode: number;
  readonly valueBytes: number;
}

/**
 * Creates, updates and touches sessions, each through the node where it was created, one at a time per node: so no ack
 * covers more than one change, which is the most that a change can cost.
 */
export async function measureSessions(
  cluster: TrafficCluster,
  list: LocationList,
  { sessionsPerNode, valueBytes }: TrafficSettings,
): Promise<SessionTraffic> {
  const operations = cluster.nodes * sessionsPerNode;
  const measure = async (command: (key: string) => string[]): Promise<Cost> => {
    const before = await cluster.count();
    await cluster.run(commandsOf(cluster.nodes, sessionsPerNode, command));
    return costOf(before, await cluster.count(), operations);
  };
  const set = (fill: string) => (key: string) => [
    ...['SET', key, fill.repeat(valueBytes)],
    ...['EX', TTL_SECONDS],
  ];
  return {
    nodes: cluster.nodes,
    list,
    create: await measure(set('a')),
    update: await measure(set('b')),
    touch: await measure((key) => ['EXPIRE', key, TTL_SECONDS]),
  };
}

function commandsOf(
  nodes: number,
  sessions: number,
  command: (key: string) => string[],
): string[][][] {
  const keyOf = (number: number) => `sess:${String(number).padStart(KEY_DIGITS, '0')}`;
  return Array.from({ length: nodes }, (_, node) =>
    Array.from({ length: sessions }, (_, i) => command(keyOf(node * sessions + i))),
  );
}

function costOf(before: BusCount, after: BusCount, operations: number): Cost {
  const byKind: Record<string, number> = {};
  let messages = 0;
  for (const [kind, count] of after.messages) {
    const sent = (count - (before.messages.get(kind) ?? 0)) / operations;
    if (sent > 0) byKind[kind] = sent;
    messages += sent;
  }
  return { bytes: (after.bytes - before.bytes) / operations, messages, byKind };
}

/**
 * The classic alternative, where each node has every session: a change goes to all others, and each acknowledges it.
 * Computed: what an update costs with one backup, so many times as there are others.
 */
export function toAllNodes(update: Cost, nodes: number): Cost {
  const times = nodes - 1;
  const byKind = Object.entries(update.byKind).map(([kind, count]) => [kind, count * times]);
  return {
    bytes: update.bytes * times,
    messages: update.messages * times,
    byKind: Object.fromEntries(byKind),
  };
}
