import { TRANSACTION_ARGUMENTS, WATCHED_KEYS } from '../base/limits.js';
import type { Key } from '../cluster/key.js';
import { KeyList } from '../cluster/key-list.js';
import type { WatchedKey, WatchMark } from '../cluster/step.js';
import type { Request } from '../protocol/request.js';
import type { CommandSpec } from './spec.js';
import { keyPlaces } from './table.js';

/** Bytes that a queued command takes besides its arguments, and each of these, about. */
const COMMAND_BYTES = 300;
const ARGUMENT_BYTES = 32;

/** A command that waits for EXEC, and the database that it will run in. */
export interface QueuedCommand {
  readonly spec: CommandSpec;
  readonly request: Request;
  readonly db: number;
}

/** What a client has sent since MULTI. */
export class Transaction {
  readonly commands: QueuedCommand[] = [];
  /** Keys of all commands. */
  readonly keys = new KeyList();
  /** A command was refused: EXEC discards them all. */
  isDirty = false;
  writes = false;
  /** CLIENT PAUSE WRITE holds its EXEC. */
  isPausedAsWrite = false;
  denyOom = false;
  /** Has commands that may change what its client's later commands mean (SELECT, HELLO). */
  changesClient = false;
  bytes = 0;
  #arguments = 0;
  /** The database that commands are in, once those before them have run. */
  #db: number;

  constructor(db: number) {
    this.#db = db;
  }

  /** Keeps a command, whose bytes may be overwritten after the call; false where that would be too much. */
  add(spec: CommandSpec, request: Request, bytesMax: number, databases: number): boolean {
    const { argc } = request;
    const bytes = request.end[argc - 1]! - request.start[0]!;
    this.bytes += bytes + COMMAND_BYTES + argc * ARGUMENT_BYTES;
    this.#arguments += argc;
    if (this.bytes > bytesMax || this.#arguments > TRANSACTION_ARGUMENTS) return false;
    this.commands.push({ spec, request: request.copy(), db: this.#db });
    const isScript = spec.name === 'eval' || spec.name === 'evalsha';
    this.writes ||= spec.write || isScript;
    this.isPausedAsWrite ||= spec.isPausedAsWrite || isScript;
    this.denyOom ||= spec.denyOom;
    if (spec.hasKeys) {
      const { keys, databases } = keyPlaces(spec, request, this.#db);
      for (const [number, index] of keys.entries()) {
        this.keys.add(
          databases?.[number] ?? this.#db,
          request.buffer,
          request.start[index]!,
          request.end[index]!,
        );
      }
    } else this.#follow(spec, request, databases);
    return true;
  }

  #follow(spec: CommandSpec, request: Request, databases: number): void {
    this.changesClient = true;
    if (spec.name !== 'select') return;
    const db = Number(request.latin1(1));
    if (/^\d+$/.test(request.latin1(1)) && db < databases) this.#db = db;
  }
}

interface Watched {
  readonly key: Key;
  /** Undefined while it is asked for; null where it could not be told. */
  mark: WatchMark | null | undefined;
}

/** What a client watches. */
export class WatchedKeys {
  readonly #keys = new Map<string, Watched>();

  get count(): number {
    return this.#keys.size;
  }

  /** False when it is watched already: what it was then counts. */
  add(key: Key): boolean {
    if (this.#keys.has(key.id)) return false;
    this.#keys.set(key.id, { key, mark: undefined });
    return true;
  }

  get isFull(): boolean {
    return this.#keys.size >= WATCHED_KEYS;
  }

  set(key: Key, mark: WatchMark | null): void {
    this.#keys.get(key.id)!.mark = mark;
  }

  /** Of a key it is not known what it was when it was watched: it counts as changed. */
  get isLost(): boolean {
    for (const { mark } of this.#keys.values())
      if (mark === null || mark === undefined) return true;
    return false;
  }

  keys(): Key[] {
    return Array.from(this.#keys.values(), ({ key }) => key);
  }

  /** Adds the keys to those of a step. */
  declare(keys: KeyList): WatchedKey[] {
    return Array.from(this.#keys.values(), ({ key, mark }) => {
      keys.add(key.db, key.bytes, 0, key.bytes.length);
      return { number: keys.count - 1, mark: mark! };
    });
  }
}
