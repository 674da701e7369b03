import { Role, type Store } from '../store/store.js';
import { acquireOperation } from './acquire.js';
import type { ClusterState } from './cluster-state.js';
import { type Gather, Phase } from './gather.js';
import type { GatheredEntries } from './gathered-entries.js';
import { OUT_OF_MEMORY_REPLY } from './handovers.js';
import type { KeyHolds } from './key-holds.js';
import type { LiveKeyspace } from './keyspace.js';
import type { ReplySink } from './operation.js';
import type { Routing } from './routing.js';
import { errorReply, OUTCOME_UNKNOWN } from './runner.js';
import { taskOf } from './task.js';
import type { Turn } from './together.js';

const MINUS = 45;
const LOST = errorReply(OUTCOME_UNKNOWN);
/** Keys of one command that are asked for at the same time. */
const WINDOW_KEYS = 500;

/** A key that was asked for. */
interface Ask {
  readonly gather: Gather;
  readonly position: number;
}

export interface AcquiringParts {
  readonly state: ClusterState;
  readonly keyspace: LiveKeyspace;
  readonly routing: Routing;
  readonly holds: KeyHolds;
  readonly entries: GatheredEntries;
  /** Keys that may still be handled in this turn. */
  readonly turn: Turn;
  /** A key has come. */
  readonly goOn: (gather: Gather) => void;
  /** True when it has made no progress for too long, and is refused now. */
  readonly isOverdue: (gather: Gather) => boolean;
  readonly giveUp: (gather: Gather) => void;
  readonly giveUpFull: (gather: Gather) => void;
  readonly wantTurn: () => void;
}

/** Brings the keys of a command here with ACQUIRE, many at a time, and holds them (gathering.ts). */
export class Acquiring implements ReplySink {
  readonly #parts: AcquiringParts;
  readonly #store: Store;
  readonly #asks = new Map<number, Ask>();
  #lastToken = 0;

  constructor(parts: AcquiringParts) {
    this.#parts = parts;
    this.#store = parts.state.store;
  }

  /** Keys that are asked for. */
  get open(): number {
    return this.#asks.size;
  }

  /** True when all keys are held. */
  acquire(gather: Gather): boolean {
    // The first one that is missing may have been given away, or held by another command: it is asked for again.
    for (let missing = -1; ; ) {
      if (this.#parts.isOverdue(gather)) return false;
      const until = Math.min(gather.count, gather.firm + WINDOW_KEYS);
      if (gather.next < until) {
        if (this.#parts.turn.room-- <= 0) return false;
        this.#look(gather, gather.next++);
        if (gather.phase !== Phase.Acquiring) return false;
        while (gather.firm < gather.next && gather.isHeld[gather.firm] === 1) gather.firm++;
      } else if (gather.firm < gather.next && gather.isHeld[gather.firm] === 1) gather.firm++;
      else if (gather.firm === gather.count) return true;
      else if (gather.isAsked[gather.firm] === 1 || missing === gather.firm) return false;
      else {
        missing = gather.firm;
        gather.next = missing;
      }
    }
  }

  clear(): void {
    this.#asks.clear();
  }

  #look(gather: Gather, position: number): void {
    if (gather.isHeld[position] === 1 || gather.isAsked[position] === 1) return;
    const { state, keyspace, routing, holds } = this.#parts;
    const { request } = gather.operation;
    const index = gather.order.at(position);
    const db = gather.order.databaseAt(position);
    const ref = this.#store.find(db, request.buffer, request.start[index]!, request.end[index]!);
    if (routing.mayAcquire(db, request, index, ref)) {
      if (ref === 0 || this.#store.role(ref) === Role.Tombstone) {
        keyspace.begin();
        keyspace.reserve(db, request, index);
      }
      holds.hold(gather, position);
      return;
    }
    const key = gather.key(position);
    // What another command here holds is asked for when all before it are held.
    if (position > gather.firm && holds.has(key)) return;
    const token = ++this.#lastToken;
    this.#asks.set(token, { gather, position });
    gather.isAsked[position] = 1;
    routing.route(taskOf(acquireOperation(key, this, token), null, state.deadline()));
  }

  // --- ReplySink: the answers to ACQUIRE, which wait for no acks

  complete(token: number, reply: Buffer): void {
    const ask = this.#asks.get(token);
    if (ask === undefined) return;
    const { gather, position } = ask;
    const { holds, entries, goOn, giveUp, giveUpFull, wantTurn } = this.#parts;
    this.#asks.delete(token);
    gather.isAsked[position] = 0;
    if (gather.phase !== Phase.Acquiring) return entries.dropReservation(gather.key(position));
    if (reply.equals(OUT_OF_MEMORY_REPLY)) return giveUpFull(gather);
    if (reply[0] === MINUS) {
      // Who was asked is gone. Whatever it has done, the key may be asked for again.
      if (!reply.equals(LOST)) giveUp(gather);
      return;
    }
    if (holds.hold(gather, position)) goOn(gather);
    // It has gone again before this answer came: it is asked for anew.
    else wantTurn();
  }

  fail(token: number): void {
    this.complete(token, LOST);
  }

  acknowledged(): void {}
}
