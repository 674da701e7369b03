import type { Random } from '../support/control-network.js';
import type { Call } from './history.js';

/** A client that takes locks as one does without scripts: SET NX PX, and GET before DEL to see that it is still its own. */
export class LockUser {
  readonly #keys: readonly string[];
  #held: { readonly key: string; readonly token: string } | null = null;
  #isMine = false;

  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  command(random: Random, token: string): readonly string[] {
    const held = this.#held;
    if (held === null) {
      const ttl = String(50 + random.below(1000));
      return ['SET', random.pick(this.#keys), token, 'NX', 'PX', ttl];
    }
    if (!this.#isMine) return ['GET', held.key];
    this.#held = null;
    this.#isMine = false;
    return ['DEL', held.key];
  }

  answered({ args, outcome, reply }: Call): void {
    const [name, key, token] = args as readonly [string, string, string];
    if (name === 'SET' && outcome === 'replied' && reply?.type === '+') this.#held = { key, token };
    if (name !== 'GET' || this.#held?.key !== key) return;
    if (reply?.type === '$' && reply.text === this.#held.token) this.#isMine = true;
    else if (outcome === 'replied') this.#held = null;
  }
}
