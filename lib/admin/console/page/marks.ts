import type { MemberFrame } from '../frame.js';
import { h } from './dom.js';

/** Colours that the style sheet has (m0, m1 ...). With more members they come again: letters tell them apart. */
const COLOURS = 8;

/** Letters and colours, by address: a node that comes back is what it was. */
const numbers = new Map<string, number>();

/** By letters as well as by colours: nobody has to see colours. */
export function numberOf(address: string): number {
  let number = numbers.get(address);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(address, number);
  }
  return number;
}

/** In the order of their addresses, so that all who look see the same letters, as long as nobody comes. */
export function learn(members: readonly MemberFrame[]): void {
  for (const address of members.map((member) => member.address).sort()) numberOf(address);
}

export function letterOf(address: string): string {
  const number = numberOf(address);
  const letter = String.fromCharCode(65 + (number % 26));
  return number < 26 ? letter : `${letter}${Math.floor(number / 26)}`;
}

export const colourClass = (address: string): string => `m${numberOf(address) % COLOURS}`;

/** The value of that colour now: it differs in the dark. */
export function colourOf(address: string): string {
  const name = `--m${numberOf(address) % COLOURS}`;
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function badge(address: string): HTMLElement {
  return h('span', { class: `badge ${colourClass(address)}`, title: address }, letterOf(address));
}
