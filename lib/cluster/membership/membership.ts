import type { Address, Incarnation, Member, NodeStatus, View } from '../member.js';
import { Acceptance } from './acceptance.js';
import { Answers } from './answers.js';
import { AskedProbes } from './asked-probes.js';
import { ClockWatch } from './clock-watch.js';
import type {
  LinkEnd,
  MembershipConfig,
  MembershipHost,
  MembershipListener,
  MembershipView,
} from './contract.js';
import { Coordination } from './coordination.js';
import { Departed, type Proof } from './departed.js';
import { Exclusion } from './exclusion.js';
import { type ForgetOutcome, Forgetting } from './forgetting.js';
import { Goodbye } from './goodbye.js';
import { Handshakes, type Meeting, type Outcome } from './handshakes.js';
import { Leases } from './leases.js';
import { LoneFounder } from './lone-founder.js';
import type {
  Body,
  ControlAnswer,
  ControlMessage,
  ControlRequest,
  Header,
  Report,
} from './messages.js';
import { Missing } from './missing.js';
import { Newcomer } from './newcomer.js';
import { Participant } from './participant.js';
import { Participation } from './participation.js';
import { NO_LINK, type Peer, Peers } from './peers.js';
import { Reporting } from './reporting.js';
import { Requests } from './requests.js';
import { Serving } from './serving.js';
import { isGone, type State } from './state.js';
import { timingOf } from './timing.js';
import { idsOf } from './views.js';

/**
 * The membership machine of one node (design section 5). Inputs are calls with the time; outputs
 * are calls of the host (links, messages) and of the listener (views).
 */
export class Membership implements MembershipView {
  readonly #state: State;
  readonly #listener: MembershipListener;
  readonly #accepted: Acceptance;
  readonly #serving: Serving;
  readonly #reporting: Reporting;
  readonly #participation: Participation;
  readonly #newcomer: Newcomer;
  readonly #coordination: Coordination;
  readonly #loneFounder: LoneFounder;
  readonly #askedProbes: AskedProbes;
  readonly #requests: Requests;
  readonly #answers: Answers;
  readonly #exclusion: Exclusion;
  readonly #forgetting: Forgetting;
  readonly #goodbye: Goodbye;
  #clock: ClockWatch;

  constructor(
    config: MembershipConfig,
    self: Member,
    host: MembershipHost,
    listener: MembershipListener,
    now: number,
  ) {
    const state = this.#makeState(config, self, host);
    const { timing } = state;
    this.#state = state;
    this.#listener = listener;
    this.#accepted = new Acceptance(timing, (link) => host.close(link));
    this.#clock = new ClockWatch(timing, now, now);
    this.#askedProbes = new AskedProbes(timing, (link, target, result) => {
      const asker = this.#accepted.dialler(link);
      if (asker !== undefined) this.#send(link, asker.id, { kind: 'probed', target, result });
    });
    this.#serving = new Serving(state);
    this.#goodbye = new Goodbye(state);
    this.#forgetting = new Forgetting(state, () => this.#coordination.lost);
    this.#reporting = new Reporting(state, {
      status: () => listener.status(),
      reach: (at) => this.#coordination.reach(at),
      hears: () => (this.view === null ? this.#newcomer.hearsMembers() : []),
      toName: () => this.#coordination.toName(),
      told: (ids) => this.#forgetting.told(ids),
      heard: (peer, report, at) => this.#heard(peer, report, at),
    });
    this.#participation = new Participation(state, this.#serving, {
      listener,
      coordination: () => this.#coordination,
      died: (id, proof) => this.#died(id, proof),
      joined: () => this.#newcomer.end(),
    });
    this.#loneFounder = new LoneFounder(state, () => {
      const { primaries, backups } = listener.status();
      return primaries + backups === 0;
    });
    this.#exclusion = new Exclusion(state, {
      boundAt: () => this.#participation.boundAt,
      excluded: (own, at) => this.#excluded(own, at),
    });
    this.#newcomer = new Newcomer(state, (at) => this.#participation.found(at));
    this.#coordination = new Coordination(state, this.#proposerHooks(), (id, proof) =>
      this.#died(id, proof),
    );
    const parts = {
      state,
      accepted: this.#accepted,
      askedProbes: this.#askedProbes,
      newcomer: this.#newcomer,
      coordination: this.#coordination,
      participation: this.#participation,
      reporting: this.#reporting,
      told: (header: Header, at: number) => this.#exclusion.told(header, at),
    };
    this.#requests = new Requests({
      ...parts,
      saidGoodbye: (id, isEmpty) => this.#died(id, 'goodbye', isEmpty),
      discard: (view, now) => this.#exclusion.discard(view, now),
    });
    this.#answers = new Answers({
      ...parts,
      replaced: (peer) => this.#replaced(peer),
      renew: () => this.#renew(),
    });
  }

  #makeState(config: MembershipConfig, self: Member, host: MembershipHost): State {
    const timing = timingOf(config.nodeTimeoutMs);
    const leases = new Leases(timing);
    const send = (link: number, to: Incarnation, body: Body): void => this.#send(link, to, body);
    const links = {
      send,
      self: (): Member => this.#state.self,
      dial: (address: Address): number => host.dial(address),
      close: (link: number): void => host.close(link),
    };
    return {
      self,
      config,
      timing,
      host,
      send,
      leases,
      departed: new Departed(),
      missing: new Missing(),
      toldGone: new Set(),
      peers: new Peers(timing, leases, {
        ...links,
        report: (at) => this.#reporting.own(at),
        connected: (peer) => this.#probed(peer, 'alive'),
        refused: (peer) => this.#probed(peer, 'refused'),
      }),
      handshakes: new Handshakes(timing, {
        ...links,
        met: (meeting, outcome, link, at) => this.#met(meeting, outcome, link, at),
      }),
      participant: new Participant(),
      saidGoodbye: false,
      needsReview: false,
    };
  }

  #proposerHooks(): ConstructorParameters<typeof Coordination>[1] {
    const { config, host } = this.#state;
    return {
      majority: config.partitionPolicy === 'majority',
      self: () => this.#state.self.id,
      send: (id, body) => void this.#state.peers.send(id, body),
      survey: (survey, now) => {
        const installed = this.view?.id ?? null;
        return { ...this.#participation.survey(survey, now), installed };
      },
      prepare: (prepare, now) => this.#participation.prepare(prepare, now),
      install: (id, full, merge, remainsMs, now) =>
        this.#participation.install({ id, full, merge, remainsMs, lost: [] }, now),
      lost: () => this.#coordination.lost.addresses,
      isGone: (id) => isGone(this.#state, id),
      leftBehind: (now) => {
        const { prepared } = this.#state.participant;
        if (prepared !== null) this.#excluded(prepared, now);
      },
      joinerFailed: (id, leftOut, now) => {
        if (leftOut) this.#state.participant.leaveOut(id);
        this.#coordination.candidates.failed(id, now);
      },
      adoptBase: (view, merge, electorates, now) =>
        this.#participation.adopt(view, merge, electorates, now),
      log: (event, facts) => host.log('info', event, facts),
    };
  }

  // ---- what the rest of the node asks

  get self(): Member {
    return this.#state.self;
  }

  get view(): View | null {
    return this.#state.participant.installed;
  }

  servesUntil(): number {
    return this.#serving.until();
  }

  isDown(now: number): boolean {
    return this.#serving.isDown(now);
  }

  readsUntil(id: Incarnation): number {
    return this.#state.saidGoodbye ? 0 : this.#state.leases.shortHeld(id);
  }

  grantEnds(id: Incarnation): number {
    return this.#state.leases.shortGranted(id);
  }

  membersMissing(): number {
    const { config, missing, departed } = this.#state;
    return config.partitionPolicy === 'available' ? missing.count(departed) : 0;
  }

  heardStatuses(): NodeStatus[] {
    const bound = idsOf(this.#state.participant.prepared);
    const peers = [...this.#state.peers.byId.values()];
    const isHeard = ({ isSilent, member }: Peer): boolean => !isSilent || bound.has(member.id);
    return peers.filter(isHeard).flatMap(({ heard }) => heard?.status ?? []);
  }

  missingMembers(): readonly Member[] {
    const { missing, departed } = this.#state;
    missing.count(departed);
    return missing.members;
  }

  forget(id: Incarnation, certain: boolean, now: number): ForgetOutcome {
    const outcome = this.#forgetting.forget(id, certain, this.isDown(now), now);
    if (outcome === 'forgotten') this.#tellAll(now);
    return outcome;
  }

  statusOf(id: Incarnation): NodeStatus | undefined {
    return this.#state.peers.get(id)?.heard?.status;
  }

  medianClockMs(wall: number): number {
    return this.#reporting.medianClockMs(wall);
  }

  nobodyStays(isWholeStop: boolean): boolean {
    return this.#goodbye.nobodyStays(isWholeStop, this.#participation.othersDied);
  }

  proofOf(id: Incarnation): Proof | undefined {
    return this.#state.departed.proofOf(id);
  }

  hadHandedOver(id: Incarnation): boolean {
    return this.#state.departed.hadHandedOver(id);
  }

  get saidGoodbye(): boolean {
    return this.#state.saidGoodbye;
  }

  hasLeft(now: number): boolean {
    return this.#goodbye.hasLeft(now);
  }

  leave(now: number): void {
    this.#setLeaving(true, now);
  }

  stay(now: number): void {
    this.#setLeaving(false, now);
  }

  #setLeaving(leaving: boolean, now: number): void {
    if (this.self.leaving === leaving || this.#state.saidGoodbye) return;
    this.#state.self = { ...this.self, leaving };
    this.#tellAll(now);
  }

  tell(now: number): void {
    const { peers } = this.#state;
    this.#reporting.changed();
    for (const peer of peers.byId.values()) if (peer.link !== NO_LINK) peers.ping(peer, now);
  }

  haveAnsweredSince(time: number): boolean {
    // Leases are counted from the sending of the ping.
    return this.#serving.until() >= time + this.#state.timing.longLeaseMs;
  }

  goodbye(now: number, hasHandedOver: boolean): void {
    this.#state.saidGoodbye = true;
    this.#goodbye.hasHandedOver = hasHandedOver;
    this.#serving.changed();
    this.#coordination.proposer.abandon();
    this.#goodbye.say(now);
  }

  isSilent(id: Incarnation): boolean {
    return this.#state.peers.get(id)?.silence.isSilent ?? true;
  }

  dataLinkBroken(id: Incarnation, now: number): void {
    const peer = this.#state.peers.get(id);
    if (peer === undefined || !idsOf(this.#state.participant.prepared).has(id)) return;
    peer.broken = true;
    this.#tellAll(now);
  }

  dataLinkWhole(id: Incarnation, now: number): void {
    const peer = this.#state.peers.get(id);
    if (peer === undefined || !peer.broken) return;
    peer.broken = false;
    this.#tellAll(now);
  }

  // ---- inputs

  start(now: number, wall: number): void {
    this.#clock = new ClockWatch(this.#state.timing, now, wall);
    this.#reporting.observe(now, wall);
    if (this.#state.config.joinListGiven) this.#newcomer.begin(now);
    else this.#participation.found(now);
    this.#newcomerTick(now);
  }

  tick(now: number, wall: number): void {
    this.observe(now, wall);
    this.#clock.ticked(now);
    const { peers, handshakes, leases } = this.#state;
    this.#accepted.tick(now);
    handshakes.tick(now);
    peers.tick(now);
    leases.expire(now);
    this.#askedProbes.tick(now);
    if (this.view === null) {
      this.#exclusion.dropStalePrepared(now);
      this.#newcomerTick(now);
    } else {
      this.#coordination.tick(now);
      this.#loneFounder.tick(this.view, now);
    }
    if (this.#state.saidGoodbye && !this.hasLeft(now)) this.#goodbye.say(now);
    this.#state.needsReview = true;
    this.#review(now);
  }

  /**
   * Reads the clocks: cheap, called by every input, and by the host in every turn. A node that slept
   * holds no leases, and has heard nothing that counts; true when it did.
   */
  observe(now: number, wall: number): boolean {
    this.#reporting.observe(now, wall);
    if (!this.#clock.slept(now, wall)) return false;
    const served = this.servesUntil() > now;
    this.#state.host.log('warn', 'slept', { served });
    const { self, leases, peers } = this.#state;
    // Nobody leaves out a member while it holds the short lease.
    const isMissed = (this.view?.members ?? []).some(
      ({ id }) => id !== self.id && leases.shortHeld(id) <= now,
    );
    leases.voidHeld();
    peers.slept(now);
    this.#newcomer.slept();
    if (isMissed) this.#coordination.sleptLong(now);
    return true;
  }

  linkAccepted(link: number, now: number): void {
    this.#accepted.accepted(link, now);
  }

  linkOpened(link: number, _now: number): void {
    const { peers, handshakes } = this.#state;
    const peer = peers.of(link);
    if (peer !== undefined) peers.linkOpened(peer, link);
    else if (handshakes.has(link)) handshakes.opened(link);
  }

  linkClosed(link: number, end: LinkEnd, now: number): void {
    const { peers, handshakes } = this.#state;
    const peer = peers.of(link);
    if (peer !== undefined) {
      this.#state.needsReview = true;
      peers.linkClosed(peer, link, end, now);
    } else if (handshakes.has(link)) {
      handshakes.closed(link, end, now);
    } else {
      this.#accepted.closed(link);
    }
    this.#review(now);
  }

  received(link: number, message: ControlMessage, now: number, wall: number): void {
    this.observe(now, wall);
    const { peers, handshakes } = this.#state;
    const peer = peers.of(link);
    if (peer !== undefined) this.#answers.received(peer, link, message as ControlAnswer, now);
    else if (handshakes.has(link)) this.#shaken(link, message, now);
    else if (this.#accepted.has(link))
      this.#requests.received(link, message as ControlRequest, now);
    this.#review(now);
  }

  #shaken(link: number, message: ControlMessage, now: number): void {
    if (this.#exclusion.told(message, now)) return;
    if (message.kind === 'welcome') this.#state.handshakes.welcome(link, message, now);
  }

  #heard(peer: Peer, { candidates, status }: Report, now: number): void {
    const { id } = peer.member;
    this.#listener.heard(id, status, idsOf(this.view).has(id));
    if (this.view === null) this.#newcomer.candidates(id, candidates, now);
    else this.#coordination.named(id, candidates, now);
    this.#participation.repeatInstall(peer, now);
  }

  // ---- what becomes of others, and of this node

  /** A fresh connection has told whether anybody is there. */
  #probed(peer: Peer, result: 'alive' | 'refused'): void {
    this.#askedProbes.known(peer.member.id, result);
    this.#state.needsReview = true;
  }

  #replaced(peer: Peer): void {
    this.#askedProbes.known(peer.member.id, 'replaced');
    this.#died(peer.member.id, 'replaced');
  }

  #died(id: Incarnation, proof: Proof, hasHandedOver = false): void {
    const { departed, leases, peers, host } = this.#state;
    if (!departed.add(id, proof, hasHandedOver)) return;
    host.log('info', 'member-dead', { id, proof });
    leases.dropGranted(id);
    this.#coordination.candidates.remove(id);
    if (proof === 'goodbye') this.#listener.saidGoodbye();
    peers.remove(id);
    this.#state.needsReview = true;
  }

  #met(meeting: Meeting, outcome: Outcome, link: number, now: number): void {
    const { view } = this;
    if (meeting.purpose === 'lost') this.#coordination.met(meeting, outcome, link, now);
    else if (view === null) this.#newcomer.met(meeting.address, outcome, now);
    else if (this.#loneFounder.shouldJoin(view, meeting, outcome)) this.#excluded(view, now);
  }

  #excluded(own: View, now: number): void {
    this.#newcomer.excluded(own, now);
    this.#renew();
  }

  /** From here on this node is another incarnation, in no view, and holds nothing. */
  #renew(): void {
    const { host, peers, handshakes } = this.#state;
    const before = this.self.id;
    this.#state.self = { ...this.self, id: host.randomId() };
    host.log('warn', 'new-incarnation', { before, now: this.self.id });
    peers.clear();
    handshakes.clear();
    this.#askedProbes.clear();
    this.#coordination.reset();
    this.#state.participant = new Participant();
    this.#state.missing.clear();
    this.#state.toldGone.clear();
    this.#serving.changed();
    this.#state.leases.clear();
    this.#participation.reset();
    this.#reporting.changed();
    this.#listener.excluded(this.self);
  }

  // ---- messages

  /** Something that the others should know at once, and that may make another view. */
  #tellAll(now: number): void {
    this.tell(now);
    this.#state.needsReview = true;
    this.#review(now);
  }

  #newcomerTick(now: number): void {
    if (this.view === null && !this.#state.saidGoodbye) this.#newcomer.tick(now);
  }

  /** Ends every input. */
  #review(now: number): void {
    this.#serving.changed();
    if (!this.#state.needsReview || this.#state.saidGoodbye) return;
    this.#state.needsReview = false;
    this.#coordination.review(now);
  }

  #send(link: number, to: Incarnation, body: Body): void {
    const { view } = this;
    const header: Header = {
      from: this.self.id,
      to,
      installed: view?.id ?? null,
      seed: view?.seed ?? 0,
      includes: idsOf(view).has(to),
    };
    this.#state.host.send(link, { ...body, ...header } as ControlMessage);
  }
}
