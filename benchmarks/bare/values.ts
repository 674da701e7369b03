import { copyBytes } from '../../lib/protocol/bytes.js';
import type { Command } from './commands.js';

const PLACES = 100_000;
const PLACE_BYTES = 512;
const DIGITS = 6;
const ZERO = 48;

/** Values by the number that their key ends with, each at its place in one block of memory. Nothing is looked up, or checked. */
export class Values {
  readonly #bytes = Buffer.alloc(PLACES * PLACE_BYTES);
  readonly #lengths = new Uint16Array(PLACES);

  set(command: Command): void {
    const { buffer, start, end } = command;
    const place = placeOf(command);
    this.#lengths[place] = end[2]! - start[2]!;
    copyBytes(buffer, start[2]!, end[2]!, this.#bytes, place * PLACE_BYTES);
  }

  /** Copies the value of the command's key to `target`; returns its length. */
  get(command: Command, target: Buffer, at: number): number {
    const place = placeOf(command);
    const from = place * PLACE_BYTES;
    const length = this.#lengths[place]!;
    copyBytes(this.#bytes, from, from + length, target, at);
    return length;
  }
}

function placeOf({ buffer, end }: Command): number {
  let number = 0;
  for (let at = end[1]! - DIGITS; at < end[1]!; at++) number = number * 10 + buffer[at]! - ZERO;
  return number % PLACES;
}
