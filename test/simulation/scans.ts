import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import type { Call } from './history.js';
import type { Found } from './violation.js';

/** Keys that are set again and again and never deleted, but by FLUSHALL: a SCAN must return them. */
export const STEADY_KEYS: readonly string[] = ['s0', 's1', 's2', 's3', 's4', 's5'];

/** Fits every key, and is too long for one part of the profile `large`. */
const LONG_PATTERN = `[${'a-z'.repeat(150)}]*`;

interface Scan {
  readonly from: number;
  readonly until: number;
  readonly keys: ReadonlySet<string>;
}

/** The whole keyspace as clients walk it: SCAN from node to node, or KEYS, and FLUSHALL now and then. */
export class Scans {
  readonly #done: Scan[] = [];
  readonly #open = new Map<number, { cursor: string; from: number; readonly keys: Set<string> }>();

  get count(): number {
    return this.#done.length;
  }

  /** `asWhole`: all keys are asked for at once, in one long answer to a long question. */
  command(client: number, random: Random, value: string, asWhole: boolean): readonly string[] {
    const luck = random.next();
    if (luck < 0.03) return ['FLUSHALL'];
    if (luck < 0.06) return ['DBSIZE'];
    if (luck < 0.4) return ['SET', random.pick(STEADY_KEYS), value];
    if (asWhole) return ['KEYS', LONG_PATTERN];
    return ['SCAN', this.#open.get(client)?.cursor ?? '0', 'COUNT', '3'];
  }

  /** A step that was not answered is asked for again. */
  answered(client: number, { args, invokedAt, returnedAt, outcome, reply }: Call): void {
    if (outcome !== 'replied') return;
    if (args[0] === 'KEYS') {
      this.#done.push({ from: invokedAt, until: returnedAt, keys: new Set(textsOf(reply)) });
    }
    if (args[0] !== 'SCAN') return;
    const scan = this.#open.get(client) ?? { cursor: '0', from: invokedAt, keys: new Set() };
    this.#open.set(client, scan);
    const [cursor, keys] = (reply as Extract<Reply, { items: unknown }>).items;
    for (const key of textsOf(keys!)) scan.keys.add(key);
    scan.cursor = (cursor as { text: string }).text;
    if (scan.cursor !== '0') return;
    this.#done.push({ from: scan.from, until: returnedAt, keys: scan.keys });
    this.#open.delete(client);
  }

  /** A key that was there all along and was not returned; null when all were. */
  check(calls: readonly Call[]): Found | null {
    for (const scan of this.#done) {
      const missed = STEADY_KEYS.find((key) => !scan.keys.has(key) && wasThere(key, scan, calls));
      if (missed === undefined) continue;
      const times = `from ${scan.from.toFixed(1)} to ${scan.until.toFixed(1)} ms`;
      return { what: `SCAN ${times} returned no ${missed}, which was there`, key: missed };
    }
    return null;
  }

  /** A DBSIZE below the number of keys that were there all along, or above that of all that ever were; null: none. */
  checkSizes(calls: readonly Call[], keysMax: number): Found | null {
    for (const { args, outcome, reply, invokedAt, returnedAt } of calls) {
      if (args[0] !== 'DBSIZE' || outcome !== 'replied') continue;
      const size = Number((reply as Extract<Reply, { text: unknown }>).text);
      const during = { from: invokedAt, until: returnedAt };
      const least = STEADY_KEYS.filter((key) => wasThere(key, during, calls)).length;
      if (size >= least && size <= keysMax) continue;
      const what = `DBSIZE at ${returnedAt.toFixed(1)} ms says ${size}, of ${least} to ${keysMax} keys`;
      return { what, key: null };
    }
    return null;
  }
}

function textsOf(reply: Reply | null): string[] {
  const { items } = reply as Extract<Reply, { items: unknown }>;
  return items.flatMap((item) => ('text' in item ? [item.text] : []));
}

/** It was set before, and nothing that could have deleted it ran since. */
function wasThere(
  key: string,
  { from, until }: Pick<Scan, 'from' | 'until'>,
  calls: readonly Call[],
): boolean {
  const isSet = ({ args, outcome, returnedAt }: Call): boolean =>
    args[0] === 'SET' && args[1] === key && outcome === 'replied' && returnedAt < from;
  const since = Math.max(...calls.filter(isSet).map(({ invokedAt }) => invokedAt));
  if (!(since > 0)) return false;
  return !calls.some(
    ({ args, invokedAt, returnedAt }) =>
      args[0] === 'FLUSHALL' && invokedAt < until && returnedAt > since,
  );
}
