import type { ChangedKeys } from './changed-keys.js';
import type { LiveKeyspace } from './keyspace.js';
import type { KeyspaceEvent } from './keyspace-events.js';
import type { Outcome, SlicedStep } from './long-step.js';
import type { Operation } from './operation.js';
import type { Peer } from './peer.js';
import { errorReply } from './runner.js';
import type { WatchCheck, Watching } from './watching.js';

/**
 * A step of several commands (step.ts) when all its keys are held, or when there is nobody who could come between. What its
 * commands change is collected, over all turns that it takes, and sent as one frame at its end.
 */
export class CommandStep implements SlicedStep {
  readonly #operation: Operation;
  readonly #keyspace: LiveKeyspace;
  readonly #watching: Watching;
  readonly #check: WatchCheck;
  readonly #backup: Peer | null;
  readonly #changed: ChangedKeys;
  readonly #events: KeyspaceEvent[] = [];
  #slices = 0;

  /** `backup` null: the node is alone, the changes are sent to nobody. */
  constructor(
    operation: Operation,
    keyspace: LiveKeyspace,
    watching: Watching,
    check: WatchCheck,
    backup: Peer | null,
  ) {
    this.#operation = operation;
    this.#keyspace = keyspace;
    this.#changed = keyspace.steps.begin();
    this.#watching = watching;
    this.#check = check;
    this.#backup = backup;
  }

  run(room: number): Outcome | null {
    const keyspace = this.#keyspace;
    keyspace.begin();
    const refusal = this.#slices++ === 0 ? this.#refusal() : null;
    if (refusal !== null) return { reply: refusal, isDone: false, sent: null };
    const reply = this.#runSome(room);
    if (reply === null) return null;
    const sent = keyspace.steps.append(this.#changed);
    // What earlier slices have read is to be acked, too: all keys have this backup.
    const stream = this.#slices > 1 ? (this.#backup?.stream ?? null) : null;
    if (stream !== null)
      keyspace.steps.awaitFrame({ backup: this.#backup!, offset: stream.log.endOffset });
    return { reply, isDone: true, sent };
  }

  /** Memory, and what is watched, are looked at once, when nothing is done yet. */
  #refusal(): Buffer | null {
    const { step, traits, keys } = this.#operation;
    if (traits.denyOom && keys.length > 0) {
      this.#keyspace.note(this.#operation);
      if (this.#keyspace.outOfMemory()) return errorReply(step!.outOfMemory);
    }
    return this.#watching.hasChanged(this.#operation, this.#check) ? step!.changedReply : null;
  }

  #runSome(room: number): Buffer | null {
    const keyspace = this.#keyspace;
    let reply: Buffer | null = null;
    keyspace.steps.collectInto(this.#changed, () => {
      reply = this.#operation.step!.run(room);
    });
    // They are told of when the frame is acked.
    this.#events.push(...keyspace.events.take());
    if (reply === null) keyspace.endSlice();
    else keyspace.events.give(this.#events);
    return reply;
  }
}
