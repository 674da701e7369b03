import type { Incarnation, Member, ViewId } from '../member.js';
import type { Timing } from './timing.js';
import { sameViewId } from './views.js';

/** Nodes outside the view that a member keeps links to, at most. */
export const CANDIDATES_MAX = 256;

/** Pause after a proposal that failed because of a joiner, doubling up to node-timeout times ... */
const RETRY_HEARTBEATS = 2;
const RETRY_DOUBLINGS_MAX = 5;

interface Candidate {
  readonly member: Member;
  /** The view all of whose members grant to it, as it said last, and when. */
  known: ViewId | null;
  knownAt: number;
  failures: number;
  retryAt: number;
}

/**
 * Nodes in no view that want to join ours. One is proposed once it holds the leases of every member;
 * whether every member holds its lease is asked in the survey, and one that fails there waits.
 */
export class Candidates {
  readonly #timing: Timing;
  readonly #byId = new Map<Incarnation, Candidate>();
  #readySince = Number.POSITIVE_INFINITY;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  get members(): Member[] {
    return [...this.#byId.values()].map(({ member }) => member);
  }

  has(id: Incarnation): boolean {
    return this.#byId.has(id);
  }

  /** False when there are too many. */
  add(member: Member): boolean {
    if (this.#byId.has(member.id)) return true;
    if (this.#byId.size >= CANDIDATES_MAX) return false;
    const at = Number.NEGATIVE_INFINITY;
    this.#byId.set(member.id, { member, known: null, knownAt: at, failures: 0, retryAt: at });
    return true;
  }

  remove(id: Incarnation): boolean {
    return this.#byId.delete(id);
  }

  clear(): void {
    this.#byId.clear();
  }

  /** It holds the leases of all members of that view (null: not of all). */
  said(id: Incarnation, known: ViewId | null, now: number): void {
    const candidate = this.#byId.get(id);
    if (candidate === undefined) return;
    candidate.known = known;
    candidate.knownAt = now;
  }

  /**
   * Who is to be proposed now. Every view makes copies move, so nodes that come together are waited
   * for: while some are not ready yet, those that are wait for a heartbeat.
   */
  ready(installed: ViewId, now: number): Member[] {
    const freshMs = 3 * this.#timing.heartbeatMs;
    const ready = [...this.#byId.values()].filter(
      ({ known, knownAt, retryAt }) =>
        sameViewId(known, installed) && now - knownAt <= freshMs && now >= retryAt,
    );
    if (ready.length === 0) {
      this.#readySince = Number.POSITIVE_INFINITY;
      return [];
    }
    this.#readySince = Math.min(this.#readySince, now);
    const waitMs = ready.length < this.#byId.size ? this.#timing.heartbeatMs : 0;
    if (now - this.#readySince < waitMs) return [];
    return ready.map(({ member }) => member);
  }

  failed(id: Incarnation, now: number): void {
    const candidate = this.#byId.get(id);
    if (candidate === undefined) return;
    const doublings = Math.min(candidate.failures, RETRY_DOUBLINGS_MAX);
    candidate.retryAt = now + RETRY_HEARTBEATS * this.#timing.heartbeatMs * 2 ** doublings;
    candidate.failures++;
  }
}
