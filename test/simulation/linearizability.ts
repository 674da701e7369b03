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

/** A point of the search: the calls done so far, and what may come next. */
interface Place {
  /** No call before this one is left. */
  readonly low: number;
  readonly state: string;
  readonly candidates: readonly number[];
  /** So many of them were tried. */
  tried: number;
  /** What the last one tried may still lead to, the next one last. */
  nexts: string[];
  /** The call that the path beyond begins with; -1 when there is none. */
  taken: number;
  /** The last call done when the search came here. */
  readonly highest: number;
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
  #bestBlocked: readonly number[] = [];

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
    const found = this.#search(this.#model.initial);
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

  /** Depth first, with a stack of its own: a history of thousands of calls is as deep as that. */
  #search(initial: string): boolean {
    const path = [this.#placeAt(0, initial)];
    for (let place = path.at(-1); place !== undefined; place = path.at(-1)) {
      if (this.#missing === 0) return true;
      if (this.#steps >= this.#stepsMax) return false;
      this.#takeBack(place);
      const next = this.#goOn(place);
      if (next !== null) {
        path.push(next);
      } else {
        this.#stuck(place.state, place.candidates);
        path.pop();
      }
    }
    return false;
  }

  #placeAt(from: number, state: string): Place {
    this.#steps++;
    let low = from;
    while (this.#done[low] === 1) low++;
    const candidates = this.#candidates(low);
    return { low, state, candidates, tried: 0, nexts: [], taken: -1, highest: this.#highest };
  }

  /** Takes the next call that fits here and leads to something new; null when none is left. */
  #goOn(place: Place): Place | null {
    for (;;) {
      const next = place.nexts.pop();
      if (next === undefined) {
        if (place.tried === place.candidates.length) return null;
        const call = this.#calls[place.candidates[place.tried++]!]!;
        place.nexts = this.#model.step(place.state, call).reverse();
        continue;
      }
      const index = place.candidates[place.tried - 1]!;
      this.#done[index] = 1;
      this.#highest = Math.max(place.highest, index);
      if (this.#isNew(place.low, next)) {
        place.taken = index;
        this.#order.push(index);
        if (this.#isKnown(index)) this.#missing--;
        return this.#placeAt(place.low, next);
      }
      this.#done[index] = 0;
      this.#highest = place.highest;
    }
  }

  #takeBack(place: Place): void {
    if (place.taken === -1) return;
    if (this.#isKnown(place.taken)) this.#missing++;
    this.#order.pop();
    this.#done[place.taken] = 0;
    this.#highest = place.highest;
    place.taken = -1;
  }

  #isKnown(index: number): boolean {
    return this.#until[index]! < Number.POSITIVE_INFINITY;
  }

  /** Kept only where no call fits on: a copy at every step would make a long history quadratic. */
  #stuck(state: string, candidates: readonly number[]): void {
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
