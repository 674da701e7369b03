import type { Random } from '../support/control-network.js';
import type { Call } from './history.js';

const OTHERS_SHARE = 0.1;
const SHORT_SHARE = 0.3;

/** One user as a session store shows him: logs in, is read and touched with each request, updated, logs out or expires. */
export class SessionUser {
  readonly #all: readonly string[];
  readonly #own: readonly string[];
  readonly #loggedIn = new Set<string>();
  /** The session that was just read: it is touched next. */
  #read: string | null = null;

  constructor(client: number, clients: number, keys: readonly string[]) {
    this.#all = keys;
    const own = keys.filter((_, i) => i % clients === client % keys.length);
    this.#own = own.length > 0 ? own : keys;
  }

  command(random: Random, value: string): readonly string[] {
    const ttl = String(
      random.next() < SHORT_SHARE ? 20 + random.below(300) : 2000 + random.below(20_000),
    );
    const read = this.#read;
    this.#read = null;
    if (read !== null) return ['PEXPIRE', read, ttl];
    // Two tabs, or somebody who looks at all sessions.
    if (random.next() < OTHERS_SHARE) return ['GET', random.pick(this.#all)];
    const key = random.pick(this.#own);
    if (!this.#loggedIn.has(key)) return ['SET', key, value, 'PX', ttl];
    const luck = random.next();
    if (luck < 0.65) return ['GET', key];
    return luck < 0.9 ? ['SET', key, value, 'PX', ttl] : ['DEL', key];
  }

  answered({ args, outcome, reply }: Call): void {
    const [name, key] = args as readonly [string, string];
    if (outcome !== 'replied' || !this.#own.includes(key)) return;
    const isThere = name === 'SET' || (name === 'GET' && reply?.type === '$');
    if (isThere) this.#loggedIn.add(key);
    else if (name === 'GET' || name === 'DEL') this.#loggedIn.delete(key);
    if (name === 'GET' && isThere) this.#read = key;
  }
}
