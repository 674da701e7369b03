import { u32At } from '../../protocol/bytes.js';
import type { Attachment } from '../large-payloads.js';
import { BlockCuts, ListBlocks } from './list-blocks.js';
import { LIST_GAP, LIST_HEADER_BYTES } from './list-layout.js';
import type { Room } from './slices.js';
import { DAMAGED, elementEnd } from './soundness.js';

/** Room that an element takes, or a byte of a gap. */
const ELEMENT_ROOM = 1;

/** Checks the elements of a list, and makes its blocks, in one walk. */
export class ListWalk {
  readonly #cuts = new BlockCuts();
  readonly #count: number;
  readonly #head: number;
  #elements = 0;
  #at: number;

  /** Of the value in `buffer[start, end)`, longer than a header; so in each call. */
  constructor(buffer: Buffer, start: number) {
    this.#count = u32At(buffer, start);
    this.#head = u32At(buffer, start + 4);
    this.#at = this.#head;
  }

  get bytes(): number {
    return this.#cuts.blockBytes;
  }

  /** The blocks, or DAMAGED; null where there is more to be done. */
  run(room: Room, buffer: Buffer, start: number, end: number): Attachment | null {
    if (this.#head < LIST_HEADER_BYTES) return DAMAGED;
    const cuts = this.#cuts;
    let at = start + this.#at;
    for (; at < end && room.left > 0; room.left -= ELEMENT_ROOM) {
      if (buffer[at] === LIST_GAP) {
        cuts.gap();
        at++;
        continue;
      }
      const next = elementEnd(buffer, at, end);
      if (next === 0) return DAMAGED;
      cuts.element(next - at);
      this.#elements++;
      at = next;
    }
    this.#at = at - start;
    if (at < end) return null;
    if (this.#elements !== this.#count || this.#count === 0) return DAMAGED;
    return ListBlocks.of(cuts, this.#count, end - start - this.#head);
  }
}
