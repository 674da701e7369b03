import type { Random } from '../support/control-network.js';
import { delay } from '../support/test-cluster.js';
import type { Client } from './client.js';

const SESSIONS = 12;
const COUNTERS = 3;
const LOCKS = 2;
/** Requests of one session before it logs out, at most. */
const REQUESTS_MAX = 12;
const SESSION_TTL_MS = [400, 1500, 60_000, 60_000, 60_000];
const LOCK_TTL_MS = 300;
/** Whoever creates a key within the same so many milliseconds creates the same one. */
const RACE_MS = 40;
const THINK_MS_MAX = 25;
const VALUE_BYTES = [10, 200, 500, 500, 900, 3000];

/** What clients do, all of them at once, on the keys of one round. */
export class Workload {
  /** First part of the names of all keys. */
  #prefix = '';
  /** Keys of rounds before, which are read and changed like sessions that live long. */
  #old: readonly string[] = [];
  #isOn = false;
  #values = 0;
  #loops: Promise<void>[] = [];

  start(prefix: string, old: readonly string[], clients: readonly Client[], random: Random): void {
    this.#prefix = prefix;
    this.#old = old;
    this.#isOn = true;
    this.#loops = clients.map((client) => this.#run(client, random));
  }

  /** Resolves when every command has been answered or given up. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#loops);
  }

  async #run(client: Client, random: Random): Promise<void> {
    while (this.#isOn) {
      const luck = random.next();
      if (luck < 0.45) await this.#liveSession(client, random);
      else if (luck < 0.6) await this.#count(client, random);
      else if (luck < 0.75) await this.#lock(client, random);
      else if (luck < 0.9) await this.#race(client, random);
      else await this.#useOld(client, random);
      await this.#think(random);
    }
  }

  #think(random: Random): Promise<void> {
    return delay(random.between(0, THINK_MS_MAX));
  }

  /** No two writes are of the same value, so that a read says whose write it saw. */
  #value(random: Random): string {
    return `v${++this.#values}.`.padEnd(random.pick(VALUE_BYTES), 'x');
  }

  /** Created, read, touched, changed, logged out: several users may have one session in hand. */
  async #liveSession(client: Client, random: Random): Promise<void> {
    const key = `${this.#prefix}session:${random.below(SESSIONS)}`;
    const ttl = String(random.pick(SESSION_TTL_MS));
    await client.call('SET', key, this.#value(random), 'PX', ttl);
    for (let i = random.below(REQUESTS_MAX); i > 0 && this.#isOn; i--) {
      await this.#think(random);
      const luck = random.next();
      if (luck < 0.5) await client.call('GET', key);
      else if (luck < 0.7) await client.call('PEXPIRE', key, ttl);
      else if (luck < 0.95) await client.call('SET', key, this.#value(random), 'PX', ttl);
      else await client.call('GETDEL', key);
    }
    if (random.next() < 0.5) await client.call('DEL', key);
  }

  async #count(client: Client, random: Random): Promise<void> {
    const key = `${this.#prefix}counter:${random.below(COUNTERS)}`;
    await client.call(...(random.next() < 0.7 ? ['INCR', key] : ['GET', key]));
  }

  async #lock(client: Client, random: Random): Promise<void> {
    const key = `${this.#prefix}lock:${random.below(LOCKS)}`;
    const mine = this.#value(random);
    const taken = await client.call('SET', key, mine, 'NX', 'PX', String(LOCK_TTL_MS));
    if (taken?.type !== '+') return;
    await this.#think(random);
    const held = await client.call('GET', key);
    if (held?.type === '$' && held.text === mine) await client.call('DEL', key);
  }

  async #race(client: Client, random: Random): Promise<void> {
    const key = `${this.#prefix}race:${Math.floor(performance.now() / RACE_MS)}`;
    await client.call('SET', key, this.#value(random), 'NX');
    await client.call('GET', key);
  }

  async #useOld(client: Client, random: Random): Promise<void> {
    if (this.#old.length === 0) return;
    const key = random.pick(this.#old);
    if (random.next() < 0.7) await client.call('GET', key);
    else await client.call('SET', key, this.#value(random));
  }
}
