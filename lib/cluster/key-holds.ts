import { type Ref, Role, type Store } from '../store/store.js';
import { ACQUIRE } from './acquire.js';
import { Flag } from './entry-flags.js';
import type { Gather } from './gather.js';
import type { Key } from './key.js';
import type { Task } from './task.js';

/** A key that is held here, and the commands that wait for it. */
interface Hold {
  readonly gather: Gather;
  readonly position: number;
  readonly queue: Task[];
}

/** Who holds which key of this node, and the commands that wait for it. Bounded by the keys of gathering commands. */
export class KeyHolds {
  readonly #store: Store;
  readonly #holds = new Map<string, Hold>();
  /** Commands that waited for a key which was given away. */
  #yielded: Task[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  get size(): number {
    return this.#holds.size;
  }

  has(key: Key): boolean {
    return this.#holds.has(key.id);
  }

  /** False when the key is not here, or somebody else holds it. */
  hold(gather: Gather, position: number): boolean {
    const key = gather.key(position);
    const ref = this.#find(key);
    if (ref === 0 || this.#holds.has(key.id) || !this.isOurs(ref)) return false;
    this.#store.setFlags(ref, this.#store.flags(ref) | Flag.Held);
    this.#holds.set(key.id, { gather, position, queue: [] });
    gather.isHeld[position] = 1;
    return true;
  }

  /** After a view change it may be claimed by another command. */
  isOurs(ref: Ref): boolean {
    const isBusy = (this.#store.flags(ref) & Flag.Busy) !== 0;
    return this.#store.role(ref) === Role.Primary && !isBusy;
  }

  /** 'waits' until the key is let go; 'given' away to this task, so that `takeYielded` has what waited; or 'free'. */
  enqueue(task: Task): 'waits' | 'given' | 'free' {
    const hold = this.#holds.get(task.key.id);
    if (hold === undefined) return 'free';
    if (task.operation.traits !== ACQUIRE || !hold.gather.mustYield(hold.position)) {
      hold.queue.push(task);
      return 'waits';
    }
    this.#yielded.push(...this.letGo(task.key));
    return 'given';
  }

  takeYielded(): readonly Task[] {
    return this.#yielded.splice(0);
  }

  /** Lets the key go; who has waited for it. */
  letGo(key: Key): readonly Task[] {
    const hold = this.#holds.get(key.id);
    if (hold === undefined) return [];
    this.#holds.delete(key.id);
    hold.gather.isHeld[hold.position] = 0;
    const ref = this.#find(key);
    if (ref !== 0 && this.#store.role(ref) === Role.Primary) {
      this.#store.setFlags(ref, this.#store.flags(ref) & ~Flag.Held);
    }
    return hold.queue;
  }

  /** Forgets all holds; who has waited. */
  clear(): readonly Task[] {
    const queued = [...this.#holds.values()].flatMap((hold) => hold.queue);
    this.#holds.clear();
    return [...queued, ...this.#yielded.splice(0)];
  }

  #find(key: Key): Ref {
    return this.#store.find(key.db, key.bytes, 0, key.bytes.length);
  }
}
