/** How often things were done, by name. */
export type Counts = Readonly<Record<string, number>>;

/** What a run has done to its cluster, what it has looked at, and what came of it. */
export interface Totals {
  /** Faults that really happened, by kind. */
  readonly faults: Counts;
  /** Checks made, by kind. */
  readonly checks: Counts;
  /** Everything else that is worth a number. */
  readonly counts: Counts;
}

/** Counts of one run, or the sums of many. */
export class Tally implements Totals {
  readonly faults: Record<string, number> = {};
  readonly checks: Record<string, number> = {};
  readonly counts: Record<string, number> = {};

  fault(kind: string): void {
    add(this.faults, kind, 1);
  }

  check(kind: string, by = 1): void {
    add(this.checks, kind, by);
  }

  count(what: string, by = 1): void {
    add(this.counts, what, by);
  }

  /** Keeps the higher one. */
  highest(what: string, value: number): void {
    this.counts[what] = Math.max(this.counts[what] ?? 0, value);
  }

  addAll({ faults, checks, counts }: Totals): void {
    for (const [kind, number] of Object.entries(faults)) add(this.faults, kind, number);
    for (const [kind, number] of Object.entries(checks)) add(this.checks, kind, number);
    for (const [what, number] of Object.entries(counts)) {
      if (what.endsWith(' max')) this.highest(what, number);
      else add(this.counts, what, number);
    }
  }
}

function add(counts: Record<string, number>, what: string, by: number): void {
  if (by > 0) counts[what] = (counts[what] ?? 0) + by;
}
