import { randomBytes, randomInt } from 'node:crypto';

/** 40 random hexadecimal characters, as Redis writes node and run ids. */
export function randomId(): string {
  return randomBytes(20).toString('hex');
}

/** A random integer of 32 bits, never 0. */
export function randomSeed(): number {
  return randomInt(1, 2 ** 32);
}
