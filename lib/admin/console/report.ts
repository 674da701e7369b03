import { performance } from 'node:perf_hooks';
import type { ClusterEvents } from '../../cluster/cluster-events.js';
import type { HotKeys } from '../../commands/hot-keys.js';
import type { NodeServices } from '../../commands/services.js';
import type { SlowEntry, SlowLog } from '../../commands/slow-log.js';
import { type CommandTable, keyCount, keyIndex } from '../../commands/table.js';
import { Request } from '../../protocol/request.js';
import type { EventFrame, MemberFigures } from './frame.js';
import { LoadSample } from './load-sample.js';

/** Events, slow commands and hot keys of one report: it takes some kilobytes. */
const EVENTS_PER_REPORT = 100;
const SLOW_PER_REPORT = 10;
const HOT_PER_REPORT = 10;
const KEY_CHARACTERS_MAX = 128;

/** What the parts of a node are asked for, for its own console and for those of the others. */
export interface ReportSources {
  readonly services: NodeServices;
  readonly table: CommandTable;
  readonly events: ClusterEvents;
  readonly slowLog: SlowLog;
  readonly hotKeys: HotKeys;
  /** Keys held here whose other copy is missing. */
  ownKeysWithoutBackup(): number;
}

export interface ReportedSlow {
  readonly id: number;
  readonly at: number;
  readonly microseconds: number;
  readonly command: string;
  readonly arguments: number;
  readonly key: string;
}

/** What a member says of itself to a console, over the bus as JSON. */
export interface MemberReport {
  readonly serving: boolean;
  readonly figures: MemberFigures;
  /** By the ids of the others: keys whose primary is here and whose backup is there. */
  readonly copies: Readonly<Record<string, number>>;
  readonly lastEvent: number;
  readonly events: readonly Omit<EventFrame, 'by'>[];
  readonly slow: readonly ReportedSlow[];
  readonly hot: readonly { readonly key: string; readonly count: number }[];
  readonly hotSamples: number;
}

/** Events that all members tell, and that are shown once. What they tell of keys is their own. */
const OF_ALL = new Set(['joined', 'leaving', 'stays', 'left', 'died', 'lost', 'view', 'settled']);

/** Makes the reports of this node. */
export class Reports {
  readonly #sources: ReportSources;
  readonly #load: LoadSample;

  constructor(sources: ReportSources) {
    this.#sources = sources;
    this.#load = new LoadSample(sources.services.statistics);
  }

  /** With the events after that one. */
  make(since: number): MemberReport {
    const { services, events, slowLog, hotKeys } = this.#sources;
    const { cluster } = services;
    const shared = [...cluster.copies()].map(([id, { primaries }]) => [id, primaries] as const);
    const hot = hotKeys.look(services.elapsedMs(), HOT_PER_REPORT);
    return {
      serving: cluster.serving,
      figures: this.#figures(),
      copies: Object.fromEntries(shared),
      lastEvent: events.lastId,
      events: this.#events(since),
      slow: slowLog.entries.slice(0, SLOW_PER_REPORT).map((entry) => this.#slow(entry)),
      hot: hot.map(({ key, count }) => ({ key: shown(Buffer.from(key, 'latin1')), count })),
      hotSamples: hotKeys.samples,
    };
  }

  #figures(): MemberFigures {
    const { services } = this.#sources;
    const { primaries, backups } = services.cluster.tandis();
    return {
      version: services.version,
      uptimeSeconds: Math.floor((services.now() - services.startedAt) / 1000),
      primaries,
      backups,
      keysWithoutBackup: this.#sources.ownKeysWithoutBackup(),
      memoryBytes: services.store().usedBytes,
      memoryMaxBytes: services.config.get('maxmemory'),
      residentBytes: process.memoryUsage.rss(),
      clients: services.clients.size,
      operationsPerSecond: services.statistics.operationsPerSecond(),
      ...this.#load.take(performance.now()),
    };
  }

  #events(since: number): MemberReport['events'] {
    const { events, services } = this.#sources;
    const { self } = services.cluster;
    return events
      .after(since)
      .slice(-EVENTS_PER_REPORT)
      .map(({ id, at, kind, text, view, member, count }) => {
        const key = OF_ALL.has(kind)
          ? `${kind} ${member?.id ?? ''} ${view} ${count}`
          : `${self.id} ${id}`;
        return { key, at, kind, text, view };
      });
  }

  /** The command and its first key: other arguments may be values. */
  #slow({ id, at, microseconds, args }: SlowEntry): ReportedSlow {
    const { table } = this.#sources;
    const request = Request.of(...args);
    const spec = table.find(request);
    const hasKey = spec?.hasKeys === true && keyCount(spec, request) > 0;
    const key = hasKey ? args[keyIndex(spec, request, 0)] : undefined;
    return {
      id,
      at: at * 1000,
      microseconds,
      command: spec?.name.replace('|', ' ').toUpperCase() ?? '?',
      arguments: args.length - 1,
      key: key === undefined ? '' : shown(key),
    };
  }
}

const shown = (key: Buffer): string => key.toString('utf8').slice(0, KEY_CHARACTERS_MAX);
