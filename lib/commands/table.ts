import assert from 'node:assert';
import { KeyMode, Pairs } from '../cluster/operation.js';
import { parseInteger } from '../protocol/numbers.js';
import type { Request } from '../protocol/request.js';
import { CommandUse } from './command-use.js';
import { categoryBits } from './facts/categories.js';
import { channelArguments } from './facts/channel-facts.js';
import { eventsOf } from './facts/event-facts.js';
import {
  type CommandFacts,
  type CommandSpec,
  type CountedKeysFacts,
  type HandlerEntry,
  type Handlers,
  QueueMode,
} from './spec.js';

/** What lower case is to ASCII letters; harmless to a hash of other bytes. */
const CASE_BIT = 32;
/** Longer names are unknown without a look. */
const NAME_BYTES_MAX = 64;

function hashOfName(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) {
    hash = (Math.imul(hash, 31) + (name.charCodeAt(i) | CASE_BIT)) | 0;
  }
  return hash;
}

function namesMatch(buffer: Buffer, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = buffer[start + i]!;
    const lower = byte >= 65 && byte <= 90 ? byte | CASE_BIT : byte;
    if (lower !== name[i]) return false;
  }
  return true;
}

/**
 * Commands by name, found by the bytes of an argument: open addressing over a hash of the lower-cased bytes. A Map
 * would need a lower-case string for each lookup; measured on Node 20 that takes four times as long.
 */
class NameIndex {
  readonly #mask: number;
  readonly #slots: (CommandSpec | null)[];
  /** As bytes: comparing with a string costs a call for its length and one for each character. */
  readonly #names: Buffer[];

  constructor(entries: ReadonlyMap<string, CommandSpec>) {
    let size = 8;
    while (size < entries.size * 4) size *= 2;
    this.#mask = size - 1;
    this.#slots = new Array<CommandSpec | null>(size).fill(null);
    this.#names = new Array<Buffer>(size).fill(Buffer.alloc(0));
    for (const [name, spec] of entries) {
      let at = hashOfName(name) & this.#mask;
      while (this.#slots[at] !== null) at = (at + 1) & this.#mask;
      this.#slots[at] = spec;
      this.#names[at] = Buffer.from(name);
    }
  }

  find(buffer: Buffer, start: number, end: number): CommandSpec | null {
    const length = end - start;
    if (length > NAME_BYTES_MAX) return null;
    let hash = 0;
    for (let i = start; i < end; i++) {
      hash = (Math.imul(hash, 31) + (buffer[i]! | CASE_BIT)) | 0;
    }
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const spec = this.#slots[at]!;
      if (spec === null) return null;
      const name = this.#names[at]!;
      if (name.length === length && namesMatch(buffer, start, name)) return spec;
    }
  }
}

/** All commands of a node. Built once, at start. */
export class CommandTable {
  /** Commands by name, without subcommands, in the order of their families. */
  readonly commands: ReadonlyMap<string, CommandSpec>;
  /** All of them, each followed by its subcommands, by their `id`. */
  readonly specs: readonly CommandSpec[];
  readonly #index: NameIndex;
  readonly #subcommands = new Map<CommandSpec, NameIndex>();

  /** Throws when a command is there twice, has no handler, or a handler has no facts. */
  constructor(facts: readonly CommandFacts[], families: readonly Handlers[]) {
    const handlers = mergeHandlers(families);
    const commands = new Map<string, CommandSpec>();
    const specs: CommandSpec[] = [];
    for (const one of facts) {
      assert(!commands.has(one.name), `command ${one.name} is registered twice`);
      const spec = specOf(one, one.name, handlers, specs.length);
      commands.set(one.name, spec);
      specs.push(spec, ...(spec.subcommands?.values() ?? []));
    }
    assert(handlers.size === 0, `handlers without facts: ${[...handlers.keys()].join(', ')}`);
    this.commands = commands;
    this.specs = specs;
    this.#index = new NameIndex(commands);
    for (const spec of commands.values()) {
      if (spec.subcommands) this.#subcommands.set(spec, new NameIndex(spec.subcommands));
    }
  }

  /** The command or subcommand of a request; null when there is none. */
  find(request: Request): CommandSpec | null {
    return this.findAt(request, 0);
  }

  /** As find, of a command line that begins at argument `first`. */
  findAt(request: Request, first: number): CommandSpec | null {
    const spec = this.base(request, first);
    if (spec === null || spec.subcommands === null || request.argc === first + 1) return spec;
    const index = this.#subcommands.get(spec)!;
    return index.find(request.buffer, request.start[first + 1]!, request.end[first + 1]!);
  }

  /** The command that an argument names, whatever follows it. */
  base(request: Request, index: number): CommandSpec | null {
    return this.#index.find(request.buffer, request.start[index]!, request.end[index]!);
  }

  /** All commands, each followed by its subcommands. */
  *all(): Generator<CommandSpec> {
    for (const spec of this.commands.values()) {
      yield spec;
      yield* spec.subcommands?.values() ?? [];
    }
  }

  /** By full name, as "client|list", in any case. */
  byName(name: string): CommandSpec | null {
    const lower = name.toLowerCase();
    const bar = lower.indexOf('|');
    if (bar < 0) return this.commands.get(lower) ?? null;
    const container = this.commands.get(lower.slice(0, bar));
    return container?.subcommands?.get(lower.slice(bar + 1)) ?? null;
  }
}

function mergeHandlers(families: readonly Handlers[]): Map<string, HandlerEntry> {
  const merged = new Map<string, HandlerEntry>();
  for (const family of families) {
    for (const [name, entry] of Object.entries(family)) {
      assert(!merged.has(name), `command ${name} is registered twice`);
      merged.set(name, entry);
    }
  }
  return merged;
}

/** Takes the handlers that it uses out of `handlers`. */
function specOf(
  facts: CommandFacts,
  name: string,
  handlers: Map<string, HandlerEntry>,
  id: number,
): CommandSpec {
  const entry = handlers.get(name);
  handlers.delete(name);
  assert(entry !== undefined || facts.subcommands !== undefined, `no handler for ${name}`);
  let subcommands: Map<string, CommandSpec> | null = null;
  for (const sub of facts.subcommands ?? []) {
    subcommands ??= new Map();
    assert(!subcommands.has(sub.name), `command ${name}|${sub.name} is registered twice`);
    const subId = id + subcommands.size + 1;
    subcommands.set(sub.name, specOf(sub, `${name}|${sub.name}`, handlers, subId));
  }
  const flags = facts.flags.split(' ');
  const range = keyRange(facts);
  // A script may read any key that it declares.
  const reads = flags.includes('readonly') || facts.group === 'scripting';
  return {
    name,
    facts,
    id,
    categories: categoryBits(facts.categories),
    channels: channelArguments[name] ?? null,
    arity: facts.arity,
    run: entry?.run ?? null,
    ...range,
    isTracked: reads && range.hasKeys,
    isShownFirst: flags.includes('skip_monitor'),
    isAdmin: flags.includes('admin'),
    write: flags.includes('write'),
    isPausedAsWrite: flags.includes('write') || SENT_TO_REPLICAS.has(name),
    creates: entry?.creates ?? false,
    denyOom: flags.includes('denyoom'),
    observes: entry?.observes ?? false,
    usesElements: entry?.usesElements ?? COLLECTION_GROUPS.has(facts.group),
    keyMode: entry?.keyMode ?? KeyMode.Single,
    pairs: entry?.pairs ?? Pairs.None,
    isQuick: flags.includes('fast') || name === 'set',
    keyDatabases: entry?.keyDatabases ?? null,
    movableKey: entry?.movableKey ?? null,
    queueMode: entry?.queueMode ?? queueModeOf(name, facts, flags),
    blocking: entry?.blocking ?? null,
    loading: flags.includes('loading'),
    noAuth: flags.includes('no_auth'),
    skipsSlowLog: flags.includes('skip_slowlog'),
    whileSubscribed: entry?.whileSubscribed ?? false,
    events: eventsOf(name, facts.group),
    use: new CommandUse(),
    subcommands,
  };
}

const COLLECTION_GROUPS: ReadonlySet<string> = new Set([
  'hash',
  'set',
  'list',
  'sorted-set',
  'geo',
]);

/** What reaches Redis's replicas without being a write (its flag may_replicate, which it does not show). Scripts are looked at one by one. */
const SENT_TO_REPLICAS: ReadonlySet<string> = new Set(['pfcount', 'publish', 'spublish']);

function queueModeOf(
  name: string,
  { categories, keySpecs }: CommandFacts,
  flags: readonly string[],
): QueueMode {
  if (flags.includes('no_multi')) return QueueMode.NotAllowed;
  const isAboutAllKeys = keySpecs === undefined && categories.split(' ').includes('keyspace');
  return isAboutAllKeys && name !== 'object|help' ? QueueMode.NotAlone : QueueMode.Queue;
}

/** The one range that covers all key specs that are one, as COMMAND shows it, and the keys that are counted. */
function keyRange(facts: CommandFacts) {
  const specs = facts.keySpecs ?? [];
  const hasKeys = specs.some(({ flags }) => !flags.split(' ').includes('not_key'));
  const countedKeys = specs.find((spec): spec is CountedKeysFacts => 'countAt' in spec) ?? null;
  const ranges = specs.flatMap((spec) => ('limit' in spec && !('keyword' in spec) ? [spec] : []));
  const first = ranges[0];
  if (first === undefined) return { hasKeys, countedKeys, firstKey: 0, lastKey: 0, keyStep: 0 };
  const final = ranges[ranges.length - 1]!;
  const lastKey = final.last < 0 ? final.last : final.begin + final.last;
  return { hasKeys, countedKeys, firstKey: first.begin, lastKey, keyStep: first.step };
}

/** Whether the table's arity of a command fits that many arguments. */
export function arityFits(spec: CommandSpec, argc: number): boolean {
  const { arity } = spec;
  return arity >= 0 ? argc === arity : argc >= -arity;
}

/** Keys of the range of a command line of `argc` arguments. */
function rangeCount(spec: CommandSpec, argc: number): number {
  if (spec.firstKey === 0) return 0;
  const last = Math.min(spec.lastKey < 0 ? argc + spec.lastKey : spec.lastKey, argc - 1);
  return Math.max(0, Math.floor((last - spec.firstKey) / spec.keyStep) + 1);
}

/** Keys that an argument counts: none where it is no number, or where there are not so many arguments. */
function countedCount(spec: CommandSpec, request: Request, first: number): number {
  const { countedKeys } = spec;
  if (countedKeys === null) return 0;
  const at = first + countedKeys.begin + countedKeys.countAt;
  if (at >= request.argc) return 0;
  const count = parseInteger(request.buffer, request.start[at]!, request.end[at]!);
  return count > 0 && count <= request.argc - at - 1 ? count : 0;
}

/** Whether an argument that says how many keys there are says what can be. */
export function keysAreCounted(spec: CommandSpec, request: Request, first: number): boolean {
  return spec.countedKeys === null || countedCount(spec, request, first) > 0;
}

/** Keys of a command line that begins at argument `first`. */
export function keyCount(spec: CommandSpec, request: Request, first = 0): number {
  const count = rangeCount(spec, request.argc - first) + countedCount(spec, request, first);
  return spec.movableKey === null || spec.movableKey(request, first) === 0 ? count : count + 1;
}

/** Index of the `position`-th key argument of a command line that begins at argument `first`. */
export function keyIndex(spec: CommandSpec, request: Request, position: number, first = 0): number {
  const { countedKeys, movableKey } = spec;
  if (countedKeys === null && movableKey === null) {
    return first + spec.firstKey + position * spec.keyStep;
  }
  const range = rangeCount(spec, request.argc - first);
  if (position < range) return first + spec.firstKey + position * spec.keyStep;
  if (countedKeys === null) return movableKey!(request, first);
  return first + countedKeys.begin + countedKeys.first + (position - range) * countedKeys.step;
}

/** Keys of a command line: the arguments that name them, and their databases where these are not all `db`. */
export function keyPlaces(
  spec: CommandSpec,
  request: Request,
  db: number,
): { readonly keys: number[]; readonly databases: readonly number[] | undefined } {
  const keys = keyIndexes(spec, request, 0);
  const databases = spec.keyDatabases?.(request, db);
  // The last argument may name a key in several databases.
  while (databases !== undefined && keys.length < databases.length) keys.push(keys.at(-1)!);
  return { keys, databases };
}

/** Indexes of the key arguments of a command line that begins at argument `first`. */
export function keyIndexes(spec: CommandSpec, request: Request, first: number): number[] {
  const count = keyCount(spec, request, first);
  // Of its final length from the start: there may be a million.
  const keys = new Array<number>(count);
  for (let i = 0; i < count; i++) keys[i] = keyIndex(spec, request, i, first);
  return keys;
}
