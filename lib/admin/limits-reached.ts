import type { NodeServices } from '../commands/services.js';

/** Bounds of the node and of its cluster part, and how often each was reached. */
export function limitsReached({
  statistics,
  cluster,
}: NodeServices): readonly (readonly [name: string, count: number])[] {
  return [...statistics.limits.all, ...cluster.tandis().limitsReached];
}
