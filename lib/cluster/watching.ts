import { keySlot } from '../protocol/crc16.js';
import { Request } from '../protocol/request.js';
import type { ClusterState } from './cluster-state.js';
import { type Key, keyOfArgument } from './key.js';
import type { LiveKeyspace } from './keyspace.js';
import {
  type CommandTraits,
  databaseOf,
  KeyMode,
  type Operation,
  Pairs,
  type ReplySink,
} from './operation.js';
import type { Queries } from './queries.js';
import type { Routing } from './routing.js';
import type { WatchMark } from './step.js';
import { taskOf } from './task.js';

/** The command that asks for a key's version: routed as a read. No client can send it: its name is in no table. */
export const WATCH: CommandTraits = {
  name: '\0watch',
  write: false,
  creates: false,
  denyOom: false,
  observes: true,
  usesElements: false,
  keyMode: KeyMode.Single,
  pairs: Pairs.None,
};

export const isWatch = (request: Request): boolean =>
  request.argc === 2 && request.is(0, '\0WATCH');

/** What WATCH is answered with, where the key is: its version as an integer, 0 for none. */
export function replyVersion(keyspace: LiveKeyspace, { db, request }: Operation): Buffer {
  return Buffer.from(`:${keyspace.versionOf(db, request, 1)}\r\n`, 'latin1');
}

const COLON = 58;

export interface AbsenceQuestion {
  readonly ask: 'absence';
  readonly db: number;
  /** latin1. */
  readonly key: string;
}

/** Whether the absent keys that a transaction watches have been absent all along: `missing` anchors have not said so yet. */
export interface WatchCheck {
  missing: number;
  hasChanged: boolean;
}

/**
 * WATCH: what is remembered of a key, and whether it still holds when EXEC has gathered all keys.
 *
 * Of a key that is there that is its version, which is one of its changes and goes with it wherever its copies go. Of an
 * absent one it is what its anchor has counted (absences.ts), with the view: a key that is absent again, and was there
 * meanwhile, was deleted by somebody, and its anchor knew before this node could reserve the key. Another view, or an
 * anchor that is not certain of the slot: the key counts as changed, as deletes may have gone by another anchor.
 */
export class Watching implements ReplySink {
  readonly #state: ClusterState;
  readonly #keyspace: LiveKeyspace;
  readonly #routing: Routing;
  readonly #queries: Queries;
  /** Bounded by the keys that clients watch. */
  readonly #asked = new Map<number, { key: Key; done: (mark: WatchMark | null) => void }>();
  #lastToken = 0;

  constructor(state: ClusterState, keyspace: LiveKeyspace, routing: Routing, queries: Queries) {
    this.#state = state;
    this.#keyspace = keyspace;
    this.#routing = routing;
    this.#queries = queries;
  }

  get open(): number {
    return this.#asked.size;
  }

  /** `done` gets null where it cannot be told. */
  mark(key: Key, done: (mark: WatchMark | null) => void): void {
    const token = ++this.#lastToken;
    this.#asked.set(token, { key, done });
    const operation: Operation = {
      request: Request.of(WATCH.name, key.bytes),
      traits: WATCH,
      keys: [1],
      db: key.db,
      proto: 2,
      sink: this,
      token,
    };
    this.#routing.route(taskOf(operation, null, this.#state.deadline()));
  }

  /** Asks the anchors of keys that were absent; `ready` is called when one has answered later. */
  check(operation: Operation, ready: () => void): WatchCheck {
    const check: WatchCheck = { missing: 0, hasChanged: false };
    for (const { number, mark } of operation.step!.watched) {
      if (typeof mark === 'number') continue;
      check.missing++;
      const db = databaseOf(operation, number);
      const key = keyOfArgument(db, operation.request, operation.keys[number]!);
      this.#askAnchor(key, (now) => {
        check.missing--;
        check.hasChanged ||= now !== mark;
        ready();
      });
    }
    return check;
  }

  /** In the turn in which the step would run, with all keys held. What was seen of them is in the barrier. */
  hasChanged(operation: Operation, check: WatchCheck): boolean {
    const { request, step, keys } = operation;
    return step!.watched.some(({ number, mark }) => {
      const db = databaseOf(operation, number);
      const index = keys[number]!;
      const version = this.#keyspace.versionOf(db, request, index);
      if (typeof mark === 'number') return version !== mark;
      // WATCH has deleted what had expired by then: a value that is over was set since, as by SET with an expiry in the past.
      return check.hasChanged || this.#keyspace.hasEntry(db, request, index);
    });
  }

  /** At the anchor. */
  evaluate({ db, key: name }: AbsenceQuestion): string | null {
    const { store, absences, view, self } = this.#state;
    const key = Buffer.from(name, 'latin1');
    const slot = keySlot(key, 0, key.length);
    if (view === null || !this.#state.isCertain(slot)) return null;
    const { number, coordinator } = view.id;
    return `${number}:${coordinator}:${self.id}:${db}:${absences.of(db, store.hashOf(key, 0, key.length))}`;
  }

  // --- ReplySink

  acknowledged(): void {}

  complete(token: number, reply: Buffer): void {
    const asked = this.#asked.get(token);
    if (asked === undefined) return;
    this.#asked.delete(token);
    const version =
      reply[0] === COLON ? Number(reply.latin1Slice(1, reply.length - 2)) : Number.NaN;
    if (version === 0) this.#askAnchor(asked.key, asked.done);
    else asked.done(version > 0 ? version : null);
  }

  fail(token: number): void {
    this.#asked.get(token)?.done(null);
    this.#asked.delete(token);
  }

  #askAnchor({ db, bytes, slot }: Key, done: (mark: string | null) => void): void {
    const question: AbsenceQuestion = {
      ask: 'absence',
      db,
      key: bytes.latin1Slice(0, bytes.length),
    };
    const anchor = () => this.#state.livePeer(this.#state.anchors[slot]!);
    const isAsked = this.#queries.askMember(question, anchor, (answer) =>
      done(typeof answer === 'string' ? answer : null),
    );
    if (!isAsked) done(null);
  }
}
