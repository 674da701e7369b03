import type { Key } from './key.js';
import type { ReplySink } from './operation.js';
import type { Peer } from './peer.js';

/** Where a change-over is (docs/data-plane.md). */
export const MoveState = {
  /** The old backup is gone, and our last short lease to it has not run out: nothing is sent yet. */
  Lease: 0,
  /** The copy is on its way to the new backup; changes go to both. */
  Copy: 1,
  /** The new backup has the copy; the old one has been told to drop its own. */
  Drop: 2,
} as const;
export type MoveState = (typeof MoveState)[keyof typeof MoveState];

export interface Waiter {
  readonly sink: ReplySink;
  readonly token: number;
}

/** An open change-over of the backup of one key whose primary is this node. */
export interface Move {
  readonly key: Key;
  /** The backup that holds the key in full; null when it is gone. */
  from: Peer | null;
  /** The backup to be; null while there is none to be had. */
  to: Peer | null;
  state: MoveState;
  /** Offset of the last change in each stream, 0 for none since the change-over began. */
  fromOffset: number;
  toOffset: number;
  /** Offset of COPY in the stream to `to`, and of DROP in the stream to `from`. */
  copyOffset: number;
  dropOffset: number;
  /** A change made before the old backup was lost is on one node only: reads wait too. */
  isUnacked: boolean;
  /**
   * There was a change since DROP was sent: only the new backup has it. Until the old one has read DROP it would promote
   * itself without that change, so reads wait for its ack too.
   */
  isChangedSinceDrop: boolean;
  /** Replies that wait for the copy rather than for an offset. */
  waiters: Waiter[];
  /** The peer that becomes primary when the change-over is done. */
  successor: Peer | null;
  /** Token of the running step, and acks that it still waits for. */
  step: number;
  acksMissing: number;
}
