import type { Random } from '../support/control-network.js';

/** Clients that run to the same key begin within so long of each other. */
const START_MS_MAX = 0.6;

/** All clients do something to the same key at the same moments: now they create it, now they delete it. */
export class Races {
  readonly #everyMs: number;
  readonly #keys: readonly string[];

  constructor(everyMs: number, keys: readonly string[]) {
    this.#everyMs = everyMs;
    this.#keys = keys;
  }

  /** So long a client waits for the next moment. */
  pause(now: number, random: Random): number {
    const next = Math.floor(now / this.#everyMs + 1) * this.#everyMs;
    return next - now + random.between(0, START_MS_MAX);
  }

  command(now: number, random: Random, value: string): readonly string[] {
    const round = Math.floor(now / this.#everyMs);
    const key = this.#keys[(round >> 1) % this.#keys.length]!;
    const luck = random.next();
    if (round % 2 === 1) return luck < 0.4 ? ['DEL', key] : ['GET', key];
    if (key.startsWith('c')) return luck < 0.9 ? ['INCR', key] : ['GET', key];
    if (luck < 0.6) return ['SET', key, value, 'NX'];
    if (luck < 0.8) return ['SET', key, value];
    return luck < 0.9 ? ['GETSET', key, value] : ['APPEND', key, value];
  }
}
