import type { Key } from '../cluster/key.js';
import type { KeyList } from '../cluster/key-list.js';
import type { Keyspace } from '../cluster/keyspace-contract.js';
import type { CommandEvents } from '../cluster/keyspace-events.js';
import type { ClusterWideCommand, CommandTraits, KeyMode, Pairs } from '../cluster/operation.js';
import type { Step, WatchMark } from '../cluster/step.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { BlockingForm } from './blocking-forms.js';
import type { ClientSession } from './client-session.js';
import type { CommandUse } from './command-use.js';
import type { ChannelArguments } from './facts/channel-facts.js';
import type { LatencyMonitor } from './latency-monitor.js';
import type { NodeServices } from './services.js';
import type { SlowLog } from './slow-log.js';
import type { CommandTable } from './table.js';

/** An argument as COMMAND DOCS shows it. */
export interface ArgumentFacts {
  readonly name: string;
  readonly type: string;
  readonly keySpecIndex?: number;
  readonly token?: string;
  readonly summary?: string;
  readonly since?: string;
  readonly deprecatedSince?: string;
  /** Separated by spaces. */
  readonly flags?: string;
  readonly value?: string;
  readonly arguments?: readonly ArgumentFacts[];
}

interface AnyKeySpec {
  /** Separated by spaces. */
  readonly flags: string;
  readonly notes?: string;
}

interface KeySpecBase extends AnyKeySpec {
  readonly begin: number;
  readonly step: number;
}

/** Keys from argument `begin` on, up to `last` (from the end when negative, from `begin` else), every `step`-th. */
export interface KeyRangeFacts extends KeySpecBase {
  readonly last: number;
  readonly limit: number;
}

/** Argument `begin + countAt` says how many keys there are, from argument `begin + first` on. */
export interface CountedKeysFacts extends KeySpecBase {
  readonly countAt: number;
  readonly first: number;
}

/** A key follows the last `keyword` that is looked for from argument `from` on. */
export interface KeywordKeyFacts extends AnyKeySpec {
  readonly keyword: string;
  readonly from: number;
  readonly last: number;
  readonly step: number;
  readonly limit: number;
}

/** Keys that the arguments do not name as such: patterns of SORT, and its target, which is found as `keyword` says. */
export interface UnknownKeyFacts extends AnyKeySpec {
  readonly unknown: true;
}

export type KeySpecFacts = KeyRangeFacts | CountedKeysFacts | KeywordKeyFacts | UnknownKeyFacts;

/** What COMMAND and COMMAND DOCS tell of a command: the shape of Redis's commands/*.json. */
export interface CommandFacts {
  /** Lower case; of a subcommand its own word only. */
  readonly name: string;
  /** Number of arguments, the command's name included; negative for "at least". */
  readonly arity: number;
  /** Flags and ACL categories, separated by spaces. */
  readonly flags: string;
  readonly categories: string;
  readonly tips?: readonly string[];
  readonly keySpecs?: readonly KeySpecFacts[];
  readonly summary: string;
  readonly since: string;
  readonly group: string;
  readonly complexity?: string;
  readonly docFlags?: string;
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  readonly history?: readonly (readonly [since: string, change: string])[];
  readonly arguments?: readonly ArgumentFacts[];
  readonly subcommands?: readonly CommandFacts[];
}

/** What becomes of a command between MULTI and EXEC. */
export const QueueMode = {
  Queue: 0,
  /** It is about the transaction itself, or ends it. */
  RunAtOnce: 1,
  /** Redis's flag no_multi. */
  NotAllowed: 2,
  /** Its reply does not come from this node alone, or comes later: a step cannot wait for it. */
  NotAlone: 3,
} as const;
export type QueueMode = (typeof QueueMode)[keyof typeof QueueMode];

/** For steps (lib/cluster/step.ts): runs commands within them. */
export interface StepCommands {
  /**
   * The keys of the command are keys of the step that runs; arity and the like were checked. Its reply is appended. `caller` is what
   * MONITOR shows: an address, or "lua".
   */
  run(
    client: ClientSession,
    spec: CommandSpec,
    request: Request,
    db: number,
    reply: ReplyWriter,
    caller: string,
  ): void;
}

/** What a handler works with. One object serves all commands of a node, refilled for each. */
export interface CommandContext {
  readonly keyspace: Keyspace;
  readonly services: NodeServices;
  readonly table: CommandTable;
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  /** The command that runs. */
  readonly spec: CommandSpec;
  readonly db: number;
  /** Throws when the command runs for the cluster, which only happens to commands on keys. */
  readonly client: ClientSession;
  /** Whether its client, which speaks RESP2, is subscribed to something. */
  readonly isInSubscriberMode: boolean;
  /** Whether the reply is dropped (CLIENT REPLY); CLIENT REPLY ON clears it for its own. */
  muted: boolean;
  /**
   * Takes the reply out of the handler's hands: `write` of the function returned appends it later, once. Where it is exclusive, later
   * commands of the client run after that.
   */
  defer(isExclusive?: boolean): (write: (reply: ReplyWriter) => void) => void;
  /** As defer, with the reply coming from the whole cluster. */
  clusterWide(command: ClusterWideCommand): void;
  /** Whether it is part of a step: it answers at once, whatever it would wait for else. */
  readonly isInStep: boolean;
  readonly stepCommands: StepCommands;
  /**
   * Takes the reply out of the handler's hands: `step` makes it, when all keys are here. Later commands of the client on these
   * keys run after it; all of them where the step may change what they mean. The context is not used after the call.
   */
  runStep(keys: KeyList, traits: CommandTraits, step: Step, changesClient: boolean): void;
  /** Tells what is to be remembered of each key, then replies OK. */
  watch(keys: readonly Key[], marked: (key: Key, mark: WatchMark | null) => void): void;
  /** Holds commands until `until` (Unix milliseconds): those that write, or all. */
  pause(until: number, writesOnly: boolean): void;
  unpause(): void;
}

export type Handler = (context: CommandContext, request: Request, reply: ReplyWriter) => void;

/** Index of a key behind those of the ranges, of a command line that begins at argument `first`; 0 where there is none. */
export type MovableKey = (request: Request, first: number) => number;

export type KeyDatabases = (request: Request, db: number) => readonly number[] | undefined;

/** A command's function and what the facts do not tell. */
export interface HandlerEntry {
  readonly run: Handler;
  /** See CommandTraits; false by default. */
  readonly creates?: boolean;
  /** See CommandTraits; false by default. */
  readonly observes?: boolean;
  /** See CommandTraits; true by default for commands of the groups of collections. */
  readonly usesElements?: boolean;
  /** KeyMode.Single by default. */
  readonly keyMode?: KeyMode;
  /** Pairs.None by default. */
  readonly pairs?: Pairs;
  /** See CommandSpec; false by default. */
  readonly whileSubscribed?: boolean;
  /** Databases of its keys, where these may not all be that of its client: undefined when they are. */
  readonly keyDatabases?: KeyDatabases;
  /** Finds one more key among the options of a command. */
  readonly movableKey?: MovableKey;
  /** Where it is not what the flags say. */
  readonly queueMode?: QueueMode;
  /** How it waits, where it is one that does; `run` never waits. */
  readonly blocking?: BlockingForm;
}

/** By name; subcommands as "client|list". */
export type Handlers = Readonly<Record<string, HandlerEntry>>;

/** A command of the table. */
export interface CommandSpec extends CommandTraits {
  readonly facts: CommandFacts;
  /** CLIENT PAUSE WRITE holds it. */
  readonly isPausedAsWrite: boolean;
  /** Its place among the specs of the table. */
  readonly id: number;
  /** Bits of its categories: see facts/categories.ts. */
  readonly categories: number;
  /** Null where no argument is a channel that needs a permission. */
  readonly channels: ChannelArguments | null;
  readonly arity: number;
  /** Null for a container such as CLIENT that does nothing of its own. */
  readonly run: Handler | null;
  /** How it waits for what its handler does not find; null for commands that do not wait. */
  readonly blocking: BlockingForm | null;
  /** Whether there are keys among the arguments. */
  readonly hasKeys: boolean;
  /** Keys whose number is an argument, behind those of the range. */
  readonly countedKeys: CountedKeysFacts | null;
  /** The range, as in COMMAND: 0 when there is none; the last key counts from the end when negative. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** Takes no longer than any other of its kind: it is not timed unless all are. */
  readonly isQuick: boolean;
  readonly keyDatabases: KeyDatabases | null;
  readonly movableKey: MovableKey | null;
  /** MONITOR shows it before it runs, others when they have run, or have set out. */
  readonly isShownFirst: boolean;
  /** Redis's flag admin. */
  readonly isAdmin: boolean;
  /** Its keys are remembered for a client that tracks. */
  readonly isTracked: boolean;
  readonly queueMode: QueueMode;
  /** Runs on a node that does not serve yet. */
  readonly loading: boolean;
  /** Runs before the client has authenticated itself. */
  readonly noAuth: boolean;
  /** What it runs is kept by SLOWLOG in its place. */
  readonly skipsSlowLog: boolean;
  /** Runs for a client of RESP2 that is subscribed to something. */
  readonly whileSubscribed: boolean;
  /** What the changes that it makes are called in keyspace events. */
  readonly events: CommandEvents | null;
  /** Counted where it runs. */
  readonly use: CommandUse;
  /** Subcommands by their own word; null when there are none. */
  readonly subcommands: ReadonlyMap<string, CommandSpec> | null;
}
