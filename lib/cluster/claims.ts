import { type Ref, Role, type Store } from '../store/store.js';
import type { Claim } from './claim.js';
import type { ClaimNotices } from './claim-notices.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType, KeyFrame } from './frames.js';
import { type Key, keyOf } from './key.js';
import type { LiveKeyspace } from './keyspace.js';
import type { Provisional } from './keyspace-hooks.js';
import { LostClaims } from './lost-claims.js';
import type { Incarnation } from './member.js';
import { MEMBERS_MAX } from './membership/views.js';
import type { MirrorSender } from './mirror-sender.js';
import type { Moves } from './moves.js';
import type { ReplySink } from './operation.js';
import type { Peer } from './peer.js';
import type { ProvisionalKeys, Records } from './records.js';
import { errorReply, OUTCOME_UNKNOWN, type Runner } from './runner.js';
import type { Streams } from './streams.js';
import type { Task } from './task.js';
import { isTicket } from './tickets.js';

/** Where tasks go on when a claim is decided. */
export interface TaskRouter {
  route(task: Task): void;
  /** As route, with the place where the key was said to be. */
  routeTo(task: Task, id: Incarnation): void;
  /** The key has been created here, by a claim that was granted. */
  created(ref: Ref, key: Key): void;
}

interface ClaimsParts {
  readonly state: ClusterState;
  readonly records: Records;
  readonly streams: Streams;
  readonly keyspace: LiveKeyspace;
  readonly runner: Runner;
  readonly mirrorSender: MirrorSender;
  readonly moves: Moves;
  readonly notices: ClaimNotices;
}

/** Creating keys whose anchor is another member (docs/data-plane.md, "Creating a key"). */
export class Claims implements ReplySink, ProvisionalKeys {
  router!: TaskRouter;
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #keyspace: LiveKeyspace;
  readonly #runner: Runner;
  readonly #mirrorSender: MirrorSender;
  readonly #moves: Moves;
  readonly #records: Records;
  readonly #notices: ClaimNotices;
  readonly #claims = new Map<string, Claim>();
  readonly #steps = new Map<number, Claim>();
  readonly #lost = new LostClaims();
  readonly #frame = new KeyFrame();
  #lastStep = 0;

  constructor(parts: ClaimsParts) {
    this.#state = parts.state;
    this.#store = parts.state.store;
    this.#streams = parts.streams;
    this.#keyspace = parts.keyspace;
    this.#runner = parts.runner;
    this.#mirrorSender = parts.mirrorSender;
    this.#moves = parts.moves;
    this.#records = parts.records;
    this.#notices = parts.notices;
    this.#records.provisional = this;
  }

  get open(): number {
    return this.#claims.size + this.#lost.size;
  }

  // --- at the creator

  /**
   * Runs a command on a key that is absent here. When it creates the key, that is a claim; when it creates nothing, its
   * reply is good only if the anchor has said that the key is absent (`isCertain`), and is not sent otherwise.
   * Returns false when the anchor has to be asked first.
   */
  run(task: Task, anchor: Peer, isCertain: boolean): boolean {
    const provisional: Provisional = { anchor, version: 0, offset: 0 };
    this.#keyspace.begin();
    this.#keyspace.provisional = provisional;
    const reply = this.#runner.execute(task.operation);
    this.#keyspace.provisional = null;
    const isClaim = provisional.offset !== 0;
    // Those of a run that is not seen are not either.
    const events = isClaim || !isCertain ? this.#keyspace.events.take() : [];
    const acks = this.#keyspace.count();
    if (!isClaim) {
      if (isCertain) this.#runner.finish(task.operation, reply, acks);
      return isCertain;
    }
    this.#state.statistics.claims++;
    const flushed = this.#forgetFlushed(task.key);
    const claim: Claim = {
      task,
      key: task.key,
      anchor,
      version: provisional.version,
      offset: provisional.offset,
      reply,
      events,
      queue: flushed === undefined ? [] : [flushed.task, ...flushed.queue],
      isDeferred: false,
      step: ++this.#lastStep,
      records: [],
    };
    this.#claims.set(task.key.id, claim);
    this.#steps.set(claim.step, claim);
    anchor.stream.awaitAck(claim.offset, this, claim.step);
    return true;
  }

  /**
   * The claim before of this key, where its entry was flushed, unseen: what waits for its grant runs after this one.
   *
   *     1. SET k here; the anchor defers the claim. FLUSHALL drops the provisional entry, and ends.
   *     2. APPEND k here finds no entry: it claims anew.
   *     3. The anchor's word on the first claim comes. It must not be taken for one on the second.
   */
  #forgetFlushed(key: Key): Claim | undefined {
    const flushed = this.#claims.get(key.id);
    if (flushed !== undefined) this.#forget(flushed);
    return flushed;
  }

  /**
   * A claim that went in parts is written, or was broken off: then its anchor has not heard of it, and the ack of what was
   * sent by then is no grant.
   *
   *     1. A claims k at B, in parts; C is its primary. FLUSHALL drops k everywhere, at A too, before the last part.
   *     2. B acks the parts. Were that taken for a grant, GETSET on A would have found nothing and left nothing.
   */
  ticketClosed(key: Key, ticket: number, offset: number): void {
    const claim = this.#claims.get(key.id);
    if (claim?.offset !== ticket) return;
    claim.offset = offset;
    if (this.#find(key) !== 0) return;
    this.#withdraw(claim);
    for (const task of [claim.task, ...claim.queue]) this.router.route(task);
  }

  /** A command on a key whose claim is in flight runs after it. */
  enqueue(task: Task): boolean {
    const claim = this.#claims.get(task.key.id);
    claim?.queue.push(task);
    return claim !== undefined;
  }

  /** The anchor's cumulative ack covers the claim, and no REJECT came before it. */
  acknowledged(step: number): void {
    const claim = this.#steps.get(step);
    if (claim === undefined || claim.isDeferred) return;
    if (this.#lost.remove(claim)) {
      // One that was lost before its last part was written has made nothing at the anchor. What has its version there now is
      // another one's change, of the same millisecond.
      return isTicket(claim.offset) ? this.#runAnew(claim) : this.#takeBack(claim);
    }
    claim.anchor.confirmOffset = Math.max(claim.anchor.confirmOffset, claim.offset);
    this.#streams.wantFlush();
    this.#granted(claim);
  }

  complete(): void {}

  fail(): void {}

  /** CONFIRM of the claims whose grants were seen in this turn. */
  beforeFlush(): void {
    for (const peer of this.#state.livePeers()) {
      if (peer.confirmOffset === 0) continue;
      peer.stream.log.begin(FrameType.Confirm, 8);
      peer.stream.log.f64(peer.confirmOffset);
      peer.confirmOffset = 0;
      this.#state.statistics.framesSent[FrameType.Confirm]!++;
      this.#streams.appended(peer);
    }
  }

  receiveDefer(buffer: Buffer, start: number, end: number): boolean {
    if (!this.#frame.read(buffer, start, end)) return false;
    const claim = this.#claimOf(this.#frame) ?? this.#lost.get(this.#frame.version);
    if (claim !== undefined) claim.isDeferred = true;
    return true;
  }

  receiveGranted(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const frame = this.#frame;
    if (!frame.read(buffer, start, end)) return false;
    const claim = this.#claimOf(frame);
    const lost = this.#lost.get(frame.version);
    if (lost !== undefined && this.#lost.remove(lost)) {
      this.#takeBack(lost);
      return true;
    }
    if (claim === undefined) {
      // Withdrawn while it was deferred: the anchor must not go on taking this node for the primary.
      const key = keyOf(frame.db, buffer, frame.keyStart, frame.keyEnd);
      this.#notices.send(peer, FrameType.TakeBack, key, frame.version, '');
      return true;
    }
    this.#granted(claim);
    const ref = this.#find(claim.key);
    if (ref !== 0 && this.#store.peer(ref) === claim.anchor.index) {
      this.#mirrorSender.grant(claim.anchor, ref);
    }
    return true;
  }

  /** REJECT names the primary; nobody means: look anew. */
  receiveReject(buffer: Buffer, start: number, end: number): boolean {
    if (!this.#frame.read(buffer, start, end)) return false;
    const claim = this.#claimOf(this.#frame) ?? this.#lost.get(this.#frame.version);
    if (claim === undefined) return true;
    const id = buffer.latin1Slice(this.#frame.valueStart, this.#frame.valueEnd);
    this.#state.statistics.claimsRejected++;
    if (this.#lost.remove(claim)) this.#steps.delete(claim.step);
    else this.#withdraw(claim);
    for (const task of [claim.task, ...claim.queue]) {
      task.hops++;
      this.router.routeTo(task, id);
    }
    return true;
  }

  /**
   * The anchor has changed while a claim was on its way, and this node is the new one:
   *
   *   1. A has claimed k at B, which will say no: C is the primary of k
   *   2. a view makes A the anchor of k; B and C report k, where A has an entry of its own, that nobody else has seen
   *   3. B's no comes. If A had forgotten the reports it would take k for absent, and create it a second time.
   */
  holdRecord(key: Key, peer: Peer, bytes: Buffer): void {
    const claim = this.#claims.get(key.id);
    if (claim !== undefined && claim.records.length < MEMBERS_MAX)
      claim.records.push({ peer, bytes });
  }

  /** A view was installed: everything is reported anew. */
  installed(): void {
    for (const { records } of this.#claims.values()) records.length = 0;
  }

  /** A copy of this key has come from another primary: the claim is lost. The anchor may have granted it all the same. */
  lost(key: Key): void {
    const claim = this.#claims.get(key.id);
    if (claim === undefined) return;
    this.#withdraw(claim);
    this.#lost.add(claim);
    this.#steps.set(claim.step, claim);
  }

  /** If the anchor has granted what is lost here, it must not go on taking this node for the primary. */
  #takeBack(claim: Claim): void {
    this.#notices.send(claim.anchor, FrameType.TakeBack, claim.key, claim.version, '');
    this.#runAnew(claim);
  }

  #runAnew({ step, task, queue }: Claim): void {
    this.#steps.delete(step);
    for (const each of [task, ...queue]) this.router.route(each);
  }

  /** Nobody's word is to come any more. */
  #routeLost(anchor: Peer | null): void {
    for (const claim of this.#lost.take(anchor)) this.#runAnew(claim);
  }

  /** A member was left out: what was claimed at it is claimed anew. */
  peerLost(peer: Peer): void {
    this.#routeLost(peer);
    for (const claim of [...this.#claims.values()]) {
      if (claim.anchor !== peer) continue;
      this.#withdraw(claim);
      for (const task of [claim.task, ...claim.queue]) this.router.route(task);
    }
  }

  /** Sides have met, and all is at rest: what waits for an anchor of the view before begins anew when that is over. */
  withdrawAll(): void {
    this.#routeLost(null);
    for (const claim of [...this.#claims.values()]) {
      this.#withdraw(claim);
      for (const task of [claim.task, ...claim.queue]) this.router.route(task);
    }
  }

  clear(): Task[] {
    const tasks: Task[] = [];
    for (const { task, anchor, offset, queue } of [
      ...this.#claims.values(),
      ...this.#lost.take(null),
    ]) {
      const { operation } = task;
      // The anchor may have granted it, and may be primary by now.
      if (!anchor.stream.wasSent(offset)) tasks.push(task);
      else operation.sink.complete(operation.token, errorReply(OUTCOME_UNKNOWN));
      tasks.push(...queue);
    }
    this.#claims.clear();
    this.#steps.clear();
    return tasks;
  }

  // --- inside

  #granted(claim: Claim): void {
    this.#forget(claim);
    const ref = this.#find(claim.key);
    if (ref !== 0) {
      this.#store.setFlags(ref, this.#store.flags(ref) & ~Flag.Busy);
      this.#store.setChangeOffset(ref, 0);
      this.router.created(ref, claim.key);
      this.#confirm(ref, claim);
    } else {
      // Created, and flushed since.
      const { sink, token } = claim.task.operation;
      this.#keyspace.events.publish(claim.events);
      sink.complete(token, claim.reply);
    }
    for (const task of claim.queue) this.router.route(task);
  }

  /** Where the anchor is in the creator's zone the backup moves on first: two copies in one zone are no two copies. */
  #confirm(ref: Ref, { task, reply, events }: Claim): void {
    const { sink, token } = task.operation;
    const complete = (): void => {
      this.#keyspace.events.publish(events);
      sink.complete(token, reply);
    };
    if ((this.#store.flags(ref) & Flag.Moving) === 0) return complete();
    const fail = (_token: number, error: string): void => sink.fail(token, error);
    this.#moves.awaitCopy(ref, { acknowledged: complete, complete, fail }, token);
  }

  /** Takes the provisional entry back, unseen; what was told of the key meanwhile counts now. */
  #withdraw(claim: Claim): void {
    this.#forget(claim);
    const ref = this.#find(claim.key);
    const isPrimary = ref !== 0 && this.#store.role(ref) === Role.Primary;
    if (isPrimary && (this.#store.flags(ref) & Flag.Busy) !== 0) this.#store.remove(ref);
    for (const { peer, bytes } of claim.records) {
      this.#records.receiveRecord(peer, bytes, 0, bytes.length);
    }
  }

  #forget(claim: Claim): void {
    this.#claims.delete(claim.key.id);
    this.#steps.delete(claim.step);
  }

  #claimOf(frame: KeyFrame): Claim | undefined {
    const key = keyOf(frame.db, frame.buffer, frame.keyStart, frame.keyEnd);
    const claim = this.#claims.get(key.id);
    return claim?.version === frame.version ? claim : undefined;
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }
}
