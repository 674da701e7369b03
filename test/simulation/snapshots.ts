import type { ClusterNode } from '../../lib/cluster/node.js';
import type { ReplySink } from '../../lib/cluster/operation.js';
import { SnapshotPhase } from '../../lib/cluster/snapshot-offers.js';
import { Request } from '../../lib/protocol/request.js';
import type { SnapshotRecord } from '../../lib/protocol/snapshot-blocks.js';
import { fatesOf, snapshotHeader, snapshotRecords } from '../../lib/server/snapshot-contents.js';
import type { SnapshotHeader } from '../../lib/server/snapshot-file.js';
import type { FoundSnapshot } from '../../lib/server/snapshot-keeper.js';

interface Snapshot {
  readonly header: FoundSnapshot;
  readonly records: readonly SnapshotRecord[];
}

/** The disk of a machine: it outlives processes. */
export interface Disk {
  /** What the next process finds. */
  snapshot: Snapshot | null;
  /** What was there before, loaded or not. */
  old: Snapshot | null;
  /** Told of what was done with them. */
  did(what: string): void;
}

/** What a snapshot needs of the process that it is of. */
export interface SnapshotHost {
  readonly node: ClusterNode;
  readonly wall: number;
  after(delayMs: number, run: () => void): void;
  note(what: string): void;
}

/** Keys that are being loaded at one time: few, so that much can happen meanwhile. */
const LOADING_KEYS_MAX = 3;
/** Between two looks at what has become of the others; milliseconds. */
const GOODBYE_POLL_MS = 50;
/** A key that could not be loaded now is tried again after this; milliseconds. */
const AGAIN_MS = 100;

/** As `lib/server/snapshot-keeper.ts`, with a disk that is memory: what it asks, and in which order it loads. */
export class SnapshotWork {
  readonly #host: SnapshotHost;
  readonly #disk: Disk;
  #isBusy = false;

  constructor(host: SnapshotHost, disk: Disk) {
    this.#host = host;
    this.#disk = disk;
    if (disk.snapshot === null) return;
    host.node.snapshots.own = { ...disk.snapshot.header, phase: SnapshotPhase.Waiting };
  }

  /** Every tick. */
  step(): void {
    if (this.#isBusy) return;
    const step = this.#host.node.snapshots.step();
    if (step.kind === 'wait') return;
    if (step.kind === 'aside') this.#setAside(step.reason);
    else this.#load(step.kind === 'primaries');
  }

  get isKept(): boolean {
    return !this.#host.node.snapshots.isPending;
  }

  /** Nothing is served any more, and nobody stays. `done`: the file is there, or none is owed. */
  write(done: () => void): void {
    const { node } = this.#host;
    const begin = this.isKept ? snapshotHeader(node, this.#host.wall) : null;
    if (begin === null) return done();
    const records = [...snapshotRecords(node)];
    const polls = Math.ceil(node.state.config.nodeTimeoutMs / GOODBYE_POLL_MS);
    this.#finish(begin, records, polls, done);
  }

  /** When it is known what has become of the others, or that is not waited for any more. */
  #finish(
    begin: SnapshotHeader,
    records: readonly SnapshotRecord[],
    polls: number,
    done: () => void,
  ): void {
    const others = begin.parts.filter((id) => id !== begin.part);
    const end = fatesOf(this.#host.node, others);
    if (end.stopped.length + end.dead.length < others.length && polls > 0) {
      const again = (): void => this.#finish(begin, records, polls - 1, done);
      return this.#host.after(GOODBYE_POLL_MS, again);
    }
    this.#disk.snapshot = { header: { ...begin, ...end }, records };
    this.#did('snapshots written');
    done();
  }

  #did(what: string): void {
    this.#host.note(what);
    this.#disk.did(what);
  }

  #setAside(reason: string): void {
    this.#host.node.snapshots.drop();
    this.#disk.old = this.#disk.snapshot;
    this.#disk.snapshot = null;
    this.#did(`snapshots aside: ${reason}`);
  }

  #load(primaries: boolean): void {
    const { snapshots } = this.#host.node;
    this.#isBusy = true;
    snapshots.entered(primaries ? SnapshotPhase.Primaries : SnapshotPhase.Backups);
    this.#pass(primaries, (isWhole) => {
      this.#isBusy = false;
      if (!isWhole) return snapshots.interrupted();
      if (primaries) return snapshots.entered(SnapshotPhase.PrimariesLoaded);
      this.#disk.old = this.#disk.snapshot;
      this.#disk.snapshot = null;
      snapshots.entered(SnapshotPhase.Loaded);
      this.#did('snapshots loaded');
    });
  }

  #pass(primaries: boolean, done: (isWhole: boolean) => void): void {
    const { node } = this.#host;
    const { id } = node.membership.self;
    const isOver = (): boolean => node.snapshots.mustStop || node.membership.self.id !== id;
    const wanted = this.#disk.snapshot!.records.filter((record) => record.isPrimary === primaries);
    this.#batch(wanted, 0, isOver, done);
  }

  #batch(
    records: readonly SnapshotRecord[],
    from: number,
    isOver: () => boolean,
    done: (isWhole: boolean) => void,
  ): void {
    const batch = records.slice(from, from + LOADING_KEYS_MAX);
    let missing = batch.length;
    if (isOver()) return done(false);
    if (missing === 0) return done(true);
    for (const record of batch) {
      this.#restore(record, isOver, () => {
        missing -= 1;
        if (missing === 0) this.#batch(records, from + batch.length, isOver, done);
      });
    }
  }

  /** A key that is there stays as it is. */
  #restore(record: SnapshotRecord, isOver: () => boolean, done: () => void): void {
    const { db, key } = record;
    if (isOver() || this.#host.node.state.store.find(db, key, 0, key.length) !== 0) {
      return this.#host.after(0, done);
    }
    this.#run(record, isOver, (reply) => {
      if (reply.startsWith('+') || reply.startsWith('-BUSYKEY')) done();
      else this.#host.after(AGAIN_MS, () => this.#restore(record, isOver, done));
    });
  }

  #run(
    { db, expireAt, key, payload }: SnapshotRecord,
    isOver: () => boolean,
    answered: (reply: string) => void,
  ): void {
    const { node } = this.#host;
    const request = Request.of('RESTORE', key, String(expireAt), payload, 'ABSTTL');
    const { traits, keys } = node.executor.classify(request)!;
    const answer = (reply: string): void => this.#host.after(0, () => answered(reply));
    const sink: ReplySink = {
      acknowledged: () => undefined,
      complete: (_token, reply) => answer(reply.toString('latin1')),
      fail: (_token, error) => answer(`-${error}`),
    };
    node.router.submit({ request, traits, keys, db, proto: 2, sink, token: 0, isOver });
  }
}
