import type { Announcements } from './announcements.js';
import type { AwaitedKeys } from './awaited-keys.js';
import type { Claims } from './claims.js';
import type { Digests } from './digests.js';
import type { Forwarding } from './forwarding.js';
import { FrameType } from './frames.js';
import type { Grants } from './grants.js';
import type { Invalidation } from './invalidation.js';
import type { LargeReceiver } from './large-receiver.js';
import type { Lookups } from './lookups.js';
import type { Merging } from './merging.js';
import type { MirrorReceiver } from './mirror-receiver.js';
import type { Peer } from './peer.js';
import type { Publishing } from './publishing.js';
import type { Queries } from './queries.js';
import type { Reclaiming } from './reclaiming.js';
import type { Records } from './records.js';
import type { FrameHandler } from './streams.js';

interface Receivers {
  readonly mirror: MirrorReceiver;
  readonly claims: Claims;
  readonly grants: Grants;
  readonly forwarding: Forwarding;
  readonly lookups: Lookups;
  readonly records: Records;
  readonly queries: Queries;
  readonly digests: Digests;
  readonly large: LargeReceiver;
  readonly reclaiming: Reclaiming;
  readonly merging: Merging;
  readonly announcements: Announcements;
  readonly publishing: Publishing;
  readonly awaitedKeys: AwaitedKeys;
  readonly invalidation: Invalidation;
}

/** Hands every frame of a stream to the mechanism that it is for. */
export class Inbox implements FrameHandler {
  #to!: Receivers;

  connect(receivers: Receivers): void {
    this.#to = receivers;
  }

  handle(peer: Peer, type: number, buffer: Buffer, start: number, end: number): boolean {
    const to = this.#to;
    switch (type) {
      case FrameType.Set:
      case FrameType.Edit:
      case FrameType.Expire:
      case FrameType.Delete:
      case FrameType.Copy:
      case FrameType.Revoke:
      case FrameType.Drop:
      case FrameType.Grant:
      case FrameType.Swap:
      case FrameType.Forget:
      case FrameType.TakeBack:
      case FrameType.Atomic:
        return to.mirror.receive(peer, type, buffer, start, end);
      case FrameType.Claim:
        return to.grants.receiveClaim(peer, buffer, start, end);
      case FrameType.Confirm:
        return to.grants.receiveConfirm(peer, buffer, start, end);
      case FrameType.Reject:
        return to.claims.receiveReject(buffer, start, end);
      case FrameType.Defer:
        return to.claims.receiveDefer(buffer, start, end);
      case FrameType.Granted:
        return to.claims.receiveGranted(peer, buffer, start, end);
      case FrameType.Forward:
        return to.forwarding.receiveForward(peer, buffer, start, end);
      case FrameType.Reply:
        return to.forwarding.receiveReply(peer, buffer, start, end);
      case FrameType.Lookup:
        return to.lookups.receiveLookup(peer, buffer, start, end);
      case FrameType.Found:
        return to.lookups.receiveFound(peer, buffer, start, end);
      case FrameType.Record:
        return to.records.receiveRecord(peer, buffer, start, end);
      case FrameType.Reported:
        return to.records.receiveReported(peer, buffer, start, end);
      case FrameType.Query:
        return to.queries.receiveQuery(peer, buffer, start, end);
      case FrameType.Answer:
        return to.queries.receiveAnswer(peer, buffer, start, end);
      case FrameType.Part:
        return to.large.receivePart(peer, buffer, start, end);
      case FrameType.Whole:
        return to.large.receiveWhole(peer, buffer, start, end);
      case FrameType.Full:
        return to.reclaiming.receiveFull(peer, buffer, start, end);
      case FrameType.Digest:
        return to.digests.receiveDigest(peer, buffer, start, end);
      case FrameType.Differs:
        return to.digests.receiveDiffers(peer, buffer, start, end);
      case FrameType.RepairBegin:
        return to.digests.receiveRepairBegin(peer, buffer, start, end);
      case FrameType.Named:
        return to.digests.receiveNamed(peer, buffer, start, end);
      case FrameType.RepairEnd:
        return to.digests.receiveRepairEnd(peer, buffer, start, end);
      case FrameType.Collect:
        return to.merging.receiveCollect(peer, buffer, start, end);
      case FrameType.Holdings:
        return to.merging.receiveHoldings(peer, buffer, start, end);
      case FrameType.Verdict:
        return to.merging.receiveVerdict(peer, buffer, start, end);
      case FrameType.Resolved:
        return to.merging.receiveResolved(buffer, start, end);
      case FrameType.Awaited:
        return to.awaitedKeys.receive(peer, buffer, start, end);
      default:
        return this.#beside(peer, type, buffer, start, end);
    }
  }

  /** What is not about keys. */
  #beside(peer: Peer, type: number, buffer: Buffer, start: number, end: number): boolean {
    switch (type) {
      case FrameType.Announce:
        return this.#to.announcements.receive(peer, buffer, start, end);
      case FrameType.Publish:
        return this.#to.publishing.receive(buffer, start, end);
      case FrameType.Invalidate:
        return this.#to.invalidation.receive(peer, buffer, start, end);
      default:
        return false;
    }
  }
}
