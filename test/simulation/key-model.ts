import type { Reply } from '../support/resp.js';
import { type Call, showReply } from './history.js';
import type { Model } from './linearizability.js';

const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
const INTEGER = /^-?(0|[1-9]\d{0,15})$/;
const READS = new Set(['GET', 'EXISTS', 'PTTL', 'STRLEN']);

/** A string key: null when absent; `expiry` is the number of the call that set it, -1 for none. */
interface State {
  readonly value: string | null;
  readonly expiry: number;
}

interface Effect {
  readonly state: State;
  /** As showReply writes it, or a test of what came. */
  readonly reply: string | ((reply: Reply) => boolean);
}

const ABSENT: State = { value: null, expiry: -1 };

/**
 * One string key as Redis keeps it. The one thing that is not certain is when it expires: times to live are counted by
 * the clock of the node that ran the command, and judged by the clock of another, `skewMs` apart at most.
 */
export class KeyModel implements Model {
  readonly initial: string;
  readonly #skewMs: number;
  readonly #lateMs: number;
  readonly #isEvicting: boolean;
  readonly #setters = new Map<number, { readonly call: Call; readonly ttlMs: number }>();
  /** Values by number, so that states are short. */
  readonly #values: string[] = [];
  readonly #numbers = new Map<string, number>();

  /** `isEvicting`: a key may vanish at any time. `lateMs`: a key may live longer by so much, where some clock was ahead. */
  constructor(skewMs: number, isEvicting = false, lateMs = skewMs) {
    this.#skewMs = skewMs;
    this.#lateMs = lateMs;
    this.#isEvicting = isEvicting;
    this.initial = this.#encode(ABSENT);
  }

  isRead(call: Call): boolean {
    return READS.has(call.args[0]!) && !this.#isEvicting;
  }

  step(encoded: string, call: Call): string[] {
    const before = this.#decode(encoded);
    const found: string[] = [];
    for (const state of this.#possible(before, call)) {
      const effect = this.#effect(state, call);
      if (call.outcome === 'replied' && !fits(effect, call.reply!)) continue;
      const next = this.#encode(effect.state);
      if (!found.includes(next)) found.push(next);
    }
    return found;
  }

  /** The state as one who reads a report wants it. */
  show(encoded: string): string {
    const { value, expiry } = this.#decode(encoded);
    if (value === null) return 'absent';
    return `${value.slice(0, 60)}${expiry < 0 ? '' : `, expires by #${expiry}`}`;
  }

  /** With an expiry that is due for some clocks the key may be there or not; so where keys are evicted. */
  #possible(state: State, call: Call): State[] {
    const present = this.#isEvicting && state.value !== null ? [state, ABSENT] : [state];
    if (state.expiry < 0) return present;
    const { from, until } = this.#window(state.expiry);
    if (call.returnedAt < from) return present;
    if (call.invokedAt > until) return [ABSENT];
    return [state, ABSENT];
  }

  #window(expiry: number): { from: number; until: number } {
    const { call, ttlMs } = this.#setters.get(expiry)!;
    return {
      from: call.invokedAt + ttlMs - this.#skewMs,
      until: call.returnedAt + ttlMs + this.#lateMs,
    };
  }

  #effect(state: State, call: Call): Effect {
    const [name, , first] = call.args;
    const { value } = state;
    const isThere = value !== null;
    switch (name) {
      case 'GET':
        return { state, reply: bulk(value) };
      case 'SET':
        return this.#set(state, call);
      case 'MSET':
        return { state: { value: first!, expiry: -1 }, reply: '+OK' };
      case 'GETSET':
        return { state: { value: first!, expiry: -1 }, reply: bulk(value) };
      case 'GETDEL':
        return { state: ABSENT, reply: bulk(value) };
      case 'DEL':
        return { state: ABSENT, reply: isThere ? ':1' : ':0' };
      case 'FLUSHALL':
        return { state: ABSENT, reply: '+OK' };
      case 'VANISH':
        return { state: ABSENT, reply: '' };
      case 'EXISTS':
        return { state, reply: isThere ? ':1' : ':0' };
      case 'STRLEN':
        return { state, reply: `:${value?.length ?? 0}` };
      case 'APPEND': {
        const longer = (value ?? '') + first!;
        return { state: { value: longer, expiry: state.expiry }, reply: `:${longer.length}` };
      }
      case 'INCR':
        return increment(state);
      case 'PEXPIRE':
        if (!isThere) return { state, reply: ':0' };
        return { state: { value, expiry: this.#expiry(call, Number(first)) }, reply: ':1' };
      case 'PERSIST':
        return state.expiry < 0
          ? { state, reply: ':0' }
          : { state: { value, expiry: -1 }, reply: ':1' };
      case 'PTTL':
        return { state, reply: this.#ttl(state, call) };
      default:
        throw new Error(`no model of ${name}`);
    }
  }

  #set(state: State, call: Call): Effect {
    const [, , value, ...options] = call.args;
    const isThere = state.value !== null;
    const ttl = options.indexOf('PX');
    if (options.includes('NX') && isThere) return { state, reply: 'nil' };
    if (options.includes('XX') && !isThere) return { state, reply: 'nil' };
    let expiry = -1;
    if (ttl >= 0) expiry = this.#expiry(call, Number(options[ttl + 1]));
    else if (options.includes('KEEPTTL') && isThere) expiry = state.expiry;
    return { state: { value: value!, expiry }, reply: '+OK' };
  }

  #ttl(state: State, call: Call): Effect['reply'] {
    if (state.value === null) return ':-2';
    if (state.expiry < 0) return ':-1';
    const { from, until } = this.#window(state.expiry);
    return (reply) => {
      if (reply.type !== ':') return false;
      const ttl = Number(reply.text);
      return (
        ttl >= 0 &&
        call.returnedAt + ttl >= from - 1 - (this.#lateMs - this.#skewMs) &&
        call.invokedAt + ttl <= until + this.#lateMs
      );
    };
  }

  #expiry(call: Call, ttlMs: number): number {
    this.#setters.set(call.id, { call, ttlMs });
    return call.id;
  }

  #encode({ value, expiry }: State): string {
    if (value === null) return '-';
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.#values.push(value) - 1;
      this.#numbers.set(value, number);
    }
    return `${number}/${expiry}`;
  }

  #decode(state: string): State {
    if (state === '-') return ABSENT;
    const slash = state.indexOf('/');
    return {
      value: this.#values[Number(state.slice(0, slash))]!,
      expiry: Number(state.slice(slash + 1)),
    };
  }
}

function increment(state: State): Effect {
  const { value } = state;
  if (value !== null && !INTEGER.test(value)) return { state, reply: `-${NOT_AN_INTEGER}` };
  const sum = String(Number(value ?? 0) + 1);
  return { state: { value: sum, expiry: state.expiry }, reply: `:${sum}` };
}

function bulk(value: string | null): Effect['reply'] {
  if (value === null) return 'nil';
  return (reply) => reply.type === '$' && reply.text === value;
}

function fits(effect: Effect, reply: Reply): boolean {
  return typeof effect.reply === 'string' ? showReply(reply) === effect.reply : effect.reply(reply);
}
