import type { Incarnation } from '../member.js';
import { CLOCK_DRIFT, type Timing } from './timing.js';

interface Lease {
  short: number;
  long: number;
}

interface Grant extends Lease {
  /** Whether the holder was ever in a view prepared here: only such a one can have served. */
  member: boolean;
}

/**
 * The leases of one node: those it holds, counted from the sending of the ping that earned them,
 * and those it has granted, counted from the pong and stretched for drift, so that a grant is
 * remembered until after its holder has stopped relying on it.
 */
export class Leases {
  readonly #timing: Timing;
  readonly #held = new Map<Incarnation, Lease>();
  readonly #granted = new Map<Incarnation, Grant>();

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** A pong with a grant answered the ping sent at `sentAt`. */
  hold(id: Incarnation, sentAt: number): void {
    const short = sentAt + this.#timing.shortLeaseMs;
    const long = sentAt + this.#timing.longLeaseMs;
    const lease = this.#held.get(id);
    if (lease === undefined) {
      this.#held.set(id, { short, long });
      return;
    }
    lease.short = Math.max(lease.short, short);
    lease.long = Math.max(lease.long, long);
  }

  shortHeld(id: Incarnation): number {
    return this.#held.get(id)?.short ?? 0;
  }

  longHeld(id: Incarnation): number {
    return this.#held.get(id)?.long ?? 0;
  }

  /** This node slept, or its clock stood still: nothing it holds can be trusted. */
  voidHeld(): void {
    this.#held.clear();
  }

  grant(id: Incarnation, now: number, member: boolean): void {
    const { shortLeaseMs, longLeaseMs, clockStepMs } = this.#timing;
    const short = now + shortLeaseMs * CLOCK_DRIFT + clockStepMs;
    const long = now + longLeaseMs * CLOCK_DRIFT + clockStepMs;
    const grant = this.#granted.get(id);
    if (grant === undefined) {
      this.#granted.set(id, { short, long, member });
      return;
    }
    grant.short = short;
    grant.long = long;
    grant.member ||= member;
  }

  shortGranted(id: Incarnation): number {
    return this.#granted.get(id)?.short ?? 0;
  }

  longGranted(id: Incarnation): number {
    return this.#granted.get(id)?.long ?? 0;
  }

  /** Proof of death: whatever was granted to it is over. */
  dropGranted(id: Incarnation): void {
    this.#granted.delete(id);
  }

  markMembers(ids: ReadonlySet<Incarnation>): void {
    for (const [id, grant] of this.#granted) if (ids.has(id)) grant.member = true;
  }

  /** Latest end of a long lease granted to a one-time member that is not among `ids`; 0 for none. */
  lastGrantOutside(ids: ReadonlySet<Incarnation>): number {
    let last = 0;
    for (const [id, grant] of this.#granted) {
      if (grant.member && !ids.has(id)) last = Math.max(last, grant.long);
    }
    return last;
  }

  /** This node is another incarnation now: nothing was granted to it, or by it. */
  clear(): void {
    this.#held.clear();
    this.#granted.clear();
  }

  /** Forgets what has run out. */
  expire(now: number): void {
    for (const [id, grant] of this.#granted) if (grant.long <= now) this.#granted.delete(id);
    for (const [id, lease] of this.#held) if (lease.long <= now) this.#held.delete(id);
  }
}
