/** Times of one thing that was measured again and again, milliseconds. */
export class Times {
  readonly #all: number[] = [];

  add(...times: readonly number[]): void {
    this.#all.push(...times);
  }

  get count(): number {
    return this.#all.length;
  }

  /** The time that this share of all does not exceed; NaN of none. */
  quantile(share: number): number {
    const sorted = [...this.#all].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  }

  /** "p50 / p99 / max" in milliseconds, and how many there are. */
  toString(): string {
    if (this.#all.length === 0) return '-';
    const shown = [0.5, 0.99, 1].map((share) => this.quantile(share).toFixed(1));
    return `${shown.join(' / ')} (${this.count})`;
  }
}

/** What was seen of one kind of fault. */
export class KindReport {
  rounds = 0;
  /** From the fault to the first success on each key that it concerns. */
  readonly firstWrite = new Times();
  readonly firstRead = new Times();
  /** From the fault until the system has ended the connections of the process. */
  readonly closed = new Times();
  /** From a request to leave until the process has ended. */
  readonly left = new Times();
  /** Of each round: the longest a client of an undisturbed node has waited for one reply. */
  readonly longestWait = new Times();
  /** Until the cluster said that it is whole again, from the last thing that was done to it. */
  readonly whole = new Times();
  unknown = 0;
}

/** Everything that a run has to tell. */
export class Report {
  readonly kinds = new Map<string, KindReport>();
  commands = 0;
  answered = 0;
  notRun = 0;
  unknown = 0;
  histories = 0;
  undecided = 0;
  /** What clients of undisturbed nodes were not to see, and other things that must not be. */
  readonly complaints: string[] = [];

  of(kind: string): KindReport {
    let found = this.kinds.get(kind);
    if (found === undefined) {
      found = new KindReport();
      this.kinds.set(kind, found);
    }
    return found;
  }

  lines(): string[] {
    const lines = [
      `${this.commands} commands: ${this.answered} answered, ${this.notRun} refused as not run,` +
        ` ${this.unknown} of unknown outcome`,
      `${this.histories} histories of keys are linearizable, ${this.undecided} undecided`,
    ];
    if (this.kinds.size > 0) lines.push('milliseconds: p50 / p99 / max (measured)');
    for (const [name, kind] of this.kinds) {
      lines.push(`${name}: ${kind.rounds} times, ${kind.unknown} of unknown outcome`);
      const rows: [string, Times][] = [
        ['first write of its keys', kind.firstWrite],
        ['first read of its keys', kind.firstRead],
        ['connections ended after', kind.closed],
        ['gone after', kind.left],
        ['longest wait elsewhere', kind.longestWait],
        ['whole again after', kind.whole],
      ];
      for (const [what, times] of rows) {
        if (times.count > 0) lines.push(`  ${what.padEnd(24)} ${times}`);
      }
    }
    return lines;
  }
}
