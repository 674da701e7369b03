import { type Key, keyOfArgument } from './key.js';
import type { Operation } from './operation.js';
import type { Peer } from './peer.js';

/** A single-key command on its way to where it can run. */
export interface Task {
  readonly operation: Operation;
  readonly key: Key;
  /** The member that forwarded it here, null for a command of a client of this node. */
  readonly from: Peer | null;
  /** Monotonic time after which it is refused instead of waiting on. */
  readonly deadline: number;
  /** Redirections so far: past a bound it waits for a tick, so that two wrong hints make no loop. */
  hops: number;
  /** Parked until a delete or a change-over of its key is over, or its value prepared. */
  awaitsKey: boolean;
}

export const taskOf = (operation: Operation, from: Peer | null, deadline: number): Task => ({
  operation,
  key: keyOfArgument(operation.db, operation.request, operation.keys[0]!),
  from,
  deadline,
  hops: 0,
  awaitsKey: false,
});
