import type { Address, Incarnation, Install, Member, NodeStatus, View } from '../member.js';
import type { ControlMessage } from './messages.js';

/** The outside of the membership machine: control links. A link is a number given by the host. */
export interface MembershipHost {
  /** Opens a control connection; `linkOpened` or `linkClosed` follows, never before `dial` has returned. */
  dial(address: Address): number;
  /** Messages on one link arrive in order or not at all; sending on a closed link does nothing. */
  send(link: number, message: ControlMessage): void;
  close(link: number): void;
  /** 40 random hexadecimal characters (from the seed in a simulation). */
  randomId(): Incarnation;
  /** One line for the log: an event name and facts. */
  log(level: 'info' | 'warn', event: string, facts: Record<string, unknown>): void;
}

/** How a control connection ended. Only `refused` can be part of a proof of death. */
export type LinkEnd = 'refused' | 'reset' | 'timeout' | 'unreachable' | 'closed';

/** What membership tells the rest of the node. Called synchronously. */
export interface MembershipListener {
  /** From now on, nothing of members that are not in `view` is accepted: their data streams are closed. */
  prepared(view: View): void;
  installed(install: Install): void;
  /**
   * The others went on without this incarnation. The listener discards every copy; the machine has already taken the
   * new incarnation `self` and joins anew with it.
   */
  excluded(self: Member): void;
  /** Facts to send with heartbeats. */
  status(): NodeStatus;
  /** Whether every slot that this node anchors in the installed view is known. */
  isKnown(): boolean;
}

/** What the rest of the node asks membership. Times are monotonic milliseconds. */
export interface MembershipView {
  readonly self: Member;
  /** The installed view, null before the first one. */
  readonly view: View | null;
  /**
   * Monotonic time up to which this node may serve, grant and acknowledge: it holds the long lease T of every other
   * member that counts. Infinity when it is alone; 0 when it may not serve.
   */
  servesUntil(): number;
  /** Monotonic time up to which the short lease L of that member is held. */
  readsUntil(id: Incarnation): number;
  /** Monotonic time at which the last short lease granted *to* that member has run out; 0 with proof of its death. */
  grantEnds(id: Incarnation): number;
  /** The last status heard from a member. */
  statusOf(id: Incarnation): NodeStatus | undefined;
  /** The stream to that member was stuck twice: the link counts as broken. */
  dataLinkBroken(id: Incarnation, now: number): void;
  /** Asks the others to mark this node as leaving. */
  leave(now: number): void;
  /** Says goodbye: nothing is held here any more. */
  goodbye(now: number): void;
}
