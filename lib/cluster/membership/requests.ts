import type { Incarnation, Member, ViewId } from '../member.js';
import type { Acceptance } from './acceptance.js';
import type { AskedProbes } from './asked-probes.js';
import type { Coordination } from './coordination.js';
import type { ControlRequest, Header, Ping } from './messages.js';
import type { Newcomer } from './newcomer.js';
import type { Participation } from './participation.js';
import type { Reporting } from './reporting.js';
import type { State } from './state.js';
import { idsOf, sameViewId } from './views.js';

/** The parts that requests are handed to. */
export interface RequestParts {
  readonly state: State;
  readonly accepted: Acceptance;
  readonly askedProbes: AskedProbes;
  readonly newcomer: Newcomer;
  readonly coordination: Coordination;
  readonly participation: Participation;
  readonly reporting: Reporting;
  /** Looks at the view that a message tells of; true if this node is another incarnation since. */
  told(header: Header, now: number): boolean;
  /** What is held here, in that view, is not to be merged. */
  discard(view: ViewId, now: number): void;
  /** That member has nothing left to hand over. */
  saidGoodbye(id: Incarnation, hasHandedOver: boolean): void;
}

/** What others ask, on links that they have dialled. */
export class Requests {
  readonly #parts: RequestParts;
  readonly #state: State;

  constructor(parts: RequestParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  received(link: number, message: ControlRequest, now: number): void {
    const { accepted } = this.#parts;
    if (message.kind === 'hello') {
      accepted.named(link, message.member);
    } else if (accepted.dialler(link)?.id !== message.from) {
      accepted.drop(link);
      return;
    }
    if (this.#parts.told(message, now)) return;
    if (message.kind === 'hello') {
      this.#welcome(link, message.member, message, now);
    } else if (message.kind === 'ping') {
      this.#pong(link, message, now);
    } else if (message.to === this.#state.self.id) {
      this.#act(link, message, now);
    }
  }

  #act(
    link: number,
    message: Exclude<ControlRequest, { kind: 'hello' | 'ping' }>,
    now: number,
  ): void {
    const { from } = message;
    const { newcomer, participation } = this.#parts;
    const isInView = this.#state.participant.installed !== null;
    switch (message.kind) {
      case 'join':
        this.#join(link, message, now);
        break;
      case 'found': {
        const agreed = !isInView && newcomer.mayFound(from, now);
        this.#state.send(link, from, { kind: 'founding', agreed, hears: newcomer.hears() });
        break;
      }
      case 'invite':
        if (!isInView) newcomer.invited(message);
        break;
      case 'probe':
        this.#probe(link, from, message.target, now);
        break;
      case 'survey':
        this.#state.send(link, from, participation.survey(message, now));
        break;
      case 'prepare':
        this.#state.send(link, from, participation.prepare(message, now));
        break;
      case 'install':
        participation.install(message, now);
        break;
      case 'discard':
        this.#parts.discard(message.view, now);
        break;
      case 'goodbye':
        this.#parts.saidGoodbye(from, message.empty === true);
        break;
    }
  }

  #join(link: number, message: ControlRequest & { kind: 'join' }, now: number): void {
    const { from, known } = message;
    const { accepted, coordination } = this.#parts;
    const { installed: view } = this.#state.participant;
    if (view !== null) coordination.metNode(accepted.dialler(link)!, message, now);
    coordination.candidates.said(from, message.complete ? known : null, now);
    const isNews = view !== null && !sameViewId(view.id, known);
    const leftOut = this.#state.participant.hasLeftOut(from);
    this.#state.send(link, from, { kind: 'joining', view: isNews ? view : null, leftOut });
    this.#state.needsReview = true;
  }

  #welcome(link: number, member: Member, hello: Header, now: number): void {
    const { self, participant, saidGoodbye } = this.#state;
    const view = participant.installed;
    const given = view !== null && !idsOf(view).has(member.id) ? view : null;
    this.#state.send(link, member.id, { kind: 'welcome', member: self, view: given });
    if (saidGoodbye || member.id === self.id) return;
    if (view === null) this.#parts.newcomer.metNode(member, hello, now);
    else this.#parts.coordination.metNode(member, hello, now);
  }

  #pong(link: number, ping: Ping, now: number): void {
    const { from, sequence } = ping;
    const { self, participant, leases, peers } = this.#state;
    const { reporting } = this.#parts;
    const peer = peers.get(from);
    const granted = ping.to === self.id && peer !== undefined && this.#mayGrant(from);
    if (granted) leases.grant(from, now, idsOf(participant.prepared).has(from));
    this.#state.send(link, from, { kind: 'pong', sequence, granted, report: reporting.own(now) });
    if (peer === undefined || ping.to !== self.id) return;
    peer.calledAt = now;
    // What it said before this node slept may be long over: its next pong tells.
    if (!peer.isStale) reporting.received(peer, ping, now);
  }

  /** Those bound to us by a view, and those about to be; nobody that a prepared view leaves out. */
  #mayGrant(id: Incarnation): boolean {
    const { participant, departed, saidGoodbye } = this.#state;
    if (saidGoodbye || departed.has(id)) return false;
    const { prepared, installed } = participant;
    if (prepared === null) return true;
    if (idsOf(prepared).has(id)) return true;
    return !idsOf(installed).has(id) && this.#parts.coordination.candidates.has(id);
  }

  #probe(link: number, from: Incarnation, target: Incarnation, now: number): void {
    const peer = this.#state.peers.get(target);
    const isKnown = this.#state.departed.has(target) || peer?.refused === true;
    if (isKnown || peer === undefined) {
      const result = isKnown ? 'refused' : 'unknown';
      this.#state.send(link, from, { kind: 'probed', target, result });
      return;
    }
    this.#parts.askedProbes.asked(link, target, now);
    this.#state.peers.probe(peer, now);
  }
}
