import type { Address, Incarnation, Install, Member, View } from '../member.js';
import type { MembershipListener } from './contract.js';
import type { Coordination } from './coordination.js';
import type { Proof } from './departed.js';
import { Others } from './leaving.js';
import type { Body, Header, InstallView, Prepare, Prepared, Survey, Surveyed } from './messages.js';
import { NO_LINK, type Peer } from './peers.js';
import type { Serving } from './serving.js';
import type { State } from './state.js';
import { idsOf, sameViewId } from './views.js';

/** What a change of view needs of the rest of the machine. */
export interface ParticipationHooks {
  readonly listener: MembershipListener;
  readonly coordination: () => Coordination;
  /** That incarnation is dead, as the coordinator has proven. */
  died(id: Incarnation, proof: Proof): void;
  /** This node is in a view. */
  joined(): void;
}

/** What a node does when others change the view: it answers surveys, prepares views, and installs them. */
export class Participation {
  readonly #state: State;
  readonly #serving: Serving;
  readonly #hooks: ParticipationHooks;
  readonly #others = new Others();
  #certainFrom = 0;
  #installedAt = 0;
  #boundAt = 0;
  /** How the view was installed: told again to a member that missed it. */
  #full = false;
  #merge = false;

  constructor(state: State, serving: Serving, hooks: ParticipationHooks) {
    this.#state = state;
    this.#serving = serving;
    this.#hooks = hooks;
  }

  /** When this node prepared the view that it is bound to. */
  get boundAt(): number {
    return this.#boundAt;
  }

  /** Only leavers are left, because the others died. */
  get othersDied(): boolean {
    return this.#others.died;
  }

  /** This node is another incarnation now. */
  reset(): void {
    this.#certainFrom = 0;
  }

  survey(survey: Body<Survey>, now: number): Body<Surveyed> {
    const { participant, leases, self, saidGoodbye } = this.#state;
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
      merge: participant.merge || this.#hooks.listener.isMerging(),
      electorates: participant.electorates,
      known: participant.installed === null || this.#hooks.listener.isKnown(),
      missing: survey.members.filter((id) => id !== self.id && leases.longHeld(id) <= now),
      leftOut: survey.members.filter((id) => participant.hasLeftOut(id)),
      passedOver: promised && survey.base !== null && !participant.hasPrepared(survey.base),
      departed: saidGoodbye,
      mayMerge: this.#mayMerge(survey.members),
    };
  }

  #mayMerge(members: readonly Incarnation[]): boolean {
    const { installed } = this.#state.participant;
    if (installed === null) return true;
    const ids = idsOf(installed);
    const others = members.filter((id) => !ids.has(id));
    return this.#state.missing.knowsDeletesSince(others) && this.#hooks.listener.mayMerge();
  }

  prepare(prepare: Body<Prepare>, now: number): Body<Prepared> {
    const { participant, leases, self, config } = this.#state;
    const { view } = prepare;
    const before = participant.prepared;
    const accepted = participant.prepare(view, prepare.merge, prepare.electorates);
    if (accepted) {
      // Where a refusal proves nothing, whoever is named dead is so by a better proof.
      const proof = config.partitionPolicy === 'majority' ? 'replaced' : 'refused';
      for (const id of prepare.dead) if (id !== self.id) this.#hooks.died(id, proof);
      if (participant.prepared !== before) this.#bound(view, now);
    }
    const until = Math.max(leases.lastGrantOutside(idsOf(view)), this.#certainFrom);
    return { kind: 'prepared', id: view.id, accepted, remainsMs: Math.max(0, until - now) };
  }

  /** A higher view was prepared somewhere; false if this node is not in it. */
  adopt(view: View, merge: boolean, electorates: Prepare['electorates'], now: number): boolean {
    if (!idsOf(view).has(this.#state.self.id)) return false;
    this.#state.participant.adopt(view, merge, electorates);
    this.#bound(view, now);
    return true;
  }

  #bound(view: View, now: number): void {
    this.#boundAt = now;
    this.#serving.changed();
    const { departed, leases, peers, self } = this.#state;
    leases.markMembers(idsOf(view));
    this.#others.prepared(view);
    // A joiner may have been given up while the view was on its way.
    for (const member of view.members) {
      if (member.id !== self.id && !departed.has(member.id)) peers.add(member, now);
    }
    this.#state.needsReview = true;
    this.#hooks.listener.prepared(view);
  }

  install(install: Omit<InstallView, keyof Header | 'kind'>, now: number): void {
    const { participant, departed } = this.#state;
    const before = participant.installed;
    if (!participant.install(install.id)) return;
    const view = participant.installed!;
    this.#certainFrom = now + install.remainsMs;
    this.#installedAt = now;
    this.#serving.changed();
    this.#state.needsReview = true;
    this.#hooks.joined();
    this.#keepPeersOf(before, view, now);
    this.#rememberLost(before, view, install.lost);
    const { id: self } = this.#state.self;
    this.#others.changed(self, before, view, (id) => departed.saidGoodbye(id));
    if (this.#others.died) this.#stay(view);
    this.#full = install.full;
    this.#merge = install.merge;
    this.#tell(view, install.remainsMs);
  }

  #tell(view: View, remainsMs: number): void {
    const install: Install = {
      view,
      full: this.#full,
      merge: this.#merge,
      certainFrom: this.#certainFrom,
    };
    this.#state.host.log('info', 'view-installed', {
      number: view.id.number,
      members: view.members.map(({ id }) => id.slice(0, 8)),
      full: this.#full,
      merge: this.#merge,
      remainsMs: Math.round(remainsMs),
    });
    this.#hooks.listener.installed(install);
  }

  /** Those who were to take over what this node holds have died. */
  #stay(view: View): void {
    const { self, host, saidGoodbye } = this.#state;
    if (!self.leaving || saidGoodbye) return;
    this.#state.self = { ...self, leaving: false };
    host.log('warn', 'leaving-withdrawn', { members: view.members.length });
  }

  #keepPeersOf(before: View | null, view: View, now: number): void {
    const { peers, self } = this.#state;
    const { candidates } = this.#hooks.coordination();
    const ids = idsOf(view);
    for (const member of view.members) {
      candidates.remove(member.id);
      if (member.id !== self.id) peers.add(member, now);
    }
    for (const [id, peer] of [...peers.byId]) {
      if (ids.has(id) || candidates.has(id)) continue;
      // Those that started with this node are the first to join it; those left out are not.
      const isFellow = !idsOf(before).has(id) && !peer.heard?.installed;
      if (isFellow && candidates.add(peer.member)) continue;
      // One that hears us, while we do not hear it, is told that the others go on without it.
      if (peer.link !== NO_LINK) peers.ping(peer, now);
      peers.remove(id);
    }
  }

  #rememberLost(before: View | null, view: View, lost: readonly Address[]): void {
    const ids = idsOf(view);
    const known = this.#hooks.coordination().lost;
    this.#state.missing.changed(before, view);
    known.addAddresses(lost);
    for (const member of before?.members ?? []) if (!ids.has(member.id)) known.add(member);
    for (const member of view.members) known.found(member);
  }

  /** The first view: nobody else is in it, and it names the cluster by the seed that it draws. */
  found(now: number): void {
    const { self, host, participant } = this.#state;
    if (participant.installed !== null || participant.prepared !== null) return;
    const seed = Number.parseInt(host.randomId().slice(0, 8), 16) || 1;
    // Above what was promised to a coordinator that wanted this node in, and died.
    const number = participant.highest + 1;
    const members: readonly Member[] = [self];
    const view: View = { id: { number, coordinator: self.id }, members, seed };
    host.log('info', 'cluster-founded', { seed });
    participant.promise(view.id);
    participant.prepare(view, false, []);
    this.#bound(view, now);
    this.install({ id: view.id, full: false, merge: false, remainsMs: 0, lost: [] }, now);
  }

  /** A member that has prepared our view and not installed it has missed the install. */
  repeatInstall(peer: Peer, now: number): void {
    const view = this.#state.participant.installed;
    const { heard } = peer;
    if (view === null || heard === null || !sameViewId(heard.prepared, view.id)) return;
    if (sameViewId(heard.installed, view.id)) return;
    const { heartbeatMs } = this.#state.timing;
    const coordination = this.#hooks.coordination();
    const patienceMs = coordination.coordinates ? heartbeatMs : 3 * heartbeatMs;
    if (now - this.#installedAt < patienceMs) return;
    this.#state.peers.send(peer.member.id, {
      kind: 'install',
      id: view.id,
      full: this.#full,
      merge: this.#merge,
      remainsMs: Math.max(0, this.#certainFrom - now),
      lost: coordination.lost.addresses,
    });
  }
}
