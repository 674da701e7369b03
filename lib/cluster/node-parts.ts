import type { Store } from '../store/store.js';
import { Announcements } from './announcements.js';
import { AtomicFrames } from './atomic-frames.js';
import { AwaitedKeys } from './awaited-keys.js';
import { ClaimNotices } from './claim-notices.js';
import { Claims } from './claims.js';
import { ClockWarning } from './clock-warning.js';
import type { ClusterConfig } from './cluster-config.js';
import { ClusterRouter } from './cluster-router.js';
import { ClusterState } from './cluster-state.js';
import { Departure } from './departure.js';
import { Digests } from './digests.js';
import { Failover } from './failover.js';
import { Flushing } from './flushing.js';
import { Forgets } from './forgets.js';
import { Forwarding } from './forwarding.js';
import { FramesAhead } from './frames-ahead.js';
import { Gathering } from './gathering.js';
import { Grants } from './grants.js';
import { Handovers } from './handovers.js';
import { Headroom } from './headroom.js';
import { Inbox } from './inbox.js';
import { Invalidation } from './invalidation.js';
import type { Key } from './key.js';
import { KeyUses } from './key-uses.js';
import { LiveKeyspace } from './keyspace.js';
import { KeyspaceEvents } from './keyspace-events.js';
import type { KeyspaceHooks } from './keyspace-hooks.js';
import { LargeReceiver } from './large-receiver.js';
import { LargeSender, type TicketKeeper } from './large-sender.js';
import { Locations } from './locations.js';
import { Lookups } from './lookups.js';
import { MemberQuestions } from './member-questions.js';
import type { MembershipHost } from './membership/contract.js';
import type { Membership } from './membership/membership.js';
import { Merging } from './merging.js';
import { MirrorReceiver } from './mirror-receiver.js';
import { MirrorSender } from './mirror-sender.js';
import { Moves } from './moves.js';
import { type Executor, lateExecutor } from './operation.js';
import type { Place } from './placement.js';
import { Preparing } from './preparing.js';
import { Publishing } from './publishing.js';
import { Queries } from './queries.js';
import { Quiescence } from './quiescence.js';
import { Reclaiming } from './reclaiming.js';
import { Records } from './records.js';
import { Redundancy } from './redundancy.js';
import { Routing } from './routing.js';
import { Runner } from './runner.js';
import { Scanning } from './scanning.js';
import { ServedAtOnce } from './served-at-once.js';
import { Settling } from './settling.js';
import { SharedSettings } from './shared-settings.js';
import { SnapshotOffers } from './snapshot-offers.js';
import { type DataHost, Streams } from './streams.js';
import { Swapping } from './swapping.js';
import { TakeOver } from './take-over.js';
import { TombstoneKeeping } from './tombstone-keeping.js';
import { Watching } from './watching.js';

/** The outside of a node's cluster part. */
export interface ClusterHost extends MembershipHost, DataHost {
  /** 0 <= x < 1, from the seed in a simulation. */
  random(): number;
  /** Where nodes share a process (a simulation), they may share the placement of a view. */
  readonly place?: Place;
}

/** What is made after the mechanisms that need it. */
export interface LateParts {
  membership(): Membership;
  executor(): Executor;
}

/** The mechanisms of one node's data plane, made and connected. What happens when is the node's (node.ts). */
export class NodeParts {
  readonly state: ClusterState;
  readonly uses: KeyUses;
  readonly keyspace: LiveKeyspace;
  readonly router: ClusterRouter;
  readonly streams: Streams;
  readonly announcements: Announcements;
  readonly publishing: Publishing;
  readonly sharedSettings: SharedSettings;
  readonly invalidation: Invalidation;
  readonly runner: Runner;
  readonly lookups: Lookups;
  readonly mirrorReceiver: MirrorReceiver;
  readonly mirrorSender: MirrorSender;
  readonly claims: Claims;
  readonly grants: Grants;
  readonly moves: Moves;
  readonly forwarding: Forwarding;
  readonly records: Records;
  readonly forgets: Forgets;
  readonly failover: Failover;
  readonly routing: Routing;
  readonly flushing: Flushing;
  readonly swapping: Swapping;
  readonly queries: Queries;
  readonly memberQuestions: MemberQuestions;
  readonly gathering: Gathering;
  readonly watching: Watching;
  readonly handovers: Handovers;
  readonly atomicFrames: AtomicFrames;
  readonly settling: Settling;
  readonly reclaiming: Reclaiming;
  readonly digests: Digests;
  readonly merging: Merging;
  readonly tombstones: TombstoneKeeping;
  readonly snapshots: SnapshotOffers;
  readonly redundancy: Redundancy;
  readonly headroom: Headroom;
  readonly clockWarning: ClockWarning;
  readonly preparing: Preparing;
  readonly largeSender: LargeSender;
  readonly largeReceiver: LargeReceiver;
  readonly quiescence: Quiescence;
  readonly departure: Departure;
  readonly awaitedKeys: AwaitedKeys;
  readonly locations = new Locations();
  /** A change-over is over, a value is prepared, or a command has more keys to gather: who waits for that is told at the end of the turn. */
  gathersGoOn = false;
  readonly #host: ClusterHost;
  readonly #ticketKeepers: TicketKeeper[] = [];

  constructor(store: Store, config: ClusterConfig, host: ClusterHost, late: LateParts) {
    this.#host = host;
    const state = new ClusterState(store, config, late.membership, host.place);
    this.state = state;
    this.snapshots = new SnapshotOffers(state, config);
    this.clockWarning = new ClockWarning(state.clock, (...line) => host.log(...line));
    const inbox = new Inbox();
    this.largeReceiver = new LargeReceiver(state, inbox);
    this.headroom = new Headroom(state, (...room) => this.reclaiming.makeRoomAt(...room));
    const ahead = new FramesAhead(state.store);
    this.streams = new Streams(state, host, inbox, ahead);
    this.announcements = new Announcements(state, this.streams);
    this.publishing = new Publishing(state, this.streams, this.announcements);
    this.sharedSettings = new SharedSettings(this.announcements, state.clock);
    this.invalidation = this.#makeInvalidation();
    this.awaitedKeys = new AwaitedKeys(state, this.streams);
    this.forgets = new Forgets(state, this.streams);
    this.records = new Records(state, this.streams, this.forgets, {
      apply: (floors) => this.flushing.apply(floors),
    });
    this.largeSender = new LargeSender(state, this.streams, this.#ticketKeepers);
    this.mirrorSender = new MirrorSender(state, this.streams, this.largeSender);
    this.atomicFrames = new AtomicFrames(state, this.largeSender);
    this.uses = new KeyUses(state, () => host.random());
    this.keyspace = this.#makeKeyspace();
    this.moves = new Moves(state, this.mirrorSender, this.records, {
      moveDone: () => this.#wantGathering(),
      swapped: (key) => this.handovers.swapped(key),
    });
    this.lookups = new Lookups(state, this.streams);
    this.mirrorReceiver = new MirrorReceiver(state, ahead, {
      becamePrimary: (ref) => this.moves.swappedIn(ref),
      differs: (primary, slot) => this.digests.differs(primary, slot),
      primaryLost: (key, wasBusy) => this.#primaryLost(key, wasBusy),
    });
    const executor = lateExecutor(late.executor);
    this.runner = new Runner(this.keyspace, executor);
    const notices = new ClaimNotices(state, this.streams);
    this.grants = this.#makeGrants(notices);
    this.claims = this.#makeClaims(notices);
    this.forwarding = new Forwarding(state, this.streams, this.largeSender, executor);
    this.preparing = this.#makePreparing();
    this.failover = new Failover(state, this.moves, this.lookups, this.records, this.preparing);
    this.routing = this.#makeRouting();
    this.settling = new Settling(state, this.moves, this.failover, this.headroom, host);
    this.redundancy = new Redundancy(state, this.records, this.settling, this.headroom);
    this.queries = new Queries(state, this.streams, this.largeSender);
    this.memberQuestions = new MemberQuestions(state, this.queries);
    this.flushing = this.#makeFlushing();
    this.swapping = this.#makeSwapping();
    this.handovers = new Handovers(state, this.moves, this.routing, this.keyspace, this.headroom);
    this.watching = new Watching(state, this.keyspace, this.routing, this.queries);
    this.gathering = this.#makeGathering();
    this.quiescence = new Quiescence(state, this.gathering, this.moves);
    this.departure = new Departure(state, this.settling, this.quiescence);
    this.router = this.#makeRouter();
    this.digests = new Digests(state, this.streams, this.mirrorSender, host);
    this.reclaiming = this.#makeReclaiming();
    this.tombstones = new TombstoneKeeping(state);
    this.merging = this.#makeMerging();
    this.#connect(inbox);
  }

  #makeInvalidation(): Invalidation {
    const invalidation = new Invalidation(this.state, this.streams, this.announcements, {
      numberAt: (...command) => this.forwarding.numberAt(...command),
      originOf: (...command) => this.forwarding.originOf(...command),
    });
    invalidation.wanted = (isWanted) => this.keyspace.events.track(isWanted);
    return invalidation;
  }

  #makePreparing(): Preparing {
    return new Preparing(this.state, {
      wantFlush: () => this.streams.wantFlush(),
      prepared: () => this.#wantGathering(),
    });
  }

  #makeRouting(): Routing {
    const { state, keyspace, runner, claims, forwarding, lookups, moves, failover } = this;
    const takeOver = new TakeOver(state, moves);
    const routing = new Routing({
      state,
      keyspace,
      runner,
      claims,
      forwarding,
      lookups,
      moves,
      failover,
      takeOver,
      locations: this.locations,
      records: this.records,
      forgets: this.forgets,
      streams: this.streams,
      preparing: this.preparing,
    });
    routing.mayServe = () => this.snapshots.mayServe();
    forwarding.atOnce = new ServedAtOnce({ state, keyspace, runner, routing, takeOver });
    return routing;
  }

  #makeReclaiming(): Reclaiming {
    const { state, streams, keyspace, uses } = this;
    return new Reclaiming(state, streams, keyspace, uses, () => this.#host.random());
  }

  #makeKeyspace(): LiveKeyspace {
    return new LiveKeyspace(
      this.state,
      this.atomicFrames,
      this.mirrorSender,
      this.#keyspaceHooks(),
      this.uses,
      new KeyspaceEvents({
        publish: (...message) => this.publishing.publishEverywhere(...message),
        invalidate: (...change) => this.invalidation.publish(...change),
      }),
    );
  }

  #makeGrants(notices: ClaimNotices): Grants {
    const { state, lookups, mirrorReceiver, awaitedKeys, forgets, streams } = this;
    return new Grants(state, lookups, mirrorReceiver, awaitedKeys, notices, forgets, streams);
  }

  #makeClaims(notices: ClaimNotices): Claims {
    const { state, records, streams, keyspace, runner, mirrorSender, moves } = this;
    return new Claims({ state, records, streams, keyspace, runner, mirrorSender, moves, notices });
  }

  #makeFlushing(): Flushing {
    return new Flushing(this.state, this.queries, {
      allReported: () => this.records.allReported,
      flushBegins: () => this.gathering.finishSteps(),
      flushed: () => this.locations.clear(),
      flushEnded: () => {
        this.invalidation.forgetAll();
        this.routing.retryParked();
      },
    });
  }

  #makeSwapping(): Swapping {
    const isAtRest = () => this.#isAtRest();
    return new Swapping(this.state, isAtRest, () => {
      this.awaitedKeys.lookAtAll();
      this.invalidation.forgetAll();
    });
  }

  #makeGathering(): Gathering {
    const { state, keyspace, atomicFrames: frames, runner, moves, routing, handovers } = this;
    return new Gathering({
      state,
      keyspace,
      frames,
      runner,
      moves,
      routing,
      handovers,
      preparing: this.preparing,
      headroom: this.headroom,
      watching: this.watching,
      wantTurn: () => this.#wantGathering(),
      unsettled: () => this.settling.again(),
    });
  }

  #wantGathering(): void {
    this.gathersGoOn = true;
    this.streams.wantFlush();
  }

  #makeMerging(): Merging {
    return new Merging(this.state, this.streams, this.largeSender, {
      quiet: () => {
        this.grants.clear();
        this.claims.withdrawAll();
      },
      report: () => this.records.reportMerge(),
      allReported: () => this.records.allReported,
      resolved: () => this.#slotsResolved(),
      grant: (to, ref) => this.mirrorSender.grant(to, ref),
    });
  }

  #makeRouter(): ClusterRouter {
    return new ClusterRouter(
      this.state,
      this.routing,
      this.gathering,
      new Scanning(this.state, this.queries),
      this.flushing,
      this.watching,
      this.swapping,
      this.queries,
      {
        random: () => this.#host.random(),
        wantFlush: () => this.streams.wantFlush(),
        wantGathering: () => this.#wantGathering(),
        run: (operation) => this.runner.run(operation),
        keyWaits: this.awaitedKeys,
        snapshots: this.snapshots,
      },
    );
  }

  /** Whether nothing is under way that has begun for some key and finds it by its name later on. */
  #isAtRest(): boolean {
    const { claims, moves, forgets, lookups, failover, gathering, largeSender } = this;
    const { scattering } = this.router;
    const parts = [claims, moves, forgets, lookups, failover, gathering, scattering, largeSender];
    return this.redundancy.isSettled && parts.every((part) => part.open === 0);
  }

  #keyspaceHooks(): KeyspaceHooks {
    return {
      moveOf: (ref) => this.moves.moveOf(ref),
      cancelSending: (ref) => this.largeSender.cancelAll(ref),
      moveEnded: (move) => this.moves.end(move),
      restore: (ref) => this.moves.restore(ref),
      forget: (ref, also) => this.forgets.add(ref, also),
      created: (ref) => this.records.announce(ref),
      makeRoom: () => this.reclaiming.makeRoom(),
      admits: (backup) => this.headroom.admits(backup, 1),
      came: (type, db, { buffer, start, end }, index, isClaimed) =>
        this.awaitedKeys.came(type, db, buffer, start[index]!, end[index]!, isClaimed),
    };
  }

  #connect(inbox: Inbox): void {
    this.#ticketKeepers.push(this.moves, this.claims, this.gathering, {
      // A value is no longer on its way in parts: its key may change hands.
      ticketClosed: () => this.#wantGathering(),
    });
    this.queries.evaluate = (question) =>
      this.memberQuestions.evaluate(question) ?? this.router.evaluate(question);
    inbox.connect({
      mirror: this.mirrorReceiver,
      claims: this.claims,
      grants: this.grants,
      forwarding: this.forwarding,
      lookups: this.lookups,
      records: this.records,
      queries: this.queries,
      digests: this.digests,
      large: this.largeReceiver,
      reclaiming: this.reclaiming,
      merging: this.merging,
      announcements: this.announcements,
      publishing: this.publishing,
      awaitedKeys: this.awaitedKeys,
      invalidation: this.invalidation,
    });
  }

  /** What was held up since sides have met goes on where its slot is resolved. */
  #slotsResolved(): void {
    this.moves.resume();
    this.lookups.resolved();
    this.streams.wantFlush();
    if (this.state.mergingSlots > 0) return;
    this.records.merged();
    this.routing.retryParked();
  }

  #primaryLost(key: Key, wasBusy: boolean): void {
    if (wasBusy) this.claims.lost(key);
    else {
      this.#host.log('warn', 'another primary took over a key of this node', { db: key.db });
      const move = this.moves.find(key);
      if (move !== undefined) this.moves.end(move);
      this.gathering.lookAgain();
    }
  }
}
