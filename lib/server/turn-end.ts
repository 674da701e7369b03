/** A part of what is done at the end of a turn of the event loop. */
export interface TurnStep {
  /** Whether there is anything to do. */
  readonly isDue: boolean;
  run(): void;
}

/**
 * The end of a turn: when its sockets have been read, the commands that they brought are run, then what was appended for
 * the other members goes out, then the replies. What comes up later than its step is left to the next turn.
 */
export class TurnEnd {
  /** In the order in which they are run. Whoever has a step due calls `schedule`. */
  readonly steps: TurnStep[] = [];
  #isScheduled = false;

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    for (const step of this.steps) if (step.isDue) step.run();
    this.#isScheduled = false;
    if (this.steps.some((step) => step.isDue)) this.schedule();
  }
}
