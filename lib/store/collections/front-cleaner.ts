import { copyBytes } from '../../protocol/bytes.js';
import { VALUE_LENGTH_MAX } from '../entry.js';
import { CleaningPace, costOf, isWorthAStep } from './cleaning-pace.js';
import type { FieldIndex } from './field-index.js';
import { HEADER_BYTES, RecordCursor } from './record-cursor.js';
import type { ValueBytes } from './value-bytes.js';

/** The front of a value: bytes behind its header, and how many of them are of live records. */
interface Front {
  readonly bytes: number;
  readonly live: number;
}

/** Nothing is to be cleaned. */
const NO_FRONT: Front = { bytes: 0, live: 0 };

/** Cleans a large value of dead records from its front on, as much with each change as that has earned (cleaning-pace.ts). */
export class FrontCleaner extends RecordCursor {
  readonly #pace = new CleaningPace();

  /** Other changes begin. */
  reset(): void {
    this.#pace.reset();
  }

  /** A record of so many bytes is dead since. */
  buried(bytes: number): void {
    this.#pace.buried(bytes);
  }

  /** How much of the value, whose records are `count` and `dead` bytes, is to be cleaned; null where it is better packed anew. */
  measure(value: ValueBytes, index: FieldIndex, count: number, dead: number): Front | null {
    const { length } = value;
    index.credit = this.#pace.credit(index.credit, dead, length);
    if (!isWorthAStep(index.credit)) return NO_FRONT;
    const recordsMax = this.#pace.recordsMax(dead, length);
    if (index.credit >= length - dead && count <= recordsMax) return null;
    this.value = value;
    const front = this.#walk(index, recordsMax);
    return length + front.live > VALUE_LENGTH_MAX ? null : front;
  }

  /** As far as the credit is enough for. */
  #walk(index: FieldIndex, recordsMax: number): Front {
    const { value } = this;
    let end = HEADER_BYTES;
    let live = 0;
    for (let i = 0; i < recordsMax && end < value.length; i++) {
      const isLive = this.read(value.start + end);
      const bytes = this.recordBytes;
      const cost = costOf(bytes, isLive);
      if (cost > index.credit) break;
      index.credit -= cost;
      end += bytes;
      if (isLive) live += bytes;
    }
    return { bytes: end - HEADER_BYTES, live };
  }

  /** Appends the live records of the front once more; `relocate` is told the offsets of each of them, the old and the new one. */
  move({ bytes, live }: Front, relocate: (from: number, to: number) => void): void {
    const { value } = this;
    const { length } = value;
    const copies = Buffer.allocUnsafe(live);
    let copied = 0;
    this.#eachLive(bytes, () => {
      copyBytes(value.buffer, this.recordStart, this.recordEnd, copies, copied);
      copied += this.recordBytes;
    });
    value.splice(length, 0, copies, 0, live);
    let to = length;
    this.#eachLive(bytes, () => {
      relocate(this.offset, to);
      to += this.recordBytes;
    });
  }

  /** Visits the live records in so many bytes behind the header. */
  #eachLive(bytes: number, visit: () => void): void {
    const end = HEADER_BYTES + bytes;
    for (let next = HEADER_BYTES; next < end; next += this.recordBytes) {
      if (this.read(this.value.start + next)) visit();
    }
  }
}
