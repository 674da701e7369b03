import type { Incarnation, Member, View } from '../member.js';
import type { MembershipConfig, MembershipHost } from './contract.js';
import type { Departed } from './departed.js';
import type { Handshakes } from './handshakes.js';
import type { Leases } from './leases.js';
import type { Missing } from './missing.js';
import type { Participant } from './participant.js';
import type { Peers, Send } from './peers.js';
import type { Timing } from './timing.js';

/** What all parts of the machine look at. */
export interface State {
  self: Member;
  readonly config: MembershipConfig;
  readonly timing: Timing;
  readonly host: MembershipHost;
  readonly send: Send;
  readonly leases: Leases;
  readonly departed: Departed;
  readonly missing: Missing;
  /** Gone for good by an operator's word, which holds as long as they are not heard. */
  readonly toldGone: Set<Incarnation>;
  readonly peers: Peers;
  readonly handshakes: Handshakes;
  participant: Participant;
  /** This node holds nothing any more, and serves nothing. */
  saidGoodbye: boolean;
  /** Something has happened that may call for another view: looked at when the input is over. */
  needsReview: boolean;
}

/** Whether that node answers now: it has a link on which no pong is overdue. */
export function isHeard(state: State, id: Incarnation): boolean {
  const peer = state.peers.get(id);
  return peer !== undefined && peer.link !== -1 && !peer.isSilent;
}

/** Whether it counts in no majority any more. */
export function isGone({ departed, toldGone, peers }: State, id: Incarnation): boolean {
  return departed.isGone(id) || (toldGone.has(id) && peers.get(id)?.isSilent !== false);
}

/** Whether this node holds the long lease of all other members of that view. */
export function holdsAll(state: State, view: View, now: number): boolean {
  return view.members.every(({ id }) => id === state.self.id || state.leases.longHeld(id) > now);
}
