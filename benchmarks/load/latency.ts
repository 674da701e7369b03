import { build, type Histogram } from 'hdr-histogram-js';

/**
 * A slower operation than this is recorded as this: the generator gives a server up as stalled long
 * before.
 */
const LATENCY_US_MAX = 60_000_000;

/** Percentiles of the time an operation took, in microseconds, with three significant digits. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Latencies of one run. */
export class LatencyRecorder {
  private readonly histogram: Histogram = build({
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  });

  /** Records that each of `count` operations took `elapsedMs`. */
  record(elapsedMs: number, count: number): void {
    const us = Math.min(Math.max(1, Math.round(elapsedMs * 1000)), LATENCY_US_MAX);
    this.histogram.recordValueWithCount(us, count);
  }

  summary(): LatencySummary {
    const histogram = this.histogram;
    return {
      count: histogram.totalCount,
      mean: histogram.mean,
      p50: histogram.getValueAtPercentile(50),
      p99: histogram.getValueAtPercentile(99),
      p999: histogram.getValueAtPercentile(99.9),
      max: histogram.maxValue,
    };
  }
}
