import { LimitCounts } from '../base/limit-counts.js';

/** `parked`, `queries`, `gathers`, `swaps`, `preparing`: too many wait. `bus-backlog`: too much that a member has not acknowledged. */
const LIMITS = ['parked', 'queries', 'gathers', 'swaps', 'preparing', 'bus-backlog'] as const;

/** Counters of the cluster part since the start, for INFO and metrics. */
export class ClusterStatistics {
  /** Cluster-wide lookups begun (a slot that was not known). */
  lookups = 0;
  /** Commands sent to another node. */
  forwards = 0;
  /** Commands of other nodes run here. */
  forwardedHere = 0;
  takeOvers = 0;
  /** Of those, keys that came here. */
  takenOver = 0;
  promotions = 0;
  claims = 0;
  claimsRejected = 0;
  /** Copies given up when sides of a partition met, since another side had a newer change. */
  mergeDropped = 0;
  changeOvers = 0;
  outcomeUnknown = 0;
  /** Published messages that another member was not sent, as too much for it was waiting. */
  messagesDropped = 0;
  /** Slots whose two copies were found to differ; more than 0 is a fault in the protocol. */
  slotsRepaired = 0;
  /** Bytes taken by frames whose parts are coming in; not a count, but what they take now. */
  assemblyBytes = 0;
  /** Members that wait for a key were not remembered here, for want of room. */
  hintsRefused = 0;
  /** How often bounds of it were reached. */
  readonly limits: LimitCounts<(typeof LIMITS)[number]> = new LimitCounts(LIMITS);
  evicted = 0;
  expired = 0;
  keyspaceHits = 0;
  keyspaceMisses = 0;
  busBytesSent = 0;
  busBytesReceived = 0;
  /** Frames by type, as FrameType numbers them. */
  readonly framesSent: Float64Array = new Float64Array(64);
  readonly framesReceived: Float64Array = new Float64Array(64);

  /** What INFO shows of keys begins anew. */
  beginKeyCounts(): void {
    this.evicted = 0;
    this.expired = 0;
  }
}
