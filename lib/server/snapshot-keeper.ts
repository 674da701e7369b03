import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../base/config.js';
import type { Logger } from '../base/logger.js';
import type { ClusterNode } from '../cluster/node.js';
import type { ReplySink } from '../cluster/operation.js';
import { SnapshotPhase } from '../cluster/snapshot-offers.js';
import { Request } from '../protocol/request.js';
import type { SnapshotRecord } from '../protocol/snapshot-blocks.js';
import type { Store } from '../store/store.js';
import { snapshotHeader, snapshotRecords } from './snapshot-contents.js';
import { moveFile, type SnapshotHeader, SnapshotReader, writeSnapshot } from './snapshot-file.js';

/** Keys that are being loaded at one time, and their bytes. */
const LOADING_KEYS_MAX = 128;
const LOADING_BYTES_MAX = 4 * 1024 * 1024;
/** A key that could not be loaded now is tried again after this, and so often; milliseconds. */
const AGAIN_MS = 100;
const ATTEMPTS_MAX = 300;

export interface SnapshotKeeperParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly store: Store;
  readonly node: ClusterNode;
  /** Unix milliseconds. */
  readonly beginTurn: () => number;
}

/** The header of the file that is to be loaded, once all of it has been read; null where there is none. Throws SnapshotError. */
export async function checkSnapshot(path: string): Promise<SnapshotHeader | null> {
  const opened = path === '' ? null : await SnapshotReader.open(path);
  if (opened === null) return null;
  try {
    while ((await opened.reader.next()) !== null);
  } finally {
    await opened.reader.close();
  }
  return opened.header;
}

/** The snapshot file of a node: loaded when the whole cluster begins anew, written when it has stopped as a whole. */
export class SnapshotKeeper {
  readonly #parts: SnapshotKeeperParts;
  readonly #path: string;
  /** False after SHUTDOWN NOSAVE. */
  isWanted = true;
  #isBusy = false;
  #failed = 0;

  /** `header`: of the file that is there. */
  constructor(parts: SnapshotKeeperParts, header: SnapshotHeader | null) {
    this.#parts = parts;
    this.#path = parts.config.get('snapshot-file');
    if (header !== null) parts.node.snapshots.own = { ...header, phase: SnapshotPhase.Waiting };
  }

  /** Every tick. */
  step(): void {
    if (this.#isBusy) return;
    const step = this.#parts.node.snapshots.step();
    if (step.kind === 'wait') return;
    if (step.kind === 'aside') this.#setAside(step.reason);
    else void this.#load(step.kind === 'primaries');
  }

  /** All members have stopped, or are about to: what is held here is written. */
  write(): void {
    const { node, logger } = this.#parts;
    const { own } = node.snapshots;
    const isWaiting = own !== null && own.phase !== SnapshotPhase.Loaded;
    // What was to be loaded is still there, for the next time.
    if (this.#path === '' || !this.isWanted || isWaiting) return;
    const header = snapshotHeader(node, this.#parts.beginTurn());
    if (header === null) return;
    try {
      const records = writeSnapshot(this.#path, header, snapshotRecords(node));
      logger.info('snapshot written', { path: this.#path, records, parts: header.parts.length });
    } catch (error) {
      logger.error('snapshot not written', { path: this.#path, error: (error as Error).message });
    }
  }

  #setAside(reason: string): void {
    const { logger, node } = this.#parts;
    const to = `${this.#path}.not-loaded`;
    node.snapshots.drop();
    try {
      moveFile(this.#path, to);
      logger.warn('snapshot not loaded', { reason, path: to });
    } catch (error) {
      logger.error('snapshot not loaded', { reason, error: (error as Error).message });
    }
  }

  async #load(primaries: boolean): Promise<void> {
    const { node, logger } = this.#parts;
    const { snapshots } = node;
    this.#isBusy = true;
    snapshots.entered(primaries ? SnapshotPhase.Primaries : SnapshotPhase.Backups);
    try {
      const records = await this.#loadAll(primaries);
      logger.info('snapshot loaded', { primaries, records, failed: this.#failed });
      if (primaries) snapshots.entered(SnapshotPhase.PrimariesLoaded);
      else {
        // Not before all is there, so that nothing is lost when this process dies; and never twice.
        moveFile(this.#path, `${this.#path}.loaded`);
        snapshots.entered(SnapshotPhase.Loaded);
      }
    } catch (error) {
      logger.error('snapshot cannot be loaded', { error: (error as Error).message });
      this.#setAside('it cannot be read');
    }
    this.#isBusy = false;
  }

  /** Once more where this node has become another member meanwhile, and lost what it held. */
  async #loadAll(primaries: boolean): Promise<number> {
    for (;;) {
      const { id } = this.#parts.node.membership.self;
      const records = await this.#pass(primaries);
      if (id === this.#parts.node.membership.self.id) return records;
    }
  }

  async #pass(primaries: boolean): Promise<number> {
    const opened = await SnapshotReader.open(this.#path);
    if (opened === null) throw new Error('it is gone');
    let count = 0;
    try {
      const { reader } = opened;
      for (let block = await reader.next(); block !== null; block = await reader.next()) {
        const wanted = block.filter(
          (record) => record.isPrimary === primaries && !this.#isHere(record),
        );
        for (let at = 0; at < wanted.length; ) {
          const end = endOfBatch(wanted, at);
          await Promise.all(wanted.slice(at, end).map((record) => this.#restore(record)));
          count += end - at;
          at = end;
        }
      }
    } finally {
      await opened.reader.close();
    }
    return count;
  }

  /** Whether this node knows the key already: it need not ask others then. */
  #isHere({ db, key }: SnapshotRecord): boolean {
    return this.#parts.store.find(db, key, 0, key.length) !== 0;
  }

  /** A key that is there stays as it is. */
  async #restore(record: SnapshotRecord): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const reply = await this.#run(record);
      if (reply.startsWith('+') || reply.startsWith('-BUSYKEY')) return;
      await delay(AGAIN_MS);
    }
    this.#failed += 1;
  }

  #run({ db, expireAt, key, payload }: SnapshotRecord): Promise<string> {
    const { node } = this.#parts;
    return new Promise((resolve) => {
      this.#parts.beginTurn();
      const request = Request.of('RESTORE', key, String(expireAt), payload, 'ABSTTL');
      const { traits, keys } = node.executor.classify(request)!;
      const sink: ReplySink = {
        acknowledged: () => undefined,
        complete: (_token, reply) => resolve(reply.toString('latin1')),
        fail: (_token, error) => resolve(`-${error}`),
      };
      node.router.submit({ request, traits, keys, db, proto: 2, sink, token: 0 });
    });
  }
}

/** Behind the last record that is loaded together with the one at `from`. */
function endOfBatch(records: readonly SnapshotRecord[], from: number): number {
  let end = from + 1;
  let bytes = records[from]!.payload.length;
  while (end < records.length && end - from < LOADING_KEYS_MAX) {
    bytes += records[end]!.payload.length;
    if (bytes > LOADING_BYTES_MAX) break;
    end += 1;
  }
  return end;
}
