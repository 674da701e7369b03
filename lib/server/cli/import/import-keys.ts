import { Redis } from 'ioredis';
import type { Access } from '../asking.js';
import { type CopyOptions, type Counts, KeyCopier, seen } from './key-copier.js';
import { readSource, type ServerAddress } from './source-address.js';

/** Milliseconds to connect, and that a server has to answer one command of a batch. */
const CONNECT_MS = 5000;
const ANSWER_MS = 30_000;
/** A line of progress each so many milliseconds: over the last one on a terminal, else below it. */
const TERMINAL_MS = 500;
const LOG_MS = 5000;

export interface ImportOptions extends Access, CopyOptions {
  /** The cluster that keys go to: any of its nodes. */
  readonly host: string;
  readonly port: number;
  readonly sourceCacert?: string;
}

/** A connection that is given up when it fails: what is not known to be done is done again by the next run. */
class Connection {
  readonly #shown: string;
  readonly client: Redis;
  /** What it ends with first says more than what its commands end with. */
  readonly #failed: Promise<never>;

  constructor(shown: string, address: ServerAddress) {
    this.#shown = shown;
    this.client = new Redis({
      ...address,
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      retryStrategy: null,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_MS,
      commandTimeout: ANSWER_MS,
    });
    this.#failed = new Promise((_, reject) => this.client.on('error', reject));
    this.#failed.catch(() => undefined);
  }

  async open(): Promise<void> {
    try {
      const answers = this.client.connect().then(() => this.client.ping());
      await Promise.race([this.#failed, answers]);
    } catch (error) {
      throw new Error(`${this.#shown}: ${(error as Error).message}`);
    }
  }

  /** Before what a command of it failed with, where the connection has broken; else empty. */
  get breakage(): string {
    return this.client.status === 'ready' ? '' : `${this.#shown}: `;
  }
}

/** "1200 of 5000 keys: 1100 copied, 100 present ..." */
function progress(counts: Counts, total: number): string {
  const { copied, present, gone, failed } = counts;
  return `${seen(counts)} of about ${total} keys: ${copied} copied, ${present} present, ${gone} gone, ${failed} failed`;
}

/** Shows how far it is until it is stopped. */
function showProgress(counts: Counts, total: number): () => void {
  const { stderr } = process;
  const begin = stderr.isTTY ? '\r\x1b[K' : '';
  const end = stderr.isTTY ? '' : '\n';
  const timer = setInterval(
    () => stderr.write(begin + progress(counts, total) + end),
    stderr.isTTY ? TERMINAL_MS : LOG_MS,
  );
  return () => {
    clearInterval(timer);
    stderr.write(begin);
  };
}

function summary({ copied, present, gone, failed, reasons }: Counts): string {
  const lines = [
    `copied   ${copied}`,
    `present  ${present} (there already, left as they are)`,
    `gone     ${gone} (expired or deleted meanwhile)`,
    `failed   ${failed}`,
    ...[...reasons].map(([reason, count]) => `         ${count} by: ${reason}`),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * `tandis import`: copies the keys of one database of a Redis, with their expiry, into the database of the same number, and
 * prints what has become of them. Exit status 1 when a key could not be copied, or when it had to stop; it can be run again.
 * Throws OptionError for a URL that is none.
 */
export async function importKeys(url: string, options: ImportOptions): Promise<number> {
  const { host, port, user, password, tls } = options;
  const from = readSource(url, options.sourceCacert);
  const source = new Connection(from.shown, from.address);
  const target = new Connection(`${host}:${port}`, {
    host,
    port,
    db: from.address.db,
    ...(password === '' ? {} : { password }),
    ...(user === '' ? {} : { username: user }),
    ...(tls === undefined ? {} : { tls }),
  });
  const copier = new KeyCopier(source.client, target.client, options);
  let stopShowing = () => {};
  let stopped: string | null = null;
  try {
    await source.open();
    await target.open();
    stopShowing = showProgress(copier.counts, await source.client.dbsize());
    await copier.run().catch((error: Error) => {
      throw new Error(`${source.breakage || target.breakage}${error.message}`);
    });
  } catch (error) {
    stopped = (error as Error).message;
  }
  stopShowing();
  source.client.disconnect();
  target.client.disconnect();
  if (stopped !== null) process.stderr.write(`tandis: stopped: ${stopped}\n`);
  // Where it was stopped before the first key there is nothing to sum up.
  if (stopped !== null && seen(copier.counts) === 0) return 1;
  process.stdout.write(summary(copier.counts));
  return stopped !== null || copier.counts.failed > 0 ? 1 : 0;
}
