/** Buckets within one power of two: a value is known to within 1/128 of itself. */
const STEPS_LOG2 = 7;
const STEPS = 2 ** STEPS_LOG2;
/** Powers of two: microseconds up to more than an hour. */
const POWERS = 32;

/** Counts durations in buckets whose width grows with them: bounded memory, percentiles to within 1 %. Milliseconds. */
export class Histogram {
  readonly #counts = new Float64Array(STEPS * POWERS);
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#max;
  }

  record(ms: number): void {
    const microseconds = Math.max(0, Math.round(ms * 1000));
    const power = Math.max(0, Math.floor(Math.log2(microseconds / STEPS)) + 1);
    const step = power === 0 ? microseconds : Math.floor(microseconds / 2 ** (power - 1)) - STEPS;
    const index = Math.min(power * STEPS + step, this.#counts.length - 1);
    this.#counts[index]!++;
    this.#count++;
    this.#max = Math.max(this.#max, ms);
  }

  /** What `share` (0 to 1) of the durations do not exceed, milliseconds; 0 when there are none. */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index]!;
      if (seen >= wanted) return Math.min(upperEnd(index) / 1000, this.#max);
    }
    return this.#max;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#max = 0;
  }
}

/** Microseconds: the largest value that is counted in a bucket. */
function upperEnd(index: number): number {
  const power = Math.floor(index / STEPS);
  const step = index % STEPS;
  return power === 0 ? step : (STEPS + step + 1) * 2 ** (power - 1) - 1;
}
