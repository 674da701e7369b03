import { type CommandTraits, KeyMode, Pairs } from './operation.js';

/** What WATCH remembers: the version of a key that is there, or what the anchor of an absent one has counted (absences.ts). */
export type WatchMark = number | string;

/** A key, by its place among the keys of the operation, that must be as it was when it was marked. */
export interface WatchedKey {
  readonly number: number;
  readonly mark: WatchMark;
}

/**
 * Several commands that run as one, seen by others as a whole or not at all, on keys that are declared before: the key
 * arguments of its operation, whose other arguments are nothing to the cluster. Given to the router as an operation with
 * KeyMode.Gather, it is called back when all keys are here and held. Its commands use the Keyspace as any command does:
 * what they change is in the store at once, so later ones see it, and goes to the backup as one frame when the step is
 * over. The reply goes out when that frame is acked; an error reply that the step has not made says that nothing has run.
 */
export interface Step {
  readonly watched: readonly WatchedKey[];
  /** The reply where one of those has changed: then `run` is not called. */
  readonly changedReply: Buffer;
  /** Its error, without the minus sign, where memory is full: then nothing has run. */
  readonly outOfMemory: string;
  /** Bytes that it may add to the store at most, as far as its arguments tell. */
  readonly bytes: number;
  /** It may take more than one turn: its keys are held, too, where there is no other member. */
  readonly isLong: boolean;
  /** False while it waits for an answer of other members: it keeps what it has gathered, and is run in the turn that brings the answer. */
  readonly isReady: boolean;
  /**
   * Runs commands that together are worth about `room` keys; the reply when all have run, null when it is to be called
   * again in a later turn. It is called with an infinite `room`, and then has to come to its end, where somebody is about to
   * look at the store as a whole: a view is prepared, or all is flushed.
   */
  run(room: number): Buffer | null;
}

/** Traits of a step: `write` and `denyOom` where one of its commands has them. */
export const stepTraits = (name: string, write: boolean, denyOom: boolean): CommandTraits => ({
  name,
  write,
  creates: true,
  denyOom,
  observes: false,
  usesElements: true,
  keyMode: KeyMode.Gather,
  pairs: Pairs.None,
});
