import type { EvictionPolicy } from '../store/eviction.js';
import type { UseCounting } from '../store/frequency.js';

/** Settings of a node's cluster part; names and defaults as in lib/base/options.ts. */
export interface ClusterConfig {
  readonly nodeTimeoutMs: number;
  readonly partitionPolicy: 'available' | 'majority';
  readonly locationList: 'anchor' | 'all';
  minBackupsToWrite: number;
  takeOverAfter: number;
  tombstoneTtlMs: number;
  /** So many are kept for members that are missing. */
  readonly tombstonesMax: number;
  leaveTimeoutMs: number;
  /** For the other parts of a snapshot. */
  readonly snapshotTimeoutMs: number;
  /** Members without whom no snapshot is loaded; 0: any view will do. */
  readonly expect: number;
  maxMemoryBytes: number;
  maxMemoryPolicy: 'noeviction' | EvictionPolicy;
  maxMemorySamples: number;
  /** Null where the policy does not count how often keys are used. */
  useCounting: UseCounting | null;
  /** What is larger travels in parts of so many bytes. */
  readonly partBytes: number;
  /** Keys of commands that run as one step which are handled in one turn; MSET of more runs in slices. */
  readonly stepKeys: number;
}
