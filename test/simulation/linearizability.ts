import type { Call } from './history.js';

/** What a command may do: a deterministic change, but for the moment at which a key expires. */
export interface Model {
  readonly initial: string;
  /** All states that the call may leave behind when it takes effect in `state`; none if its reply does not fit. */
  step(state: string, call: Call): string[];
  /** Whether the call changes nothing whatever its reply: then it is of no interest when its reply is not known. */
  isRead(call: Call): boolean;
}

export type Verdict =
  | { readonly kind: 'linearizable' }
  /** The search was given up after so many steps. */
  | { readonly kind: 'undecided'; readonly steps: number }
  | {
      readonly kind: 'violation';
      /** Where the longest order found stands: its state, and the calls that do not fit on. */
      readonly state: string;
      readonly order: readonly Call[];
      readonly blocked: readonly Call[];
    };

const STEPS_MAX = 400_000;

/**
 * Whether the calls can be put into one order that respects real time and the model: the search of Wing and Gong with the
 * memory of Lowe (2017): a set of calls done and a state that were met before are not looked at again. A call of unknown
 * outcome may take effect at any time after it began, or never.
 */
export function linearize(history: readonly Call[], model: Model, stepsMax = STEPS_MAX): Verdict {
  const calls = history
    .filter((call) => call.outcome !== 'not-run')
    .filter((call) => call.outcome === 'replied' || !model.isRead(call))
    .sort((a, b) => a.invokedAt - b.invokedAt);
  return new Search(calls, model, stepsMax).run();
}

class Search {
  readonly #calls: readonly Call[];
  readonly #model: Model;
  readonly #stepsMax: number;
  readonly #until: Float64Array;
  readonly #done: Uint8Array;
  readonly #seen = new Set<string>();
  readonly #order: number[] = [];
  #missing = 0;
  #highest = -1;
  #steps = 0;
  #bestState: string;
  #best: number[] = [];
  #bestBlocked: number[] = [];

  constructor(calls: readonly Call[], model: Model, stepsMax: number) {
    this.#calls = calls;
    this.#model = model;
    this.#stepsMax = stepsMax;
    this.#until = Float64Array.from(calls, (call) =>
      call.outcome === 'replied' ? call.returnedAt : Number.POSITIVE_INFINITY,
    );
    this.#done = new Uint8Array(calls.length);
    this.#missing = calls.filter((call) => call.outcome === 'replied').length;
    this.#bestState = model.initial;
  }

  run(): Verdict {
    const found = this.#search(0, this.#model.initial);
    if (found) return { kind: 'linearizable' };
    if (this.#steps >= this.#stepsMax) return { kind: 'undecided', steps: this.#steps };
    const callOf = (index: number): Call => this.#calls[index]!;
    return {
      kind: 'violation',
      state: this.#bestState,
      order: this.#best.map(callOf),
      blocked: this.#bestBlocked.map(callOf),
    };
  }

  #search(from: number, state: string): boolean {
    if (this.#missing === 0) return true;
    if (++this.#steps >= this.#stepsMax) return false;
    const done = this.#done;
    let low = from;
    while (done[low] === 1) low++;
    const candidates = this.#candidates(low);
    for (const index of candidates) {
      const isKnown = this.#until[index]! < Number.POSITIVE_INFINITY;
      for (const next of this.#model.step(state, this.#calls[index]!)) {
        const highest = this.#highest;
        done[index] = 1;
        this.#highest = Math.max(highest, index);
        if (this.#isNew(low, next)) {
          this.#order.push(index);
          if (isKnown) this.#missing--;
          if (this.#search(low, next)) return true;
          if (isKnown) this.#missing++;
          this.#order.pop();
        }
        done[index] = 0;
        this.#highest = highest;
        if (this.#steps >= this.#stepsMax) return false;
      }
    }
    this.#stuck(state, candidates);
    return false;
  }

  /** Kept only where no call fits on: a copy at every step would make a long history quadratic. */
  #stuck(state: string, candidates: number[]): void {
    if (this.#order.length <= this.#best.length && this.#best.length > 0) return;
    this.#best = [...this.#order];
    this.#bestState = state;
    this.#bestBlocked = candidates;
  }

  /** Calls that may come next: none that is not done has returned before they began. Known ones first. */
  #candidates(low: number): number[] {
    const calls = this.#calls;
    const found: number[] = [];
    let first = Number.POSITIVE_INFINITY;
    for (let i = low; i < calls.length && calls[i]!.invokedAt <= first; i++) {
      if (this.#done[i] === 1) continue;
      found.push(i);
      first = Math.min(first, this.#until[i]!);
    }
    const until = this.#until;
    return found
      .filter((i) => calls[i]!.invokedAt <= first)
      .sort((a, b) => (until[a]! === until[b]! ? a - b : until[a]! - until[b]!));
  }

  #isNew(low: number, state: string): boolean {
    let key = `${this.#highest}:`;
    for (let i = low; i < this.#highest; i++) if (this.#done[i] === 0) key += `${i},`;
    key += state;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }
}
