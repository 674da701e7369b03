import type { Address, Incarnation, Member } from '../member.js';
import type { LinkEnd } from './contract.js';
import type { Welcome } from './messages.js';
import type { Send } from './peers.js';
import type { Timing } from './timing.js';

/** Connections to addresses with nobody known behind them, under way at one time. */
const HANDSHAKES_MAX = 64;

/** Who asks, and so who gets the outcome. */
export type Purpose = 'join' | 'lost';

/** Who is at an address: an answer, nobody (refused), or silence so far. */
export type Outcome = Welcome | 'refused' | 'silent';

export interface Meeting {
  readonly purpose: Purpose;
  readonly address: Address;
  /** Who was there before; empty when nobody was known. */
  readonly expected: Incarnation;
  readonly dialledAt: number;
}

export interface HandshakeHooks {
  readonly send: Send;
  self(): Member;
  dial(address: Address): number;
  close(link: number): void;
  /** The link is still open when there is a welcome; it is closed after the call. */
  met(meeting: Meeting, outcome: Outcome, link: number, now: number): void;
}

export function keyOf(address: Address): string {
  return `${address.host}:${address.busPort}`;
}

/** Looks who is at an address: dial, hello, welcome, close. */
export class Handshakes {
  readonly #timing: Timing;
  readonly #hooks: HandshakeHooks;
  readonly #byLink = new Map<number, Meeting>();

  constructor(timing: Timing, hooks: HandshakeHooks) {
    this.#timing = timing;
    this.#hooks = hooks;
  }

  /** False when too many are under way. */
  start(purpose: Purpose, address: Address, expected: Incarnation, now: number): boolean {
    if (this.#byLink.size >= HANDSHAKES_MAX) return false;
    const link = this.#hooks.dial(address);
    this.#byLink.set(link, { purpose, address, expected, dialledAt: now });
    return true;
  }

  has(link: number): boolean {
    return this.#byLink.has(link);
  }

  tick(now: number): void {
    for (const [link, { dialledAt }] of this.#byLink) {
      if (now - dialledAt >= this.#timing.redialMs) this.#end(link, 'silent', now);
    }
  }

  opened(link: number): void {
    const { expected } = this.#byLink.get(link)!;
    this.#hooks.send(link, expected, { kind: 'hello', member: this.#hooks.self() });
  }

  closed(link: number, end: LinkEnd, now: number): void {
    this.#end(link, end === 'refused' ? 'refused' : 'silent', now);
  }

  welcome(link: number, message: Welcome, now: number): void {
    this.#end(link, message, now);
  }

  /** Gives up on everything under way. */
  clear(): void {
    for (const link of this.#byLink.keys()) this.#hooks.close(link);
    this.#byLink.clear();
  }

  #end(link: number, outcome: Outcome, now: number): void {
    const meeting = this.#byLink.get(link);
    if (meeting === undefined) return;
    this.#byLink.delete(link);
    this.#hooks.met(meeting, outcome, link, now);
    this.#hooks.close(link);
  }
}
