import type { LoadConnection } from './load-connection.js';
import { Measurement } from './measurement.js';
import type { RunResult, RunSpec } from './run-spec.js';

/** A server that answers nothing for so long is given up. */
const STALL_MS_MAX = 10_000;
const STALL_CHECK_MS = 1000;

/**
 * What closed and open loop have in common: connections, the failure that ends a run, and what was
 * measured.
 */
export class LoadRun {
  readonly measurement: Measurement;
  private readonly connections: LoadConnection[] = [];
  private readonly failure: Promise<never>;
  private rejectFailure!: (error: Error) => void;

  constructor(spec: RunSpec) {
    this.measurement = new Measurement(spec.serverPids);
    this.failure = new Promise((_, reject) => {
      this.rejectFailure = reject;
    });
    // The run may fail before or after anybody waits for it.
    this.failure.catch(() => {});
  }

  fail(error: Error): void {
    this.rejectFailure(error);
  }

  add(connection: LoadConnection): void {
    this.connections.push(connection);
  }

  opened(): Promise<unknown> {
    return this.orFailure(Promise.all(this.connections.map((one) => one.opened())));
  }

  /** Settles as `work` does, or rejects when a connection fails or the server stalls. */
  async orFailure<T>(work: Promise<T>): Promise<T> {
    let seen = -1;
    let seenAt = performance.now();
    const watch = setInterval(() => {
      const replies = this.connections.reduce((sum, one) => sum + one.scanner.replies, 0);
      if (replies !== seen) seenAt = performance.now();
      seen = replies;
      if (performance.now() - seenAt > STALL_MS_MAX)
        this.fail(new Error(`no reply for ${STALL_MS_MAX} ms`));
    }, STALL_CHECK_MS);
    try {
      return await Promise.race([work, this.failure]);
    } finally {
      clearInterval(watch);
    }
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }

  result(): RunResult {
    return this.measurement.result(this.connections.map((one) => one.scanner));
  }
}
