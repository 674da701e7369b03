import { setTimeout as delay } from 'node:timers/promises';
import type { BatchSource } from './batch-source.js';
import { LoadConnection } from './load-connection.js';
import { LoadRun } from './load-run.js';
import { type Endpoint, isFill, type RunResult, type RunSpec } from './run-spec.js';
import { sourcesFor } from './workloads.js';

/** State that all connections of one closed run share. */
interface ClosedRun {
  readonly load: LoadRun;
  isSending: boolean;
  /** Connections that are not done yet. */
  busy: number;
  /** Called when no connection is busy any more. */
  drained: () => void;
}

/**
 * Sends a batch, awaits all its replies, sends the next: the rate is what the server makes of it.
 */
class ClosedLoop {
  readonly connection: LoadConnection;
  private readonly source: BatchSource;
  private readonly run: ClosedRun;
  private sentAt = 0;
  private owed = 0;

  constructor(endpoint: Endpoint, source: BatchSource, run: ClosedRun) {
    this.source = source;
    this.run = run;
    this.connection = new LoadConnection(endpoint, {
      replies: (count, now) => this.replies(count, now),
      failed: (error) => run.load.fail(error),
    });
  }

  sendBatch(now: number): void {
    const bytes = this.source.next();
    if (bytes === null) {
      this.finish();
      return;
    }
    this.owed = this.source.replies;
    this.sentAt = now;
    this.connection.send(bytes);
  }

  private replies(count: number, now: number): void {
    this.owed -= count;
    if (this.owed > 0) return;
    if (this.owed < 0) {
      this.run.load.fail(new Error(`${-this.owed} more replies than commands`));
      return;
    }
    const measurement = this.run.load.measurement;
    if (measurement.isOpen) measurement.answered(now - this.sentAt, this.source.operations);
    if (this.run.isSending) this.sendBatch(now);
    else this.finish();
  }

  private finish(): void {
    if (--this.run.busy === 0) this.run.drained();
  }
}

/**
 * A closed run: for `durationMs` after `rampMs`, or, with a fill, until every key has been written.
 * Rejects when a connection fails, when replies and commands do not match, and when the server
 * stalls.
 */
export async function runClosed(spec: RunSpec): Promise<RunResult> {
  const load = new LoadRun(spec);
  const run: ClosedRun = { load, isSending: true, busy: spec.connections, drained: () => {} };
  const drained = new Promise<void>((resolve) => {
    run.drained = resolve;
  });
  try {
    const loops = sourcesFor(spec).map(
      (source, i) => new ClosedLoop(spec.endpoints[i % spec.endpoints.length]!, source, run),
    );
    for (const loop of loops) load.add(loop.connection);
    await load.opened();
    const fills = isFill(spec.workload);
    if (fills) load.measurement.begin(performance.now());
    for (const loop of loops) loop.sendBatch(performance.now());
    if (!fills) await load.orFailure(timedPart(spec, run));
    await load.orFailure(drained);
    if (fills) load.measurement.end(performance.now());
    return load.result();
  } finally {
    load.close();
  }
}

async function timedPart(spec: RunSpec, run: ClosedRun): Promise<void> {
  await delay(spec.rampMs);
  run.load.measurement.begin(performance.now());
  await delay(spec.durationMs);
  run.load.measurement.end(performance.now());
  run.isSending = false;
}
