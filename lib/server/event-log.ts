import type { Logger } from '../base/logger.js';
import type { ClusterEvent, EventKind } from '../cluster/cluster-events.js';

/** After these a copy may be missing, or somebody is not served. */
const WARNINGS: ReadonlySet<EventKind> = new Set([
  'died',
  'lost',
  'excluded',
  'down',
  'copies-lost',
]);

/** One line of the log for an event of the cluster. Views have lines of their own, with their members. */
export function logEvent(logger: Logger, { kind, member, view, count, text }: ClusterEvent): void {
  if (kind === 'view') return;
  const level = WARNINGS.has(kind) ? 'warn' : 'info';
  logger[level]('cluster-event', { kind, text, member: member?.id ?? '', view, count });
}
