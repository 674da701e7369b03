import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { KeyWaits } from './awaited-keys.js';
import type { Key } from './key.js';
import type { Step, WatchMark } from './step.js';

/** Where a reply goes when it is ready: a client connection, a forwarder, or a part of a scattered command. */
export interface ReplySink {
  /** One of the acks that the reply `token` waits for has come. */
  acknowledged(token: number): void;
  /** The reply of a deferred command, in the protocol version that its operation names. */
  complete(token: number, reply: Buffer): void;
  /**
   * What the reply `token` says can no longer be vouched for: it is replaced by `-error`, and waits for nothing more.
   * `error` holds its code and text, without line end.
   */
  fail(token: number, error: string): void;
}

/** How the keys of a command are brought together. */
export const KeyMode = {
  /** One key, executed where its primary is. */
  Single: 0,
  /** Each key by itself, replies merged: MGET (arrays are joined), DEL, EXISTS, UNLINK, TOUCH (integers are added). */
  ScatterArray: 1,
  ScatterSum: 2,
  /** All keys as one step on one node: MSET, MSETNX, RENAME, RENAMENX. */
  Gather: 3,
  /** Runs where its client is; its handler asks for the keys itself: WATCH. */
  Handler: 4,
} as const;
export type KeyMode = (typeof KeyMode)[keyof typeof KeyMode];

/** Commands on pairs of a key and a value, from the first argument on, which may run in slices while their keys are held. */
export const Pairs = {
  None: 0,
  /** MSET. */
  Set: 1,
  /** MSETNX: all pairs, or none where one of the keys exists. */
  SetIfNone: 2,
} as const;
export type Pairs = (typeof Pairs)[keyof typeof Pairs];

/** What routing needs to know of a command. */
export interface CommandTraits {
  readonly name: string;
  readonly write: boolean;
  /** The command may create its key (SET, INCR, APPEND ...; not DEL, EXPIRE, GETDEL). */
  readonly creates: boolean;
  /** Refused with -OOM when memory is full (Redis's denyoom flag). */
  readonly denyOom: boolean;
  /** It only looks at its key (TTL, TYPE, OBJECT): the session does not follow who asks, as a monitor does. */
  readonly observes: boolean;
  /** It uses the elements of a collection, and waits until a large one is prepared for that (preparing.ts). */
  readonly usesElements: boolean;
  readonly keyMode: KeyMode;
  readonly pairs: Pairs;
}

/** Is told how long a command has run, wherever it did, part by part; what it has waited does not count. */
export interface RunTime {
  /** `isSlow`: alone it is worth being kept by the node that it ran on. */
  add(milliseconds: number, isSlow: boolean): void;
}

/** A command that could not run at once. */
export interface Operation {
  /** Owns its bytes. */
  readonly request: Request;
  readonly traits: CommandTraits;
  /** Indexes of the key arguments. */
  readonly keys: readonly number[];
  readonly db: number;
  /** Databases of `keys`, where these are not all in `db`. */
  readonly databases?: readonly number[] | undefined;
  readonly proto: 2 | 3;
  readonly sink: ReplySink;
  readonly token: number;
  /** What runs on the keys when all are held, where that is not the one command of the request. */
  readonly step?: Step;
  /** Asked when it is about to run: it is not to any more, and ends with NOT_RUN. */
  readonly isOver?: () => boolean;
  /** On whose behalf it runs: a client of this node, or a command that a member has sent. Compared only. */
  readonly origin?: object;
  readonly runTime?: RunTime | null;
}

/** The database of a key, by its place in `keys`. */
export const databaseOf = ({ databases, db }: Operation, number: number): number =>
  databases?.[number] ?? db;

/** Runs commands for the cluster: implemented by the dispatcher, called for local, queued and forwarded operations. */
export interface Executor {
  /** Traits and key indexes of a command that came over the bus; null when it is none of the table's key commands. */
  classify(request: Request): { traits: CommandTraits; keys: readonly number[] } | null;
  /** Runs the handler; its changes are made through the Keyspace, its reply is appended to `reply`. */
  execute(
    request: Request,
    db: number,
    reply: ReplyWriter,
    origin?: object | null,
    runTime?: RunTime | null,
  ): void;
}

/** For those who are made before the executor. */
export const lateExecutor = (executor: () => Executor): Executor => ({
  classify: (request) => executor().classify(request),
  execute: (...command) => executor().execute(...command),
});

/** The cluster as the dispatcher sees it. */
export interface Router {
  /**
   * Whether a command on this one key may run here and now; the hot path. True only for a settled local primary (or, for
   * reads, a backup that was granted reads) under valid leases. False says nothing: `submit` finds out.
   */
  mayRun(db: number, request: Request, keyIndex: number, traits: CommandTraits): boolean;
  /** Takes over a command that may not run now; its reply comes through `operation.sink`. */
  submit(operation: Operation): void;
  /** WATCH: what is to be remembered of a key; null where that cannot be told. Called once, at once or later. */
  watch(key: Key, done: (mark: WatchMark | null) => void): void;
  /** Cluster-wide commands; each answers through the sink with a finished reply. */
  clusterWide(command: ClusterWideCommand, operation: Operation): void;
  /** Whoever waits for keys is told by it. */
  readonly keyWaits: KeyWaits;
  /** From now on keys whose time is over stay, shown to nobody, and nothing is evicted unless a write needs it; or that is over. */
  keepExpired(isKept: boolean): void;
  /** Null when the node is in a cluster; else the error text for every command that needs one (LOADING). */
  refusal(): string | null;
  /** Whether commands on keys are served, or were: from then on no snapshot is waited for. */
  readonly isOpen: boolean;
  /** A command on keys is about to be served. */
  open(): void;
}

/** Commands that speak for the whole keyspace; arguments have been checked by the command's handler. */
export type ClusterWideCommand =
  | { readonly kind: 'dbsize' }
  | { readonly kind: 'randomkey' }
  | { readonly kind: 'keys'; readonly pattern: Buffer | null }
  | {
      readonly kind: 'scan';
      readonly cursor: bigint;
      readonly pattern: Buffer | null;
      readonly count: number;
      /** Lower-case type name, null for all. */
      readonly type: string | null;
    }
  | { readonly kind: 'flush'; readonly allDatabases: boolean }
  | { readonly kind: 'swapdb'; readonly first: number; readonly second: number };
