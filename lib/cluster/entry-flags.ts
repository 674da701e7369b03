/** Flags of a store entry, as docs/data-plane.md explains them. */
export const Flag = {
  /** Backup: may promote itself when its primary is left out. */
  Full: 1,
  /** Backup: may answer reads while it holds the short lease of its primary. */
  Reads: 2,
  /**
   * Primary (the same bit): sides of a partition have met, and its backup has an older copy, which is replaced before
   * anything else.
   */
  Ahead: 2,
  /**
   * Primary: provisional, its claim is in flight; commands on the key queue. Tombstone: others are yet to learn of the
   * delete, the key is not created anew before they have.
   */
  Busy: 4,
  /** Primary: a change-over of its backup is open, changes go to two streams. */
  Moving: 8,
  /** Primary: moves to the first other node that uses it. */
  Eager: 16,
  /** Primary: another node's commands in a row are being counted. */
  Streak: 32,
  /** Primary: held by a command that gathers its keys; other commands on the key queue. */
  Held: 64,
  /** Primary: its value is on its way to another member in parts. */
  Sending: 128,
} as const;

/** A primary with any of these leaves the hot path of commands that members send. */
export const SLOW_FOR_MEMBERS = Flag.Busy | Flag.Moving | Flag.Held | Flag.Ahead;
/** The same of commands of this node's clients, by which a streak ends. */
export const SLOW_PRIMARY = SLOW_FOR_MEMBERS | Flag.Streak | Flag.Eager;
