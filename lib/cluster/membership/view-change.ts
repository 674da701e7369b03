import type { Incarnation, Member, View, ViewId } from '../member.js';
import { addElectorate, ELECTORATES_MAX, isMajority } from './majority.js';
import type { Body, InstallView, Prepare, Prepared, Survey, Surveyed } from './messages.js';
import type { Electorates } from './participant.js';
import {
  compareViewIds,
  followingView,
  idsOf,
  MEMBERS_MAX,
  sameMembers,
  sameViewId,
} from './views.js';

/** What a coordinator wants the next view to be. */
export interface Plan {
  /** The highest view prepared here: the next one starts from it. */
  readonly base: View;
  /** Those of the base that stay, oldest first, with their flags as they should be. */
  readonly stay: readonly Member[];
  readonly joiners: readonly Member[];
  /** The view of the other side of a partition, to be united with this one. */
  readonly other: View | null;
  /** Left out of the base, with proof of death. */
  readonly dead: readonly Incarnation[];
  /** Left out but answering: they may have prepared a higher view. */
  readonly outsiders: readonly Incarnation[];
  /** The base unites this side, which these are, with another one, and is not installed here; else null. */
  readonly side: ReadonlySet<Incarnation> | null;
}

export interface ProposerHooks {
  self(): Incarnation;
  readonly majority: boolean;
  /** Sends to another node; nothing is lost for good if it cannot: all is asked again. */
  send(id: Incarnation, body: Body): void;
  /** This node's own answers, given as any other participant's. */
  survey(survey: Body<Survey>, now: number): SurveyAnswer;
  prepare(prepare: Body<Prepare>, now: number): Body<Prepared>;
  install(id: ViewId, full: boolean, merge: boolean, remainsMs: number, now: number): void;
  /** Where to look for lost members, told with every install. */
  lost(): InstallView['lost'];
  /** Whether that incarnation said goodbye, or was replaced by another one in its place. */
  isGone(id: Incarnation): boolean;
  /** This node is in no view any more: the others have gone on from the one that it is bound to. */
  leftBehind(now: number): void;
  /** `leftOut`: a member has left it out before. */
  joinerFailed(id: Incarnation, leftOut: boolean, now: number): void;
  /** A higher view was prepared somewhere; false if this node is not in it. */
  adoptBase(view: View, merge: boolean, electorates: Electorates, now: number): boolean;
  log(event: string, facts: Record<string, unknown>): void;
}

/** A survey answer with what its header says. */
export type SurveyAnswer = Body<Surveyed> & { readonly installed: ViewId | null };

interface Attempt {
  readonly plan: Plan;
  readonly ballot: ViewId;
  askedAt: number;
  readonly surveyed: Map<Incarnation, SurveyAnswer>;
  /** Set in the second step. */
  proposal: Body<Prepare> | null;
  full: boolean;
  /** Monotonic time by which the last long lease of somebody left out has ended, by who granted. */
  readonly prepared: Map<Incarnation, number>;
}

/**
 * A change of view, as its coordinator drives it:
 *
 *     survey   promise me to prepare nothing below this ballot, and tell what you have prepared
 *     prepare  be bound to this view; from here on nothing is granted to those it leaves out
 *     install  all of its members are bound: it takes effect
 *
 * The survey is what makes the highest prepared view known before anything is proposed, and keeps
 * two coordinators from binding members to two views that each leave the other out:
 *
 *     1. A and B suspect each other, C and D hear both. A's ballot is the higher one.
 *     2. B prepares only after C and D have promised it; each that has promised A refuses B.
 *     3. If B was first with both, A hears of B's view from whoever has prepared it, and gives up.
 *
 * A coordinator that dies in between leaves members that are bound and not installed: the next one
 * learns of the view in its survey, and starts from it.
 */
export class Proposer {
  readonly #hooks: ProposerHooks;
  readonly #pauseMs: number;
  #attempt: Attempt | null = null;
  /** Highest number met in an answer. */
  #highest = 0;
  #retryAt = 0;

  constructor(hooks: ProposerHooks, pauseMs: number) {
    this.#hooks = hooks;
    this.#pauseMs = pauseMs;
  }

  get isActive(): boolean {
    return this.#attempt !== null;
  }

  /** Whether the attempt under way still wants the same members to stay. */
  stillWants(plan: Plan): boolean {
    const attempt = this.#attempt;
    if (attempt === null) return false;
    if (attempt.proposal !== null && sameViewId(attempt.proposal.view.id, plan.base.id)) {
      return sameMembers(attempt.proposal.view.members, plan.stay);
    }
    return (
      sameViewId(attempt.plan.base.id, plan.base.id) && sameMembers(attempt.plan.stay, plan.stay)
    );
  }

  mayStart(now: number): boolean {
    return this.#attempt === null && now >= this.#retryAt;
  }

  abandon(): void {
    this.#attempt = null;
  }

  start(plan: Plan, highest: number, now: number): void {
    this.#highest = Math.max(this.#highest, highest, plan.base.id.number);
    const ballot = { number: this.#highest + 1, coordinator: this.#hooks.self() };
    const attempt: Attempt = {
      plan,
      ballot,
      askedAt: now,
      surveyed: new Map(),
      proposal: null,
      full: false,
      prepared: new Map(),
    };
    this.#attempt = attempt;
    const survey = this.#survey(attempt);
    for (const id of this.#asked(attempt)) this.#hooks.send(id, survey);
    this.surveyed(this.#hooks.self(), this.#hooks.survey(survey, now), now);
  }

  /** Asks those again who have not answered; gives up on joiners that do not. */
  tick(now: number): void {
    const attempt = this.#attempt;
    if (attempt === null || now - attempt.askedAt < this.#pauseMs) return;
    attempt.askedAt = now;
    if (attempt.proposal === null) {
      if (this.#finishSurvey(attempt, now, true)) return;
      const survey = this.#survey(attempt);
      for (const id of this.#asked(attempt)) {
        if (!attempt.surveyed.has(id)) this.#hooks.send(id, survey);
      }
      return;
    }
    for (const { id } of attempt.proposal.view.members) {
      if (!attempt.prepared.has(id)) this.#hooks.send(id, attempt.proposal);
    }
  }

  surveyed(from: Incarnation, answer: SurveyAnswer, now: number): void {
    const attempt = this.#attempt;
    if (attempt === null || attempt.proposal !== null) return;
    if (!sameViewId(answer.ballot, attempt.ballot)) return;
    this.#highest = Math.max(this.#highest, answer.highest);
    if (!answer.promised) {
      this.#fail(now, 'outbid', { by: from });
      return;
    }
    attempt.surveyed.set(from, answer);
    this.#finishSurvey(attempt, now, false);
  }

  prepared(from: Incarnation, answer: Body<Prepared>, now: number): void {
    const attempt = this.#attempt;
    const proposal = attempt?.proposal;
    if (!attempt || !proposal || !sameViewId(answer.id, proposal.view.id)) return;
    if (!idsOf(proposal.view).has(from)) return;
    if (!answer.accepted) {
      this.#fail(now, 'refused', { by: from });
      return;
    }
    attempt.prepared.set(from, now + answer.remainsMs);
    this.#finishPrepare(attempt, proposal, now);
  }

  #survey({ plan, ballot }: Attempt): Body<Survey> {
    const members = this.#everybody(plan).map(({ id }) => id);
    return { kind: 'survey', ballot, base: plan.base.id, members };
  }

  #everybody(plan: Plan): Member[] {
    return [...plan.stay, ...(plan.other?.members ?? []), ...plan.joiners];
  }

  #asked({ plan }: Attempt): Incarnation[] {
    const ids = this.#everybody(plan).map(({ id }) => id);
    return [...ids, ...plan.outsiders].filter((id) => id !== this.#hooks.self());
  }

  /** True when the attempt has gone on to its second step, or has ended. */
  #finishSurvey(attempt: Attempt, now: number, late: boolean): boolean {
    const { plan, surveyed } = attempt;
    if (!plan.stay.every(({ id }) => surveyed.has(id))) return false;
    const isDivided = plan.side !== null && !plan.outsiders.every((id) => surveyed.has(id));
    if (isDivided && !late) return false;
    if (plan.other?.members.some(({ id }) => !surveyed.has(id))) {
      if (late) this.#fail(now, 'other side silent', {});
      return late;
    }
    if (!late && !plan.joiners.every(({ id }) => surveyed.has(id))) return false;
    if (this.#startsTooLow(attempt, now)) return true;
    if (plan.other !== null && !this.#mayUnite(attempt, plan.other)) {
      this.#fail(now, 'sides not ready', {});
      return true;
    }
    if (plan.other !== null && [...surveyed.values()].some(({ mayMerge }) => !mayMerge)) {
      this.#letDiscard(plan.other, now);
      return true;
    }
    const electorates = this.#electorates(attempt);
    if (!this.#wins(attempt, electorates)) {
      if (!late && !plan.outsiders.every((id) => surveyed.has(id))) return false;
      this.#fail(now, 'no majority', {});
      // Nothing that is tried at once will change that.
      this.#retryAt = now + 5 * this.#pauseMs;
      return true;
    }
    this.#propose(attempt, electorates, now);
    return true;
  }

  /**
   * A member has prepared a higher view than the base: what it leaves out cannot come back. But where the base would have
   * united two sides, and a member of the other one was never bound to it, that one has gone on without having met us:
   *
   *     1. A's side is bound to a view with B's side. B's members have promised to prepare it.
   *     2. One of B's has died, or it meets a third side: B promises more, to its own coordinator, and installs that.
   *     3. A is not in it. If A took itself for left out, all that it alone knows would be lost.
   */
  #startsTooLow(attempt: Attempt, now: number): boolean {
    const { plan, surveyed } = attempt;
    const { side } = plan;
    const isVoid =
      side !== null && plan.base.members.some(({ id }) => surveyed.get(id)?.passedOver === true);
    const heeded = plan.outsiders.filter((id) => !isVoid || side.has(id));
    let highest: SurveyAnswer | null = null;
    for (const id of [...plan.stay.map((member) => member.id), ...heeded]) {
      const answer = surveyed.get(id);
      if (answer === undefined || answer.view === null) continue;
      if (compareViewIds(answer.view.id, (highest?.view ?? plan.base).id) > 0) highest = answer;
    }
    if (highest === null) return false;
    const view = highest.view!;
    this.#attempt = null;
    const included = this.#hooks.adoptBase(view, highest.merge, highest.electorates, now);
    this.#hooks.log('view-change-behind', { prepared: view.id.number, included });
    if (included) return true;
    this.#retryAt = now + this.#pauseMs;
    const isOutside = heeded.some((id) => surveyed.get(id) === highest);
    if (side !== null && isOutside) this.#hooks.leftBehind(now);
    return true;
  }

  /** The other side must stand still, in the view we know, and everybody must hear everybody. */
  #mayUnite({ plan, surveyed }: Attempt, other: View): boolean {
    const ours = plan.stay.every(({ id }) => {
      const answer = surveyed.get(id)!;
      return sameViewId(answer.installed, plan.base.id) && answer.missing.length === 0;
    });
    return (
      ours &&
      other.members.every(({ id }) => {
        const answer = surveyed.get(id)!;
        if (answer.missing.length > 0 || answer.departed) return false;
        return sameViewId(answer.installed, other.id) && sameViewId(answer.prepared, other.id);
      })
    );
  }

  /** Deletes were forgotten on either side: the smaller one, which does not propose, gives up what it holds. */
  #letDiscard({ id: view, members }: View, now: number): void {
    for (const { id } of members) this.#hooks.send(id, { kind: 'discard', view });
    this.#fail(now, 'the other side discards', { members: members.length });
    this.#retryAt = now + 5 * this.#pauseMs;
  }

  #electorates({ plan, surveyed }: Attempt): Electorates {
    if (!this.#hooks.majority) return [];
    const ids = plan.base.members.map(({ id }) => id);
    const isInstalled = [...surveyed.values()].some((answer) =>
      sameViewId(answer.installed, plan.base.id),
    );
    if (isInstalled) return [ids];
    const own = surveyed.get(this.#hooks.self())!;
    return addElectorate(own.electorates, ids);
  }

  /**
   * Only those who stay count: who is left out has copies, too, and a majority that goes without most of the others'
   * copies would lose them. (A node that had heard nobody for a while, and is heard again, would else be let go on alone,
   * with the votes of all whom it leaves out.)
   */
  #wins({ plan, surveyed }: Attempt, electorates: Electorates): boolean {
    if (electorates.length > ELECTORATES_MAX) return false;
    const members = this.#everybody(plan).map(({ id }) => id);
    const votes = new Set(members.filter((id) => surveyed.has(id)));
    const isGone = (id: Incarnation): boolean =>
      this.#hooks.isGone(id) || surveyed.get(id)?.departed === true;
    return electorates.every((electorate) => isMajority(electorate, votes, isGone));
  }

  #propose(attempt: Attempt, electorates: Electorates, now: number): void {
    const { plan, surveyed, ballot } = attempt;
    const joiners = this.#admitted(attempt, now);
    const members = [...plan.stay, ...(plan.other?.members ?? []), ...joiners];
    const old = plan.stay.map(({ id }) => surveyed.get(id)!);
    const settled = old.every((answer) => sameViewId(answer.installed, plan.base.id));
    if (settled && sameMembers(members, plan.base.members)) {
      this.#fail(now, 'nothing to change', {});
      return;
    }
    // A merge goes on through views until it is resolved everywhere.
    const merge = plan.other !== null || old.some((answer) => answer.merge);
    attempt.full = merge || !settled || old.some((answer) => !answer.known);
    const proposal: Body<Prepare> = {
      kind: 'prepare',
      view: followingView(plan.base, ballot, members.slice(0, MEMBERS_MAX)),
      merge,
      dead: plan.dead,
      electorates,
    };
    attempt.proposal = proposal;
    attempt.askedAt = now;
    const self = this.#hooks.self();
    // First here: another coordinator may have outbid this ballot since the survey.
    const own = this.#hooks.prepare(proposal, now);
    if (!own.accepted) {
      this.#fail(now, 'outbid', { by: self });
      return;
    }
    for (const { id } of proposal.view.members) if (id !== self) this.#hooks.send(id, proposal);
    this.prepared(self, own, now);
  }

  /** The joiners that hold the leases of everybody, and everybody theirs. */
  #admitted({ plan, surveyed }: Attempt, now: number): Member[] {
    const admitted: Member[] = [];
    for (const joiner of plan.joiners) {
      const answer = surveyed.get(joiner.id);
      const old = [...plan.stay, ...admitted];
      const leftOut = [...surveyed.values()].some((other) => other.leftOut.includes(joiner.id));
      const isConnected =
        answer !== undefined &&
        !leftOut &&
        this.#isFree(plan, surveyed, answer) &&
        old.every(
          ({ id }) =>
            !answer.missing.includes(id) && !surveyed.get(id)!.missing.includes(joiner.id),
        );
      if (isConnected) admitted.push(joiner);
      else this.#hooks.joinerFailed(joiner.id, leftOut, now);
    }
    return admitted;
  }

  /**
   * A joiner that is bound to no view; or to one that came to nothing, as one of its members is
   * among us, has not prepared it, and by its answer never will.
   */
  #isFree(
    plan: Plan,
    surveyed: ReadonlyMap<Incarnation, SurveyAnswer>,
    joiner: SurveyAnswer,
  ): boolean {
    if (joiner.installed !== null) return false;
    const { view } = joiner;
    if (view === null) return joiner.prepared === null;
    return plan.stay.some(({ id }) => {
      const isIn = view.members.some((member) => member.id === id);
      return isIn && !sameViewId(surveyed.get(id)!.prepared, view.id);
    });
  }

  #finishPrepare(attempt: Attempt, proposal: Body<Prepare>, now: number): void {
    const { prepared, full } = attempt;
    const { view, merge } = proposal;
    if (!view.members.every(({ id }) => prepared.has(id))) return;
    this.#attempt = null;
    let until = now;
    for (const end of prepared.values()) until = Math.max(until, end);
    const remainsMs = until - now;
    const lost = this.#hooks.lost();
    for (const { id } of view.members) {
      if (id === this.#hooks.self()) continue;
      this.#hooks.send(id, { kind: 'install', id: view.id, full, merge, remainsMs, lost });
    }
    this.#hooks.install(view.id, full, merge, remainsMs, now);
  }

  #fail(now: number, reason: string, facts: Record<string, unknown>): void {
    const attempt = this.#attempt!;
    this.#attempt = null;
    this.#retryAt = now + this.#pauseMs / 2;
    const { number } = attempt.ballot;
    this.#hooks.log('view-change-failed', { number, reason, ...facts });
  }
}
