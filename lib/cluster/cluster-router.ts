import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { KeyWaits } from './awaited-keys.js';
import { type ClusterState, SLOTS } from './cluster-state.js';
import { Counting, type CountQuestion } from './counting.js';
import type { Flushing, FlushQuestion } from './flushing.js';
import type { Gathering } from './gathering.js';
import type { Key } from './key.js';
import { type KeyFacts, type LocateQuestion, Locating } from './locating.js';
import {
  type ClusterWideCommand,
  type CommandTraits,
  KeyMode,
  type Operation,
  type Router,
} from './operation.js';
import { Peeking, type PeekQuestion } from './peeking.js';
import type { Queries } from './queries.js';
import type { Routing } from './routing.js';
import { CLUSTER_DOWN, errorReply, NO_REPLICAS, NOT_RUN, OUTCOME_UNKNOWN } from './runner.js';
import type { Scanning, ScanQuestion } from './scanning.js';
import { Scattering } from './scattering.js';
import { isScriptQuestion, type ScriptQuestion, ScriptSharing } from './script-sharing.js';
import type { SnapshotOffers } from './snapshot-offers.js';
import type { WatchMark } from './step.js';
import type { Swapping } from './swapping.js';
import { taskOf } from './task.js';
import type { AbsenceQuestion, Watching } from './watching.js';

const HASHES = 2 ** 32;
/** Entries that each member looks at for one step of KEYS and RANDOMKEY. */
const ENTRIES_PER_STEP = 1000;
const DATABASES_MAX = 256;

type Question =
  | ScanQuestion
  | FlushQuestion
  | LocateQuestion
  | PeekQuestion
  | CountQuestion
  | AbsenceQuestion
  | ScriptQuestion;

/** What the router needs of the rest of the node. */
export interface RouterHost {
  random(): number;
  wantFlush(): void;
  /** What gathers keys goes on in the next turn. */
  wantGathering(): void;
  /** Runs a command here and now. */
  run(operation: Operation): void;
  readonly keyWaits: KeyWaits;
  readonly snapshots: SnapshotOffers;
}

/** The cluster as the dispatcher sees it: single keys, several keys, and questions to the whole keyspace. */
export class ClusterRouter implements Router {
  readonly locating: Locating;
  readonly peeking: Peeking;
  readonly scripts: ScriptSharing;
  readonly gathering: Gathering;
  readonly scattering: Scattering;
  readonly keyWaits: KeyWaits;
  readonly #state: ClusterState;
  readonly #routing: Routing;
  readonly #scanning: Scanning;
  readonly #flushing: Flushing;
  readonly #watching: Watching;
  readonly #swapping: Swapping;
  readonly #counting: Counting;
  readonly #host: RouterHost;

  constructor(
    state: ClusterState,
    routing: Routing,
    gathering: Gathering,
    scanning: Scanning,
    flushing: Flushing,
    watching: Watching,
    swapping: Swapping,
    queries: Queries,
    host: RouterHost,
  ) {
    this.#state = state;
    this.#routing = routing;
    this.#scanning = scanning;
    this.#flushing = flushing;
    this.#watching = watching;
    this.#swapping = swapping;
    this.#counting = new Counting(state, queries);
    this.gathering = gathering;
    this.keyWaits = host.keyWaits;
    this.locating = new Locating(state, queries);
    this.peeking = new Peeking(state, queries);
    this.scripts = new ScriptSharing(queries, () => host.wantGathering());
    this.scattering = new Scattering(
      {
        mayRunHere: ({ db, request, keys, traits }) =>
          keys.every((index) => this.mayRun(db, request, index, traits)),
        runHere: (operation) => host.run(operation),
        route: (operation) => this.#route(operation),
      },
      () => host.wantFlush(),
    );
    this.#host = host;
  }

  mayRun(db: number, request: Request, keyIndex: number, traits: CommandTraits): boolean {
    return this.#routing.mayRun(db, request, keyIndex, traits);
  }

  submit(operation: Operation): void {
    const { keyMode } = operation.traits;
    const { snapshots } = this.#host;
    const mustWait = operation.isOver === undefined && operation.keys.length > 0;
    if (this.#state.isDown) operation.sink.complete(operation.token, errorReply(CLUSTER_DOWN));
    else if (mustWait && !snapshots.mayServe())
      operation.sink.complete(operation.token, errorReply(NOT_RUN));
    else if (operation.step !== undefined) this.gathering.run(operation);
    else if (operation.keys.length === 0) this.#host.run(operation);
    else if (operation.keys.length === 1 || keyMode === KeyMode.Single) this.#route(operation);
    else if (keyMode === KeyMode.Gather) this.gathering.run(operation);
    else this.scattering.run(operation);
  }

  watch(key: Key, done: (mark: WatchMark | null) => void): void {
    if (this.#state.isDown) done(null);
    else this.#watching.mark(key, done);
  }

  keepExpired(isKept: boolean): void {
    this.#state.keepsExpired = isKept;
  }

  refusal(): string | null {
    if (this.#state.view === null) return 'LOADING Tandis is joining the cluster';
    return this.#host.snapshots.refusal();
  }

  get isOpen(): boolean {
    return this.#host.snapshots.isOpen;
  }

  open(): void {
    this.#host.snapshots.open();
  }

  clusterWide(command: ClusterWideCommand, operation: Operation): void {
    const isWrite = command.kind === 'flush' || command.kind === 'swapdb';
    const refuse = (error: string): void =>
      operation.sink.complete(operation.token, errorReply(error));
    if (this.#state.isDown) refuse(CLUSTER_DOWN);
    else if (isWrite && this.#state.lacksBackups) refuse(NO_REPLICAS);
    else if (!this.#ask(command, operation)) refuse(NOT_RUN);
  }

  /** A question of another member, or of this one; undefined for one that is none. */
  evaluate(question: unknown): unknown {
    if (!isQuestion(question)) return undefined;
    switch (question.ask) {
      case 'scan':
        return this.#scanning.evaluate(question);
      case 'count':
        return this.#counting.evaluate(question);
      case 'locate':
        return this.locating.evaluate(question);
      case 'peek':
        return this.peeking.evaluate(question);
      case 'script-find':
      case 'script-share':
      case 'script-flush':
        return this.scripts.evaluate(question);
      case 'absence':
        return this.#watching.evaluate(question);
      default:
        return this.#flushing.evaluate(question);
    }
  }

  /** Where a key's copies are; null when nobody holds one. */
  locate(db: number, key: Buffer, answer: (facts: KeyFacts | null) => void): boolean {
    return this.locating.locate(db, key, answer);
  }

  #route(operation: Operation): void {
    this.#routing.route(taskOf(operation, null, this.#state.deadline()));
  }

  #ask(command: ClusterWideCommand, operation: Operation): boolean {
    const reply = new ReplyWriter();
    reply.proto = operation.proto;
    const finish = (): void =>
      operation.sink.complete(operation.token, Buffer.from(reply.buffer.subarray(0, reply.length)));
    switch (command.kind) {
      case 'dbsize':
        return this.#counting.count(operation.db, (count) => {
          reply.integer(count);
          finish();
        });
      case 'keys':
        return this.#keys(command.pattern, operation);
      case 'scan':
        return this.#scan(command, operation.db, reply, finish);
      case 'randomkey':
        return this.#randomKey(operation.db, reply, finish);
      case 'flush':
        return this.#flushing.run(
          command.allDatabases ? null : operation.db,
          () => {
            reply.ok();
            finish();
          },
          () => operation.sink.fail(operation.token, OUTCOME_UNKNOWN),
        );
      case 'swapdb':
        return this.#swapping.run(command.first, command.second, (error) => {
          if (error === null) reply.ok();
          else reply.error(error);
          finish();
        });
    }
  }

  #scan(
    command: ClusterWideCommand & { kind: 'scan' },
    db: number,
    reply: ReplyWriter,
    finish: () => void,
  ): boolean {
    const { pattern, count, type } = command;
    const text = pattern === null ? null : pattern.latin1Slice(0, pattern.length);
    const from = Number(command.cursor & 0x3fffffffffffn);
    return this.#scanning.step(
      { ask: 'scan', db, from, count, pattern: text, type },
      (keys, next) => {
        reply.array(2);
        reply.bulkLatin1(String(next));
        reply.array(keys.length);
        for (const key of keys) reply.bulk(key, 0, key.length);
        finish();
      },
    );
  }

  /** The reply grows with each step: made of a million keys at the end it would hold up others. */
  #keys(pattern: Buffer | null, { db, sink, token }: Operation): boolean {
    const found = new ReplyWriter();
    let count = 0;
    const text = pattern === null ? null : pattern.latin1Slice(0, pattern.length);
    return this.#scanning.walk(
      { ask: 'scan', db, from: 0, count: ENTRIES_PER_STEP, pattern: text, type: null },
      (keys, next) => {
        for (const key of keys) found.bulk(key, 0, key.length);
        count += keys.length;
        if (next !== 0) return next;
        const header = Buffer.from(`*${count}\r\n`, 'latin1');
        sink.complete(token, Buffer.concat([header, found.buffer.subarray(0, found.length)]));
        return null;
      },
    );
  }

  /** A key soon after a random position; from the start when there is none up to the end. */
  #randomKey(db: number, reply: ReplyWriter, finish: () => void): boolean {
    const from = Math.floor(this.#host.random() * SLOTS * HASHES);
    let isWrapped = false;
    return this.#scanning.walk(
      { ask: 'scan', db, from, count: ENTRIES_PER_STEP, pattern: null, type: null },
      ([key], next) => {
        if (key === undefined && (next !== 0 || !isWrapped)) {
          isWrapped ||= next === 0;
          return next;
        }
        if (key === undefined) reply.nil();
        else reply.bulk(key, 0, key.length);
        finish();
        return null;
      },
    );
  }
}

function isQuestion(value: unknown): value is Question {
  if (typeof value !== 'object' || value === null || !('ask' in value)) return false;
  const isDb = (db: unknown) =>
    Number.isInteger(db) && (db as number) >= 0 && (db as number) < DATABASES_MAX;
  const isPosition = (at: unknown) => Number.isSafeInteger(at) && (at as number) >= 0;
  const isText = (text: unknown) => text === null || typeof text === 'string';
  const fields = value as Record<string, unknown>;
  switch (fields['ask']) {
    case 'scan':
      return (
        isDb(fields['db']) &&
        isPosition(fields['from']) &&
        isPosition(fields['count']) &&
        isText(fields['pattern']) &&
        isText(fields['type'])
      );
    case 'count':
      return isDb(fields['db']) && typeof fields['byAnchors'] === 'boolean';
    case 'locate':
    case 'peek':
    case 'absence':
      return isDb(fields['db']) && typeof fields['key'] === 'string';
    case 'flush':
      return (
        (fields['db'] === null || isDb(fields['db'])) &&
        isPosition(fields['floor']) &&
        isPosition(fields['from'])
      );
    case 'flush-begin':
    case 'flush-end':
      return typeof fields['id'] === 'string';
    default:
      return isScriptQuestion(fields);
  }
}
