/** Of the calls of a command that nobody wants timed, one in this many is: to read the clock costs a tenth of a GET. */
const TIMED_CALLS = 64;

/** Nanoseconds up to which calls are in the first bucket; each next one reaches twice as far. As Redis's histograms. */
const FIRST_BUCKET_NS = 1024;
const BUCKETS = 21;
/** What takes longer than a second counts there, in the last bucket. */
const LIMIT_MAX = 1_073_741;
/** Of values beyond that Redis keeps so many leading bits, so its limits are shown a little higher. */
const PRECISION = 2 ** 7;

/** The last microsecond of a bucket. */
function limitOf(bucket: number): number {
  const ns = FIRST_BUCKET_NS * 2 ** bucket;
  return Math.min(Math.floor((ns + Math.floor(ns / PRECISION) - 1) / 1000), LIMIT_MAX);
}

export interface LatencyBucket {
  readonly upToMicroseconds: number;
  /** Calls that took no longer. */
  readonly calls: number;
}

/** How often a command was used since the counters were reset, for INFO commandstats. */
export class CommandUse {
  /** Those that ran. */
  calls = 0;
  /** Refused before they ran. */
  rejected = 0;
  /** Of those that ran, those that answered with an error. */
  failed = 0;
  /** Of those that ran, those that were timed, and how long they took. */
  timed = 0;
  milliseconds = 0;
  readonly #buckets = new Uint32Array(BUCKETS);

  /** Counts a call that is about to run; whether to time it. */
  begin(): boolean {
    return this.calls++ % TIMED_CALLS === 0;
  }

  took(milliseconds: number): void {
    this.timed++;
    this.milliseconds += milliseconds;
    const bucket = Math.ceil(Math.log2((milliseconds * 1e6) / FIRST_BUCKET_NS));
    this.#buckets[Math.min(Math.max(bucket, 0), BUCKETS - 1)]!++;
  }

  /** Of one call on average: those that were timed stand for all. */
  get microsecondsPerCall(): number {
    return this.timed === 0 ? 0 : (this.milliseconds * 1000) / this.timed;
  }

  /** Buckets that have calls, the shortest first. */
  get histogram(): LatencyBucket[] {
    const buckets: LatencyBucket[] = [];
    let timed = 0;
    for (let i = 0; i < BUCKETS; i++) {
      if (this.#buckets[i] === 0) continue;
      timed += this.#buckets[i]!;
      const calls = Math.round((timed * this.calls) / this.timed);
      buckets.push({ upToMicroseconds: limitOf(i), calls });
    }
    return buckets;
  }

  reset(): void {
    this.calls = 0;
    this.rejected = 0;
    this.failed = 0;
    this.timed = 0;
    this.milliseconds = 0;
    this.#buckets.fill(0);
  }
}
