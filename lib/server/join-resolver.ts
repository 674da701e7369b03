import { lookup } from 'node:dns/promises';
import type { Logger } from '../base/logger.js';
import type { Address } from '../cluster/member.js';
import type { JoinAddresses } from '../cluster/membership/contract.js';

/** Records of one name that are used; more are no cluster. */
const RECORDS_MAX = 256;

export type Resolve = (host: string) => Promise<readonly { address: string }[]>;

const resolveAll: Resolve = (host) => lookup(host, { all: true });

interface Name {
  readonly host: string;
  readonly busPort: number;
  /** Null as long as it was not resolved. */
  addresses: readonly Address[] | null;
}

/** "host:port" or "[v6]:port", as options allow it. */
function parseName(text: string): Name {
  const colon = text.lastIndexOf(':');
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ''),
    busPort: Number(text.slice(colon + 1)),
    addresses: null,
  };
}

/** The join addresses of a node, resolved again and again: records come and go with the nodes behind a name. */
export class JoinResolver {
  readonly #names: readonly Name[];
  readonly #logger: Logger;
  readonly #resolve: Resolve;
  #refreshing = false;

  constructor(texts: readonly string[], logger: Logger, resolve: Resolve = resolveAll) {
    this.#names = texts.map(parseName);
    this.#logger = logger;
    this.#resolve = resolve;
  }

  /** Every address known now, each once. Client ports are not known by a join address: they are 0. */
  get current(): JoinAddresses {
    const byKey = new Map<string, Address>();
    for (const address of this.#names.flatMap(({ addresses }) => addresses ?? [])) {
      byKey.set(`${address.host} ${address.busPort}`, address);
    }
    const unresolved = this.#names.filter(({ addresses }) => addresses === null).length;
    return { addresses: [...byKey.values()], unresolved };
  }

  /** Resolves all names once more; does nothing while that is under way. A name that fails keeps its last records. */
  async refresh(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    await Promise.all(this.#names.map((name) => this.#refreshName(name)));
    this.#refreshing = false;
  }

  async #refreshName(name: Name): Promise<void> {
    const { host, busPort } = name;
    try {
      const records = await this.#resolve(host);
      if (records.length === 0) return;
      name.addresses = records
        .slice(0, RECORDS_MAX)
        .map(({ address }) => ({ host: address, port: 0, busPort }));
    } catch (error) {
      this.#logger.debug('join address does not resolve', {
        host,
        error: (error as Error).message,
      });
    }
  }
}
