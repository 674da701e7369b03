import type { Config } from '../base/config.js';
import type { OptionName } from '../base/options.js';
import type { ClusterEvent } from '../cluster/cluster-events.js';
import type { Member, ViewId } from '../cluster/member.js';
import type { ForgetOutcome } from '../cluster/membership/forgetting.js';
import type { PeekedValue } from '../cluster/peeking.js';
import type { Users } from './acl/users.js';
import type { ClientSession } from './client-session.js';
import type { LatencyMonitor } from './latency-monitor.js';
import type { Monitors } from './monitors.js';
import type { ScriptEngine } from './scripting/script-engine.js';
import type { SlowLog } from './slow-log.js';
import type { Statistics } from './statistics.js';
import type { Subscriptions } from './subscriptions.js';
import type { Tracking } from './tracking.js';

/** The clients that are connected. */
export interface ClientRegistry {
  readonly size: number;
  /** Oldest first. */
  all(): Iterable<ClientSession>;
  find(id: number): ClientSession | undefined;
}

/** Slots `first` to `last` (both included), anchored by one member; `backup` is ranked second, null when alone. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly anchor: Member;
  readonly backup: Member | null;
}

/** Where a key is, as its anchor says. */
export interface KeyLocation {
  readonly slot: number;
  readonly anchor: Member | null;
  /** Both null when there is no such key. */
  readonly primary: Member | null;
  readonly backup: Member | null;
  /** Hybrid logical clock of the last change, 0 when there is no such key. */
  readonly version: number;
  /** Unix milliseconds, 0 for never and where there is no such key. */
  readonly expireAt: number;
  /** Whether the two copies are where the view wants them. */
  readonly settled: boolean;
}

/** What INFO tells of one database of this node's own primaries. */
export interface DatabaseFacts {
  readonly db: number;
  readonly keys: number;
  readonly expires: number;
  readonly averageTtlMs: number;
}

/** Keys that two members hold between them, as one of the two counts them. */
export interface SharedCopies {
  /** Primary here, backup there. */
  readonly primaries: number;
  /** The other way round. */
  readonly backups: number;
}

/** Figures of `# Tandis`. */
export interface TandisFacts {
  readonly settled: boolean;
  readonly primaries: number;
  readonly backups: number;
  readonly keysWithoutBackup: number;
  readonly lookups: number;
  readonly forwards: number;
  readonly takeOvers: number;
  readonly promotions: number;
  /** Deletes remembered, and how many are kept at most while members are missing. */
  readonly tombstones: number;
  readonly tombstonesMax: number;
  /** Members that may be serving on the other side of a partition. */
  readonly membersMissing: number;
  /** Deletes were forgotten since: the other side will have to discard what it holds. */
  readonly deletesForgotten: boolean;
  /** Slots that nobody serves until it is decided whose copies stay, since two sides have met. */
  readonly mergingSlots: number;
  /** Copies given up here since another side had a newer change. */
  readonly mergeDropped: number;
  /** Events of the cluster since the start, and how many of them are kept. */
  readonly eventsRecorded: number;
  readonly eventsKept: number;
  /** Published messages that a member was not sent, as too much for it was waiting. */
  readonly messagesDropped: number;
  /** Keys that clients of this node wait for. */
  readonly awaitedKeys: number;
  /** As anchor: pairs of a key and a member that waits for it, and how many more were refused. */
  readonly waitHints: number;
  readonly waitHintsRefused: number;
  /** Claims, look-ups and the like under way, by kind. */
  readonly workOpen: ReadonlyMap<string, number>;
  /** How often bounds of the cluster part were reached, by name. */
  readonly limitsReached: ReadonlyMap<string, number>;
  /** Keys of other nodes whose primary is remembered. */
  readonly locations: number;
  /** Bytes that the other members may still send here; null without maxmemory. */
  readonly headroomBytes: number | null;
  /** Bytes of large values that are coming in part by part. */
  readonly assemblyBytes: number;
  /** Bytes for members that they have not acknowledged. */
  readonly busBacklogBytes: number;
  /** Bytes sent and received on the bus, and messages sent by kind. */
  readonly busOutputBytes: number;
  readonly busInputBytes: number;
  readonly busMessages: ReadonlyMap<string, number>;
}

/** The cluster as INFO and CLUSTER show it. None of these calls moves or touches a key. */
export interface ClusterFacts {
  readonly self: Member;
  /** The installed view: null before the first one. Members oldest first. */
  readonly viewId: ViewId | null;
  readonly members: readonly Member[];
  /** Left out without a proof of death: they may be serving on the other side of a partition. */
  readonly missingMembers: readonly Member[];
  /** Commands are answered with LOADING: the node is in no view, or a snapshot is loaded. */
  readonly loading: boolean;
  /** Whether commands on keys are answered now. */
  readonly serving: boolean;
  /** A member is gone for good; `certain`: its process does not run, wherever it is. */
  forget(id: string, certain: boolean): ForgetOutcome;
  /** Ordered by first slot, neighbours of one anchor and backup joined. */
  slotRanges(): readonly SlotRange[];
  /** Copies held here as primary in that slot of database 0. */
  keysInSlot(slot: number): number;
  /** May ask the key's anchor; `answer` is called once, with an error text (its code included) when that failed. */
  locate(db: number, key: Buffer, answer: (location: KeyLocation | string) => void): void;
  /** What a key holds, at its primary; null where nobody is that. It does not count as a use. Otherwise as locate. */
  peek(db: number, key: Buffer, answer: (value: PeekedValue | string | null) => void): void;
  tandis(): TandisFacts;
  /** The last of what has happened in the cluster, oldest first. */
  events(count: number): readonly ClusterEvent[];
  /** By the ids of the other members. */
  copies(): ReadonlyMap<string, SharedCopies>;
}

/** What the store knows for INFO. */
export interface StoreFacts {
  /** Of keys and values, and at most so far. */
  readonly usedBytes: number;
  readonly peakBytes: number;
  /** The parts of `usedBytes`, about: what is shared by all entries is divided among them. */
  readonly primaryBytes: number;
  readonly backupBytes: number;
  readonly tombstoneBytes: number;
  /** Reserved for them, with what is free inside. */
  readonly reservedBytes: number;
  readonly expiredKeys: number;
  readonly evictedKeys: number;
  readonly databases: readonly DatabaseFacts[];
}

/** SHUTDOWN's options. */
export interface ShutdownRequest {
  /** Go at once: the keys are not handed to others first. */
  readonly now: boolean;
  /** Go even if that loses keys. */
  readonly force: boolean;
  /** Write the snapshot, if this is the end of the whole cluster. */
  readonly save: boolean;
}

/** Called once: with an error text (its code included) when the node stays, with null when it is about to end. */
export type ShutdownEnded = (error: string | null) => void;

/** Scripts of all members: see ScriptSharing. */
export interface Sharing {
  find(sha: string, done: (source: Buffer | null) => void): boolean;
  share(source: Buffer, done: () => void): boolean;
  flush(done: () => void): boolean;
}

/** What commands need of their node besides keys. */
export interface NodeServices {
  readonly config: Config;
  readonly statistics: Statistics;
  readonly clients: ClientRegistry;
  readonly users: Users;
  readonly cluster: ClusterFacts;
  readonly subscriptions: Subscriptions;
  readonly tracking: Tracking;
  readonly monitors: Monitors;
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  readonly scripts: ScriptEngine;
  readonly sharing: Sharing;
  /** Version of Tandis. */
  readonly version: string;
  /** 40 hexadecimal characters, of this process life. */
  readonly runId: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  /** Wall clock, Unix milliseconds, with its fraction where the system tells one. */
  now(): number;
  /** What commands are timed with: milliseconds since some moment, never less than before. */
  elapsedMs(): number;
  store(): StoreFacts;
  /**
   * Text of INFO: `# Section` blocks with CRLF lines. Names in lower case; none means all.
   * renderInfo of lib/admin/info.ts makes it.
   */
  info(sections: readonly string[]): string;
  /** Absolute path of the configuration file; empty when there is none. */
  readonly configFile: string;
  /** CONFIG REWRITE; `done` is called once, with an error text (its code included) when that failed. */
  rewriteConfig(done: (error: string | null) => void): void;
  /** What the ACL file says, as latin1; a text that says why it cannot be read. */
  readAclFile(): { readonly content: string } | string;
  /** Replaces the ACL file as a whole by this latin1 text; `done` is told whether that worked, and the log why not. */
  writeAclFile(content: string, done: (isWritten: boolean) => void): void;
  /** Sets these options, as they are here now, on all nodes; calls `told` when all that are there have them. */
  share(names: readonly OptionName[], told: () => void): void;
  /** Evenly in [0, 1). */
  random(): number;
  /** Calls `run` once after that time. */
  after(delayMs: number, run: () => void): void;
  /** Begins to leave and to end the process. */
  shutdown(request: ShutdownRequest, ended: ShutdownEnded): void;
  /** SHUTDOWN ABORT; false when no shutdown is under way, or when everything was handed over already. */
  abortShutdown(): boolean;
  log(level: 'info' | 'warn', event: string, facts: Record<string, unknown>): void;
}
