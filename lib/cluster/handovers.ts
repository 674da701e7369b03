import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { entryBytes, type Headroom } from './headroom.js';
import type { Key } from './key.js';
import type { LiveKeyspace } from './keyspace.js';
import type { Moves } from './moves.js';
import type { Peer } from './peer.js';
import { errorReply, OUT_OF_MEMORY } from './runner.js';
import type { Task } from './task.js';

const OK = Buffer.from('+OK\r\n', 'latin1');
export const OUT_OF_MEMORY_REPLY: Buffer = errorReply(OUT_OF_MEMORY);

/** Where tasks go that a handover has kept waiting. */
interface TaskRouter {
  route(task: Task): void;
  park(task: Task): void;
  parkUntilMoved(task: Task): void;
}

/** Keys that go to another node, as a command that gathers its keys has asked for them there. */
export class Handovers {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #moves: Moves;
  readonly #router: TaskRouter;
  readonly #keyspace: LiveKeyspace;
  readonly #headroom: Headroom;
  /** Tasks of other nodes that wait for a key to be handed over. */
  readonly #waiting = new Map<string, Task[]>();

  constructor(
    state: ClusterState,
    moves: Moves,
    router: TaskRouter,
    keyspace: LiveKeyspace,
    headroom: Headroom,
  ) {
    this.#state = state;
    this.#keyspace = keyspace;
    this.#headroom = headroom;
    this.#store = state.store;
    this.#moves = moves;
    this.#router = router;
  }

  get open(): number {
    return this.#waiting.size;
  }

  /** An ACQUIRE has come to where it can be served. */
  acquire(task: Task, ref: Ref): void {
    if (task.from === null) this.#acquireHere(task, ref);
    else if (ref === 0 || this.#store.role(ref) !== Role.Primary) this.#router.park(task);
    // All stop: no command is begun any more that the key could be moved for, and none ends while a key is being moved.
    else if (this.#state.isEnding) this.#router.park(task);
    else this.#begin(task, ref, task.from);
  }

  #acquireHere(task: Task, ref: Ref): void {
    const { operation } = task;
    if (ref === 0 || this.#store.role(ref) === Role.Tombstone) {
      this.#keyspace.begin();
      this.#keyspace.reserve(operation.db, operation.request, 1);
    } else if ((this.#store.flags(ref) & Flag.Moving) !== 0) {
      // It may be on its way to another node.
      return this.#router.parkUntilMoved(task);
    }
    operation.sink.complete(operation.token, OK);
  }

  /** The key becomes the asker's: by a swap where that is its backup, else by a change-over to it and a swap. */
  #begin(task: Task, ref: Ref, to: Peer): void {
    // Who was left out meanwhile wants nothing, and hears no answer.
    if (!to.isLive) return;
    const isBusy = (this.#store.flags(ref) & (Flag.Moving | Flag.Sending)) !== 0;
    if (isBusy) return this.#router.parkUntilMoved(task);
    const waiting = this.#waiting.get(task.key.id);
    if (waiting !== undefined) {
      waiting.push(task);
      return;
    }
    const isItsBackup = this.#store.peer(ref) === to.index;
    if (!isItsBackup && !this.admits(to, ref)) {
      task.operation.sink.complete(task.operation.token, OUT_OF_MEMORY_REPLY);
      return;
    }
    this.#waiting.set(task.key.id, [task]);
    if (isItsBackup) this.#moves.swap(ref, to);
    else this.#moves.start(ref, to, to);
  }

  /** Whether a copy may be brought there for a command: what is only reserved takes next to nothing. */
  admits(to: Peer, ref: Ref): boolean {
    if (this.#store.type(ref) === ValueType.None) return true;
    this.#keyspace.begin();
    return this.#headroom.admits(to, entryBytes(this.#store, ref));
  }

  /** The key was handed over: SWAP is in the stream, the answer follows behind it. */
  swapped(key: Key): void {
    const tasks = this.#waiting.get(key.id) ?? [];
    this.#waiting.delete(key.id);
    tasks.forEach((task, index) => {
      if (index === 0) task.operation.sink.complete(task.operation.token, OK);
      else this.#router.route(task);
    });
  }

  /** Those whose change-over has ended otherwise begin again. */
  tick(): void {
    for (const [id, tasks] of [...this.#waiting]) {
      const { db, bytes } = tasks[0]!.key;
      const ref = this.#store.find(db, bytes, 0, bytes.length);
      const isMoving = ref !== 0 && (this.#store.flags(ref) & Flag.Moving) !== 0;
      if (isMoving) continue;
      this.#waiting.delete(id);
      for (const task of tasks) this.#router.route(task);
    }
  }

  clear(): void {
    this.#waiting.clear();
  }
}
