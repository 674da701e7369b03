import { isGone, type State } from './state.js';

/** The end of a member that leaves: it says goodbye, serves nothing from then on, and waits until the others know. */
export class Goodbye {
  hasHandedOver = false;
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** See MembershipView. `othersDied`: this node is alone as all others have died. */
  nobodyStays(isWholeStop: boolean, othersDied: boolean): boolean {
    const view = this.#state.participant.installed;
    if (view === null) return false;
    if (othersDied && !isWholeStop) return false;
    // Before they know that this node leaves as well the others still hand over to it.
    return view.members.length === 1 || view.members.every(({ leaving }) => leaving);
  }

  /** Says it to all. Their pongs tell when they have installed a view without this node. */
  say(now: number): void {
    const { peers } = this.#state;
    for (const [id, peer] of peers.byId) {
      if (!peers.send(id, { kind: 'goodbye', empty: this.hasHandedOver })) continue;
      peers.ping(peer, now);
      peer.toldGoodbye();
    }
  }

  /**
   * Where all leave, the others may end before they could tell:
   *
   *     1. A has handed over everything, and says goodbye. B and C are told to leave, too.
   *     2. They install a view without A in which both leave: nobody stays, and they end at once.
   *     3. A has not pinged them since. It finds nobody where they were, and there is nothing to wait for.
   *
   * Where majorities count they have to know of its goodbye: without it they would go on counting this node, too. Unless one of
   * them has gone on without it: whoever is still in an earlier view has no majority any more.
   */
  hasLeft(now: number): boolean {
    if (!this.#state.saidGoodbye) return false;
    const { config, departed, participant, peers, self } = this.#state;
    const members = participant.installed?.members ?? [];
    const haveGoneOn = members.some(({ id }) => peers.get(id)?.heard?.includes === false);
    const needNotKnow = config.partitionPolicy === 'available' || haveGoneOn;
    return members.every(({ id }) => {
      if (id === self.id || departed.has(id) || isGone(this.#state, id)) return true;
      const peer = peers.get(id);
      if (peer === undefined) return false;
      if (peer.heard?.includes === false) return true;
      return (needNotKnow || peer.knowsGoodbye) && (peer.isRefused || peer.isLost(now));
    });
  }
}
