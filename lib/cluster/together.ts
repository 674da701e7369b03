import { type Ref, Role, type Store } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import type { Gather } from './gather.js';
import type { Handovers } from './handovers.js';
import type { Key } from './key.js';
import type { Moves } from './moves.js';
import type { Peer } from './peer.js';

/** Change-overs that one command keeps open. */
const WINDOW_KEYS = 500;

/** How many keys of gathering commands may still be handled in the running turn. */
export interface Turn {
  room: number;
}

/** What has come of bringing backups together. */
export const Progress = {
  Done: 0,
  /** Change-overs are open, or others are to get their turn. */
  Waiting: 1,
  /** A key is not held here any more. */
  Lost: 2,
  /** There is no room for its copy where it is to go. */
  Full: 3,
} as const;
export type Progress = (typeof Progress)[keyof typeof Progress];

/** The keys of a gathering command that are all held here get one backup, and go back to their places afterwards. */
export class Together {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #moves: Moves;
  readonly #handovers: Handovers;
  readonly #turn: Turn;

  constructor(state: ClusterState, moves: Moves, handovers: Handovers, turn: Turn) {
    this.#state = state;
    this.#store = state.store;
    this.#moves = moves;
    this.#handovers = handovers;
    this.#turn = turn;
  }

  /** Goes on with bringing the backups of all keys to `backup`, null where the first key has none. */
  bring(gather: Gather, backup: Peer | null): Progress {
    const { count } = gather;
    for (let missing = -1; gather.together < count; ) {
      const until = Math.min(count, gather.together + WINDOW_KEYS);
      if (gather.moving < until) {
        if (this.#turn.room-- <= 0) return Progress.Waiting;
        const begun = this.#begin(this.refAt(gather, gather.moving), backup);
        if (begun !== Progress.Done) return begun;
        gather.moving++;
      }
      const ref = this.refAt(gather, gather.together);
      if (ref === 0) return Progress.Lost;
      if (this.#isAt(ref, backup)) {
        gather.together++;
        continue;
      }
      if (gather.moving < until) continue;
      const isMoving = (this.#store.flags(ref) & (Flag.Moving | Flag.Sending)) !== 0;
      if (isMoving || missing === gather.together) return Progress.Waiting;
      missing = gather.together;
      gather.moving = missing;
    }
    return Progress.Done;
  }

  #begin(ref: Ref, backup: Peer | null): Progress {
    if (ref === 0) return Progress.Lost;
    if (this.#isAt(ref, backup)) return Progress.Done;
    const to = backup ?? this.#state.rankedBackup(this.#store.slot(ref));
    if (to !== null && !this.#handovers.admits(to, ref)) return Progress.Full;
    this.#moves.start(ref, to);
    return Progress.Done;
  }

  #isAt(ref: Ref, backup: Peer | null): boolean {
    if ((this.#store.flags(ref) & (Flag.Moving | Flag.Sending)) !== 0) return false;
    return backup !== null && this.#store.peer(ref) === backup.index;
  }

  /** The entry of a key that is held here; 0 when that is so no more. */
  refAt({ operation, order }: Gather, position: number): Ref {
    const { request } = operation;
    const index = order.at(position);
    const db = order.databaseAt(position);
    const ref = this.#store.find(db, request.buffer, request.start[index]!, request.end[index]!);
    if (ref === 0 || this.#store.role(ref) !== Role.Primary) return 0;
    return (this.#store.flags(ref) & (Flag.Held | Flag.Busy)) === Flag.Held ? ref : 0;
  }

  /** The backup moves back to where the ranking wants it. */
  return({ db, bytes, slot }: Key): void {
    const ref = this.#store.find(db, bytes, 0, bytes.length);
    if (ref === 0 || this.#store.role(ref) !== Role.Primary) return;
    const isInUse = (this.#store.flags(ref) & (Flag.Held | Flag.Busy)) !== 0;
    const ranked = this.#state.rankedBackup(slot);
    if (isInUse || ranked === null || ranked.index === this.#store.peer(ref)) return;
    if (this.#state.merging[slot] === 0) this.#moves.startIfRoom(ref, ranked);
  }
}
