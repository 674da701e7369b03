import type { Config } from '../base/config.js';

/** Seconds of one event that are kept, each with its longest time; so many as in Redis. */
const SAMPLES_MAX = 160;

/** What is watched: commands that Redis marks fast, and all others. */
export const LATENCY_EVENTS = ['command', 'fast-command'] as const;
export type LatencyEvent = (typeof LATENCY_EVENTS)[number];

export interface LatencySample {
  /** Unix seconds. */
  readonly at: number;
  readonly milliseconds: number;
}

/** The seconds of late in which something took `latency-monitor-threshold` and more. */
export class LatencyMonitor {
  readonly #samples = new Map<LatencyEvent, LatencySample[]>();
  readonly #longest = new Map<LatencyEvent, number>();
  /** Seconds with something slow since the start, of all events. */
  recorded = 0;
  /** Milliseconds; 0 watches nothing. */
  #threshold = 0;

  constructor(config: Config) {
    config.watch(['latency-monitor-threshold'], () => {
      this.#threshold = config.get('latency-monitor-threshold');
    });
  }

  get threshold(): number {
    return this.#threshold;
  }

  /** Whether to time a command; none that is `quick` takes a millisecond by itself. */
  times(isQuick: boolean): boolean {
    return this.#threshold > 0 && !isQuick;
  }

  /** `now`: Unix milliseconds. */
  note(event: LatencyEvent, milliseconds: number, now: number): void {
    const took = Math.round(milliseconds);
    if (this.#threshold === 0 || took < this.#threshold) return;
    const at = Math.floor(now / 1000);
    const samples = this.#samples.get(event) ?? [];
    this.#samples.set(event, samples);
    const last = samples.at(-1);
    if (last?.at === at) {
      if (took > last.milliseconds) samples[samples.length - 1] = { at, milliseconds: took };
    } else {
      samples.push({ at, milliseconds: took });
      this.recorded++;
      if (samples.length > SAMPLES_MAX) samples.shift();
    }
    this.#longest.set(event, Math.max(this.longest(event), took));
  }

  /** Oldest first; empty where nothing was slow. */
  history(event: string): readonly LatencySample[] {
    return this.#samples.get(event as LatencyEvent) ?? [];
  }

  /** Seconds that are kept. */
  get size(): number {
    let size = 0;
    for (const samples of this.#samples.values()) size += samples.length;
    return size;
  }

  /** Since the start, or the last RESET; milliseconds. */
  longest(event: LatencyEvent): number {
    return this.#longest.get(event) ?? 0;
  }

  /** Those of which there are samples. */
  get events(): readonly LatencyEvent[] {
    return LATENCY_EVENTS.filter((event) => this.#samples.has(event));
  }

  /** True when there was something to forget. */
  reset(event: string): boolean {
    this.#longest.delete(event as LatencyEvent);
    return this.#samples.delete(event as LatencyEvent);
  }
}
