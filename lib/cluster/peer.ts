import { LossyStream } from './lossy-stream.js';
import type { Incarnation, Member } from './member.js';
import { Stream } from './stream.js';

/** Local number of a peer incarnation, as entries name it in 16 bits. 0 is nobody (and, where a role is asked, oneself). */
export type PeerIndex = number;

export const NOBODY: PeerIndex = 0;

/** Claims granted to a peer that it has not confirmed yet: offset in its stream, and the key. */
export interface UnconfirmedClaim {
  readonly offset: number;
  readonly db: number;
  readonly key: Buffer;
}

/** Another member as this node works with it: its stream, its leases, and what is open between the two. */
export class Peer {
  readonly index: PeerIndex;
  readonly id: Incarnation;
  member: Member;
  readonly stream: Stream = new Stream();
  /** What is lost with the member: published messages. */
  readonly lossy: LossyStream = new LossyStream();
  /** It has announced all it has subscribers for. */
  hasAnnounced = false;
  /** In the installed view, and in every view prepared since. */
  isLive = true;
  /** Monotonic time up to which its short lease is held; refreshed when a lease has changed. */
  readsUntil = 0;
  /** Number of the latest view whose marker was read in its stream. */
  markedView = 0;
  /** When sides of a partition have met: end of what was under way in the own stream to it. */
  markOffset = 0;
  /** Processing of its stream waits for a view or for leases. */
  isPaused = false;
  /** A change of very many keys that it has sent is being applied: what follows waits, and its copies are not read. */
  isApplying = false;
  /** Bytes that it may still take of this node, as of its last report; and what was sent since, and just before. */
  shareBytes = 0;
  grownBytes = 0;
  grownBytesBefore = 0;
  /** Where the last change of several keys ends in its stream, or later. */
  atomicOffset = 0;
  readonly unconfirmed: UnconfirmedClaim[] = [];
  /** Highest offset of an acked claim of ours that is to be confirmed, 0 for none. */
  confirmOffset = 0;

  constructor(index: PeerIndex, member: Member) {
    this.index = index;
    this.id = member.id;
    this.member = member;
  }
}
