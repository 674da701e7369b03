import { renderInfo } from '../admin/info.js';
import type { Config } from '../base/config.js';
import type { Logger } from '../base/logger.js';
import type { OptionName } from '../base/options.js';
import { VERSION } from '../base/package.js';
import { ENTRY_OVERHEAD_BYTES } from '../cluster/headroom.js';
import type { ScriptSharing } from '../cluster/script-sharing.js';
import type { SharedSettings } from '../cluster/shared-settings.js';
import { userLines } from '../commands/acl/acl-file.js';
import type { Users } from '../commands/acl/users.js';
import { LatencyMonitor } from '../commands/latency-monitor.js';
import { Monitors } from '../commands/monitors.js';
import { ScriptEngine } from '../commands/scripting/script-engine.js';
import type {
  ClientRegistry,
  ClusterFacts,
  DatabaseFacts,
  NodeServices,
  ShutdownEnded,
  ShutdownRequest,
  StoreFacts,
} from '../commands/services.js';
import { SlowLog } from '../commands/slow-log.js';
import type { Statistics } from '../commands/statistics.js';
import type { Subscriptions } from '../commands/subscriptions.js';
import type { Tracking } from '../commands/tracking.js';
import { Role, type Store } from '../store/store.js';
import type { AclFileStore } from './acl-file-store.js';
import type { ConfigFile } from './config-file.js';

/** Entries looked at for the average time to live of INFO. */
const TTL_SAMPLES = 64;

/** Longest delay that a timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** What the store takes, divided by the bytes of values and the number of entries of each role. */
function bytesByRole(
  store: Store,
): Pick<StoreFacts, 'primaryBytes' | 'backupBytes' | 'tombstoneBytes'> {
  const weightOf = (role: Role): number =>
    store.countOfRole(role) * ENTRY_OVERHEAD_BYTES + store.valueBytes(role);
  const primaries = weightOf(Role.Primary);
  const backups = weightOf(Role.Backup);
  const others = weightOf(Role.Record) + weightOf(Role.Tombstone);
  const share = (weight: number): number =>
    Math.round((store.usedBytes * weight) / Math.max(primaries + backups + others, 1));
  return {
    primaryBytes: share(primaries),
    backupBytes: share(backups),
    tombstoneBytes: share(others),
  };
}

/** What the node's parts are asked for on behalf of commands. */
export interface ServicesParts {
  readonly config: Config;
  readonly file: ConfigFile | null;
  readonly statistics: Statistics;
  readonly clients: ClientRegistry;
  readonly users: Users;
  readonly aclFile: AclFileStore;
  readonly cluster: ClusterFacts;
  readonly subscriptions: Subscriptions;
  readonly tracking: Tracking;
  readonly settings: SharedSettings;
  readonly sharing: ScriptSharing;
  readonly store: Store;
  readonly logger: Logger;
  readonly runId: string;
  /** Reads the clocks: every turn that executes commands begins so. */
  beginTurn(): void;
  /** Since the start, or CONFIG RESETSTAT: keys that expired, and keys evicted. */
  counts(): { readonly expired: number; readonly evicted: number };
  shutdown(request: ShutdownRequest, ended: ShutdownEnded): void;
  abortShutdown(): boolean;
}

/** The node as its commands see it. */
export class ServerServices implements NodeServices {
  readonly config: Config;
  readonly statistics: Statistics;
  readonly clients: ClientRegistry;
  readonly users: Users;
  readonly cluster: ClusterFacts;
  readonly subscriptions: Subscriptions;
  readonly tracking: Tracking;
  readonly monitors = new Monitors(() => this.now());
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  readonly sharing: ScriptSharing;
  readonly scripts = new ScriptEngine(() => Date.now());
  readonly version = VERSION;
  readonly runId: string;
  readonly startedAt = Date.now();
  readonly #parts: ServicesParts;
  #peakBytes = 0;

  constructor(parts: ServicesParts) {
    this.#parts = parts;
    this.config = parts.config;
    this.slowLog = new SlowLog(parts.config, () => this.now());
    this.latency = new LatencyMonitor(parts.config);
    this.statistics = parts.statistics;
    this.clients = parts.clients;
    this.users = parts.users;
    this.cluster = parts.cluster;
    this.subscriptions = parts.subscriptions;
    this.tracking = parts.tracking;
    this.sharing = parts.sharing;
    parts.sharing.known = this.scripts;
    this.runId = parts.runId;
  }

  get configFile(): string {
    return this.#parts.file?.path ?? '';
  }

  rewriteConfig(done: (error: string | null) => void): void {
    const { file } = this.#parts;
    if (file === null) {
      done('ERR The server is running without a config file');
      return;
    }
    const { users, config } = this;
    const isOfConfig =
      config.get('aclfile') === '' && (users.areSet || config.get('user').length > 0);
    if (isOfConfig)
      config.note('user', Buffer.from(userLines(users).join('\n'), 'latin1').toString());
    file.rewrite(this.config).then(
      () => done(null),
      (error: Error) => done(`ERR Rewriting config file: ${error.message}`),
    );
  }

  readAclFile(): { readonly content: string } | string {
    return this.#parts.aclFile.read();
  }

  writeAclFile(content: string, done: (isWritten: boolean) => void): void {
    this.#parts.aclFile.write(content, done);
  }

  now(): number {
    // Whole milliseconds of the wall clock, which may be set; the fraction only tells calls apart.
    return Date.now() + (performance.now() % 1);
  }

  elapsedMs(): number {
    return performance.now();
  }

  share(names: readonly OptionName[], told: () => void): void {
    let missing = names.length;
    for (const name of names) {
      this.#parts.settings.set(name, this.config.show(name), () => {
        if (--missing === 0) told();
      });
    }
  }

  random(): number {
    return Math.random();
  }

  /** To be called now and then: keeps the highest memory use seen. */
  sample(): void {
    this.#peakBytes = Math.max(this.#peakBytes, this.#parts.store.usedBytes);
  }

  store(): StoreFacts {
    const { store } = this.#parts;
    const { expired, evicted } = this.#parts.counts();
    this.sample();
    return {
      usedBytes: store.usedBytes,
      ...bytesByRole(store),
      peakBytes: this.#peakBytes,
      reservedBytes: store.reservedBytes,
      expiredKeys: expired,
      evictedKeys: evicted,
      databases: this.#databases(),
    };
  }

  #databases(): DatabaseFacts[] {
    const { store } = this.#parts;
    const databases: DatabaseFacts[] = [];
    for (let db = 0; db < this.config.get('databases'); db++) {
      const keys = store.count(db, Role.Primary);
      if (keys === 0) continue;
      const expires = store.countWithExpiry(db);
      databases.push({ db, keys, expires, averageTtlMs: expires === 0 ? 0 : this.#averageTtl(db) });
    }
    return databases;
  }

  /** Of a sample, as Redis does it: 0 when none of the sample expires. */
  #averageTtl(db: number): number {
    const { store } = this.#parts;
    const now = Date.now();
    const step = Math.max(1, Math.floor(store.size / TTL_SAMPLES));
    let sum = 0;
    let count = 0;
    for (let index = 0; index < store.size; index += step) {
      const ref = store.entryAt(index);
      const expireAt = store.expireAt(ref);
      if (store.db(ref) !== db || store.role(ref) !== Role.Primary || expireAt <= now) continue;
      sum += expireAt - now;
      count += 1;
    }
    return count === 0 ? 0 : Math.round(sum / count);
  }

  info(sections: readonly string[]): string {
    return renderInfo(this, sections);
  }

  after(delayMs: number, run: () => void): void {
    const step = Math.min(Math.max(delayMs, 0), TIMER_MS_MAX);
    const due = (): void => {
      this.#parts.beginTurn();
      if (delayMs > step) this.after(delayMs - step, run);
      else run();
    };
    setTimeout(due, step).unref();
  }

  shutdown(request: ShutdownRequest, ended: ShutdownEnded): void {
    this.#parts.shutdown(request, ended);
  }

  abortShutdown(): boolean {
    return this.#parts.abortShutdown();
  }

  log(level: 'info' | 'warn', event: string, facts: Record<string, unknown>): void {
    this.#parts.logger[level](event, facts);
  }
}
