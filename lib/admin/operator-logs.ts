import type { NodeServices } from '../commands/services.js';

export interface OperatorLog {
  readonly name: string;
  /** Entries that it has now. */
  readonly kept: number;
  /** All since the start: those that gave way to newer ones, or were reset, too. */
  readonly recorded: number;
}

/** What a node keeps of what has happened, the latest of each kind. Names as in docs/limits.md. */
export function operatorLogs(services: NodeServices): readonly OperatorLog[] {
  const { slowLog, latency, users, cluster } = services;
  const { eventsKept, eventsRecorded } = cluster.tandis();
  const refused = Object.values(users.log.refused).reduce((sum, count) => sum + count, 0);
  return [
    { name: 'slowlog', kept: slowLog.entries.length, recorded: slowLog.recorded },
    { name: 'latency', kept: latency.size, recorded: latency.recorded },
    { name: 'acllog', kept: users.log.entries.length, recorded: refused },
    { name: 'events', kept: eventsKept, recorded: eventsRecorded },
  ];
}
