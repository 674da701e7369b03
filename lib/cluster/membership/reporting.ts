import type { Incarnation, Member, NodeStatus } from '../member.js';
import type { OwnReach } from './connection.js';
import type { Ping, Pong, Report } from './messages.js';
import type { Heard, Peer } from './peers.js';
import type { State } from './state.js';
import { compareViewIds, sameViewId } from './views.js';

/** What reports need of the rest of the machine. */
export interface ReportingHooks {
  status(): NodeStatus;
  /** Which members this node does not hear. */
  reach(now: number): OwnReach;
  /** Of the view that this node wants to join: who answers it. */
  hears(): Incarnation[];
  /** Nodes that everybody is to connect to, if this node coordinates. */
  toName(): Member[];
  /** Members that are gone for good, as an operator has told that peer. */
  told(ids: readonly Incarnation[]): void;
  /** A peer has said what it sees, for the first time or again. */
  heard(peer: Peer, report: Report, now: number): void;
}

/** What members tell each other about themselves with every ping and pong. */
export class Reporting {
  readonly #state: State;
  readonly #hooks: ReportingHooks;
  /** Wall minus monotonic time, as of the last input that told both. */
  #wallOffsetMs = 0;
  #report: Report | null = null;
  #reportedAt = Number.NaN;
  #reports = 0;

  constructor(state: State, hooks: ReportingHooks) {
    this.#state = state;
    this.#hooks = hooks;
  }

  observe(now: number, wall: number): void {
    this.#wallOffsetMs = wall - now;
  }

  /** What was told in this moment is not what holds now. */
  changed(): void {
    this.#report = null;
  }

  /** The report of this node: one for all who are told at one moment. */
  own(now: number): Report {
    if (this.#report !== null && this.#reportedAt === now) return this.#report;
    const { silent, lost } = this.#hooks.reach(now);
    const { participant, self, toldGone } = this.#state;
    this.#reportedAt = now;
    this.#report = {
      serial: ++this.#reports,
      prepared: participant.prepared?.id ?? null,
      silent: [...silent],
      lost: [...lost],
      hears: this.#hooks.hears(),
      leaving: self.leaving,
      status: this.#hooks.status(),
      wallMs: now + this.#wallOffsetMs,
      candidates: this.#hooks.toName(),
      ...(toldGone.size === 0 ? {} : { forgotten: [...toldGone] }),
    };
    return this.#report;
  }

  /** A report of a peer; older ones than the last are dropped. */
  received(peer: Peer, message: Ping | Pong, now: number): void {
    const { report } = message;
    const before = peer.heard;
    if (before !== null && report.serial < before.serial) return;
    peer.heard = {
      serial: report.serial,
      installed: message.installed,
      prepared: report.prepared,
      seed: message.seed,
      includes: message.includes,
      silent: setOf(report.silent),
      lost: setOf(report.lost),
      hears: this.#hasGoneOn(message) ? (before?.hears ?? NOBODY) : setOf(report.hears),
      leaving: report.leaving,
      status: report.status,
      wallOffsetMs: report.wallMs - now,
    };
    this.#state.toldGone.delete(peer.member.id);
    if (report.forgotten !== undefined) this.#hooks.told(report.forgotten);
    if (isNews(before, report)) this.#state.needsReview = true;
    this.#hooks.heard(peer, report, now);
  }

  /**
   * A node that was about to join is in a view without this one. Whom it heard of ours then went on with it, so far as is
   * known here.
   */
  #hasGoneOn(message: Ping | Pong): boolean {
    const { prepared } = this.#state.participant;
    if (message.installed === null || message.includes || prepared === null) return false;
    return message.seed === prepared.seed && compareViewIds(message.installed, prepared.id) > 0;
  }

  /**
   * The median of the members' wall clocks, Unix milliseconds, given our own. Theirs are known as offsets to the own
   * monotonic clock: what was heard before the own wall clock jumped is as good as what is heard after it.
   */
  medianClockMs(wall: number): number {
    const { participant, peers } = this.#state;
    const offsets = [this.#wallOffsetMs];
    for (const { id } of participant.installed?.members ?? []) {
      const heard = peers.get(id)?.heard;
      if (heard != null) offsets.push(heard.wallOffsetMs);
    }
    offsets.sort((a, b) => a - b);
    return wall - this.#wallOffsetMs + offsets[(offsets.length - 1) >> 1]!;
  }
}

/** Whether it may call for another view: who hears whom, who leaves, what is prepared. */
function isNews(before: Heard | null, report: Report): boolean {
  return (
    before === null ||
    report.silent.length + report.lost.length + before.silent.size + before.lost.size > 0 ||
    report.leaving !== before.leaving ||
    !sameViewId(report.prepared, before.prepared)
  );
}

const NOBODY: ReadonlySet<Incarnation> = new Set();

function setOf(ids: readonly Incarnation[]): ReadonlySet<Incarnation> {
  return ids.length === 0 ? NOBODY : new Set(ids);
}
