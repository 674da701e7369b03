import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import { type Call, showCall, showReply, textOf } from './history.js';
import { linearize, type Model } from './linearizability.js';

/** Keys that are renamed to each other and set together: their history is one, not one for each. */
export const PAIR_KEYS: readonly string[] = ['g0', 'g1', 'g2', 'g3'];

/** A search that takes longer decides nothing. */
const STEPS_MAX = 50_000;

/** Commands on two keys as one step, and such as are answered key by key. */
export function pairCommand(random: Random, value: string): readonly string[] {
  const [one, other] = [`g${random.below(4)}`, `g${random.below(4)}`];
  const luck = random.next();
  if (luck < 0.2) return ['SET', one, value];
  if (luck < 0.4) return ['RENAME', one, other];
  if (luck < 0.55) return ['MSETNX', one, value, other, value];
  if (luck < 0.65) return ['RENAMENX', one, other];
  if (luck < 0.8) return ['DEL', one, other];
  return luck < 0.9 ? ['MGET', one, other] : ['MSET', one, value, other, value];
}

export interface PairVerdict {
  /** What does not hold; null when all of it does, or when that cannot be told. */
  readonly violation: string | null;
  readonly isUndecided: boolean;
}

/** Whether the calls on these keys are linearizable. */
export function checkPairs(calls: readonly Call[]): PairVerdict {
  const parts = calls.flatMap(partsOf);
  const model = new PairModel();
  const verdict = linearize(parts, model, STEPS_MAX);
  if (verdict.kind !== 'violation') {
    return { violation: null, isUndecided: verdict.kind === 'undecided' };
  }
  const order = verdict.order.slice(-12).map(showCall);
  const blocked = verdict.blocked.map(showCall);
  const violation =
    `the keys of pairs are not linearizable. The longest order ends with\n  ${order.join('\n  ')}\n` +
    `and leaves ${model.show(verdict.state)}; none of these fits on:\n  ${blocked.join('\n  ')}`;
  return { violation, isUndecided: false };
}

/**
 * A command that scatters takes effect on each key by itself: it counts as a call for each. Where the reply does not say
 * what became of each key any would do; and when it was not run on one key, it may have been on another.
 */
function partsOf(call: Call): Call[] {
  const [name, ...args] = call.args;
  if (name === 'FLUSHALL') return PAIR_KEYS.map((key) => part(call, ['DEL', key], null));
  if (!PAIR_KEYS.includes(args[0]!)) return [];
  if (name === 'DEL') {
    const isInPart = call.outcome === 'not-run' && textOf(call.reply).startsWith('TRYAGAIN');
    const outcome = isInPart ? 'unknown' : call.outcome;
    return args.map((key) => ({ ...part(call, ['DEL', key], null), outcome }));
  }
  if (name !== 'MGET' || call.outcome !== 'replied') return [call];
  const { items } = call.reply as Extract<Reply, { items: unknown }>;
  return args.map((key, i) => part(call, ['GET', key], items[i]!));
}

function part(call: Call, args: readonly string[], reply: Reply | null): Call {
  return { ...call, args, reply };
}

/** The values of all pair keys; null for an absent one. */
type State = readonly (string | null)[];

/** Several string keys without expiry, as Redis keeps them. */
class PairModel implements Model {
  readonly #values: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly initial: string = PAIR_KEYS.map(() => '-').join(' ');

  isRead(call: Call): boolean {
    return call.args[0] === 'GET' || call.args[0] === 'MGET';
  }

  step(encoded: string, call: Call): string[] {
    const before = this.#decode(encoded);
    const { state, reply } = effect(before, call.args);
    const isAny = call.outcome !== 'replied' || call.reply === null;
    return isAny || showReply(call.reply) === showReply(reply) ? [this.#encode(state)] : [];
  }

  show(encoded: string): string {
    const show = (value: string | null, i: number) => `${PAIR_KEYS[i]} ${value?.slice(0, 20)}`;
    return this.#decode(encoded).map(show).join(', ');
  }

  #encode(state: State): string {
    return state.map((value) => (value === null ? '-' : this.#numberOf(value))).join(' ');
  }

  #decode(encoded: string): State {
    return encoded.split(' ').map((one) => (one === '-' ? null : this.#values[Number(one)]!));
  }

  #numberOf(value: string): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const number = this.#values.push(value) - 1;
    this.#numbers.set(value, number);
    return number;
  }
}

function effect(state: State, args: readonly string[]): { state: State; reply: Reply } {
  const [name, key, second, other] = args;
  const value = valueIn(state, key!);
  switch (name) {
    case 'GET':
      return { state, reply: bulk(value) };
    case 'SET':
      return { state: withValues(state, { [key!]: second! }), reply: OK };
    case 'DEL':
      return { state: withValues(state, { [key!]: null }), reply: integer(value !== null) };
    case 'MSET':
      return { state: withValues(state, { [key!]: second!, [other!]: second! }), reply: OK };
    case 'MSETNX': {
      const isFree = value === null && valueIn(state, other!) === null;
      const set = withValues(state, { [key!]: second!, [other!]: second! });
      return { state: isFree ? set : state, reply: integer(isFree) };
    }
    case 'RENAME':
      if (value === null) return { state, reply: ERROR };
      return { state: renamed(state, key!, second!), reply: OK };
    case 'RENAMENX': {
      if (value === null) return { state, reply: ERROR };
      const isFree = valueIn(state, second!) === null;
      return { state: isFree ? renamed(state, key!, second!) : state, reply: integer(isFree) };
    }
    default:
      throw new Error(`no model of ${name}`);
  }
}

const OK: Reply = { type: '+', text: 'OK' };
const ERROR: Reply = { type: '-', text: 'ERR no such key' };

const integer = (isOne: boolean): Reply => ({ type: ':', text: isOne ? '1' : '0' });

const bulk = (value: string | null): Reply =>
  value === null ? { type: '_', text: '$' } : { type: '$', text: value };

const valueIn = (state: State, key: string): string | null => state[PAIR_KEYS.indexOf(key)]!;

function withValues(state: State, values: Readonly<Record<string, string | null>>): State {
  return state.map((value, i) => {
    const other = values[PAIR_KEYS[i]!];
    return other === undefined ? value : other;
  });
}

function renamed(state: State, from: string, to: string): State {
  const value = valueIn(state, from);
  return withValues(withValues(state, { [from]: null }), { [to]: value });
}
