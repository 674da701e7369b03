import type { ClusterConfig } from './cluster-config.js';
import type { ClusterState } from './cluster-state.js';
import type { AwaitedPart, Incarnation, NodeStatus, SnapshotOffer, View } from './member.js';
import { MEMBERS_MAX } from './membership/views.js';

/** How far a node is with its part of a snapshot. */
export const SnapshotPhase = {
  /** For the other parts, and for a view. */
  Waiting: 0,
  /** Nothing speaks against loading it. Nobody begins before all say so: who is yet to decide must not find keys already. */
  Agreed: 1,
  /** What was primary when it was written is being loaded. */
  Primaries: 2,
  /** Waits until all parts are as far: whatever was primary somewhere is newer than any backup of it. */
  PrimariesLoaded: 3,
  Backups: 4,
  Loaded: 5,
  /** It will not be loaded. Told, so that nobody waits for it. */
  Aside: 6,
} as const;
export type SnapshotPhase = (typeof SnapshotPhase)[keyof typeof SnapshotPhase];

const LOADING = 'LOADING Tandis is loading the dataset in memory';

/** Parts that others load which are remembered; beyond that who loads one is not waited for when it is lost. */
const AWAITED_MAX = MEMBERS_MAX;
/** A part that is not waited for any more, whatever others say who have not heard of that yet. */
const OVER = Number.NEGATIVE_INFINITY;

/** What to do with the file of this node now; `aside`: it is not to be loaded, for that reason. */
export type SnapshotStep =
  | { readonly kind: 'wait' | 'backups' }
  /** `absent`: parts that are not waited for any more, as who was to write them has stopped or died. */
  | { readonly kind: 'primaries'; readonly absent: readonly Incarnation[] }
  | { readonly kind: 'aside'; readonly reason: string };

const WAIT: SnapshotStep = { kind: 'wait' };
const aside = (reason: string): SnapshotStep => ({ kind: 'aside', reason });

/** All members of the last view of a cluster that was stopped as a whole name that as one set, each with a part of its own. */
export function setOf({ id, seed }: View): string {
  return `${seed}-${id.number}-${id.coordinator}`;
}

/**
 * Whether a snapshot may be loaded, and who serves meanwhile (docs/decisions/0031). Members tell each other with their
 * status which parts they have, how far they are, and whether they have served any command on keys in this life.
 *
 *   1. P has a part, and tells so from its first ping on.
 *   2. Q hears of it and has served nothing: it serves nothing before that is loaded. Or it has, and says so with its pong.
 *   3. P is in a view: it holds Q's lease, hence a pong to a ping that told of the part. So P knows of Q's choice.
 */
export class SnapshotOffers {
  own: SnapshotOffer | null = null;
  /** Commands on keys are served, or were: nothing is loaded in this cluster any more. Asked for every command. */
  isOpen = false;
  readonly #state: ClusterState;
  readonly #timeoutMs: number;
  readonly #expect: number;
  #waitsSince = Number.NaN;
  /** Of the set that is loaded, the parts that are done without. */
  #absent: readonly Incarnation[] = [];
  /** What this node has loaded, as another incarnation, is nothing that speaks against loading it. */
  #hasBegun = false;
  /** Parts that others are to load, how far they were, and until when they are waited for: their nodes may be gone for a moment. */
  readonly #awaited = new Map<Incarnation, { readonly until: number; readonly phase: number }>();

  constructor(state: ClusterState, { snapshotTimeoutMs, expect }: ClusterConfig) {
    this.#state = state;
    this.#timeoutMs = snapshotTimeoutMs;
    this.#expect = expect;
  }

  status(): Pick<NodeStatus, 'opened' | 'snapshot' | 'awaited'> {
    const awaited = this.isOpen ? [] : this.#awaitedParts();
    return {
      ...(this.isOpen ? { opened: 1 } : {}),
      ...(this.own === null ? {} : { snapshot: this.own }),
      ...(awaited.length === 0 ? {} : { awaited }),
    };
  }

  /** The error text for commands while a snapshot is loaded; null when there is none to wait for. */
  refusal(): string | null {
    if (this.isOpen) return null;
    if (this.isPending) return LOADING;
    const { membership, now } = this.#state;
    for (const { snapshot } of membership.heardStatuses()) this.#offered(snapshot);
    return [...this.#awaited.values()].some(({ until }) => until > now) ? LOADING : null;
  }

  /** A part is to be loaded here, or is being loaded. */
  get isPending(): boolean {
    return isPending(this.own);
  }

  /**
   * Another node has told its facts. Who loads the only part may die, or freeze, and come again: if the others served
   * meanwhile all of it would be lost. So it is waited for, as long as for a part that does not come, also by those who
   * have never heard it themselves:
   *
   *     1. P, who has the only part, is let into the view. All have heard of it; P is killed.
   *     2. N joins them. By what they say N waits as well, and for no longer.
   *     3. P comes again. Nobody has served.
   */
  heard({ opened, snapshot, awaited }: NodeStatus, isMember: boolean): void {
    // Nothing is loaded there any more: whoever waits for that would wait in vain, and whoever survives is to say so.
    if (opened === 1 && isMember && !this.isPending) this.isOpen = true;
    if (this.isOpen) return;
    this.#offered(snapshot);
    const { now } = this.#state;
    for (const { part, remainsMs, phase } of awaited ?? [])
      if (part !== this.own?.part && !this.#awaited.has(part))
        this.#await(part, now + Math.min(remainsMs, this.#timeoutMs), phase);
  }

  #offered(snapshot: SnapshotOffer | undefined): void {
    if (snapshot === undefined) return;
    const { part } = snapshot;
    if (!isPending(snapshot)) return this.#await(part, OVER, snapshot.phase);
    // Its process may have begun anew, and knows nothing of how far it had been.
    const phase = Math.max(snapshot.phase, this.#awaited.get(part)?.phase ?? 0);
    this.#await(part, this.#state.now + this.#timeoutMs, phase);
  }

  #await(part: Incarnation, until: number, phase: number): void {
    if (!this.#awaited.has(part) && this.#awaited.size >= AWAITED_MAX) {
      const { now } = this.#state;
      const over = [...this.#awaited].find(([, one]) => one.until <= now);
      if (over === undefined) return;
      this.#awaited.delete(over[0]);
    }
    this.#awaited.set(part, { until, phase });
  }

  #awaitedParts(): AwaitedPart[] {
    const { now } = this.#state;
    const parts = [...this.#awaited].map(([part, { until, phase }]) => {
      return { part, remainsMs: until - now, phase };
    });
    return parts.filter(({ remainsMs }) => remainsMs > 0);
  }

  /** A command on keys is about to run. */
  open(): void {
    this.isOpen = true;
  }

  /** Whether a command may run that has waited since this node was another incarnation: no snapshot is to be loaded first. */
  mayServe(): boolean {
    this.isOpen ||= this.#state.view !== null && this.refusal() === null;
    return this.isOpen;
  }

  /**
   * This node holds nothing any more, as one whose process has just begun. What it has served or loaded speaks against no
   * other snapshot:
   *
   *     1. Q is left out. The others stop as a whole, and come again, each with its part.
   *     2. Q joins them. If it said that it has served, or loaded another one, they would set their parts aside.
   */
  excluded(): void {
    this.isOpen = false;
    if (!this.isPending) this.own = null;
  }

  entered(phase: SnapshotPhase): void {
    if (this.own !== null) this.own = { ...this.own, phase };
    this.#waitsSince = Number.NaN;
  }

  /** Loading was broken off: it is asked anew whether it may be. */
  interrupted(): void {
    this.#hasBegun = true;
    this.entered(SnapshotPhase.Waiting);
  }

  /** The file is set aside. */
  drop(): void {
    this.entered(SnapshotPhase.Aside);
  }

  /**
   * What has been begun must not go on: somebody has served, or is missed and may be serving elsewhere, and keys that are
   * loaded here would be newer than what was changed there. Asked for every key.
   */
  get mustStop(): boolean {
    const { membership, view } = this.#state;
    if (this.own === null || view === null || this.isOpen) return true;
    const statuses = view.members.flatMap(({ id }) => membership.statusOf(id) ?? []);
    return this.#isAnyMissing(statuses) || statuses.some(isOpened);
  }

  /** Asked with every tick. */
  step(): SnapshotStep {
    const { own } = this;
    const { view, isServing, now } = this.#state;
    if (own === null || view === null || !isServing) return WAIT;
    if (own.phase === SnapshotPhase.Primaries || own.phase >= SnapshotPhase.Backups) return WAIT;
    if (Number.isNaN(this.#waitsSince)) this.#waitsSince = now;
    const isLate = now - this.#waitsSince >= this.#timeoutMs;
    const statuses = this.#others(view);
    if (statuses === null) return WAIT;
    const others = statuses.flatMap(({ snapshot }) => snapshot ?? []);
    return own.phase === SnapshotPhase.PrimariesLoaded
      ? this.#goOn(own, others, isLate)
      : this.#begin(own, statuses, others, isLate);
  }

  #begin(
    own: SnapshotOffer,
    statuses: readonly NodeStatus[],
    others: readonly SnapshotOffer[],
    isLate: boolean,
  ): SnapshotStep {
    const phases = this.#phases(own, others);
    // By a process of this node that has died since: the keys that others hold are what it had loaded.
    const wasBegun =
      own.phase === SnapshotPhase.Waiting &&
      statuses.some((status) => isAgreed(status, (part) => part === own.part));
    const isBegun = isUnderWay(phases) || wasBegun;
    const reason = this.#objection(own, statuses, others, isBegun || this.#hasBegun);
    if (reason !== null) return aside(reason);
    if (this.#isAnyMissing(statuses)) {
      return isLate ? aside('members are missing that may have gone on without it') : WAIT;
    }
    const isRival = (part: Incarnation): boolean => !own.parts.includes(part);
    if (!isBegun && statuses.some((status) => isAgreed(status, isRival)))
      return isLate ? aside('another snapshot was to be loaded') : WAIT;
    const absent = own.parts.filter((part) => !phases.has(part));
    const { dead, stopped } = fates([own, ...others], own.set);
    const isGivenUp = (part: Incarnation): boolean => isLate || this.#absent.includes(part);
    const isComplete = absent.every(
      (part) => dead.has(part) || (stopped.has(part) && isGivenUp(part)),
    );
    const areAll = (phase: SnapshotPhase): boolean =>
      isComplete && own.parts.every((part) => (phases.get(part) ?? phase) >= phase);
    // Who has begun knew that all parts were there that are needed, also if one of them is gone by now.
    const isKnown = statuses.every((status) => isAgreed(status, (part) => part === own.part));
    if (isBegun || (isKnown && areAll(SnapshotPhase.Agreed))) {
      this.#absent = absent;
      return { kind: 'primaries', absent };
    }
    // A cluster begins with one member: who joins it in a moment may have a later snapshot.
    const areHere = this.#state.view!.members.length >= this.#expect;
    if (own.phase === SnapshotPhase.Waiting && isComplete && areHere) {
      this.#absent = absent;
      this.entered(SnapshotPhase.Agreed);
      return WAIT;
    }
    return isLate ? aside('some of its parts did not come') : WAIT;
  }

  #goOn(own: SnapshotOffer, others: readonly SnapshotOffer[], isLate: boolean): SnapshotStep {
    const phases = this.#phases(own, others);
    const isLoaded = (part: Incarnation): boolean => {
      const phase = phases.get(part);
      if (phase === undefined) return this.#absent.includes(part);
      return phase >= SnapshotPhase.PrimariesLoaded;
    };
    return own.parts.every(isLoaded) || isLate ? { kind: 'backups' } : WAIT;
  }

  #isAnyMissing(statuses: readonly NodeStatus[]): boolean {
    const own = this.#state.membership.membersMissing();
    return own > 0 || statuses.some(({ membersMissing }) => membersMissing > 0);
  }

  /** By part of the same set. */
  #phases(own: SnapshotOffer, others: readonly SnapshotOffer[]): Map<Incarnation, number> {
    const outdated = outdatedParts([own, ...others], own.set);
    const phases = new Map<Incarnation, number>([[own.part, own.phase]]);
    for (const { set, part, phase } of others)
      if (set === own.set && phase !== SnapshotPhase.Aside && !outdated.has(part))
        phases.set(part, phase);
    return phases;
  }

  /** Why none of this set may be begun with. */
  #objection(
    own: SnapshotOffer,
    statuses: readonly NodeStatus[],
    others: readonly SnapshotOffer[],
    isUnderWay: boolean,
  ): string | null {
    if (this.isOpen || statuses.some(isOpened)) return 'the cluster has gone on without it';
    if (outdatedParts([own, ...others], own.set).has(own.part))
      return 'the others had gone on without it before they stopped';
    if (isUnderWay || own.phase === SnapshotPhase.Agreed) return null;
    const rivals = others.filter(
      ({ set, phase }) => set !== own.set && phase !== SnapshotPhase.Aside,
    );
    if (rivals.some(({ phase }) => phase !== SnapshotPhase.Waiting))
      return 'another snapshot is loaded';
    if (isBeaten(own, [own, ...others])) return 'a later snapshot is there';
    const keys = statuses.reduce((sum, { primaries, backups }) => sum + primaries + backups, 0);
    return keys + this.#state.store.size > 0 ? 'the cluster holds keys' : null;
  }

  /** The statuses of all other members; null while one was not heard. */
  #others(view: View): NodeStatus[] | null {
    const { membership, self } = this.#state;
    const statuses: NodeStatus[] = [];
    for (const { id } of view.members) {
      if (id === self.id) continue;
      const status = membership.statusOf(id);
      if (status === undefined) return null;
      statuses.push(status);
    }
    return statuses;
  }
}

/** Another part is being loaded: that this set is the one was decided there. */
function isUnderWay(phases: ReadonlyMap<Incarnation, number>): boolean {
  return [...phases.values()].some(
    (phase) => phase > SnapshotPhase.Agreed && phase < SnapshotPhase.Loaded,
  );
}

/** Who had died, or was gone on without, and who had stopped, by the word of any part of that set. */
function fates(offers: readonly SnapshotOffer[], set: string) {
  const parts = offers.filter((offer) => offer.set === set);
  const gone = parts.flatMap((part) => (isMajority(part) ? leftOutBy(part) : []));
  return {
    dead: new Set([...parts.flatMap(({ dead }) => dead), ...gone, ...outdatedParts(offers, set)]),
    stopped: new Set(parts.flatMap(({ stopped }) => stopped)),
  };
}

const leftOutBy = ({ leftOut = [] }: SnapshotOffer): readonly Incarnation[] => leftOut;

/** Nobody whom it has gone on without can have been on a larger side. */
const isMajority = (offer: SnapshotOffer): boolean =>
  2 * leftOutBy(offer).length < offer.parts.length;

/**
 * Parts of that set which are older than others, whose writers had gone on without theirs:
 *
 *     1. X is cut off as all stop. The others leave it out, serve, and stop.
 *     2. X ends when it has waited long enough, and writes what it had.
 *
 * A smaller side that has gone on, as it may under `available`, does not have all that the larger one has.
 */
function outdatedParts(offers: readonly SnapshotOffer[], set: string): Set<Incarnation> {
  const parts = offers.filter((offer) => offer.set === set);
  const isOutdated = (one: SnapshotOffer): boolean =>
    parts.some((other) => leftOutBy(other).includes(one.part) && isAhead(other, one));
  return new Set(parts.filter(isOutdated).map(({ part }) => part));
}

/** Of two halves the one that the other one does not name, else the one with the first of all. */
function isAhead(one: SnapshotOffer, other: SnapshotOffer): boolean {
  const isHalf = 2 * leftOutBy(one).length === one.parts.length;
  if (!isHalf || !leftOutBy(other).includes(one.part)) return isHalf || isMajority(one);
  return !leftOutBy(one).includes(one.parts[0]!);
}

/** Whether that node waits for such a part, and has heard that it is about to be loaded, or is. */
function isAgreed({ awaited = [] }: NodeStatus, isSuch: (part: Incarnation) => boolean): boolean {
  return awaited.some(({ part, phase }) => isSuch(part) && phase >= SnapshotPhase.Agreed);
}

const isOpened = ({ opened }: NodeStatus): boolean => opened === 1;

/**
 * Whether a set of another name is later: of one cluster by its view, of two clusters, and of two sides of one that have
 * counted their views alike, by the clocks. Exactly one of all sets is beaten by none.
 */
function isBeaten(own: SnapshotOffer, offers: readonly SnapshotOffer[]): boolean {
  const writtenAt = (set: string): number =>
    Math.max(...offers.filter((offer) => offer.set === set).map(({ at }) => at));
  return offers.some((rival) => {
    if (rival.set === own.set) return false;
    if (rival.seed === own.seed && rival.number !== own.number) return rival.number > own.number;
    const difference = writtenAt(rival.set) - writtenAt(own.set);
    return difference === 0 ? rival.set > own.set : difference > 0;
  });
}

function isPending(offer: SnapshotOffer | null | undefined): boolean {
  return offer != null && offer.phase < SnapshotPhase.Loaded;
}
