import type { Address, Incarnation, Member } from '../member.js';
import { keyOf } from './handshakes.js';

/** Addresses of lost members that are looked at; the longest lost are forgotten first. */
const LOST_MAX = 256;

/** Addresses that one node looks at in one round. */
const ROUND_MAX = 16;

interface Lost {
  readonly address: Address;
  /** Who was there; empty when only the address is known. */
  readonly id: Incarnation;
}

/** Where lost members were: looked at again and again, in turn, for who comes back there. */
export class LostMembers {
  readonly #lost = new Map<string, Lost>();
  #lookAt = 0;

  add(member: Member): void {
    this.#insert(member, member.id);
  }

  addAddresses(addresses: readonly Address[]): void {
    for (const address of addresses) {
      if (!this.#lost.has(keyOf(address))) this.#insert(address, '');
    }
  }

  /** Somebody at that address is in the view, or about to be. */
  found(address: Address): void {
    this.#lost.delete(keyOf(address));
  }

  /** Whether that incarnation is looked for. */
  has(id: Incarnation): boolean {
    return [...this.#lost.values()].some((lost) => lost.id === id);
  }

  /** Nobody is looked for any more where that incarnation was. */
  forget(id: Incarnation): void {
    for (const [key, lost] of this.#lost) if (lost.id === id) this.#lost.delete(key);
  }

  get addresses(): Address[] {
    return [...this.#lost.values()].map(({ address }) => address);
  }

  /** The addresses to look at now; a new round begins every `pauseMs`. */
  toLookAt(now: number, pauseMs: number): readonly Lost[] {
    if (now < this.#lookAt || this.#lost.size === 0) return [];
    this.#lookAt = now + pauseMs;
    const round = [...this.#lost].slice(0, ROUND_MAX);
    for (const [key, lost] of round) {
      this.#lost.delete(key);
      this.#lost.set(key, lost);
    }
    return round.map(([, lost]) => lost);
  }

  clear(): void {
    this.#lost.clear();
  }

  #insert(address: Address, id: Incarnation): void {
    const key = keyOf(address);
    this.#lost.delete(key);
    const { host, port, busPort } = address;
    this.#lost.set(key, { address: { host, port, busPort }, id });
    if (this.#lost.size <= LOST_MAX) return;
    const [longest] = this.#lost.keys();
    this.#lost.delete(longest!);
  }
}
