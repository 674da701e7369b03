/** A node that was told of others and is alone for so many node-timeouts says so. */
const NODE_TIMEOUTS = 3;

/** Notices that a node which was told of others serves without any: these may be a cluster of their own. */
export class LonelyWatch {
  readonly #patienceMs: number;
  /** Monotonic time since which it is the only member; infinite while it is not, and once it was told. */
  #from = Number.POSITIVE_INFINITY;

  constructor(nodeTimeoutMs: number) {
    this.#patienceMs = nodeTimeoutMs * NODE_TIMEOUTS;
  }

  /** There is another view, of so many members. */
  viewChanged(members: number, nowMs: number): void {
    this.#from = members > 1 ? Number.POSITIVE_INFINITY : nowMs;
  }

  /** True once. */
  isOverdue(nowMs: number): boolean {
    if (nowMs - this.#from < this.#patienceMs) return false;
    this.#from = Number.POSITIVE_INFINITY;
    return true;
  }
}
