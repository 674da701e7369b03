import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../base/config.js';
import type { Logger } from '../base/logger.js';
import type { Incarnation } from '../cluster/member.js';
import type { ClusterNode } from '../cluster/node.js';
import type { ReplySink } from '../cluster/operation.js';
import { SnapshotPhase } from '../cluster/snapshot-offers.js';
import { Request } from '../protocol/request.js';
import type { SnapshotRecord } from '../protocol/snapshot-blocks.js';
import type { Store } from '../store/store.js';
import { fatesOf, snapshotHeader, snapshotRecords } from './snapshot-contents.js';
import {
  checkDirectory,
  moveFile,
  type SnapshotEnd,
  SnapshotError,
  type SnapshotHeader,
  SnapshotReader,
  SnapshotWriter,
} from './snapshot-file.js';

/** Keys that are being loaded at one time, and their bytes. */
const LOADING_KEYS_MAX = 128;
const LOADING_BYTES_MAX = 4 * 1024 * 1024;
/** A key that could not be loaded now is tried again after this, and a file that could not be moved; milliseconds. */
const AGAIN_MS = 100;
const MOVE_AGAIN_MS = 1000;
/** The others' goodbyes are looked for so often, milliseconds. */
const GOODBYE_POLL_MS = 5;
/** What the cluster answers to a command that it may run later. */
const TRANSIENT = /^-(TRYAGAIN|NOREPLICAS|CLUSTERDOWN|LOADING|ERR outcome unknown)/;

export interface SnapshotKeeperParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly store: Store;
  readonly node: ClusterNode;
  /** Unix milliseconds. */
  readonly beginTurn: () => number;
  readonly isStopped: () => boolean;
}

/** What the file that is to be loaded says of itself, once all of it has been read; null where there is none. */
export type FoundSnapshot = SnapshotHeader & SnapshotEnd;

/** Throws SnapshotError, also where none could be written later. `databases`: how many there are. */
export async function checkSnapshot(
  path: string,
  databases: number,
): Promise<FoundSnapshot | null> {
  if (path === '') return null;
  await checkDirectory(path);
  const opened = await SnapshotReader.open(path);
  if (opened === null) return null;
  const { header, reader } = opened;
  try {
    for (let block = await reader.next(); block !== null; block = await reader.next()) {
      const beyond = block.find(({ db }) => db >= databases);
      if (beyond !== undefined)
        throw new SnapshotError(
          path,
          `has keys in database ${beyond.db}, and databases is ${databases}`,
        );
    }
  } finally {
    await reader.close();
  }
  return { ...header, ...reader.end! };
}

/** Loading cannot go on: whether it may is decided anew. */
class Interrupted extends Error {}

/** The snapshot file of a node: loaded when the whole cluster begins anew, written when it has stopped as a whole. */
export class SnapshotKeeper {
  readonly #parts: SnapshotKeeperParts;
  readonly #path: string;
  /** False after SHUTDOWN NOSAVE. */
  isWanted = true;
  #isBusy = false;
  #refused = 0;

  constructor(parts: SnapshotKeeperParts, found: FoundSnapshot | null) {
    this.#parts = parts;
    this.#path = parts.config.get('snapshot-file');
    if (found !== null) parts.node.snapshots.own = { ...found, phase: SnapshotPhase.Waiting };
  }

  /** Whether what is held here is written when nobody stays. */
  get isKept(): boolean {
    // What was to be loaded is still there, for the next time.
    return this.#path !== '' && this.isWanted && !this.#parts.node.snapshots.isPending;
  }

  /** Every tick. */
  step(): void {
    if (this.#isBusy) return;
    const step = this.#parts.node.snapshots.step();
    if (step.kind === 'wait') return;
    this.#isBusy = true;
    const done =
      step.kind === 'aside'
        ? this.#setAside(step.reason)
        : this.#load(step.kind === 'primaries', step.kind === 'primaries' ? step.absent : []);
    void done.finally(() => {
      this.#isBusy = false;
    });
  }

  /**
   * All members have stopped, or are about to, and this node has said goodbye: what is held here is written. False when it
   * could not be, and is lost.
   */
  async write(): Promise<boolean> {
    const { node, logger } = this.#parts;
    const header = this.isKept ? snapshotHeader(node, this.#parts.beginTurn()) : null;
    if (header === null) return true;
    const { part, parts } = header;
    try {
      const writer = new SnapshotWriter(this.#path, header);
      // In this turn: nothing is to change any more.
      writer.write(snapshotRecords(node));
      const end = await this.#fates(parts.filter((id) => id !== part));
      const records = writer.finish(end);
      const unknown = parts.length - 1 - end.stopped.length - end.dead.length;
      logger.info('snapshot written', { path: this.#path, records, parts: parts.length, unknown });
      return true;
    } catch (error) {
      logger.error('snapshot not written', { path: this.#path, error: (error as Error).message });
      return false;
    }
  }

  /** Waits until it is known of all, but no longer than for a death. */
  async #fates(others: readonly Incarnation[]): Promise<SnapshotEnd> {
    const { config, node } = this.#parts;
    const polls = Math.ceil(config.get('node-timeout') / GOODBYE_POLL_MS);
    for (let i = 0; ; i++) {
      const end = fatesOf(node, others);
      if (i >= polls || end.stopped.length + end.dead.length === others.length) return end;
      await delay(GOODBYE_POLL_MS);
    }
  }

  async #setAside(reason: string): Promise<void> {
    const { logger, node } = this.#parts;
    const to = `${this.#path}.not-loaded`;
    await this.#move(to);
    node.snapshots.drop();
    logger.warn('snapshot not loaded', { reason, path: to });
  }

  /** Nothing is served before: else the file would be loaded once more at a later start, with what was deleted since. */
  async #move(to: string): Promise<void> {
    for (let isFirst = true; !this.#parts.isStopped(); isFirst = false) {
      try {
        moveFile(this.#path, to);
        return;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') return;
        const facts = { path: to, error: message };
        if (isFirst)
          this.#parts.logger.error('nothing is served: snapshot cannot be moved away', facts);
      }
      await delay(MOVE_AGAIN_MS);
    }
  }

  async #load(primaries: boolean, absent: readonly Incarnation[]): Promise<void> {
    const { node, logger } = this.#parts;
    const { snapshots } = node;
    if (absent.length > 0) logger.warn('snapshot is loaded without some of its parts', { absent });
    snapshots.entered(primaries ? SnapshotPhase.Primaries : SnapshotPhase.Backups);
    try {
      this.#refused = 0;
      const records = await this.#pass(primaries);
      const facts = { primaries, records, refused: this.#refused };
      logger[this.#refused > 0 ? 'warn' : 'info']('snapshot loaded', facts);
      if (primaries) snapshots.entered(SnapshotPhase.PrimariesLoaded);
      else {
        // Not before all is there, so that nothing is lost when this process dies; and never twice.
        await this.#move(`${this.#path}.loaded`);
        snapshots.entered(SnapshotPhase.Loaded);
      }
    } catch (error) {
      if (error instanceof Interrupted) {
        logger.warn('loading the snapshot was interrupted', { primaries });
        snapshots.interrupted();
        return;
      }
      logger.error('snapshot cannot be loaded', { error: (error as Error).message });
      await this.#setAside('it cannot be read');
    }
  }

  async #pass(primaries: boolean): Promise<number> {
    const opened = await SnapshotReader.open(this.#path);
    if (opened === null) throw new Error('it is gone');
    const { id } = this.#parts.node.membership.self;
    let count = 0;
    try {
      const { reader } = opened;
      for (let block = await reader.next(); block !== null; block = await reader.next()) {
        const wanted = block.filter(
          (record) => record.isPrimary === primaries && !this.#isHere(record),
        );
        for (let at = 0; at < wanted.length; ) {
          const end = endOfBatch(wanted, at);
          await Promise.all(wanted.slice(at, end).map((record) => this.#restore(record, id)));
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

  /** A key that is there stays as it is. `id`: the incarnation that loads. */
  async #restore(record: SnapshotRecord, id: Incarnation): Promise<void> {
    const { membership, snapshots } = this.#parts.node;
    const isOver = (): boolean =>
      snapshots.mustStop || membership.self.id !== id || this.#parts.isStopped();
    for (;;) {
      if (isOver()) throw new Interrupted();
      const reply = await this.#run(record, isOver);
      if (reply.startsWith('+') || reply.startsWith('-BUSYKEY')) return;
      if (!TRANSIENT.test(reply)) break;
      await delay(AGAIN_MS);
    }
    this.#refused += 1;
  }

  #run({ db, expireAt, key, payload }: SnapshotRecord, isOver: () => boolean): Promise<string> {
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
      node.router.submit({ request, traits, keys, db, proto: 2, sink, token: 0, isOver });
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
