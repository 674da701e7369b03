import { LimitCounts } from '../base/limit-counts.js';
import type { CommandUse } from './command-use.js';

/** Length of the windows over which "instantaneous" figures are taken, and how many are averaged. */
export const SAMPLE_MS = 100;
const SAMPLES = 16;
/** Kinds of error counted one by one; Redis stops there too, error texts may come from users. */
const ERROR_KINDS_MAX = 128;

/** A running count whose rate per second is sampled. */
class Rate {
  #last = 0;
  readonly #samples = new Float64Array(SAMPLES);
  #next = 0;

  sample(count: number, elapsedMs: number): void {
    this.#samples[this.#next] = ((count - this.#last) * 1000) / Math.max(elapsedMs, 1);
    this.#next = (this.#next + 1) % SAMPLES;
    this.#last = count;
  }

  restart(): void {
    this.#last = 0;
  }

  perSecond(): number {
    let sum = 0;
    for (const sample of this.#samples) sum += sample;
    return sum / SAMPLES;
  }
}

/**
 * `output`: client-output-buffer-limit; `query`: client-query-buffer-limit; `idle`: timeout; `protocol`: what is no command,
 * or announces more than it may.
 */
type ClosedFor = Record<'output' | 'query' | 'idle' | 'protocol', number>;

const noneClosed = (): ClosedFor => ({ output: 0, query: 0, idle: 0, protocol: 0 });

/** Bounds of one node and its clients; those of the cluster part are counted there. */
const LIMITS = [
  'turn',
  'unread-replies',
  'awaited-replies',
  'subscriptions',
  'blocked-keys',
  'transaction',
  'watched-keys',
  'tracking-table',
  'tracking-prefixes',
  'tracking-redirect',
  'users',
  'script-time',
  'script-unbroken',
  'script-memory',
  'bus-connections',
  'bus-strangers',
  'tls-handshakes',
  'local-calls',
  'admin-connections',
  'console-pages',
] as const;

/**
 * Counters of one node for INFO. The server adds to those of connections and bytes, the dispatcher to those of
 * commands and errors, handlers to hits and misses.
 */
export class Statistics {
  connectionsReceived = 0;
  connectionsRejected = 0;
  /** TLS handshakes under way now, and those of clients and members that came to nothing. */
  tlsHandshakes = 0;
  tlsHandshakesFailed = 0;
  /** Connections of the bus that are open, dialled and accepted. */
  busConnections = 0;
  /** Those that were accepted and of which nobody knows yet who is at the other end. */
  busStrangers = 0;
  /** When the certificate of this node ends, Unix seconds; 0 where there is none. */
  tlsCertificateEndsAt = 0;
  netInputBytes = 0;
  netOutputBytes = 0;
  commandsProcessed = 0;
  keyspaceHits = 0;
  keyspaceMisses = 0;
  errorReplies = 0;
  /** By full name. */
  readonly commands = new Map<string, CommandUse>();
  /** Error replies by their first word. */
  readonly errorsByKind = new Map<string, number>();
  /** Clients that were closed because of a limit. */
  readonly clientsClosed: ClosedFor = noneClosed();
  /** How often other bounds were reached. */
  readonly limits: LimitCounts<(typeof LIMITS)[number]> = new LimitCounts(LIMITS);
  /** Called by CONFIG RESETSTAT, for counters that others keep. */
  wasReset: () => void = () => undefined;
  readonly #operations = new Rate();
  readonly #input = new Rate();
  readonly #output = new Rate();

  /** `text` without the leading minus sign. */
  countError(text: string): void {
    this.errorReplies++;
    const space = text.indexOf(' ');
    const kind = space < 0 ? text : text.slice(0, space);
    const count = this.errorsByKind.get(kind);
    if (count !== undefined) this.errorsByKind.set(kind, count + 1);
    else if (this.errorsByKind.size < ERROR_KINDS_MAX) this.errorsByKind.set(kind, 1);
  }

  /** To be called each SAMPLE_MS; `elapsedMs` is the time since the last call. */
  sample(elapsedMs: number): void {
    this.#operations.sample(this.commandsProcessed, elapsedMs);
    this.#input.sample(this.netInputBytes, elapsedMs);
    this.#output.sample(this.netOutputBytes, elapsedMs);
  }

  operationsPerSecond(): number {
    return Math.round(this.#operations.perSecond());
  }

  /** Bytes per second. */
  inputRate(): number {
    return this.#input.perSecond();
  }

  outputRate(): number {
    return this.#output.perSecond();
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    Object.assign(this.clientsClosed, noneClosed());
    this.limits.reset();
    this.tlsHandshakesFailed = 0;
    this.netInputBytes = 0;
    this.netOutputBytes = 0;
    this.commandsProcessed = 0;
    this.keyspaceHits = 0;
    this.keyspaceMisses = 0;
    this.errorReplies = 0;
    this.errorsByKind.clear();
    for (const use of this.commands.values()) use.reset();
    this.wasReset();
    this.#operations.restart();
    this.#input.restart();
    this.#output.restart();
  }
}
