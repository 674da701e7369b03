import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import { type Call, showReply } from './history.js';
import type { Model } from './linearizability.js';

/** Kinds of keys that hold collections: hashes, sets, lists, sorted sets; lists and sorted sets that clients wait for. */
const KINDS = 'HSLZQP';
const FIELDS = ['a', 'b', 'c', 'd', 'n'];
/** The field that is counted. */
const COUNTER = 'n';
/** Collections grow: with longer values they would be larger than any other value of a run. */
const FIELD_CHARS_MAX = 40_000;
const ELEMENT_CHARS_MAX = 2000;
const MEMBERS = ['a', 'b', 'c', 'd', 'long'.repeat(40)];

export const isCollection = (key: string): boolean => KINDS.includes(key[0]!);

/** Reads all of a key. */
export function readAll(key: string): readonly string[] {
  switch (key[0]) {
    case 'H':
      return ['HGETALL', key];
    case 'S':
      return ['SMEMBERS', key];
    case 'L':
    case 'Q':
      return ['LRANGE', key, '0', '-1'];
    case 'Z':
    case 'P':
      return ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
    default:
      return ['GET', key];
  }
}

export const COLLECTION_READS: ReadonlySet<string> = new Set([
  'EXISTS',
  'IS',
  'HGETALL',
  'HGET',
  'HLEN',
  'SMEMBERS',
  'SISMEMBER',
  'LRANGE',
  'LLEN',
  'ZRANGE',
  'ZSCORE',
]);

/** A command on a collection; `value` is written by no other command. */
export function collectionCommand(random: Random, key: string, value: string): readonly string[] {
  const luck = random.next();
  if (luck < 0.2) return readAll(key);
  if (luck < 0.25) return ['DEL', key];
  if (luck < 0.28) return ['PEXPIRE', key, '3600000'];
  if (luck < 0.31) return ['EXISTS', key];
  const rest = random.next();
  switch (key[0]) {
    case 'H':
      return hashCommand(random, rest, key, value.slice(0, FIELD_CHARS_MAX));
    case 'S':
      return setCommand(random, rest, key);
    case 'L':
      return listCommand(rest, key, value.slice(0, ELEMENT_CHARS_MAX));
    default:
      return sortedSetCommand(random, rest, key);
  }
}

function hashCommand(random: Random, luck: number, key: string, value: string): readonly string[] {
  const field = random.pick(FIELDS.slice(0, -1));
  if (luck < 0.4) return ['HSET', key, field, value];
  if (luck < 0.55) return ['HSET', key, 'a', value, 'b', value];
  if (luck < 0.7) return ['HINCRBY', key, COUNTER, '1'];
  if (luck < 0.8) return ['HDEL', key, field, random.pick(FIELDS)];
  return luck < 0.9 ? ['HGET', key, field] : ['HLEN', key];
}

function setCommand(random: Random, luck: number, key: string): readonly string[] {
  const member = random.pick(MEMBERS);
  if (luck < 0.4) return ['SADD', key, member];
  if (luck < 0.5) return ['SADD', key, member, random.pick(MEMBERS)];
  if (luck < 0.8) return ['SREM', key, member];
  return ['SISMEMBER', key, member];
}

function listCommand(luck: number, key: string, value: string): readonly string[] {
  if (luck < 0.25) return ['RPUSH', key, value];
  if (luck < 0.4) return ['LPUSH', key, value, value];
  if (luck < 0.65) return ['LPOP', key];
  if (luck < 0.85) return ['RPOP', key];
  return luck < 0.92 ? ['LLEN', key] : ['LTRIM', key, '0', '4'];
}

function sortedSetCommand(random: Random, luck: number, key: string): readonly string[] {
  const member = random.pick(MEMBERS);
  if (luck < 0.4) return ['ZADD', key, String(random.below(10)), member];
  if (luck < 0.6) return ['ZINCRBY', key, '1', member];
  if (luck < 0.75) return ['ZREM', key, member];
  return luck < 0.9 ? ['ZSCORE', key, member] : ['ZPOPMIN', key];
}

/** Fields with values, members with scores, members with nothing, or elements in order: all as pairs. */
export type State = readonly (readonly [name: string, value: string])[];

interface Effect {
  readonly state: State;
  /** Elements of the reply, for replies that have some; sorted where their order is open. */
  readonly reply: string | readonly string[];
  /** How many elements of the reply belong together where their order is open. */
  readonly together?: 1 | 2;
}

/** One key of a collection as Redis keeps it, without expiry. */
export class CollectionModel implements Model {
  readonly initial = '[]';
  /** Values by number, so that states are short. */
  readonly #values: string[] = [];
  readonly #numbers = new Map<string, string>();

  isRead(call: Call): boolean {
    return COLLECTION_READS.has(call.args[0]!);
  }

  step(encoded: string, call: Call): string[] {
    const state = JSON.parse(encoded) as State;
    // What a checker has found in the nodes' memory.
    if (call.args[0] === 'IS') return encoded === this.#found(call) ? [encoded] : [];
    if (call.args[0] === 'BECOME') return [this.#found(call)];
    const effect = effectOf(
      state,
      call.args.map((arg, i) => (i < 2 ? arg : this.#short(arg))),
    );
    // Without a reply it is known that it was run, and no more.
    const { outcome, reply } = call;
    if (outcome === 'replied' && reply !== null && !this.#fits(effect, reply)) return [];
    return [JSON.stringify(effect.state)];
  }

  show(encoded: string): string {
    return encoded.replace(/"@(\d+)"/g, (_, number) => this.#values[Number(number)]!.slice(0, 12));
  }

  #found({ args }: Call): string {
    const state = JSON.parse(args[2]!) as State;
    return JSON.stringify(state.map(([name, value]) => [this.#short(name), this.#short(value)]));
  }

  #short(value: string): string {
    if (!value.startsWith('v')) return value;
    let short = this.#numbers.get(value);
    if (short === undefined) {
      short = `@${this.#values.push(value) - 1}`;
      this.#numbers.set(value, short);
    }
    return short;
  }

  #fits({ reply, together }: Effect, given: Reply): boolean {
    if (typeof reply === 'string') {
      if (given.type === '$') return this.#short(given.text) === reply;
      return showReply(given) === reply;
    }
    if (!('items' in given)) return false;
    const items = given.items.map((item) => ('text' in item ? this.#short(item.text) : ''));
    const grouped = (list: readonly string[]): string => {
      if (together === undefined) return String(list);
      const count = Math.ceil(list.length / together);
      return String(
        Array.from({ length: count }, (_, i) =>
          String(list.slice(i * together, (i + 1) * together)),
        ).sort(),
      );
    };
    return grouped(items) === grouped(reply);
  }
}

const without = (state: State, names: readonly string[]): State =>
  state.filter(([name]) => !names.includes(name));

function withValue(state: State, name: string, value: string): State {
  const at = state.findIndex(([other]) => other === name);
  const changed = at < 0 ? [...state, [name, value] as const] : state.with(at, [name, value]);
  return [...changed].sort(([a], [b]) => (a < b ? -1 : 1));
}

const valueNamed = (state: State, name: string): string | undefined =>
  state.find(([other]) => other === name)?.[1];

const byScore = (state: State): State =>
  [...state].sort(([a, x], [b, y]) => Number(x) - Number(y) || (a < b ? -1 : 1));

function effectOf(state: State, [name = '', , ...args]: readonly string[]): Effect {
  switch (name) {
    case 'DEL':
      return { state: [], reply: state.length > 0 ? ':1' : ':0' };
    case 'FLUSHALL':
      return { state: [], reply: '+OK' };
    case 'VANISH':
      return { state: [], reply: '' };
    case 'EXISTS':
    case 'PEXPIRE':
      return { state, reply: state.length > 0 ? ':1' : ':0' };
    case 'HLEN':
    case 'LLEN':
      return { state, reply: `:${state.length}` };
    default:
      if (name[0] === 'H') return hashEffect(state, name, args);
      if (name[0] === 'S') return setEffect(state, name, args);
      return name[0] === 'Z' ? sortedSetEffect(state, name, args) : listEffect(state, name, args);
  }
}

function hashEffect(state: State, name: string, args: readonly string[]): Effect {
  const [field = '', value = ''] = args;
  switch (name) {
    case 'HSET': {
      let after = state;
      for (let i = 0; i < args.length; i += 2) after = withValue(after, args[i]!, args[i + 1]!);
      return { state: after, reply: `:${after.length - state.length}` };
    }
    case 'HINCRBY': {
      const sum = String(Number(valueNamed(state, field) ?? 0) + Number(value));
      return { state: withValue(state, field, sum), reply: `:${sum}` };
    }
    case 'HDEL': {
      const after = without(state, args);
      return { state: after, reply: `:${state.length - after.length}` };
    }
    case 'HGET':
      return { state, reply: valueNamed(state, field) ?? 'nil' };
    case 'HGETALL':
      return { state, reply: state.flat(), together: 2 };
    default:
      throw new Error(`no model of ${name}`);
  }
}

function setEffect(state: State, name: string, args: readonly string[]): Effect {
  switch (name) {
    case 'SADD': {
      let after = state;
      for (const member of args) after = withValue(after, member, '');
      return { state: after, reply: `:${after.length - state.length}` };
    }
    case 'SREM': {
      const after = without(state, args);
      return { state: after, reply: `:${state.length - after.length}` };
    }
    case 'SISMEMBER':
      return { state, reply: valueNamed(state, args[0]!) === undefined ? ':0' : ':1' };
    case 'SMEMBERS':
      return { state, reply: state.map(([member]) => member), together: 1 };
    default:
      throw new Error(`no model of ${name}`);
  }
}

function listEffect(state: State, name: string, args: readonly string[]): Effect {
  switch (name) {
    case 'RPUSH':
    case 'LPUSH': {
      const added = args.map((value) => [value, ''] as const);
      const after = name === 'RPUSH' ? [...state, ...added] : [...added.toReversed(), ...state];
      return { state: after, reply: `:${after.length}` };
    }
    case 'LPOP':
      return { state: state.slice(1), reply: state[0]?.[0] ?? 'nil' };
    case 'RPOP':
      return { state: state.slice(0, -1), reply: state.at(-1)?.[0] ?? 'nil' };
    case 'LTRIM':
      return { state: state.slice(0, 5), reply: '+OK' };
    case 'LRANGE':
      return { state, reply: state.map(([value]) => value) };
    default:
      throw new Error(`no model of ${name}`);
  }
}

function sortedSetEffect(state: State, name: string, args: readonly string[]): Effect {
  switch (name) {
    case 'ZADD': {
      const after = withValue(state, args[1]!, args[0]!);
      return { state: after, reply: `:${after.length - state.length}` };
    }
    case 'ZINCRBY': {
      const sum = String(Number(valueNamed(state, args[1]!) ?? 0) + 1);
      return { state: withValue(state, args[1]!, sum), reply: sum };
    }
    case 'ZREM': {
      const after = without(state, args);
      return { state: after, reply: `:${state.length - after.length}` };
    }
    case 'ZSCORE':
      return { state, reply: valueNamed(state, args[0]!) ?? 'nil' };
    case 'ZPOPMIN': {
      const first = byScore(state)[0];
      return { state: first ? without(state, [first[0]]) : state, reply: first ?? [] };
    }
    case 'ZRANGE':
      return { state, reply: byScore(state).flat() };
    default:
      throw new Error(`no model of ${name}`);
  }
}
