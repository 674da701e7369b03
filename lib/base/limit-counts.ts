/** How often each of some bounds was reached: something was refused, held back or given up for it. Names as in docs/limits.md. */
export class LimitCounts<Name extends string> {
  readonly #counts: Map<Name, number>;

  constructor(names: readonly Name[]) {
    this.#counts = new Map(names.map((name) => [name, 0]));
  }

  add(name: Name, times = 1): void {
    this.#counts.set(name, this.#counts.get(name)! + times);
  }

  /** All of them, those that were never reached too. */
  get all(): ReadonlyMap<Name, number> {
    return this.#counts;
  }

  reset(): void {
    for (const name of this.#counts.keys()) this.#counts.set(name, 0);
  }
}
