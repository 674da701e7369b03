import { lookup } from 'node:dns/promises';
import type { Logger } from '../base/logger.js';

/** Where others may be: all records of a name. */
export interface JoinTarget {
  readonly host: string;
  readonly busPort: number;
}

/** Records of one name that are used; more are no cluster. */
const RECORDS_MAX = 256;

export type Resolve = (host: string) => Promise<readonly { address: string }[]>;

const resolveAll: Resolve = (host) => lookup(host, { all: true });

/** "host:port" or "[v6]:port", as options allow it. */
export function parseBusAddress(text: string): JoinTarget {
  const colon = text.lastIndexOf(':');
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ''),
    busPort: Number(text.slice(colon + 1)),
  };
}

/** The join addresses of a node, resolved again and again: records come and go with the nodes behind a name. */
export class JoinAddresses {
  readonly #names: readonly JoinTarget[];
  readonly #logger: Logger;
  readonly #resolve: Resolve;
  /** By position in #names; null as long as the name was not resolved. */
  readonly #records: (readonly JoinTarget[] | null)[];
  #running = false;

  constructor(texts: readonly string[], logger: Logger, resolve: Resolve = resolveAll) {
    this.#names = texts.map(parseBusAddress);
    this.#records = this.#names.map(() => null);
    this.#logger = logger;
    this.#resolve = resolve;
  }

  /** Every address known now, each once. */
  get targets(): JoinTarget[] {
    const byKey = new Map<string, JoinTarget>();
    for (const target of this.#records.flatMap((records) => records ?? [])) {
      byKey.set(`${target.host} ${target.busPort}`, target);
    }
    return [...byKey.values()];
  }

  /** Names without any record so far: somebody may be behind them. */
  get unresolved(): number {
    return this.#records.filter((records) => records === null).length;
  }

  /** Resolves all names once more; does nothing while that is under way. A name that fails keeps its last records. */
  async refresh(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await Promise.all(this.#names.map((name, i) => this.#refreshName(name, i)));
    this.#running = false;
  }

  async #refreshName({ host, busPort }: JoinTarget, index: number): Promise<void> {
    try {
      const records = await this.#resolve(host);
      if (records.length === 0) return;
      this.#records[index] = records
        .slice(0, RECORDS_MAX)
        .map(({ address }) => ({ host: address, busPort }));
    } catch (error) {
      this.#logger.debug('join address does not resolve', {
        host,
        error: (error as Error).message,
      });
    }
  }
}
