/** How many keys a batch holds. */
export const BATCH_KEYS_MAX = 64;

/** Keys that are about to be looked up, for Store.prefetch: ranges of buffers, which stay as they are until then. */
export class KeyBatch {
  count = 0;
  readonly buffers: Buffer[] = [];
  readonly starts: Int32Array = new Int32Array(BATCH_KEYS_MAX);
  readonly ends: Int32Array = new Int32Array(BATCH_KEYS_MAX);
  /** What prefetch has found out about each key: its hash, its slot, and where its entry probably is (0 for none). */
  readonly hashes: Uint32Array = new Uint32Array(BATCH_KEYS_MAX);
  readonly slots: Uint16Array = new Uint16Array(BATCH_KEYS_MAX);
  readonly refs: Uint32Array = new Uint32Array(BATCH_KEYS_MAX);

  get isFull(): boolean {
    return this.count === BATCH_KEYS_MAX;
  }

  /** The key `buffer[start, end)`; the batch is not full. */
  add(buffer: Buffer, start: number, end: number): void {
    const { count } = this;
    this.buffers[count] = buffer;
    this.starts[count] = start;
    this.ends[count] = end;
    this.count = count + 1;
  }

  clear(): void {
    this.count = 0;
  }
}
