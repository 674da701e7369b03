import type { AtomicFrames } from './atomic-frames.js';
import { CommandStep } from './command-step.js';
import type { Gather } from './gather.js';
import type { LiveKeyspace } from './keyspace.js';
import { LongStep, type SlicedStep } from './long-step.js';
import type { Operation } from './operation.js';
import type { Peer } from './peer.js';
import type { Runner } from './runner.js';
import type { Watching } from './watching.js';

/** What the steps of gathering commands are made of. */
export interface StepParts {
  readonly keyspace: LiveKeyspace;
  readonly frames: AtomicFrames;
  readonly runner: Runner;
  readonly watching: Watching;
  /** Asks for a call of `Gathering.tick` in the next turn. */
  readonly wantTurn: () => void;
}

/** Makes what runs in slices, on keys that are held, of a command that has gathered them. */
export class StepMaker {
  readonly #parts: StepParts;

  constructor(parts: StepParts) {
    this.#parts = parts;
  }

  /** Whether all answers of other members are there: of the step, and whether what a transaction watches is as it was, which is asked for here. */
  isChecked(gather: Gather): boolean {
    const { watching, wantTurn } = this.#parts;
    const { step } = gather.operation;
    if (step === undefined) return true;
    gather.check ??= watching.check(gather.operation, wantTurn);
    return gather.check.missing === 0 && step.isReady;
  }

  /** `backup` null: the node is alone. */
  make({ operation, check }: Gather, backup: Peer | null): SlicedStep {
    const { keyspace, frames, watching } = this.#parts;
    if (operation.step === undefined) return new LongStep(operation, keyspace, frames, backup);
    return new CommandStep(operation, keyspace, watching, check!, backup);
  }

  /** Where nobody can come between. */
  runAlone(operation: Operation): void {
    const { runner, watching, keyspace } = this.#parts;
    if (operation.step === undefined) return runner.run(operation);
    const check = watching.check(operation, () => undefined);
    const step = new CommandStep(operation, keyspace, watching, check, null);
    const { reply } = step.run(Number.POSITIVE_INFINITY)!;
    runner.finish(operation, reply, keyspace.count());
  }
}
