import type { Redis } from 'ioredis';
import { withReadableVersion } from '../../../protocol/rdb-version.js';

/** Keys that are asked for, and restored, together; with a rate those of so many milliseconds at most. */
const KEYS_PER_BATCH = 200;
const BATCH_MS = 100;
/** Different reasons of failures that are kept; the names of keys are not part of them. */
const REASONS_MAX = 50;
/** What the next key would be refused with as well: there is no use in going on. */
const HOPELESS = /^(NOAUTH|NOPERM|OOM|NOREPLICAS|CLUSTERDOWN|READONLY|LOADING|MISCONF)\b/;

export interface CopyOptions {
  /** A pattern as SCAN takes it; every key without. */
  readonly match: string | undefined;
  /** Keys that are there already are replaced. */
  readonly replace: boolean;
  /** Keys per second at most; 0 for no bound. */
  readonly rate: number;
}

/** What has become of the keys so far. Every key that SCAN has named is in one of these. */
export interface Counts {
  copied: number;
  /** There already, and left as they are. */
  present: number;
  /** Expired or deleted between SCAN and the copy. */
  gone: number;
  failed: number;
  /** Why, and how many. */
  readonly reasons: Map<string, number>;
}

export const seen = ({ copied, present, gone, failed }: Counts): number =>
  copied + present + gone + failed;

interface Dumped {
  readonly key: Buffer;
  readonly payload: Buffer;
  readonly type: string;
  /** When it expires by `performance.now()`; null for never. */
  readonly deadline: number | null;
}

/** Whether the connection, and not the server, says no: what became of the command is not known. */
const isBroken = (error: Error | null): boolean => error !== null && error.name !== 'ReplyError';

type PipelineReplies = readonly [error: Error | null, reply: unknown][] | null;

/**
 * Copies keys with their expiry from one server to another, batch by batch: what is in memory is one batch. Throws what
 * either connection fails with, and an Error where the target refuses everything; `counts` has what was done until then.
 */
export class KeyCopier {
  readonly counts: Counts = { copied: 0, present: 0, gone: 0, failed: 0, reasons: new Map() };
  readonly #source: Redis;
  readonly #target: Redis;
  readonly #options: CopyOptions;

  constructor(source: Redis, target: Redis, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { match, rate } = this.#options;
    const pattern = match === undefined ? [] : ['MATCH', match];
    const perBatch = rate === 0 ? KEYS_PER_BATCH : Math.ceil((rate * BATCH_MS) / 1000);
    const size = Math.min(KEYS_PER_BATCH, perBatch);
    const begin = performance.now();
    let cursor: Buffer | string = '0';
    do {
      const step = ['SCAN', cursor, ...pattern, 'COUNT', size] as const;
      const reply: unknown = await this.#source.callBuffer(...step);
      const [next, keys] = reply as [Buffer, Buffer[]];
      // A scan may name more keys than it was asked for.
      for (let from = 0; from < keys.length; from += size) {
        await this.#restore(await this.#dump(keys.slice(from, from + size)));
        if (rate > 0) await untilDue(begin + (seen(this.counts) / rate) * 1000);
      }
      cursor = next;
    } while (cursor.toString() !== '0');
  }

  /** Expiry and value of one moment for each key: an application may be writing to both. */
  async #dump(keys: readonly Buffer[]): Promise<Dumped[]> {
    const pipeline = this.#source.pipeline();
    for (const key of keys) {
      pipeline.call('MULTI');
      pipeline.call('PTTL', key);
      pipeline.call('TYPE', key);
      pipeline.callBuffer('DUMP', key);
      pipeline.callBuffer('EXEC');
    }
    const asked = performance.now();
    const replies = (await pipeline.exec()) as PipelineReplies;
    return keys.flatMap((key, index) => {
      const [error, reply] = replies![index * 5 + 4]!;
      const [ttl, type, payload] = (reply ?? []) as [number, Buffer, Buffer | Error | null];
      if (isBroken(error)) throw error!;
      const refusal = error ?? (payload instanceof Error ? payload : null);
      if (refusal !== null) return this.#fail(`source: ${refusal.message}`);
      if (payload === null || ttl === -2) {
        this.counts.gone += 1;
        return [];
      }
      // No clock but this one: those of the servers may differ.
      const deadline = ttl < 0 ? null : asked + ttl;
      return [{ key, payload: payload as Buffer, type: String(type), deadline }];
    });
  }

  async #restore(all: readonly Dumped[]): Promise<void> {
    const pipeline = this.#target.pipeline();
    const now = performance.now();
    const live = all.filter(({ deadline }) => deadline === null || deadline - now >= 1);
    this.counts.gone += all.length - live.length;
    const replace = this.#options.replace ? ['REPLACE'] : [];
    for (const { key, payload, deadline } of live) {
      const ttl = deadline === null ? 0 : Math.floor(deadline - now);
      pipeline.call('RESTORE', key, ttl, withReadableVersion(payload), ...replace);
    }
    if (live.length === 0) return;
    const replies = (await pipeline.exec()) as PipelineReplies;
    replies!.forEach(([error], index) => {
      if (isBroken(error)) throw error!;
      if (error === null) this.counts.copied += 1;
      else if (error.message.startsWith('BUSYKEY')) this.counts.present += 1;
      else this.#refused(error.message, live[index]!);
    });
    const hopeless = replies!.find(([error]) => error !== null && HOPELESS.test(error.message));
    if (hopeless !== undefined) throw hopeless[0]!;
  }

  #refused(message: string, { type }: Dumped): void {
    const known = ['string', 'hash', 'set', 'list', 'zset'];
    this.#fail(known.includes(type) ? message : `type ${type}: there is none such in Tandis`);
  }

  #fail(reason: string): [] {
    const { reasons } = this.counts;
    this.counts.failed += 1;
    const kept = reasons.has(reason) || reasons.size < REASONS_MAX ? reason : 'other reasons';
    reasons.set(kept, (reasons.get(kept) ?? 0) + 1);
    return [];
  }
}

async function untilDue(moment: number): Promise<void> {
  const ms = moment - performance.now();
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}
