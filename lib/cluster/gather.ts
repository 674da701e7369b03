import type { Appended } from './atomic-frames.js';
import { type Key, keyOfArgument } from './key.js';
import { KeyOrder } from './key-order.js';
import type { SlicedStep } from './long-step.js';
import { type Operation, Pairs } from './operation.js';
import type { WatchCheck } from './watching.js';

/** What a gathering command is about. */
export const Phase = {
  /** Its keys are put in order. */
  Ordering: 0,
  /** They are brought here, and held. */
  Acquiring: 1,
  /** All are held; their backups are brought together. */
  Together: 2,
  /** It runs in slices. */
  Running: 3,
  /** It has run; its frame is on its way in parts. */
  Sending: 4,
  /** Its keys are let go. */
  LettingGo: 5,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** One command on several keys. Keys are named by their position in the order in which they are acquired. */
export class Gather {
  readonly operation: Operation;
  readonly token: number;
  readonly order: KeyOrder;
  phase: Phase = Phase.Ordering;
  /** Monotonic time past which it is refused; later again with each piece of progress. */
  deadline: number;
  /** All keys before this position are held, for good. */
  firm = 0;
  /** The highest `firm` that has put off the deadline. */
  farthest = 0;
  /** Positions from here on were not looked at yet. */
  next = 0;
  /** Backups of all keys before this position are together; moves of those before the other were begun. */
  together = 0;
  moving = 0;
  /** Values of all keys before this position are prepared. */
  prepared = 0;
  /** Keys before this position were let go. */
  released = 0;
  /** It begins again when all are let go. */
  isAgain = false;
  /** An answer that comes at once is taken up by who has asked. */
  isGoingOn = false;
  step: SlicedStep | null = null;
  /** Whether what a transaction watches is as it was: asked when all keys are held. */
  check: WatchCheck | null = null;
  /** What is said when all keys are let go, and deletes of those that were reserved in vain are final. */
  lateReply: Buffer | null = null;
  acksMissing = 0;
  sent: Appended | null = null;
  /** By position: held here; an ACQUIRE is on its way. */
  readonly isHeld: Uint8Array;
  readonly isAsked: Uint8Array;

  constructor(operation: Operation, token: number, deadline: number) {
    this.operation = operation;
    this.token = token;
    this.deadline = deadline;
    this.order = new KeyOrder(operation);
    this.isHeld = new Uint8Array(operation.keys.length);
    this.isAsked = new Uint8Array(operation.keys.length);
  }

  get count(): number {
    return this.order.count;
  }

  key(position: number): Key {
    const { order } = this;
    return keyOfArgument(order.databaseAt(position), this.operation.request, order.at(position));
  }

  /** Keys that are held behind a gap are given to whoever else gathers them: only who goes in order may insist. */
  mustYield(position: number): boolean {
    return this.phase === Phase.Acquiring && position >= this.firm;
  }

  beginAgain(): void {
    this.phase = Phase.Acquiring;
    this.firm = 0;
    this.next = 0;
    this.together = 0;
    this.moving = 0;
    this.prepared = 0;
    this.released = 0;
    this.step = null;
    this.check = null;
    this.isAgain = false;
  }
}

/** Whether there are very many keys. A wrong number of arguments is for MSET's handler to refuse. */
export function isMany({ keys, traits, request, step }: Operation, stepKeys: number): boolean {
  if (keys.length <= stepKeys) return false;
  return step !== undefined || (traits.pairs !== Pairs.None && request.argc % 2 === 1);
}

/** Whether it runs in slices. */
export function isSliced(operation: Operation, stepKeys: number): boolean {
  return operation.step?.isLong ?? isMany(operation, stepKeys);
}

/** A command's bytes besides those of its arguments, for each of them: more than what ATOMIC takes for a key. */
const ARGUMENT_BYTES = 32;

/** Bytes of the frame at most: what is renamed is one value, which always fits. */
export function changeBytesMax({ request, step }: Operation): number {
  if (step !== undefined) return step.bytes;
  let bytes = 0;
  for (let i = 1; i < request.argc; i++) bytes += ARGUMENT_BYTES + request.length(i);
  return bytes;
}
