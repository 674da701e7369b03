import type { Address, Incarnation, Member, NodeStatus, ViewId } from '../member.js';
import type { LinkEnd } from './contract.js';
import type { Leases } from './leases.js';
import type { Body, Pong, Report } from './messages.js';
import { SilenceClock } from './silence.js';
import type { Timing } from './timing.js';

export type Send = (link: number, to: Incarnation, body: Body) => void;

export const NO_LINK = -1;

/** Pings of one peer whose pong may still come and be counted. */
const PINGS_IN_FLIGHT_MAX = 16;

/** What a peer last said about itself, in a ping or in a pong. */
export interface Heard {
  readonly serial: number;
  readonly installed: ViewId | null;
  readonly prepared: ViewId | null;
  readonly seed: number;
  /** Whether this node is in the view that it has installed. */
  readonly includes: boolean;
  readonly silent: ReadonlySet<Incarnation>;
  readonly lost: ReadonlySet<Incarnation>;
  readonly hears: ReadonlySet<Incarnation>;
  readonly leaving: boolean;
  readonly status: NodeStatus;
  /** Its wall clock minus ours. */
  readonly wallOffsetMs: number;
}

/** Another node that this one keeps a control link to, and what is known of it. */
export class Peer {
  readonly member: Member;
  readonly silence: SilenceClock;
  /** The link on which it answers. */
  link = NO_LINK;
  /** A fresh link that has not answered yet. */
  dialling = NO_LINK;
  dialledAt = 0;
  redialAt = 0;
  pingAt = 0;
  /** The last fresh connection was refused, and none has been answered since. */
  refused = false;
  /** A fresh connection has ended before it was answered, and another one was tried at once. */
  wasCutShort = false;
  /** Its data link broke twice. */
  broken = false;
  /** Everybody is refused there, and that proves nothing (partition-policy `majority`). */
  unreachable = false;
  heard: Heard | null = null;
  /** This node slept, and what it heard of the peer was said before. */
  isStale = false;
  /** When its last ping came. */
  calledAt = Number.NEGATIVE_INFINITY;
  /** It has answered a ping that followed this node's goodbye. */
  knowsGoodbye = false;
  /** Pongs from this ping on say so. */
  #goodbyeBefore = Number.POSITIVE_INFINITY;
  #sequence = 0;
  readonly #pings = new Map<number, number>();

  constructor(member: Member, timing: Timing, now: number) {
    this.member = member;
    this.silence = new SilenceClock(timing, now);
  }

  isLost(now: number): boolean {
    return this.broken || this.unreachable || this.silence.isLost(now);
  }

  /** Nobody is where it was, as far as the last connection has told. */
  get isRefused(): boolean {
    return this.refused && this.link === NO_LINK;
  }

  get isSilent(): boolean {
    return this.broken || this.unreachable || this.silence.isSilent;
  }

  nextPing(now: number): number {
    const sequence = ++this.#sequence;
    this.#pings.set(sequence, now);
    if (this.#pings.size > PINGS_IN_FLIGHT_MAX) {
      this.#pings.delete(sequence - PINGS_IN_FLIGHT_MAX);
    }
    return sequence;
  }

  /** When the ping was sent; null if its pong came already, or counts for nothing any more. */
  takePing(sequence: number): number | null {
    const sentAt = this.#pings.get(sequence);
    if (sentAt === undefined) return null;
    this.#pings.delete(sequence);
    if (sequence >= this.#goodbyeBefore) this.knowsGoodbye = true;
    return sentAt;
  }

  /** The goodbye was said, and after it, on the same link, the last ping. */
  toldGoodbye(): void {
    this.#goodbyeBefore = Math.min(this.#goodbyeBefore, this.#sequence);
  }

  /** What was said on the last link may never have arrived. */
  linkChanged(): void {
    this.#goodbyeBefore = Number.POSITIVE_INFINITY;
  }

  /** Pongs to the pings sent so far will earn no lease. */
  forgetPings(): void {
    this.#pings.clear();
  }
}

export interface PeerHooks {
  readonly send: Send;
  self(): Member;
  dial(address: Address): number;
  close(link: number): void;
  report(now: number): Report;
  /** A fresh connection was answered by the incarnation expected. */
  connected(peer: Peer): void;
  /** A fresh connection was refused. */
  refused(peer: Peer): void;
}

/**
 * The control links to other nodes: one dialled link to each, pinged on. A link that closes, or
 * that stays quiet, makes a fresh connection at once; the old link is kept until the fresh one has
 * been answered.
 */
export class Peers {
  readonly byId = new Map<Incarnation, Peer>();
  readonly #byLink = new Map<number, Peer>();
  readonly #timing: Timing;
  readonly #leases: Leases;
  readonly #hooks: PeerHooks;

  constructor(timing: Timing, leases: Leases, hooks: PeerHooks) {
    this.#timing = timing;
    this.#leases = leases;
    this.#hooks = hooks;
  }

  get(id: Incarnation): Peer | undefined {
    return this.byId.get(id);
  }

  /** Starts to keep a link to that node, unless there is one. */
  add(member: Member, now: number): Peer {
    const known = this.byId.get(member.id);
    if (known !== undefined) return known;
    const peer = new Peer(member, this.#timing, now);
    this.byId.set(member.id, peer);
    this.#dial(peer, now);
    return peer;
  }

  remove(id: Incarnation): void {
    const peer = this.byId.get(id);
    if (peer === undefined) return;
    this.byId.delete(id);
    this.#drop(peer.link);
    this.#drop(peer.dialling);
  }

  clear(): void {
    for (const id of [...this.byId.keys()]) this.remove(id);
  }

  of(link: number): Peer | undefined {
    return this.#byLink.get(link);
  }

  /** Sends on the link that answers; false if there is none now. */
  send(id: Incarnation, body: Body): boolean {
    const peer = this.byId.get(id);
    if (peer === undefined || peer.link === NO_LINK) return false;
    this.#hooks.send(peer.link, id, body);
    return true;
  }

  /** Tries a fresh connection now, unless one is being tried. */
  probe(peer: Peer, now: number): void {
    peer.silence.probing(now);
    if (peer.dialling === NO_LINK) this.#dial(peer, now);
  }

  /** This node slept: what was not heard says nothing, and what was asked earns nothing. */
  slept(now: number): void {
    for (const peer of this.byId.values()) {
      peer.silence.restart(now);
      peer.forgetPings();
      peer.isStale = true;
      peer.pingAt = now;
    }
  }

  tick(now: number): void {
    for (const peer of this.byId.values()) {
      if (peer.link !== NO_LINK && now >= peer.pingAt) this.ping(peer, now);
      if (peer.silence.isQuiet(now) && !peer.silence.isSilent) this.probe(peer, now);
      if (peer.dialling !== NO_LINK && now - peer.dialledAt >= this.#timing.redialMs) {
        this.#drop(peer.dialling);
        this.#dial(peer, now);
      }
      const wanted = peer.link === NO_LINK || peer.silence.isSilent;
      if (wanted && peer.dialling === NO_LINK && now >= peer.redialAt) this.#dial(peer, now);
    }
  }

  ping(peer: Peer, now: number): void {
    peer.pingAt = now + this.#timing.heartbeatMs;
    const sequence = peer.nextPing(now);
    const report = this.#hooks.report(now);
    this.#hooks.send(peer.link, peer.member.id, { kind: 'ping', sequence, report });
  }

  linkOpened(peer: Peer, link: number): void {
    this.#hooks.send(link, peer.member.id, { kind: 'hello', member: this.#hooks.self() });
  }

  linkClosed(peer: Peer, link: number, end: LinkEnd, now: number): void {
    this.#byLink.delete(link);
    if (link === peer.link) {
      // The usual sign of a crash: the next connection tells whether anybody is there.
      peer.link = NO_LINK;
      peer.linkChanged();
      this.probe(peer, now);
      return;
    }
    peer.dialling = NO_LINK;
    peer.redialAt = now + this.#timing.tickMs;
    peer.silence.probing(now);
    if (end === 'refused') {
      peer.refused = true;
      peer.redialAt = now + this.#timing.heartbeatMs;
      this.#hooks.refused(peer);
    } else if ((end === 'reset' || end === 'closed') && !peer.wasCutShort) {
      // Of a process that is killed connections may end a moment before its port does: what is dialled in between is
      // reset with the port. The next one is refused; a tick would be most of the time that a failover takes.
      peer.wasCutShort = true;
      this.#dial(peer, now);
    }
  }

  welcome(peer: Peer, link: number, now: number): void {
    if (link !== peer.dialling) return;
    this.#drop(peer.link);
    peer.link = link;
    peer.linkChanged();
    peer.dialling = NO_LINK;
    peer.wasCutShort = false;
    peer.refused = false;
    peer.unreachable = false;
    peer.silence.heard(now);
    this.#hooks.connected(peer);
    if (peer.link !== NO_LINK) this.ping(peer, now);
  }

  /** False if the ping was forgotten: the pong says nothing then. */
  pong(peer: Peer, message: Pong, now: number): boolean {
    const sentAt = peer.takePing(message.sequence);
    if (sentAt === null) return false;
    peer.isStale = false;
    peer.silence.heard(now);
    if (message.granted) this.#leases.hold(message.from, sentAt);
    return true;
  }

  #dial(peer: Peer, now: number): void {
    const link = this.#hooks.dial(peer.member);
    peer.dialling = link;
    peer.dialledAt = now;
    this.#byLink.set(link, peer);
  }

  #drop(link: number): void {
    if (link === NO_LINK) return;
    this.#byLink.delete(link);
    this.#hooks.close(link);
  }
}
