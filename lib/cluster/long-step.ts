import type { Appended, AtomicFrames, GrowingFrame } from './atomic-frames.js';
import { type Key, keyOfArgument } from './key.js';
import type { LiveKeyspace } from './keyspace.js';
import type { KeyspaceEvent } from './keyspace-events.js';
import { type Operation, Pairs } from './operation.js';
import type { Peer } from './peer.js';
import { errorReply, OUT_OF_MEMORY } from './runner.js';

const OK = Buffer.from('+OK\r\n', 'latin1');
const YES = Buffer.from(':1\r\n', 'latin1');
const NO = Buffer.from(':0\r\n', 'latin1');
const OUT_OF_MEMORY_REPLY = errorReply(OUT_OF_MEMORY);

/** What a step has come to: the reply, and the frame that was sent, if one was. */
export interface Outcome {
  readonly reply: Buffer;
  /** False where it was refused, or found a key that must not be there. */
  readonly isDone: boolean;
  readonly sent: Appended | null;
}

/** A command that is run in slices while its keys are held. */
export interface SlicedStep {
  /** Goes on with so many keys. The outcome when it is over; `written` may be called, once, when the frame is in the stream. */
  run(keysMax: number, written: (offset: number) => void): Outcome | null;
}

/**
 * MSET or MSETNX of very many pairs, when all keys are held: runs a number of pairs at a time, in the order of the
 * arguments, and puts their new values in one ATOMIC frame as it goes. Nobody sees what is done so far, as the keys are
 * held; and who would find it in the store by other ways (a view change, a flush) has it finished before.
 */
export class LongStep implements SlicedStep {
  readonly #operation: Operation;
  readonly #keyspace: LiveKeyspace;
  readonly #frames: AtomicFrames;
  readonly #frame: GrowingFrame | null;
  /** First argument of the pair that is looked at, and of the one that is set, next. */
  #checked: number;
  #set = 1;
  #isAdmitted = false;
  readonly #events: KeyspaceEvent[] = [];

  /** `backup` null: the node is alone, the changes are sent to nobody. */
  constructor(
    operation: Operation,
    keyspace: LiveKeyspace,
    frames: AtomicFrames,
    backup: Peer | null,
  ) {
    const { request, traits } = operation;
    this.#operation = operation;
    this.#keyspace = keyspace;
    this.#frames = frames;
    this.#checked = traits.pairs === Pairs.SetIfNone ? 1 : request.argc;
    let bytes = 0;
    for (let i = 1; i < request.argc; i++) bytes += request.length(i);
    this.#frame = backup === null ? null : frames.begin(backup, (request.argc - 1) / 2, bytes);
  }

  /** Goes on with so many pairs. The outcome when it is over; `written` is called, once, when the frame is in the stream. */
  run(pairsMax: number, written: (offset: number) => void): Outcome | null {
    const keyspace = this.#keyspace;
    const { request, db } = this.#operation;
    keyspace.begin();
    if (!this.#isAdmitted && this.#isFull()) {
      return { reply: OUT_OF_MEMORY_REPLY, isDone: false, sent: null };
    }
    this.#isAdmitted = true;
    let room = pairsMax;
    for (; room > 0 && this.#checked < request.argc; room--, this.#checked += 2) {
      if (keyspace.exists(db, request, this.#checked)) {
        return { reply: NO, isDone: false, sent: null };
      }
    }
    if (room > 0) this.#setSome(room);
    keyspace.endSlice();
    if (this.#set < request.argc) return null;
    keyspace.events.give(this.#events);
    const reply = this.#operation.traits.pairs === Pairs.Set ? OK : YES;
    if (this.#frame === null) return { reply, isDone: true, sent: null };
    const sent = this.#frames.send(this.#frame, () => this.#keys(), written);
    keyspace.steps.awaitFrame(sent);
    return { reply, isDone: true, sent };
  }

  /** Memory is looked at once, when nothing is done yet. */
  #isFull(): boolean {
    this.#keyspace.note(this.#operation);
    return this.#keyspace.outOfMemory();
  }

  #setSome(pairs: number): void {
    const frame = this.#frame;
    const keyspace = this.#keyspace;
    const { request, db } = this.#operation;
    const { buffer, start, end } = request;
    const until = Math.min(request.argc, this.#set + 2 * pairs);
    const set = (): void => {
      for (let i = this.#set; i < until; i += 2) {
        keyspace.setString(db, request, i, buffer, start[i + 1]!, end[i + 1]!, 0);
      }
    };
    if (frame === null) set();
    else {
      keyspace.steps.collect(set, (ref) => this.#frames.add(frame, ref));
      keyspace.steps.countGrowth(frame.backup);
    }
    // They are told of when the frame is acked.
    this.#events.push(...keyspace.events.takeOf(this.#operation.origin ?? null));
    this.#set = until;
  }

  #keys(): readonly Key[] {
    const { request, db, keys } = this.#operation;
    return keys.map((index) => keyOfArgument(db, request, index));
  }
}
