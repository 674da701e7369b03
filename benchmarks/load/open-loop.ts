import { setTimeout as delay } from 'node:timers/promises';
import type { BatchSource } from './batch-source.js';
import { LoadConnection } from './load-connection.js';
import { LoadRun } from './load-run.js';
import { startPacer } from './pacer.js';
import type { Endpoint, RunResult, RunSpec } from './run-spec.js';
import { sourcesFor } from './workloads.js';

/** Operations are due in bursts, one burst per tick. */
export const TICK_MS = 0.25;
/** Time between opening the connections and the first operation due. */
const LEAD_MS = 20;
/** What the server has not answered so long after the end is counted as unanswered. */
const DRAIN_MS_MAX = 10_000;

/**
 * Due time of operation `number` (counted over all connections) after the start, in milliseconds.
 */
export function dueAfterMs(number: number, ratePerSecond: number): number {
  return Math.ceil((number * 1000) / ratePerSecond / TICK_MS) * TICK_MS;
}

/** Monotonic times of an open run, and its rate. */
interface Plan {
  readonly startAt: number;
  readonly beginAt: number;
  readonly endAt: number;
  readonly ratePerSecond: number;
  readonly connections: number;
}

/**
 * Sends operations when they are due, whether or not earlier ones were answered, and measures each
 * from the time at which it was due. So a server that stops for a second is charged with the whole
 * second by all who would have come in it, not by one connection alone (coordinated omission). At
 * most `window` operations are under way on one connection; those that must wait for a free place
 * keep their due time.
 */
class OpenLoop {
  readonly connection: LoadConnection;
  private readonly source: BatchSource;
  private readonly load: LoadRun;
  private readonly index: number;
  private readonly window: number;
  private plan: Plan | null = null;
  private sent = 0;
  private done = 0;
  /** Replies owed to each operation under way, a ring of `window` places. */
  private readonly owed: Int32Array;

  constructor(
    endpoint: Endpoint,
    source: BatchSource,
    load: LoadRun,
    spec: RunSpec,
    index: number,
  ) {
    this.source = source;
    this.load = load;
    this.index = index;
    this.window = spec.depth;
    this.owed = new Int32Array(spec.depth);
    this.connection = new LoadConnection(endpoint, {
      replies: (count, now) => this.replies(count, now),
      failed: (error) => load.fail(error),
    });
  }

  start(plan: Plan): void {
    this.plan = plan;
  }

  /** Sends what is due at `now`. */
  tick(now: number): void {
    const plan = this.plan!;
    while (this.sent - this.done < this.window) {
      const due = this.dueAt(this.sent);
      if (due > now || due >= plan.endAt) return;
      if (due >= plan.beginAt) this.load.measurement.sendLateness.record(now - due, 1);
      // The source uses its bytes again before it is known that these have left.
      this.connection.send(Buffer.from(this.source.next()!));
      this.owed[this.sent % this.window] = this.source.replies;
      this.sent++;
    }
  }

  get isDone(): boolean {
    return this.sent === this.done && this.dueAt(this.sent) >= this.plan!.endAt;
  }

  /**
   * Counts what was due and has not been answered at `now`, with the time that it has waited
   * already.
   */
  giveUp(now: number): void {
    for (; this.dueAt(this.done) < this.plan!.endAt; this.done++) {
      this.answered(now);
      this.load.measurement.unanswered++;
    }
  }

  private dueAt(index: number): number {
    const plan = this.plan!;
    const number = index * plan.connections + this.index;
    return plan.startAt + dueAfterMs(number, plan.ratePerSecond);
  }

  private replies(count: number, now: number): void {
    let rest = count;
    while (rest > 0) {
      if (this.sent === this.done) {
        this.load.fail(new Error(`${rest} more replies than commands`));
        return;
      }
      const place = this.done % this.window;
      const step = Math.min(rest, this.owed[place]!);
      rest -= step;
      this.owed[place]! -= step;
      if (this.owed[place] !== 0) break;
      this.answered(now);
      this.done++;
    }
    this.tick(now);
  }

  private answered(now: number): void {
    const due = this.dueAt(this.done);
    if (due >= this.plan!.beginAt) this.load.measurement.answered(now - due, 1);
  }
}

/**
 * An open run: `ratePerSecond` operations for `rampMs`, then for `durationMs`, of which the latter
 * are counted. `depth` is the number of operations under way per connection. Rejects as a closed
 * run does.
 */
export async function runOpen(spec: RunSpec): Promise<RunResult> {
  const load = new LoadRun(spec);
  const sources = sourcesFor({ ...spec, depth: 1 });
  const loops = sources.map((source, i) => {
    const endpoint = spec.endpoints[i % spec.endpoints.length]!;
    return new OpenLoop(endpoint, source, load, spec, i);
  });
  for (const loop of loops) load.add(loop.connection);
  try {
    await load.opened();
    const startAt = performance.now() + LEAD_MS;
    const beginAt = startAt + spec.rampMs;
    const endAt = beginAt + spec.durationMs;
    const { ratePerSecond, connections } = spec;
    for (const loop of loops) loop.start({ startAt, beginAt, endAt, ratePerSecond, connections });
    await load.orFailure(paced(spec, load, loops, endAt));
    return load.result();
  } finally {
    load.close();
  }
}

async function paced(
  spec: RunSpec,
  load: LoadRun,
  loops: readonly OpenLoop[],
  endAt: number,
): Promise<void> {
  const pacer = startPacer(TICK_MS, () => {
    const now = performance.now();
    for (const loop of loops) loop.tick(now);
  });
  try {
    await delay(LEAD_MS + spec.rampMs);
    load.measurement.begin(performance.now());
    await delay(Math.max(0, endAt - performance.now()));
    const drainUntil = performance.now() + DRAIN_MS_MAX;
    while (loops.some((loop) => !loop.isDone) && performance.now() < drainUntil) await delay(1);
    const now = performance.now();
    for (const loop of loops) loop.giveUp(now);
    load.measurement.end(now);
  } finally {
    await pacer.stop();
  }
}
