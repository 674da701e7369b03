import { cpuSecondsOf, cpuSecondsOfMachine } from '../process-stats.js';
import { LatencyRecorder } from './latency.js';
import type { ReplyScanner } from './reply-scanner.js';
import type { RunResult } from './run-spec.js';

interface CpuSample {
  readonly generator: number;
  readonly servers: number;
  readonly machine: number;
}

/** What is counted between `begin` and `end` of a run. Times are monotonic milliseconds. */
export class Measurement {
  readonly latency: LatencyRecorder = new LatencyRecorder();
  readonly sendLateness: LatencyRecorder = new LatencyRecorder();
  /** Operations that were due and never answered (open loop). */
  unanswered = 0;
  private readonly serverPids: readonly number[];
  private operations = 0;
  private beganAt = 0;
  private endedAt = 0;
  private before: CpuSample | null = null;
  private after: CpuSample | null = null;

  constructor(serverPids: readonly number[]) {
    this.serverPids = serverPids;
  }

  get isOpen(): boolean {
    return this.before !== null && this.after === null;
  }

  begin(now: number): void {
    this.before = this.sampleCpu();
    this.beganAt = now;
  }

  end(now: number): void {
    this.after = this.sampleCpu();
    this.endedAt = now;
  }

  /**
   * `count` operations were answered, each `elapsedMs` after it was sent (closed loop) or due (open
   * loop).
   */
  answered(elapsedMs: number, count: number): void {
    this.operations += count;
    this.latency.record(elapsedMs, count);
  }

  /** Throws when the measurement was not ended. */
  result(scanners: readonly ReplyScanner[]): RunResult {
    if (this.before === null || this.after === null) throw new Error('measurement was not ended');
    const elapsedMs = this.endedAt - this.beganAt;
    const seconds = elapsedMs / 1000;
    const generator = this.after.generator - this.before.generator;
    const servers = this.after.servers - this.before.servers;
    const machine = this.after.machine - this.before.machine;
    const lateness = this.sendLateness.summary();
    const total = (field: 'errors' | 'nils' | 'zeros') =>
      scanners.reduce((sum, scanner) => sum + scanner[field], 0);
    return {
      operations: this.operations,
      elapsedMs,
      operationsPerSecond: this.operations / seconds,
      errors: total('errors'),
      firstError: scanners.find((scanner) => scanner.errors > 0)?.firstError ?? '',
      unanswered: this.unanswered,
      nils: total('nils'),
      zeros: total('zeros'),
      latencyUs: this.latency.summary(),
      sendLatenessUs: lateness.count > 0 ? lateness : null,
      generatorCores: generator / seconds,
      serverCores: servers / seconds,
      otherCores: Math.max(0, machine - generator - servers) / seconds,
      serverCpuSecondsPerMillion: (servers / this.operations) * 1e6,
    };
  }

  private sampleCpu(): CpuSample {
    const { user, system } = process.cpuUsage();
    return {
      generator: (user + system) / 1e6,
      servers: this.serverPids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
      machine: cpuSecondsOfMachine(),
    };
  }
}
