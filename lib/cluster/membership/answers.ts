import type { Coordination } from './coordination.js';
import type { ControlAnswer, Header, Joining, Pong } from './messages.js';
import type { Newcomer } from './newcomer.js';
import type { Peer } from './peers.js';
import type { Reporting } from './reporting.js';
import type { State } from './state.js';

/** The parts that answers are handed to. */
export interface AnswerParts {
  readonly state: State;
  readonly newcomer: Newcomer;
  readonly coordination: Coordination;
  readonly reporting: Reporting;
  /** Looks at the view that a message tells of; true if this node is another incarnation since. */
  told(header: Header, now: number): boolean;
  /** Another incarnation answers in the place of this peer. */
  replaced(peer: Peer): void;
  /** Begins again as another incarnation: only that may join. */
  renew(): void;
}

/** What peers answer, on links that this node has dialled. */
export class Answers {
  readonly #parts: AnswerParts;
  readonly #state: State;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  received(peer: Peer, link: number, message: ControlAnswer, now: number): void {
    const { coordination, newcomer } = this.#parts;
    const { from } = message;
    if (from !== peer.member.id) {
      this.#parts.replaced(peer);
      return;
    }
    if (message.to !== this.#state.self.id) return;
    if (this.#parts.told(message, now)) return;
    switch (message.kind) {
      case 'welcome':
        this.#state.peers.welcome(peer, link, now);
        return;
      case 'pong':
        this.#pong(peer, message, now);
        return;
      case 'joining':
        if (this.#isInNoView) this.#joining(message, now);
        return;
      case 'founding':
        if (this.#isInNoView) newcomer.answered(from, message.agreed, message.hears, now);
        return;
      case 'probed':
        coordination.probed(message.target, from, message.result);
        break;
      case 'surveyed':
        coordination.proposer.surveyed(from, message, now);
        break;
      case 'prepared':
        coordination.proposer.prepared(from, message, now);
        break;
    }
    this.#state.needsReview = true;
  }

  get #isInNoView(): boolean {
    return this.#state.participant.installed === null;
  }

  #pong(peer: Peer, pong: Pong, now: number): void {
    if (!this.#state.peers.pong(peer, pong, now)) return;
    this.#parts.reporting.received(peer, pong, now);
    if (this.#isInNoView) this.#parts.newcomer.granted(now);
  }

  #joining(message: Joining, now: number): void {
    const { newcomer } = this.#parts;
    if (message.leftOut) {
      newcomer.restart(now);
      this.#parts.renew();
    } else if (message.view !== null) newcomer.viewIs(message.view, now);
  }
}
