import type { TandisNode } from './embedded-node.js';

/** Keys that one SCAN looks at, and that one command reads or deletes. */
const KEYS_PER_STEP = 1000;
const GLOB_CHARACTERS = /[*?[\]^\\]/g;

/** The keys of a node's cluster that begin with a prefix. */
export class SessionKeys {
  readonly #node: Pick<TandisNode, 'call'>;
  readonly #prefix: string;

  constructor(node: Pick<TandisNode, 'call'>, prefix: string) {
    this.#node = node;
    this.#prefix = prefix;
  }

  async *#scan(): AsyncGenerator<string[]> {
    const pattern = `${this.#prefix.replace(GLOB_CHARACTERS, '\\$&')}*`;
    let cursor = '0';
    do {
      const step = this.#node.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', KEYS_PER_STEP);
      const [next, keys] = (await step) as [string, string[]];
      cursor = next;
      if (keys.length > 0) yield keys;
    } while (cursor !== '0');
  }

  /** What follows the prefix in each of them; a scan may name a key twice. */
  async ids(): Promise<Set<string>> {
    const ids = new Set<string>();
    for await (const keys of this.#scan()) {
      for (const key of keys) ids.add(key.slice(this.#prefix.length));
    }
    return ids;
  }

  /** Pairs of an id and its value. */
  async values(): Promise<[string, string][]> {
    const ids = [...(await this.ids())];
    const found: [string, string][] = [];
    for (let from = 0; from < ids.length; from += KEYS_PER_STEP) {
      const some = ids.slice(from, from + KEYS_PER_STEP);
      const names = some.map((id) => this.#prefix + id);
      const texts = (await this.#node.call('MGET', ...names)) as (string | null)[];
      texts.forEach((text, index) => {
        if (text !== null) found.push([some[index]!, text]);
      });
    }
    return found;
  }

  async clear(): Promise<void> {
    for await (const keys of this.#scan()) await this.#node.call('DEL', ...keys);
  }
}
