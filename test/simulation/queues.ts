import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import type { Call } from './history.js';

/** Lists and sorted sets that clients wait for; no two elements of a run are equal. */
const QUEUE = /^[QP]\d$/;
/** Of `LMOVE` and its kin: they go on to this list, and never back, so that an element is in one list at a time. */
const MOVED_TO = 'Q1';
const MOVED_FROM = 'Q0';
const ELEMENT_CHARS_MAX = 200;
/** Seconds that a command waits; 0 for ever. */
const TIMEOUTS = ['0.05', '0.3', '1', '3'];
/** Of those who take from queues, so many wait until there is something. */
const FOR_EVER_SHARE = 0.5;

export const isQueue = (key: string): boolean => QUEUE.test(key);

/** Whether the command may wait for a key. */
export const isBlocking = ({ args }: Call): boolean => /^B[LRZ]/.test(args[0]!);

/** A client that fills queues, or one that takes from them. */
export class QueueUser {
  readonly #keys: readonly string[];
  readonly #fills: boolean;

  constructor(client: number, keys: readonly string[]) {
    this.#keys = keys;
    this.#fills = client % 2 === 0;
  }

  /** `value` is written by no other command, nor is `id` that of another one. */
  command(random: Random, key: string, value: string, id: number): readonly string[] {
    if (!this.#fills) return this.#take(random, key);
    const luck = random.next();
    if (luck < 0.6) return pushTo(random, key, value, id);
    if (luck < 0.72) return ['LMOVE', MOVED_FROM, MOVED_TO, 'LEFT', 'RIGHT'];
    if (luck < 0.75) return ['DEL', key];
    if (luck < 0.85) return key.startsWith('Q') ? ['LLEN', key] : ['EXISTS', key];
    return key.startsWith('Q') ? ['BLPOP', key, '0.2'] : ['BZPOPMIN', key, '0.2'];
  }

  #take(random: Random, key: string): readonly string[] {
    const timeout = random.next() < FOR_EVER_SHARE ? '0' : random.pick(TIMEOUTS);
    const others = this.#keys.filter((one) => one !== key && one[0] === key[0]);
    const keys = random.next() < 0.3 ? [key, ...others] : [key];
    const luck = random.next();
    if (key.startsWith('P')) {
      return luck < 0.9 ? ['BZPOPMIN', ...keys, timeout] : ['ZPOPMIN', key];
    }
    if (luck < 0.5) return ['BLPOP', ...keys, timeout];
    if (luck < 0.75) return ['BRPOP', ...keys, timeout];
    if (luck < 0.9) return ['BLMOVE', MOVED_FROM, MOVED_TO, 'LEFT', 'RIGHT', timeout];
    return ['LPOP', key];
  }
}

/** Puts one element into the queue. */
export function pushTo(random: Random, key: string, value: string, id: number): readonly string[] {
  const element = value.slice(0, ELEMENT_CHARS_MAX);
  // Scores differ, so that it is certain which one is the least.
  if (key.startsWith('P')) return ['ZADD', key, String(random.below(1000) * 1e6 + id), element];
  return [random.next() < 0.8 ? 'RPUSH' : 'LPUSH', key, element];
}

/** What a list or a sorted set of its own has been through: commands that wait are what they took, or did not find. */
export function queueHistory(calls: readonly Call[], key: string): Call[] {
  const parts = calls.flatMap((call) => partsOf(call, key));
  return [...parts, ...unseenMoves(calls, parts, key)];
}

const TAKES: Readonly<Record<string, string>> = {
  BLPOP: 'LPOP',
  BRPOP: 'RPOP',
  BZPOPMIN: 'ZPOPMIN',
};

function partsOf(call: Call, key: string): Call[] {
  const [name = '', from] = call.args;
  if (name === 'LMOVE' || name === 'BLMOVE') return moveParts(call, key, from!);
  const take = TAKES[name];
  if (take === undefined) return [call];
  if (call.outcome !== 'replied') return [{ ...call, args: [take, key] }];
  const nothing: Reply = take === 'ZPOPMIN' ? { type: '*', items: [] } : { type: '_', text: '*' };
  // Each key was looked at, and there was nothing.
  if (call.reply!.type !== '*') return [{ ...call, args: [take, key], reply: nothing }];
  const [taken, ...items] = (call.reply as Extract<Reply, { items: unknown }>).items;
  if (textOf(taken!) !== key) return [];
  const reply: Reply = take === 'ZPOPMIN' ? { type: '*', items } : items[0]!;
  return [{ ...call, args: [take, key], reply }];
}

/** An element that goes from one list to another is taken from one, and put into the other. */
function moveParts(call: Call, key: string, from: string): Call[] {
  const isNothing = call.outcome === 'replied' && call.reply!.type !== '$';
  if (key === from) {
    const reply: Reply | null = isNothing ? { type: '_', text: '$' } : call.reply;
    return [{ ...call, args: ['LPOP', key], reply }];
  }
  if (call.outcome !== 'replied' || isNothing) return [];
  return [{ ...call, args: ['RPUSH', key, textOf(call.reply!)], reply: null }];
}

/**
 * Elements that moves of unknown outcome may have brought here: which they were is known by who saw them. One that nobody saw,
 * as it was deleted, was counted all the same.
 */
function unseenMoves(calls: readonly Call[], parts: readonly Call[], key: string): Call[] {
  const moves = calls.filter(
    ({ args, outcome }) =>
      args[0]!.endsWith('LMOVE') &&
      args[2] === key &&
      outcome !== 'replied' &&
      outcome !== 'not-run',
  );
  const [first] = moves;
  if (first === undefined) return [];
  const put = new Set(
    parts.flatMap(({ args }) => (args[0]!.endsWith('PUSH') ? args.slice(2) : [])),
  );
  const seen = new Set(parts.flatMap(elementsOf));
  const known = [...seen].filter((element) => !put.has(element)).slice(0, moves.length);
  const unknown = moves.slice(known.length).map(({ id }) => `nobody saw ${id}`);
  return [...known, ...unknown].map((element) => ({
    ...first,
    args: ['RPUSH', key, element],
    outcome: 'unknown',
  }));
}

/** Elements of a list that the call was told of. */
function elementsOf({ args, reply, outcome }: Call): string[] {
  if (outcome !== 'replied' || reply === null) return [];
  if (args[0] === 'LRANGE') return (reply as Extract<Reply, { items: unknown }>).items.map(textOf);
  return args[0]!.endsWith('POP') && reply.type === '$' ? [reply.text] : [];
}

const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');
