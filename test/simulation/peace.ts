import type { Process } from './process.js';

/** Since all have been found whole, it is peace after so long. */
const RECOVERY_MS = 200;

/**
 * The times of a run in which nothing was done that could cost a message between two nodes which live through it: connections
 * are whole, and nobody is left out. Nodes may die, leave and join meanwhile.
 */
export class Peace {
  readonly #times: { readonly from: number; until: number }[] = [];
  readonly #incarnations = new Map<Process, string>();
  /** Since when all is whole; infinite until then. */
  #wholeSince = Number.POSITIVE_INFINITY;
  #isPeace = false;

  /** Connections are broken now, or may be from now on. */
  disturbed(): void {
    this.#wholeSince = Number.POSITIVE_INFINITY;
    this.#isPeace = false;
  }

  /** `isBroken`: a fault of that kind is not undone yet. `isQuiet`: the nodes have overcome all that was. */
  look(now: number, isBroken: boolean, isQuiet: boolean, processes: readonly Process[]): void {
    if (this.#hasBegunAnew(processes) || isBroken) this.disturbed();
    else if (isQuiet) this.#wholeSince = Math.min(this.#wholeSince, now);
    if (now - this.#wholeSince < RECOVERY_MS) return;
    if (this.#isPeace) this.#times.at(-1)!.until = now;
    else this.#times.push({ from: now, until: now });
    this.#isPeace = true;
  }

  covers(from: number, until: number): boolean {
    return this.#times.some((time) => time.from <= from && time.until >= until);
  }

  /** Who was left out is another member from then on. */
  #hasBegunAnew(processes: readonly Process[]): boolean {
    let hasBegun = false;
    for (const process of processes) {
      const before = this.#incarnations.get(process);
      if (before === process.incarnation) continue;
      this.#incarnations.set(process, process.incarnation);
      hasBegun ||= before !== undefined;
    }
    return hasBegun;
  }
}
