import type { KeyFrame } from './frames.js';
import type { Key } from './key.js';
import type { KeyspaceEvent } from './keyspace-events.js';
import type { Peer } from './peer.js';
import type { Task } from './task.js';

/** A creation that waits for the anchor's word. */
export interface Claim {
  readonly task: Task;
  readonly key: Key;
  readonly anchor: Peer;
  readonly version: number;
  offset: number;
  readonly reply: Buffer;
  /** Published when the claim is granted. */
  readonly events: readonly KeyspaceEvent[];
  readonly queue: Task[];
  isDeferred: boolean;
  readonly step: number;
  /** What this node, anchor since, has been told of the key: it counts if the claim is lost. */
  readonly records: HeldRecord[];
}

/** A RECORD frame; its bytes are its own. */
export interface HeldRecord {
  readonly peer: Peer;
  readonly bytes: Buffer;
}

/** A claim that the anchor could not decide at once; its bytes are its own. */
export interface DeferredClaim {
  readonly peer: Peer;
  readonly key: Key;
  readonly frame: KeyFrame;
  isAsking: boolean;
  /** It is judged again when a delete of its key is final. */
  isAwaiting: boolean;
}
