import type { Address, Incarnation, Install, Member, NodeStatus, View } from '../member.js';
import type { Proof } from './departed.js';
import type { ForgetOutcome } from './forgetting.js';
import type { ControlMessage } from './messages.js';

/** What the operator chose; all but the timeout decides how a cluster comes to be. */
export interface MembershipConfig {
  readonly nodeTimeoutMs: number;
  readonly partitionPolicy: 'available' | 'majority';
  /** Whether join addresses were given at all: a node without any forms a view alone, at once. */
  readonly joinListGiven: boolean;
  /** The first view is formed only when so many nodes hear each other; 0 or 1 for no such wait. */
  readonly expect: number;
}

/** Where the join addresses lead now. */
export interface JoinAddresses {
  readonly addresses: readonly Address[];
  /** Names that no address is known of at the moment. */
  readonly unresolved: number;
}

/** The outside of the membership machine: control links. A link is a number given by the host. */
export interface MembershipHost {
  /** Opens a control connection; `linkOpened` or `linkClosed` follows, never before `dial` has returned. */
  dial(address: Address): number;
  /** Messages on one link arrive in order or not at all; sending on a closed link does nothing. */
  send(link: number, message: ControlMessage): void;
  /** What was sent before is still delivered; no `linkClosed` follows. */
  close(link: number): void;
  /** All join addresses, with names resolved as of now; asked every tick while in no view. */
  joinAddresses(): JoinAddresses;
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
  /** A member has said goodbye. It hears this node until this returns. */
  saidGoodbye(): void;
  /**
   * The others went on without this incarnation. The listener discards every copy; the machine has already taken the
   * new incarnation `self` and joins anew with it.
   */
  excluded(self: Member): void;
  /** Facts to send with heartbeats. */
  status(): NodeStatus;
  /** Another node has told its facts; `isMember`: one of the installed view. */
  heard(id: Incarnation, status: NodeStatus, isMember: boolean): void;
  /** Whether every slot that this node anchors in the installed view is known. */
  isKnown(): boolean;
  /** Whether sides of a partition have met, and some slot is not resolved here yet. */
  isMerging(): boolean;
  /** Whether all deletes are known since the members that are missing were lost: else those must discard what they hold. */
  mayMerge(): boolean;
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
  /** Under `majority`: this node serves nothing, and reaches too few members to go on with. */
  isDown(now: number): boolean;
  /** Monotonic time up to which the short lease L of that member is held. */
  readsUntil(id: Incarnation): number;
  /** Monotonic time at which the last short lease granted *to* that member has run out; 0 with proof of its death. */
  grantEnds(id: Incarnation): number;
  /** Members left out without a proof of death, which may be serving on the other side of a partition. */
  membersMissing(): number;
  /** Those members, under either policy; who has said goodbye, or was met as another incarnation, is not one. */
  missingMembers(): readonly Member[];
  /** An operator says that a member is gone for good; `certain`: its process does not run, wherever it is. */
  forget(id: Incarnation, certain: boolean, now: number): ForgetOutcome;
  /** Of all nodes that answer, and of all members of the view that this node is bound to, also those that are silent. */
  heardStatuses(): NodeStatus[];
  /** The last status heard from a member. */
  statusOf(id: Incarnation): NodeStatus | undefined;
  /** That member has not answered on its control link for a while: a fresh connection to it is being tried. */
  isSilent(id: Incarnation): boolean;
  /** The stream to that member was stuck twice: the link counts as broken. */
  dataLinkBroken(id: Incarnation, now: number): void;
  /** The stream that counted as broken goes on. */
  dataLinkWhole(id: Incarnation, now: number): void;
  /** Asks the others to mark this node as leaving. */
  leave(now: number): void;
  /** Takes `leave` back; not after `goodbye`. */
  stay(now: number): void;
  /** Sends every member a heartbeat at once: what it tells with it has changed. */
  tell(now: number): void;
  /** Whether all other members that count have answered a ping that was sent at that time, or later. */
  haveAnsweredSince(time: number): boolean;
  /** Says goodbye, with everything handed over, or with nobody to hand it to. From then on this node serves nothing. */
  goodbye(now: number, hasHandedOver: boolean): void;
  /** Whether `goodbye` was said. */
  readonly saidGoodbye: boolean;
  /** After `goodbye`: whether the others go on without this node, or are not there any more, so that it may exit. */
  hasLeft(now: number): boolean;
  /**
   * Whether there is nobody to leave anything to: every other member is leaving itself, or has said
   * goodbye. When the others died `leaving` was withdrawn, as a joiner is worth a wait: false. Unless
   * all are being stopped, and what is held here is kept in a file (`isWholeStop`).
   */
  nobodyStays(isWholeStop: boolean): boolean;
  /** Whether that incarnation has said goodbye when it had handed over everything. */
  hadHandedOver(id: Incarnation): boolean;
  /** How the death of that incarnation was proven; undefined when it was not. */
  proofOf(id: Incarnation): Proof | undefined;
  /** The median of the members' wall clocks, Unix milliseconds, given our own. */
  medianClockMs(wall: number): number;
}
