import { FRAME_HEADER_BYTES, type FrameReader } from '../protocol/bus-frames.js';
import { u32At } from '../protocol/bytes.js';
import { KeyBatch } from '../store/key-batch.js';
import type { Ref, Store } from '../store/store.js';
import { FrameType, KEY_HEADER_BYTES, type KeyFrame, keyLengthAt } from './frames.js';

/**
 * The keys that the next frames of a chunk are about, looked up together before the first of these frames is processed:
 * a backup spends more time waiting for memory than on all else (see Store.prefetch).
 */
export class FramesAhead {
  readonly #store: Store;
  readonly #keys = new KeyBatch();
  /** The key of the batch that is processed next. */
  #next = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Looks ahead in the chunk of `reader`; returns where in it to look again. What was seen before is forgotten: those
   * bytes may be others by now.
   */
  look(reader: FrameReader): number {
    const keys = this.#keys;
    const { lent: chunk, lentEnd } = reader;
    let { at } = reader;
    keys.clear();
    this.#next = 0;
    if (reader.isGathering) return at + 1;
    while (!keys.isFull && at + FRAME_HEADER_BYTES <= lentEnd) {
      const end = at + FRAME_HEADER_BYTES - 1 + u32At(chunk, at);
      if (end > lentEnd) break;
      const start = at + FRAME_HEADER_BYTES;
      const type = chunk[at + FRAME_HEADER_BYTES - 1]!;
      if (hasKey(type) && end - start >= KEY_HEADER_BYTES) {
        const keyStart = start + KEY_HEADER_BYTES;
        const keyEnd = keyStart + keyLengthAt(chunk, start);
        if (keyEnd <= end) keys.add(chunk, keyStart, keyEnd);
      }
      at = end;
    }
    if (keys.count > 1) this.#store.prefetch(keys);
    else keys.clear();
    return at;
  }

  /** The entry of a frame's key; 0 for none. */
  find({ db, buffer, keyStart, keyEnd }: KeyFrame): Ref {
    const keys = this.#keys;
    while (this.#next < keys.count) {
      const i = this.#next;
      if (keys.buffers[i] !== buffer || keys.starts[i]! > keyStart) break;
      this.#next++;
      if (keys.starts[i] !== keyStart || keys.ends[i] !== keyEnd) continue;
      return this.#store.findHashed(db, buffer, keyStart, keyEnd, keys.hashes[i]!, keys.slots[i]!);
    }
    return this.#store.find(db, buffer, keyStart, keyEnd);
  }
}

/** The frames that come in great numbers. */
function hasKey(type: number): boolean {
  return (
    type === FrameType.Set ||
    type === FrameType.Expire ||
    type === FrameType.Edit ||
    type === FrameType.Delete ||
    type === FrameType.Copy
  );
}
