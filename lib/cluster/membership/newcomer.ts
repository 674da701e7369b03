import type { Address, Incarnation, Member, View } from '../member.js';
import { BackOff } from './back-off.js';
import { Founding } from './founding.js';
import type { Outcome } from './handshakes.js';
import { Joining } from './joining.js';
import type { Header, Invite } from './messages.js';
import type { Peer } from './peers.js';
import { holdsAll, isHeard, type State } from './state.js';
import { compareViewIds, idsOf } from './views.js';

/** Other nodes in no view that this one keeps a link to, at most. */
const FELLOWS_MAX = 256;

/** Pause between two lines of the log that say what a node waits for. */
const WAITING_LOG_MS = 5_000;

/**
 * What a node in no view does: look who is at the join addresses, join the cluster that it finds
 * there or is invited to, or found one where nobody else has and nobody else may.
 */
export class Newcomer {
  readonly #state: State;
  readonly #found: (now: number) => void;
  readonly #joining: Joining;
  readonly #founding: Founding;
  readonly #backOff = new BackOff();
  readonly #fellows = new Map<Incarnation, Member>();
  #resumeAt = 0;
  #joinAt = 0;
  #logAt = 0;
  /** Whether the coordinator was told that all leases are held. */
  #isComplete = false;

  /** `found` installs a first view with nobody else in it. */
  constructor(state: State, found: (now: number) => void) {
    this.#state = state;
    this.#found = found;
    this.#joining = new Joining(state.timing);
    this.#founding = new Founding(state.timing);
  }

  begin(now: number): void {
    this.#resumeAt = now;
    this.#logAt = now + WAITING_LOG_MS;
    this.#joining.begin(now);
  }

  /** The others went on without this node: it looks for them where they were, after a pause. */
  excluded(left: View, now: number): void {
    const pauseMs = this.#backOff.excluded(now);
    this.#joining.remember(left.members.filter(({ id }) => id !== this.#state.self.id));
    this.restart(now);
    this.#resumeAt = now + pauseMs;
  }

  /** Begins again, as another incarnation. */
  restart(now: number): void {
    this.#fellows.clear();
    this.#founding.cancel();
    this.begin(now);
  }

  /** This node is in a view now. */
  end(): void {
    this.#joining.forget();
    this.#founding.cancel();
    this.#fellows.clear();
  }

  slept(): void {
    this.#founding.cancel();
  }

  tick(now: number): void {
    if (now < this.#resumeAt) return;
    const { handshakes, host, self } = this.#state;
    this.#dropLost(now);
    if (this.#joining.view === null) {
      for (const address of this.#joining.toLookAt(host.joinAddresses(), now)) {
        if (handshakes.start('join', address, '', now)) this.#joining.looking(address, now);
      }
      if (this.#joining.mayFound(self.id, now)) this.#askToFound(now);
      this.#logWaiting(now);
      return;
    }
    if (now >= this.#joinAt) this.#join(this.#joining.view, now);
  }

  met(address: Address, outcome: Outcome, now: number): void {
    this.#joining.met(address, outcome, this.#state.self.id, now);
    if (typeof outcome === 'string') return;
    this.metNode(outcome.member, outcome, now);
    const { view } = this.#joining;
    if (view !== null && now >= this.#resumeAt) this.#join(view, now);
  }

  /** Another node said who it is. */
  metNode(member: Member, header: Header, now: number): void {
    if (member.id === this.#state.self.id || header.installed !== null) return;
    if (this.#fellows.size >= FELLOWS_MAX) return;
    this.#fellows.set(member.id, member);
    this.#state.peers.add(member, now);
  }

  invited(invite: Invite): void {
    this.#joining.remember(invite.addresses);
  }

  /** The view of the cluster that this node joins has changed. */
  viewIs(view: View, now: number): void {
    const { view: target } = this.#joining;
    if (target === null || view.seed !== target.seed) return;
    if (compareViewIds(view.id, target.id) <= 0) return;
    this.#joining.view = view;
    this.#join(view, now);
  }

  /** The cluster's coordinator named nodes that are to join with this one. */
  candidates(from: Incarnation, members: readonly Member[], now: number): void {
    if (this.#joining.view?.members[0]?.id !== from) return;
    for (const member of members) {
      if (member.id === this.#state.self.id || this.#fellows.size >= FELLOWS_MAX) continue;
      this.#fellows.set(member.id, member);
      this.#state.peers.add(member, now);
    }
  }

  mayFound(asker: Incarnation, now: number): boolean {
    return this.#founding.answer(this.#state.self.id, asker, now);
  }

  hears(): Incarnation[] {
    return [...this.#fellows.keys()].filter((id) => isHeard(this.#state, id));
  }

  /** The members that answer, of the view that this node wants to join. */
  hearsMembers(): Incarnation[] {
    const members = this.#joining.view?.members ?? [];
    return members.map(({ id }) => id).filter((id) => isHeard(this.#state, id));
  }

  answered(from: Incarnation, agreed: boolean, hears: readonly Incarnation[], now: number): void {
    const { self, config } = this.#state;
    const all = this.#founding.answered(self.id, from, agreed, new Set(hears), config.expect, now);
    if (all && this.#joining.mayFound(self.id, now)) this.#found(now);
  }

  /** A pong came: this may have been the last lease that was missing. */
  granted(now: number): void {
    const { view } = this.#joining;
    if (view !== null && now >= this.#resumeAt && holdsAll(this.#state, view, now)) {
      if (!this.#isComplete) this.#join(view, now);
      return;
    }
    this.#isComplete = false;
  }

  #join(view: View, now: number): void {
    const { peers, self, timing } = this.#state;
    this.#joinAt = now + timing.heartbeatMs;
    const ids = idsOf(view);
    for (const member of view.members) if (member.id !== self.id) peers.add(member, now);
    for (const id of [...peers.byId.keys()]) {
      if (!ids.has(id) && !this.#fellows.has(id)) peers.remove(id);
    }
    const complete = holdsAll(this.#state, view, now);
    this.#isComplete = complete;
    const oldest = view.members.find(({ id }) => isHeard(this.#state, id));
    if (oldest !== undefined) peers.send(oldest.id, { kind: 'join', known: view.id, complete });
  }

  #askToFound(now: number): void {
    const { config, peers } = this.#state;
    if (this.#founding.isBound(now) || this.#founding.isAsking(now)) return;
    const heard = this.hears();
    // One that is not heard at the moment may be about to found itself, or may have done so.
    if (heard.length < this.#fellows.size) return;
    if (!this.#joining.waiting.every((id) => heard.includes(id))) return;
    if (heard.length + 1 < config.expect) return;
    if (heard.length === 0) {
      this.#found(now);
      return;
    }
    this.#founding.ask(new Set(heard), now);
    for (const id of heard) peers.send(id, { kind: 'found' });
  }

  #dropLost(now: number): void {
    const { peers } = this.#state;
    for (const id of this.#fellows.keys()) {
      const peer = peers.get(id);
      if (peer !== undefined && !this.#isUseless(peer, now)) continue;
      // One that is in a view by now is a way into it.
      if (peer !== undefined && !peer.refused) this.#joining.remember([peer.member]);
      this.#fellows.delete(id);
      if (!idsOf(this.#joining.view).has(id)) peers.remove(id);
    }
    const { view } = this.#joining;
    if (view === null) return;
    const alive = view.members.some(({ id }) => {
      const peer = peers.get(id);
      return peer !== undefined && !peer.refused && !peer.isLost(now);
    });
    if (!alive && now >= this.#joinAt) this.#joining.view = null;
  }

  #isUseless(peer: Peer, now: number): boolean {
    if (peer.refused || peer.isLost(now)) return true;
    return peer.heard !== null && peer.heard.installed !== null;
  }

  #logWaiting(now: number): void {
    if (now < this.#logAt) return;
    this.#logAt = now + WAITING_LOG_MS;
    const waitingFor = this.#joining.waitingFor(this.#state.self.id);
    this.#state.host.log('warn', 'join-waiting', { waitingFor, expect: this.#state.config.expect });
  }
}
