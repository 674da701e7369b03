import type { LatencySummary } from './latency.js';

/**
 * When replicas are waited for: never, by a WAIT after each write, or by one WAIT for all writes of
 * a batch.
 */
export type Waits = 'none' | 'each' | 'batch';

/**
 * What is sent. The fills write every key once, in order, and an update writes as many keys, drawn; the others go on
 * until the time is up.
 */
export type WorkloadName = FillName | 'set' | 'get' | 'session' | 'hash' | 'mixed' | 'unknown';
export type FillName =
  | 'fill'
  | 'fill-sessions'
  | 'fill-hashes'
  | 'fill-fields'
  | 'update'
  | 'delete';

/** Replies that say "not there" are no failure of these. */
export const MAY_MISS: ReadonlySet<WorkloadName> = new Set(['mixed', 'unknown']);
/** Zeros are no failure of these: HSET answers how many fields are new. */
export const MAY_ANSWER_ZERO: ReadonlySet<WorkloadName> = new Set(['hash']);

export const isFill = (workload: WorkloadName): workload is FillName =>
  workload.startsWith('fill') || workload === 'update' || workload === 'delete';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Hash slots that it serves, each range with its end; absent: a node of which any key may be asked. */
  readonly slots?: readonly (readonly [number, number])[];
}

/** One run of the generator. All times in milliseconds. */
export interface RunSpec {
  readonly workload: WorkloadName;
  /**
   * Connection i goes to endpoint i modulo their number, and uses only keys with the same
   * remainder; where endpoints have slots, only keys of those.
   */
  readonly endpoints: readonly Endpoint[];
  readonly connections: number;
  /**
   * Commands sent in one write before their replies are awaited; open loop: operations under way at
   * most.
   */
  readonly depth: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Numbers of the only keys to use, each as often as any other; absent: all below `keys`. */
  readonly only?: readonly number[];
  /** Expiry given with SET and EXPIRE; 0 gives none with SET. */
  readonly ttlSeconds: number;
  readonly waits: Waits;
  readonly seed: number;
  /** Not counted: connections open, the servers' caches and the generator's code warm up. */
  readonly rampMs: number;
  readonly durationMs: number;
  /** Open loop: operations per second over all connections; 0 is the closed loop. */
  readonly ratePerSecond: number;
  /** Server processes whose CPU time is read at both ends of the counted time. */
  readonly serverPids: readonly number[];
}

/** What came of a run. Operations are the commands counted: all but WAIT. */
export interface RunResult {
  readonly operations: number;
  readonly elapsedMs: number;
  readonly operationsPerSecond: number;
  readonly errors: number;
  readonly firstError: string;
  /** Open loop: due in the counted time, and without an answer long after its end. */
  readonly unanswered: number;
  /**
   * Nil replies (GET of a missing key), and zeros (WAIT without a replica, EXPIRE of a missing
   * key).
   */
  readonly nils: number;
  readonly zeros: number;
  readonly latencyUs: LatencySummary;
  /**
   * How late operations were sent after they were due, open loop only: lateness of the generator's
   * own.
   */
  readonly sendLatenessUs: LatencySummary | null;
  /** CPU cores used: 1 is one core all the time. NaN where /proc is not readable. */
  readonly generatorCores: number;
  readonly serverCores: number;
  /** Cores used by all other processes of the machine. */
  readonly otherCores: number;
  readonly serverCpuSecondsPerMillion: number;
}
