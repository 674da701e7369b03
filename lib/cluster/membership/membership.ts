import type { Address, Incarnation, Install, Member, NodeStatus, View } from '../member.js';
import { Acceptance } from './acceptance.js';
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
import { Handshakes, type Meeting, type Outcome } from './handshakes.js';
import { Leases } from './leases.js';
import { everyOtherLeaves, Others } from './leaving.js';
import { LoneFounder } from './lone-founder.js';
import { isMajority } from './majority.js';
import type {
  Body,
  ControlAnswer,
  ControlMessage,
  ControlRequest,
  Header,
  InstallView,
  Ping,
  Pong,
  Prepare,
  Prepared,
  Report,
  Survey,
  Surveyed,
} from './messages.js';
import { Newcomer } from './newcomer.js';
import { Participant } from './participant.js';
import { NO_LINK, type Peer, Peers } from './peers.js';
import type { State } from './state.js';
import { timingOf } from './timing.js';
import { compareViewIds, idsOf, sameViewId } from './views.js';

/**
 * The membership machine of one node (design section 5). Inputs are calls with the time; outputs
 * are calls of the host (links, messages) and of the listener (views).
 */
export class Membership implements MembershipView {
  readonly #state: State;
  readonly #listener: MembershipListener;
  readonly #accepted: Acceptance;
  readonly #newcomer: Newcomer;
  readonly #coordination: Coordination;
  readonly #loneFounder: LoneFounder;
  readonly #others = new Others();
  #clock: ClockWatch;
  #certainFrom = 0;
  #installedAt = 0;
  #boundAt = 0;
  /** How the view was installed: told again to a member that missed it. */
  #full = false;
  #merge = false;
  #saidGoodbye = false;
  #needsReview = false;
  #serves: number | null = null;
  /** Wall minus monotonic time, as of the last input that told both. */
  #wallOffsetMs = 0;
  #report: Report | null = null;
  #reportedAt = Number.NaN;
  #reports = 0;
  readonly #askedProbes: AskedProbes;

  constructor(
    config: MembershipConfig,
    self: Member,
    host: MembershipHost,
    listener: MembershipListener,
    now: number,
  ) {
    const timing = timingOf(config.nodeTimeoutMs);
    const leases = new Leases(timing);
    const send = (link: number, to: Incarnation, body: Body): void => this.#send(link, to, body);
    const links = {
      send,
      self: (): Member => this.#state.self,
      dial: (address: Address): number => host.dial(address),
      close: (link: number): void => host.close(link),
    };
    this.#listener = listener;
    this.#accepted = new Acceptance(timing, links.close);
    this.#clock = new ClockWatch(timing, now, now);
    this.#askedProbes = new AskedProbes(timing, (link, target, result) => {
      const asker = this.#accepted.dialler(link);
      if (asker !== undefined) send(link, asker.id, { kind: 'probed', target, result });
    });
    this.#state = {
      self,
      config,
      timing,
      host,
      send,
      leases,
      departed: new Departed(),
      peers: new Peers(timing, leases, {
        ...links,
        report: (at) => this.#reportNow(at),
        connected: (peer) => this.#connected(peer),
        refused: (peer) => this.#refused(peer),
      }),
      handshakes: new Handshakes(timing, {
        ...links,
        met: (meeting, outcome, link, at) => this.#met(meeting, outcome, link, at),
      }),
      participant: new Participant(),
    };
    this.#loneFounder = new LoneFounder(this.#state, () => {
      const { primaries, backups } = listener.status();
      return primaries + backups === 0;
    });
    this.#newcomer = new Newcomer(this.#state, (at) => this.#foundView(at));
    this.#coordination = new Coordination(this.#state, this.#proposerHooks(), (id, proof) =>
      this.#died(id, proof),
    );
  }

  #proposerHooks(): ConstructorParameters<typeof Coordination>[1] {
    const { config, host, departed } = this.#state;
    return {
      majority: config.partitionPolicy === 'majority',
      self: () => this.#state.self.id,
      send: (id, body) => void this.#state.peers.send(id, body),
      survey: (survey, now) => {
        const installed = this.view?.id ?? null;
        return { ...this.#surveyed(survey, now), installed };
      },
      prepare: (prepare, now) => this.#prepare(prepare, now),
      install: (id, full, merge, remainsMs, now) =>
        this.#install({ id, full, merge, remainsMs, lost: [] }, now),
      lost: () => this.#coordination.lost.addresses,
      isGone: (id) => departed.isGone(id),
      joinerFailed: (id, leftOut, now) => {
        if (leftOut) this.#state.participant.leaveOut(id);
        this.#coordination.candidates.failed(id, now);
      },
      adoptBase: (view, merge, electorates, now) => {
        if (!idsOf(view).has(this.#state.self.id)) return false;
        this.#state.participant.adopt(view, merge, electorates);
        this.#bound(view, now);
        return true;
      },
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

  /** Asked for every command: computed anew only after an input. */
  servesUntil(): number {
    this.#serves ??= this.#leasesEnd();
    return this.#serves;
  }

  #leasesEnd(): number {
    const { installed, prepared } = this.#state.participant;
    if (installed === null || prepared === null || this.#saidGoodbye) return 0;
    const bound = idsOf(prepared);
    if (!bound.has(this.#state.self.id)) return 0;
    let until = Number.POSITIVE_INFINITY;
    for (const { id } of installed.members) {
      if (id === this.#state.self.id || !bound.has(id)) continue;
      until = Math.min(until, this.#state.leases.longHeld(id));
    }
    return until;
  }

  isDown(now: number): boolean {
    const { view } = this;
    const { config, departed, peers } = this.#state;
    if (config.partitionPolicy !== 'majority' || view === null) return false;
    if (now < this.servesUntil() || this.#saidGoodbye) return false;
    const ids = view.members.map(({ id }) => id);
    const isReached = (id: Incarnation): boolean =>
      id === this.self.id || peers.get(id)?.isLost(now) === false;
    return !isMajority(ids, new Set(ids.filter(isReached)), (id) => departed.isGone(id));
  }

  readsUntil(id: Incarnation): number {
    return this.#saidGoodbye ? 0 : this.#state.leases.shortHeld(id);
  }

  grantEnds(id: Incarnation): number {
    return this.#state.leases.shortGranted(id);
  }

  statusOf(id: Incarnation): NodeStatus | undefined {
    return this.#state.peers.get(id)?.heard?.status;
  }

  medianClockMs(wall: number): number {
    const offsets = [0];
    for (const { id } of this.view?.members ?? []) {
      const heard = this.#state.peers.get(id)?.heard;
      if (heard != null) offsets.push(heard.wallOffsetMs);
    }
    offsets.sort((a, b) => a - b);
    return wall + offsets[(offsets.length - 1) >> 1]!;
  }

  nobodyStays(): boolean {
    const { view } = this;
    return view !== null && everyOtherLeaves(this.self.id, view.members) && !this.#others.died;
  }

  hasLeft(): boolean {
    if (!this.#saidGoodbye) return false;
    const { departed, peers, self } = this.#state;
    return (this.view?.members ?? []).every(
      ({ id }) => id === self.id || departed.has(id) || peers.get(id)?.heard?.includes === false,
    );
  }

  leave(now: number): void {
    this.#setLeaving(true, now);
  }

  stay(now: number): void {
    this.#setLeaving(false, now);
  }

  #setLeaving(leaving: boolean, now: number): void {
    if (this.self.leaving === leaving || this.#saidGoodbye) return;
    this.#state.self = { ...this.self, leaving };
    this.#tellAll(now);
  }

  goodbye(now: number): void {
    this.#saidGoodbye = true;
    this.#serves = null;
    this.#coordination.proposer.abandon();
    this.#sayGoodbye(now);
  }

  dataLinkBroken(id: Incarnation, now: number): void {
    const peer = this.#state.peers.get(id);
    if (peer === undefined || !idsOf(this.#state.participant.prepared).has(id)) return;
    peer.broken = true;
    this.#tellAll(now);
  }

  // ---- inputs

  start(now: number, wall: number): void {
    this.#clock = new ClockWatch(this.#state.timing, now, wall);
    this.#wallOffsetMs = wall - now;
    if (this.#state.config.joinListGiven) this.#newcomer.begin(now);
    else this.#foundView(now);
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
      this.#dropStalePrepared(now);
      this.#newcomerTick(now);
    } else {
      this.#coordination.tick(now);
      this.#loneFounder.tick(this.view, now);
    }
    if (this.#saidGoodbye && !this.hasLeft()) this.#sayGoodbye(now);
    this.#needsReview = true;
    this.#review(now);
  }

  /**
   * Reads the clocks: cheap, called by every input, and by the host in every turn. A node that slept
   * holds no leases, and has heard nothing that counts; true when it did.
   */
  observe(now: number, wall: number): boolean {
    this.#wallOffsetMs = wall - now;
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
      this.#needsReview = true;
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
    if (peer !== undefined) this.#answer(peer, link, message as ControlAnswer, now);
    else if (handshakes.has(link)) this.#shaken(link, message, now);
    else if (this.#accepted.has(link)) this.#request(link, message as ControlRequest, now);
    this.#review(now);
  }

  // ---- answers, on links that this node dialled

  #shaken(link: number, message: ControlMessage, now: number): void {
    if (this.#told(message, now)) return;
    if (message.kind === 'welcome') this.#state.handshakes.welcome(link, message, now);
  }

  #answer(peer: Peer, link: number, message: ControlAnswer, now: number): void {
    const { peers } = this.#state;
    const { from } = message;
    if (from !== peer.member.id) {
      this.#replaced(peer);
      return;
    }
    if (message.to !== this.self.id) return;
    if (this.#told(message, now)) return;
    switch (message.kind) {
      case 'welcome':
        peers.welcome(peer, link, now);
        break;
      case 'pong':
        if (!peers.pong(peer, message, now)) break;
        this.#heard(peer, message, now);
        if (this.view === null) this.#newcomer.granted(now);
        break;
      case 'joining':
        if (this.view !== null) break;
        if (message.leftOut) {
          this.#newcomer.restart(now);
          this.#renew();
        } else if (message.view !== null) this.#newcomer.viewIs(message.view, now);
        break;
      case 'founding':
        if (this.view !== null) break;
        this.#newcomer.answered(from, message.agreed, message.hears, now);
        break;
      case 'probed':
        this.#coordination.probed(message.target, from, message.result);
        this.#needsReview = true;
        break;
      case 'surveyed':
        this.#coordination.proposer.surveyed(from, message, now);
        this.#needsReview = true;
        break;
      case 'prepared':
        this.#coordination.proposer.prepared(from, message, now);
        this.#needsReview = true;
        break;
    }
  }

  // ---- requests, on links that others dialled

  #request(link: number, message: ControlRequest, now: number): void {
    if (message.kind === 'hello') {
      this.#accepted.named(link, message.member);
    } else if (this.#accepted.dialler(link)?.id !== message.from) {
      this.#accepted.drop(link);
      return;
    }
    if (this.#told(message, now)) return;
    if (message.kind === 'hello') {
      this.#welcome(link, message.member, message, now);
    } else if (message.kind === 'ping') {
      this.#pong(link, message, now);
    } else if (message.to === this.self.id) {
      this.#act(link, message, now);
    }
  }

  #act(
    link: number,
    message: Exclude<ControlRequest, { kind: 'hello' | 'ping' }>,
    now: number,
  ): void {
    const { from } = message;
    switch (message.kind) {
      case 'join': {
        const { view } = this;
        if (view !== null) this.#coordination.metNode(this.#accepted.dialler(link)!, message, now);
        this.#coordination.candidates.said(from, message.complete ? message.known : null, now);
        const isNews = view !== null && !sameViewId(view.id, message.known);
        const leftOut = this.#state.participant.hasLeftOut(from);
        this.#send(link, from, { kind: 'joining', view: isNews ? view : null, leftOut });
        this.#needsReview = true;
        break;
      }
      case 'found': {
        const agreed = this.view === null && this.#newcomer.mayFound(from, now);
        this.#send(link, from, { kind: 'founding', agreed, hears: this.#newcomer.hears() });
        break;
      }
      case 'invite':
        if (this.view === null) this.#newcomer.invited(message);
        break;
      case 'probe':
        this.#probe(link, from, message.target, now);
        break;
      case 'survey':
        this.#send(link, from, this.#surveyed(message, now));
        break;
      case 'prepare':
        this.#send(link, from, this.#prepare(message, now));
        break;
      case 'install':
        this.#install(message, now);
        break;
      case 'goodbye':
        this.#died(from, 'goodbye');
        break;
    }
  }

  #welcome(link: number, member: Member, hello: Header, now: number): void {
    const { view } = this;
    const given = view !== null && !idsOf(view).has(member.id) ? view : null;
    this.#send(link, member.id, { kind: 'welcome', member: this.self, view: given });
    if (this.#saidGoodbye || member.id === this.self.id) return;
    if (view === null) this.#newcomer.metNode(member, hello, now);
    else this.#coordination.metNode(member, hello, now);
  }

  #pong(link: number, ping: Ping, now: number): void {
    const { from, sequence } = ping;
    const peer = this.#state.peers.get(from);
    const granted = ping.to === this.self.id && peer !== undefined && this.#mayGrant(from);
    if (granted) {
      const { prepared } = this.#state.participant;
      this.#state.leases.grant(from, now, idsOf(prepared).has(from));
    }
    this.#send(link, from, { kind: 'pong', sequence, granted, report: this.#reportNow(now) });
    if (peer === undefined || ping.to !== this.self.id) return;
    peer.calledAt = now;
    // What it said before this node slept may be long over: its next pong tells.
    if (!peer.isStale) this.#heard(peer, ping, now);
  }

  /** Those bound to us by a view, and those about to be; nobody that a prepared view leaves out. */
  #mayGrant(id: Incarnation): boolean {
    const { participant, departed } = this.#state;
    if (this.#saidGoodbye || departed.has(id)) return false;
    const { prepared, installed } = participant;
    if (prepared === null) return true;
    if (idsOf(prepared).has(id)) return true;
    return !idsOf(installed).has(id) && this.#coordination.candidates.has(id);
  }

  #probe(link: number, from: Incarnation, target: Incarnation, now: number): void {
    const peer = this.#state.peers.get(target);
    const isKnown = this.#state.departed.has(target) || peer?.refused === true;
    if (isKnown || peer === undefined) {
      const result = isKnown ? 'refused' : 'unknown';
      this.#send(link, from, { kind: 'probed', target, result });
      return;
    }
    this.#askedProbes.asked(link, target, now);
    this.#state.peers.probe(peer, now);
  }

  // ---- changes of view, as a participant

  #surveyed(survey: Body<Survey>, now: number): Body<Surveyed> {
    const { participant, leases, self } = this.#state;
    const { prepared } = participant;
    const promised = participant.promise(survey.ballot);
    const isBase = sameViewId(prepared?.id ?? null, survey.base);
    return {
      kind: 'surveyed',
      ballot: survey.ballot,
      promised,
      highest: participant.highest,
      prepared: prepared?.id ?? null,
      view: isBase ? null : prepared,
      merge: participant.merge,
      electorates: participant.electorates,
      known: participant.installed === null || this.#listener.isKnown(),
      missing: survey.members.filter((id) => id !== self.id && leases.longHeld(id) <= now),
      leftOut: survey.members.filter((id) => participant.hasLeftOut(id)),
      departed: this.#saidGoodbye,
    };
  }

  #prepare(prepare: Body<Prepare>, now: number): Body<Prepared> {
    const { participant, leases, self, config } = this.#state;
    const { view } = prepare;
    const before = participant.prepared;
    const accepted = participant.prepare(view, prepare.merge, prepare.electorates);
    if (accepted) {
      // Where a refusal proves nothing, whoever is named dead is so by a better proof.
      const proof = config.partitionPolicy === 'majority' ? 'replaced' : 'refused';
      for (const id of prepare.dead) if (id !== self.id) this.#died(id, proof);
      if (participant.prepared !== before) this.#bound(view, now);
    }
    const until = Math.max(leases.lastGrantOutside(idsOf(view)), this.#certainFrom);
    return { kind: 'prepared', id: view.id, accepted, remainsMs: Math.max(0, until - now) };
  }

  #bound(view: View, now: number): void {
    this.#boundAt = now;
    this.#serves = null;
    const { departed, leases, peers, self } = this.#state;
    leases.markMembers(idsOf(view));
    // A joiner may have been given up while the view was on its way.
    for (const member of view.members) {
      if (member.id !== self.id && !departed.has(member.id)) peers.add(member, now);
    }
    this.#needsReview = true;
    this.#listener.prepared(view);
  }

  #install(install: Omit<InstallView, keyof Header | 'kind'>, now: number): void {
    const { participant, host } = this.#state;
    const before = participant.installed;
    if (!participant.install(install.id)) return;
    const view = participant.installed!;
    this.#certainFrom = now + install.remainsMs;
    this.#installedAt = now;
    this.#serves = null;
    this.#needsReview = true;
    this.#newcomer.end();
    this.#keepPeersOf(before, view, now);
    this.#rememberLost(before, view, install.lost);
    this.#others.changed(this.self.id, before, view, (id) => this.#state.departed.saidGoodbye(id));
    if (this.#others.died && this.self.leaving && !this.#saidGoodbye) {
      this.#state.self = { ...this.self, leaving: false };
      host.log('warn', 'leaving-withdrawn', { members: view.members.length });
    }
    const { full, merge } = install;
    this.#full = full;
    this.#merge = merge;
    const told: Install = { view, full, merge, certainFrom: this.#certainFrom };
    host.log('info', 'view-installed', {
      number: view.id.number,
      members: view.members.map(({ id }) => id.slice(0, 8)),
      full,
      merge,
      remainsMs: Math.round(install.remainsMs),
    });
    this.#listener.installed(told);
  }

  #keepPeersOf(before: View | null, view: View, now: number): void {
    const { peers, self } = this.#state;
    const { candidates } = this.#coordination;
    const ids = idsOf(view);
    for (const member of view.members) {
      candidates.remove(member.id);
      if (member.id !== self.id) peers.add(member, now);
    }
    for (const [id, peer] of [...peers.byId]) {
      if (ids.has(id) || candidates.has(id)) continue;
      // Those that started with this node are the first to join it; those left out are not.
      const isFellow = !idsOf(before).has(id) && !peer.heard?.installed;
      if (!isFellow || !candidates.add(peer.member)) peers.remove(id);
    }
  }

  #rememberLost(before: View | null, view: View, lost: readonly Address[]): void {
    const ids = idsOf(view);
    const known = this.#coordination.lost;
    known.addAddresses(lost);
    for (const member of before?.members ?? []) if (!ids.has(member.id)) known.add(member);
    for (const member of view.members) known.found(member);
  }

  /** The first view: nobody else is in it, and it names the cluster by the seed that it draws. */
  #foundView(now: number): void {
    const { self, host, participant } = this.#state;
    if (this.view !== null || participant.prepared !== null) return;
    const seed = Number.parseInt(host.randomId().slice(0, 8), 16) || 1;
    // Above what was promised to a coordinator that wanted this node in, and died.
    const number = participant.highest + 1;
    const view: View = { id: { number, coordinator: self.id }, members: [self], seed };
    host.log('info', 'cluster-founded', { seed });
    participant.promise(view.id);
    participant.prepare(view, false, []);
    this.#bound(view, now);
    this.#install({ id: view.id, full: false, merge: false, remainsMs: 0, lost: [] }, now);
  }

  // ---- what becomes of others, and of this node

  #connected(peer: Peer): void {
    this.#askedProbes.known(peer.member.id, 'alive');
    this.#needsReview = true;
  }

  #refused(peer: Peer): void {
    this.#askedProbes.known(peer.member.id, 'refused');
    this.#needsReview = true;
  }

  #replaced(peer: Peer): void {
    this.#askedProbes.known(peer.member.id, 'replaced');
    this.#died(peer.member.id, 'replaced');
  }

  #died(id: Incarnation, proof: Proof): void {
    const { departed, leases, peers, host } = this.#state;
    if (!departed.add(id, proof)) return;
    host.log('info', 'member-dead', { id, proof });
    leases.dropGranted(id);
    this.#coordination.candidates.remove(id);
    peers.remove(id);
    this.#needsReview = true;
  }

  #met(meeting: Meeting, outcome: Outcome, link: number, now: number): void {
    const { view } = this;
    if (meeting.purpose === 'lost') this.#coordination.met(meeting, outcome, link, now);
    else if (view === null) this.#newcomer.met(meeting.address, outcome, now);
    else if (this.#loneFounder.shouldJoin(view, meeting, outcome)) this.#excluded(view, now);
  }

  /**
   * Whatever another node sends says which view it is in, and whether this node is in it too. A
   * view that left this node out can come from a member of the view that this node is bound to:
   * that member went on. Of two sides that left each other out, neither is told anything here;
   * unless only one of them can be the cluster. True if this node is another incarnation now.
   */
  #told(header: Header, now: number): boolean {
    const { participant, config, self } = this.#state;
    const own = participant.prepared;
    const { installed, from } = header;
    if (own === null || installed === null || header.includes || header.to !== self.id)
      return false;
    if (this.#saidGoodbye) return false;
    const order = compareViewIds(installed, own.id);
    if (order < 0 || (order === 0 && idsOf(own).has(self.id))) return false;
    const isOneOfUs = idsOf(own).has(from);
    const isTheCluster = config.partitionPolicy === 'majority' && header.seed === own.seed;
    if (!isOneOfUs && !isTheCluster) return false;
    this.#excluded(own, now);
    return true;
  }

  /**
   * This node is bound to its first view, and nobody installs it. It may be installed elsewhere, so
   * only another incarnation is free to join again.
   */
  #dropStalePrepared(now: number): void {
    const { prepared } = this.#state.participant;
    if (prepared === null || now - this.#boundAt < this.#state.timing.nodeTimeoutMs) return;
    this.#excluded(prepared, now);
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
    this.#serves = null;
    this.#state.leases.clear();
    this.#certainFrom = 0;
    this.#report = null;
    this.#listener.excluded(this.self);
  }

  // ---- reports and messages

  #heard(peer: Peer, message: Ping | Pong, now: number): void {
    const { report, from } = message;
    const before = peer.heard;
    if (before !== null && report.serial < before.serial) return;
    const wallOffsetMs = report.wallMs - (now + this.#wallOffsetMs);
    peer.heard = {
      serial: report.serial,
      installed: message.installed,
      prepared: report.prepared,
      seed: message.seed,
      includes: message.includes,
      silent: setOf(report.silent),
      lost: setOf(report.lost),
      leaving: report.leaving,
      status: report.status,
      wallOffsetMs,
    };
    const isNews =
      before === null ||
      report.silent.length + report.lost.length + before.silent.size + before.lost.size > 0 ||
      report.leaving !== before.leaving ||
      !sameViewId(report.prepared, before.prepared);
    if (isNews) this.#needsReview = true;
    if (this.view === null) this.#newcomer.candidates(from, report.candidates, now);
    else this.#coordination.named(from, report.candidates, now);
    this.#repeatInstall(peer, report, now);
  }

  /** A member that has prepared our view and not installed it has missed the install. */
  #repeatInstall(peer: Peer, report: Report, now: number): void {
    const { view } = this;
    if (view === null || !sameViewId(report.prepared, view.id)) return;
    if (sameViewId(peer.heard?.installed ?? null, view.id)) return;
    const { heartbeatMs } = this.#state.timing;
    const patienceMs = this.#coordination.coordinates ? heartbeatMs : 3 * heartbeatMs;
    if (now - this.#installedAt < patienceMs) return;
    this.#state.peers.send(peer.member.id, {
      kind: 'install',
      id: view.id,
      full: this.#full,
      merge: this.#merge,
      remainsMs: Math.max(0, this.#certainFrom - now),
      lost: this.#coordination.lost.addresses,
    });
  }

  #reportNow(now: number): Report {
    if (this.#report !== null && this.#reportedAt === now) return this.#report;
    const { silent, lost } = this.#coordination.reach(now);
    this.#reportedAt = now;
    this.#report = {
      serial: ++this.#reports,
      prepared: this.#state.participant.prepared?.id ?? null,
      silent: [...silent],
      lost: [...lost],
      leaving: this.self.leaving,
      status: this.#listener.status(),
      wallMs: now + this.#wallOffsetMs,
      candidates: this.#coordination.toName(),
    };
    return this.#report;
  }

  /** Something that the others should know at once. */
  #tellAll(now: number): void {
    const { peers } = this.#state;
    this.#report = null;
    for (const peer of peers.byId.values()) if (peer.link !== NO_LINK) peers.ping(peer, now);
    this.#needsReview = true;
    this.#review(now);
  }

  /** Their pongs tell when they have installed a view without this node. */
  #sayGoodbye(now: number): void {
    const { peers } = this.#state;
    for (const [id, peer] of peers.byId) {
      if (!peers.send(id, { kind: 'goodbye' })) continue;
      peers.ping(peer, now);
    }
  }

  #newcomerTick(now: number): void {
    if (this.view === null && !this.#saidGoodbye) this.#newcomer.tick(now);
  }

  /** Ends every input. */
  #review(now: number): void {
    this.#serves = null;
    if (!this.#needsReview || this.#saidGoodbye) return;
    this.#needsReview = false;
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

const NOBODY: ReadonlySet<Incarnation> = new Set();

function setOf(ids: readonly Incarnation[]): ReadonlySet<Incarnation> {
  return ids.length === 0 ? NOBODY : new Set(ids);
}
