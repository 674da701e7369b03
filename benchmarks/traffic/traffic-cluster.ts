/** What all nodes of a cluster have sent on the bus since they started. */
export interface BusCount {
  readonly bytes: number;
  /** Frames by kind, as INFO names them. */
  readonly messages: ReadonlyMap<string, number>;
}

export const LOCATION_LISTS = ['anchor', 'all'] as const;
export type LocationList = (typeof LOCATION_LISTS)[number];

/** A cluster whose bus traffic can be read, of processes or simulated. */
export interface TrafficCluster {
  readonly nodes: number;
  /**
   * Every node gets its own commands from one client, which sends each after the reply to the one
   * before. Rejects with the first error reply.
   */
  run(commands: readonly (readonly string[][])[]): Promise<void>;
  /** The sum over all nodes, once nothing more is sent that belongs to earlier commands. */
  count(): Promise<BusCount>;
  stop(): Promise<void>;
}

/** Counts of one cluster added up. */
export function sumOf(counts: readonly BusCount[]): BusCount {
  const messages = new Map<string, number>();
  for (const count of counts)
    for (const [kind, n] of count.messages) messages.set(kind, (messages.get(kind) ?? 0) + n);
  return { bytes: counts.reduce((sum, { bytes }) => sum + bytes, 0), messages };
}
