import type { Address, Incarnation, Member, View } from '../member.js';
import { Candidates } from './candidates.js';
import { type OwnReach, type Reach, whoStays } from './connection.js';
import type { Meeting, Outcome } from './handshakes.js';
import { LostMembers } from './lost-members.js';
import { areSides, leads } from './merging.js';
import type { Header, ProbeResult } from './messages.js';
import { type Heard, NO_LINK } from './peers.js';
import { Proofs } from './proof.js';
import { holdsAll, type State } from './state.js';
import { type Plan, Proposer, type ProposerHooks } from './view-change.js';
import { compareViewIds, idsOf, MEMBERS_MAX, sameMembers, sameViewId } from './views.js';

/**
 * What a member does for the next view: find out who is dead, whom it cannot reach, who wants in,
 * and, if it is the oldest of those who stay, propose.
 */
export class Coordination {
  readonly candidates: Candidates;
  readonly lost = new LostMembers();
  readonly proposer: Proposer;
  readonly #state: State;
  readonly #died: (id: Incarnation, proof: 'refused' | 'replaced') => void;
  readonly #proofs = new Proofs();
  readonly #foreign = new Set<string>();
  #coordinates = false;
  /** The other side of a partition, as last seen. */
  #otherSide: View | null = null;
  #otherSeenAt = 0;
  /** Since when something is unfinished that another coordinator may still finish. */
  #unfinishedSince = Number.POSITIVE_INFINITY;
  #quietUntil = 0;
  /** Since when a choice of whom to leave out waits for the whole picture. */
  #pendingSince = Number.POSITIVE_INFINITY;
  /** Since when the next view would be the smaller side of a partition. */
  #smallerSince = Number.POSITIVE_INFINITY;

  constructor(
    state: State,
    hooks: ProposerHooks,
    died: (id: Incarnation, proof: 'refused' | 'replaced') => void,
  ) {
    this.#state = state;
    this.#died = died;
    this.candidates = new Candidates(state.timing);
    this.proposer = new Proposer(hooks, state.timing.heartbeatMs);
  }

  /** Whether this node is the one to propose, as it sees it. */
  get coordinates(): boolean {
    return this.#coordinates;
  }

  /** This node is in no view any more. */
  reset(): void {
    this.candidates.clear();
    this.lost.clear();
    this.proposer.abandon();
    this.#proofs.keepOnly(() => false);
    this.#coordinates = false;
    this.#otherSide = null;
    this.#unfinishedSince = Number.POSITIVE_INFINITY;
    this.#smallerSince = Number.POSITIVE_INFINITY;
  }

  /**
   * This node slept for so long that the others may have gone on without it. If it found one of
   * them dead now, it could not know whether those left had a view without it; they look for it at
   * its address, so it gives them the time.
   */
  sleptLong(now: number): void {
    this.#quietUntil = now + this.#state.timing.nodeTimeoutMs / 2;
  }

  tick(now: number): void {
    this.#dropCandidates(now);
    for (const { address, id } of this.lost.toLookAt(now, this.#state.timing.heartbeatMs)) {
      this.#state.handshakes.start('lost', address, id, now);
    }
    if (now - this.#otherSeenAt > this.#state.timing.nodeTimeoutMs) this.#otherSide = null;
    this.proposer.tick(now);
  }

  /** Another node said who it is: one in no view may join. */
  metNode(member: Member, header: Header, now: number): void {
    if (header.installed === null) {
      this.#adopt(member, now);
      return;
    }
    const { installed } = this.#state.participant;
    if (installed === null || header.seed !== installed.seed) return;
    // One of the other side of a partition: it is looked at like a lost member.
    if (!idsOf(installed).has(member.id)) this.lost.addAddresses([member]);
  }

  /** The coordinator named nodes that everybody is to connect to. */
  named(from: Incarnation, members: readonly Member[], now: number): void {
    if (members.length === 0 || this.#state.participant.prepared?.members[0]?.id !== from) return;
    for (const member of members) this.#adopt(member, now);
  }

  /** The nodes that everybody is to connect to, if this node coordinates. */
  toName(): Member[] {
    return this.#coordinates ? this.candidates.members : [];
  }

  /** Somebody, or nobody, is where a lost member was. */
  met({ address, expected }: Meeting, outcome: Outcome, link: number, now: number): void {
    const view = this.#state.participant.installed;
    if (typeof outcome === 'string' || view === null) return;
    if (expected !== '' && outcome.from !== expected) this.#died(expected, 'replaced');
    if (idsOf(view).has(outcome.from)) {
      this.lost.found(address);
      return;
    }
    if (outcome.installed === null) {
      const { id, host, port, busPort } = this.#state.self;
      if (outcome.from === id) return;
      const addresses = [{ host, port, busPort }];
      this.#state.send(link, outcome.from, { kind: 'invite', addresses });
      return;
    }
    if (outcome.view !== null) this.#metOther(address, view, outcome.view, now);
  }

  #metOther(address: Address, ours: View, other: View, now: number): void {
    if (other.seed !== ours.seed) {
      const key = `${address.host}:${address.busPort}`;
      if (this.#foreign.has(key) || this.#foreign.size >= 64) return;
      this.#foreign.add(key);
      this.#state.host.log('warn', 'foreign-cluster', { address: key });
      return;
    }
    if (this.#state.config.partitionPolicy !== 'available' || !areSides(ours, other)) return;
    if (!this.#coordinates) return;
    this.#otherSide = other;
    this.#otherSeenAt = now;
    // The one who proposes there may never have heard of us: our looking tells it.
    this.lost.addAddresses(other.members);
    for (const member of other.members) this.#adopt(member, now);
  }

  #adopt(member: Member, now: number): void {
    const { participant, peers, leases, departed, self } = this.#state;
    const { id } = member;
    if (id === self.id || departed.has(id) || this.candidates.has(id)) return;
    if (idsOf(participant.prepared).has(id) || idsOf(participant.installed).has(id)) return;
    // One that was left out gets no leases again before the old ones have run out: they tell when
    // its copies may be promoted.
    if (leases.longGranted(id) > now) return;
    if (this.candidates.add(member)) peers.add(member, now);
  }

  #dropCandidates(now: number): void {
    const { peers, participant } = this.#state;
    const { prepared, installed } = participant;
    for (const { id } of this.candidates.members) {
      const peer = peers.get(id);
      const isMember = idsOf(prepared).has(id);
      const isForeign = peer?.heard?.installed != null && peer.heard.seed !== prepared?.seed;
      const isGone = peer === undefined || peer.refused || peer.isLost(now) || isForeign;
      if (!isMember && !isGone) continue;
      this.candidates.remove(id);
      if (!isMember && !idsOf(installed).has(id)) peers.remove(id);
    }
  }

  /** A member's answer about another one that refused our connection. */
  probed(target: Incarnation, witness: Incarnation, result: ProbeResult): void {
    this.#proofs.answered(target, witness, result);
    if (result === 'replaced') this.#died(target, 'replaced');
  }

  /** Looks at everything that could call for another view, and proposes it if it is up to us. */
  review(now: number): void {
    const { participant, self } = this.#state;
    const base = participant.prepared;
    this.#coordinates = false;
    if (participant.installed === null || base === null || !idsOf(base).has(self.id)) return;
    this.#seekProofs(base, now);
    const stay = this.#whoStays(base, now);
    this.#coordinates = stay[0] === self.id;
    if (!this.#coordinates || this.#mayBeDeaf(base, stay, now)) {
      this.proposer.abandon();
      return;
    }
    if (now < this.#quietUntil) return;
    const plan = this.#plan(base, new Set(stay), now);
    if (this.proposer.stillWants(plan)) return;
    this.proposer.abandon();
    if (!this.proposer.mayStart(now) || !this.#isWorthwhile(plan, now)) return;
    this.#unfinishedSince = Number.POSITIVE_INFINITY;
    this.#logPlan(plan);
    this.proposer.start(plan, participant.highest, now);
  }

  #logPlan({ base, stay, joiners, other, dead }: Plan): void {
    const ids = new Set(stay.map(({ id }) => id));
    const short = (id: Incarnation): string => id.slice(0, 8);
    this.#state.host.log('info', 'view-change', {
      base: base.id.number,
      out: base.members.filter(({ id }) => !ids.has(id)).map(({ id }) => short(id)),
      dead: dead.map(short),
      joiners: joiners.map(({ id }) => short(id)),
      otherSide: other?.members.length ?? 0,
    });
  }

  #whoStays(base: View, now: number): readonly Incarnation[] {
    const { self, departed, peers } = this.#state;
    const alive = base.members
      .map(({ id }) => id)
      .filter((id) => !departed.has(id) && !peers.get(id)?.unreachable && !this.#hasGoneOn(id));
    const reports = new Map<Incarnation, Reach>();
    for (const id of alive) {
      const heard = peers.get(id)?.heard;
      if (heard != null) reports.set(id, heard);
    }
    const mayWait = now - this.#pendingSince < this.#state.timing.redialMs;
    const { stay, isPending } = whoStays(
      alive,
      self.id,
      this.reach(now),
      reports,
      this.#outsiders(base),
      mayWait,
    );
    if (!isPending) this.#pendingSince = Number.POSITIVE_INFINITY;
    else this.#pendingSince = Math.min(this.#pendingSince, now);
    return stay;
  }

  /** One of another side, with which a common view is prepared, that has installed a later one without this node. */
  #hasGoneOn(id: Incarnation): boolean {
    const { participant, peers } = this.#state;
    const { side, prepared } = participant;
    const heard = peers.get(id)?.heard;
    if (side === null || side.has(id) || heard?.installed == null || heard.includes) return false;
    return compareViewIds(heard.installed, prepared!.id) > 0;
  }

  /**
   * Who would go on without a larger part of its view, for silence, waits: it may be this node that does not hear. The
   * others find out at about the same time, and leave it out; or it hears them again (docs/decisions/0015):
   *
   *   1. C hears nobody, A and B hear its pings. After node-timeout all three have lost each other.
   *   2. C is the first to notice, goes on alone, and says so in its next ping
   *   3. A and B are still in the old view: the cluster has gone on without them, it seems. They discard what they hold.
   */
  #mayBeDeaf(base: View, stay: readonly Incarnation[], now: number): boolean {
    const { config, departed, timing } = this.#state;
    const staying = new Set(stay);
    const silent = base.members.filter(({ id }) => !staying.has(id) && !departed.has(id));
    const isSmaller = config.partitionPolicy === 'available' && silent.length > stay.length;
    this.#smallerSince = isSmaller ? Math.min(this.#smallerSince, now) : Number.POSITIVE_INFINITY;
    return isSmaller && now - this.#smallerSince < timing.smallerSideMs;
  }

  /**
   * Whom others hear that are not in the view but answer: nodes that are about to join, and members that this view leaves
   * out and that do not know it yet.
   */
  #outsiders(base: View): ReadonlySet<Incarnation>[] {
    const { participant, peers } = this.#state;
    const { installed } = participant;
    const heardOf = (id: Incarnation): Heard | null => {
      const peer = peers.get(id);
      return peer === undefined || peer.isSilent ? null : peer.heard;
    };
    const sets: ReadonlySet<Incarnation>[] = [];
    for (const { id } of this.candidates.members) {
      const heard = heardOf(id);
      if (heard !== null) sets.push(heard.hears);
    }
    for (const { id } of installed?.members ?? []) {
      const heard = idsOf(base).has(id) ? null : heardOf(id);
      if (heard === null || !sameViewId(heard.installed, installed!.id)) continue;
      const ids = base.members.map((member) => member.id);
      sets.push(new Set(ids.filter((one) => !heard.silent.has(one) && !heard.lost.has(one))));
    }
    return sets;
  }

  /** Which members of the prepared view this node does not hear. */
  reach(now: number): OwnReach {
    const { participant, peers, self, timing } = this.#state;
    const calling = new Set<Incarnation>();
    const silent = new Set<Incarnation>();
    const lost = new Set<Incarnation>();
    for (const { id } of participant.prepared?.members ?? []) {
      if (id === self.id) continue;
      const peer = peers.get(id);
      if (peer === undefined || peer.isSilent) silent.add(id);
      if (peer === undefined || !peer.isLost(now)) continue;
      lost.add(id);
      if (now - peer.calledAt <= 2 * timing.heartbeatMs) calling.add(id);
    }
    return { silent, lost, calling };
  }

  /** Asks the others about members whose connection was refused, if nobody older is there to ask. */
  #seekProofs(base: View, now: number): void {
    const { peers, departed, self, config, timing } = this.#state;
    const isOut = (id: Incarnation): boolean => {
      const peer = peers.get(id);
      return departed.has(id) || (peer !== undefined && (peer.refused || peer.isLost(now)));
    };
    const present = base.members.map(({ id }) => id).filter((id) => !isOut(id));
    this.#proofs.keepOnly((target) => peers.get(target)?.refused ?? false);
    if (present[0] !== self.id) return;
    const witnesses = present.slice(1);
    for (const { id } of base.members) {
      const peer = peers.get(id);
      if (peer === undefined || !peer.refused || peer.unreachable || departed.has(id)) continue;
      for (const witness of this.#proofs.toAsk(id, witnesses, now, timing.heartbeatMs)) {
        peers.send(witness, { kind: 'probe', target: id });
      }
      if (!this.#proofs.isProven(id, witnesses)) continue;
      // A firewall refuses as well: where two sides must never serve, it proves nothing.
      if (config.partitionPolicy === 'majority') peer.unreachable = true;
      else this.#died(id, 'refused');
    }
  }

  #plan(base: View, stay: ReadonlySet<Incarnation>, now: number): Plan {
    const { departed, participant, peers } = this.#state;
    const members = base.members
      .filter(({ id }) => stay.has(id))
      .map((member) => ({ ...member, leaving: this.#isLeaving(member) }));
    const isSettled = sameViewId(participant.installed?.id ?? null, base.id);
    const known = new Set([...idsOf(base), ...idsOf(participant.installed)]);
    const out = [...known].filter((id) => !stay.has(id));
    const electors = participant.electorates.flat().filter((id) => !stay.has(id));
    const isAnswering = (id: Incarnation): boolean => {
      const peer = peers.get(id);
      return peer !== undefined && peer.link !== NO_LINK && !departed.has(id);
    };
    return {
      base,
      stay: members,
      joiners: isSettled ? this.#joiners(base, members, now) : [],
      other: isSettled ? this.#other(base, now) : null,
      dead: out.filter((id) => departed.has(id)),
      outsiders: [...new Set([...out, ...electors])].filter(isAnswering),
      side: participant.side,
    };
  }

  #isLeaving(member: Member): boolean {
    if (member.id === this.#state.self.id) return this.#state.self.leaving;
    return this.#state.peers.get(member.id)?.heard?.leaving ?? member.leaving;
  }

  #joiners(base: View, stay: readonly Member[], now: number): Member[] {
    if (stay.every(({ leaving }) => leaving)) return [];
    const { leases, peers } = this.#state;
    return this.candidates
      .ready(base.id, now)
      .filter(({ id }) => leases.longHeld(id) > now && peers.get(id)?.heard?.leaving === false)
      .slice(0, MEMBERS_MAX - stay.length);
  }

  #other(base: View, now: number): View | null {
    const other = this.#otherSide;
    if (other === null || !areSides(base, other) || !leads(base, other)) return null;
    if (base.members.length + other.members.length > MEMBERS_MAX) return null;
    return holdsAll(this.#state, other, now) ? other : null;
  }

  #isWorthwhile(plan: Plan, now: number): boolean {
    const { base, stay, joiners, other } = plan;
    if (!sameMembers(stay, base.members) || joiners.length > 0 || other !== null) return true;
    return this.#isUnfinished(base, new Set(stay.map(({ id }) => id)), now);
  }

  /** Somebody has prepared a view that does not get installed: its coordinator gave up, or died. */
  #isUnfinished(base: View, stay: ReadonlySet<Incarnation>, now: number): boolean {
    const { participant, peers, self, timing } = this.#state;
    const isPending = !sameViewId(participant.installed?.id ?? null, base.id);
    const { coordinator } = base.id;
    if (isPending && (coordinator === self.id || !stay.has(coordinator))) return true;
    const isAhead = base.members.some(({ id }) => {
      const prepared = peers.get(id)?.heard?.prepared;
      return prepared != null && compareViewIds(prepared, base.id) > 0;
    });
    if (!isPending && !isAhead) {
      this.#unfinishedSince = Number.POSITIVE_INFINITY;
      return false;
    }
    this.#unfinishedSince = Math.min(this.#unfinishedSince, now);
    return now - this.#unfinishedSince >= 2 * timing.heartbeatMs;
  }
}
