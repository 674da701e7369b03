/** What the members of a cluster know of each other: the words of design section 1 as types. */

/** One process life of a node: 40 hexadecimal characters, drawn anew at every start (shown by CLUSTER MYID). */
export type Incarnation = string;

/** Where a node listens. `port` is the client port (the TLS one where there is no other), `busPort` the cluster bus. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly busPort: number;
}

export interface Member extends Address {
  readonly id: Incarnation;
  /** Empty when the node carries no zone. */
  readonly zone: string;
  /** Being drained: ranked for nothing new. */
  readonly leaving: boolean;
  /** Where clients speak TLS; not there when they cannot. */
  readonly tlsPort?: number;
}

/** Views are ordered by number, then by the age of the coordinator that proposed them. */
export interface ViewId {
  readonly number: number;
  readonly coordinator: Incarnation;
}

/** A numbered set of live members that all of them have agreed on; members are listed oldest first. */
export interface View {
  readonly id: ViewId;
  readonly members: readonly Member[];
  /** Seed of the key hash: chosen by the founder of the cluster, the same on every member. */
  readonly seed: number;
  /**
   * Where nobody stays, and nobody did in the view before: the first one in this row. It names the parts of the snapshot
   * for all, whichever of these views they have come to know.
   */
  readonly final?: Omit<View, 'final'>;
}

/** What a member is told when a view takes effect. */
export interface Install {
  readonly view: View;
  /**
   * True when the view before was not known everywhere (a change within a change), or when two sides of a partition
   * meet: every member then reports the records of all its copies, not only those of slots with a new anchor.
   */
  readonly full: boolean;
  /** True when sides that served on their own meet again: no slot is known to anybody. */
  readonly merge: boolean;
  /**
   * Monotonic time before which an anchor that is new to a slot says neither "none" nor grants a claim: until then a
   * member that was left out may still hold a long lease.
   */
  readonly certainFrom: number;
}

/** A part of a snapshot that a node has in a file (snapshot-offers.ts). */
export interface SnapshotOffer {
  /** The last view of the cluster that was stopped names the set. */
  readonly set: string;
  /** Of that view. */
  readonly seed: number;
  readonly number: number;
  /** When it was written, Unix milliseconds. */
  readonly at: number;
  /** Who has written it, and who was to write a part. */
  readonly part: Incarnation;
  readonly parts: readonly Incarnation[];
  /** Of them, who was known to have stopped in good order when it was written, and who to have died. */
  readonly stopped: readonly Incarnation[];
  readonly dead: readonly Incarnation[];
  /** Of them, whom the writer's side had left out, and had gone on without before it stopped. */
  readonly leftOut?: readonly Incarnation[];
  readonly phase: number;
}

/** What a node tells about itself with every heartbeat; what came with a later release may be absent. */
export interface NodeStatus {
  /** Highest version issued or seen (hybrid logical clock, see version-clock.ts). */
  readonly version: number;
  /** Number of the view whose slots this node knows, 0 for none. */
  readonly knownView: number;
  /** Number of the view in which this node is done with settling, 0 for none. */
  readonly settledView: number;
  readonly keysWithoutBackup: number;
  readonly primaries: number;
  readonly backups: number;
  readonly memoryBytes: number;
  /** Bytes that it may still take under `maxmemory`; 2^53 - 1 without a limit. */
  readonly headroomBytes: number;
  readonly operationsPerSecond: number;
  /** Members that this node misses without a proof of their death, under `available`. */
  readonly membersMissing: number;
  /** 1 when this node has forgotten deletes since some are missing: they must discard what they hold. */
  readonly deletesForgotten: number;
  /** 1 when it has served commands on keys. */
  readonly opened?: number;
  /** 1 when nobody stays, as it has installed, and it is to write a file: it can only stop, and is not to be talked out of it. */
  readonly ending?: number;
  /** Number of the view, the last one, in which it waits for nothing but the others to stop. */
  readonly quietView?: number;
  /** Number of the view, the last one, in which it knows that all are quiet. */
  readonly allQuietView?: number;
  readonly snapshot?: SnapshotOffer;
  /** Parts of others that are waited for before anything is served, and for how many milliseconds still. */
  readonly awaited?: readonly AwaitedPart[];
}

export interface AwaitedPart {
  readonly part: Incarnation;
  readonly remainsMs: number;
  /** How far its node was (see snapshot-offers.ts). */
  readonly phase: number;
}
