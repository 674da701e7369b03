import { f64At, putF64 } from '../../protocol/bytes.js';
import type { Attachment } from '../large-payloads.js';
import type { FieldIndex } from './field-index.js';
import type { KeptBytes } from './kept-bytes.js';
import { KeyedRecords } from './keyed-records.js';
import { numberBytes, putNumber } from './numbers.js';
import { RecordKind } from './record-cursor.js';
import { type IsBefore, ScoreOrder } from './score-order.js';
import type { ValueBytes } from './value-bytes.js';

const SCORE_BYTES = 8;
const NOTHING = Buffer.alloc(0);

/** What is kept of a large sorted set. */
export class SortedIndex implements Attachment {
  readonly fields: FieldIndex;
  readonly order: ScoreOrder;

  constructor(fields: FieldIndex, order: ScoreOrder) {
    this.fields = fields;
    this.order = order;
  }

  get bytes(): number {
    return this.fields.bytes + this.order.bytes;
  }
}

/** Where a member goes, or is, among others. */
interface Place {
  readonly score: number;
  readonly member: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * The members of a sorted set with their scores. The records of a small one lie in their order; those of a large one
 * lie as they came, and a ScoreOrder beside the bytes has their order. `isSorted` of a value says which it is: a value that is
 * large in one place may be small in another one, under a shorter name.
 */
export class SortedSet extends KeyedRecords {
  readonly #score = Buffer.alloc(SCORE_BYTES);
  /** Offsets of the records of a small set in their order, as long as it does not change. */
  #small: number[] | null = null;
  #isSorted = true;
  #rank = 0;

  constructor() {
    super(RecordKind.KeyScore);
  }

  /** `isSorted`: the records of the value lie in their order. */
  openSorted(value: ValueBytes, isSorted: boolean): this {
    this.open(value);
    this.#small = null;
    this.#isSorted = isSorted;
    return this;
  }

  /** Whether the records lie in their order, after the last change and `close`. */
  get isSorted(): boolean {
    return !this.value.isLarge;
  }

  /** Of the record found. */
  get score(): number {
    return f64At(this.value.buffer, this.valueStart);
  }

  // --- looking

  /** Members before a place. */
  countBefore(isBefore: IsBefore): number {
    if (this.value.isLarge) return this.#order.rank(isBefore);
    const offsets = this.#offsets;
    let from = 0;
    let to = offsets.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const offset = offsets[middle]!;
      this.at(offset);
      if (isBefore(this.score, offset)) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** The rank of the record found. */
  rankOfFound(): number {
    const { offset } = this;
    if (!this.value.isLarge) return this.#offsets.indexOf(offset);
    const place = this.#placeOfFound();
    return this.countBefore(this.#isBefore(place));
  }

  /** Compares the member of the record at an offset with other bytes: negative when it comes before them. */
  compareMember(offset: number, other: Buffer, start: number, end: number): number {
    this.at(offset);
    return this.value.buffer.compare(other, start, end, this.keyStart, this.keyEnd);
  }

  /** Finds the record of that rank, which there must be. */
  seek(rank: number): void {
    this.#rank = rank;
    if (this.value.isLarge) {
      this.#order.seek(rank);
      this.at(this.#order.offset);
    } else {
      this.at(this.#offsets[rank]!);
    }
  }

  /** Finds the record before or behind the one found by `seek`; at either end it stays. */
  step(direction: 1 | -1): void {
    this.#rank += direction;
    if (this.value.isLarge) {
      this.#order.step(direction);
      this.at(this.#order.offset);
    } else {
      const offset = this.#offsets[this.#rank];
      if (offset !== undefined) this.at(offset);
    }
  }

  // --- changing

  /** Adds a member that is not there. */
  insert(score: number, member: Buffer, start: number, end: number): void {
    this.#sort();
    this.#small = null;
    putF64(this.#score, 0, score);
    if (!this.value.isLarge) return this.#insertSmall(score, member, start, end);
    const order = this.#order;
    this.#isSorted = false;
    const offset = this.value.length;
    this.add(member, start, end, this.#score, 0, SCORE_BYTES);
    order.insert(score, offset, this.#isBefore({ score, member, start, end }));
  }

  /** Gives the member of the record found another score. */
  setScore(score: number, member: Buffer, start: number, end: number): void {
    if (!this.value.isLarge) {
      this.removeFound(member, start, end);
      return this.insert(score, member, start, end);
    }
    const order = this.#order;
    this.#isSorted = false;
    const { offset } = this;
    order.remove(offset, this.#isBefore({ score: this.score, member, start, end }));
    this.at(offset);
    putF64(this.#score, 0, score);
    this.value.splice(this.valueStart - this.value.start, SCORE_BYTES, this.#score, 0, SCORE_BYTES);
    order.insert(score, offset, this.#isBefore({ score, member, start, end }));
    this.#keep();
  }

  /** Scores of -0 become 0; the order of members stays. */
  dropNegativeZeros(): void {
    this.rewind();
    while (this.next()) {
      if (!Object.is(this.score, -0)) continue;
      putF64(this.#score, 0, 0);
      const at = this.valueStart - this.value.start;
      this.value.splice(at, SCORE_BYTES, this.#score, 0, SCORE_BYTES);
    }
  }

  override removeFound(member: Buffer, start: number, end: number): void {
    this.#sort();
    this.#small = null;
    if (this.value.isLarge) {
      const { offset } = this;
      this.#order.remove(offset, this.#isBefore({ score: this.score, member, start, end }));
      this.at(offset);
    } else {
      // Sorting may have moved it.
      this.find(member, start, end);
    }
    super.removeFound(member, start, end);
  }

  /** Removes the members of these ranks, not all that there are. */
  removeRanks(first: number, last: number): void {
    this.#sort();
    if (this.value.isLarge) return this.removeAll(this.#order.removeRanks(first, last - first + 1));
    const offsets = this.#offsets;
    const from = offsets[first]!;
    const to = last + 1 < offsets.length ? offsets[last + 1]! : this.value.length;
    this.value.splice(from, to - from, NOTHING, 0, 0);
    this.#small = null;
    this.removed(last - first + 1);
  }

  // --- inside

  get #order(): ScoreOrder {
    const { attached } = this.value;
    if (attached instanceof SortedIndex) return attached.order;
    // Making the index keeps both.
    void this.index;
    return (this.value.attached as SortedIndex).order;
  }

  protected override attachedFields(): FieldIndex | null {
    const { attached } = this.value;
    return attached instanceof SortedIndex ? attached.fields : null;
  }

  protected override keepIndex(fields: FieldIndex): void {
    if (this.attachedFields() === fields) return this.#keep();
    const order = new ScoreOrder();
    const append = (): void => order.append(this.score, this.offset);
    this.rewind();
    if (this.#isSorted) while (this.next()) append();
    else {
      for (const offset of this.#sortedOffsets()) {
        this.at(offset);
        append();
      }
    }
    this.value.attach(new SortedIndex(fields, order));
  }

  #keep(): void {
    this.value.attach(this.value.attached);
  }

  get #offsets(): readonly number[] {
    this.#small ??= this.#sortedOffsets();
    return this.#small;
  }

  #sortedOffsets(): number[] {
    const offsets: number[] = [];
    const scores: number[] = [];
    const isSorted = this.#isSorted;
    this.rewind();
    while (this.next()) {
      offsets.push(this.offset);
      if (!isSorted) scores.push(this.score);
    }
    if (isSorted) return offsets;
    const { buffer } = this.value;
    // An array, whose sort takes little time where all is in order already, as in one that was packed.
    const order = offsets
      .map((_, i) => i)
      .sort((a, b) => {
        const [x, y] = [scores[a]!, scores[b]!];
        if (x !== y) return x < y ? -1 : 1;
        this.at(offsets[a]!);
        const { keyStart, keyEnd } = this;
        this.at(offsets[b]!);
        return buffer.compare(buffer, this.keyStart, this.keyEnd, keyStart, keyEnd);
      });
    return order.map((i) => offsets[i]!);
  }

  /** A small value whose records do not lie in their order gets them so before it changes. */
  #sort(): void {
    if (this.#isSorted || this.value.isLarge) return;
    this.packInOrder(this.packedOffsets());
  }

  protected override packedOffsets(): readonly number[] | Uint32Array {
    const { attached } = this.value;
    if (attached instanceof SortedIndex) return attached.order.offsets();
    return this.#sortedOffsets();
  }

  protected override relocate(from: number, to: number): void {
    super.relocate(from, to);
    this.#isSorted = false;
    const { score, keyStart: start, keyEnd: end } = this;
    const isBefore = this.#isBefore({ score, member: this.value.buffer, start, end });
    this.#order.relocate(from, to, isBefore);
  }

  protected override dropFront(bytes: number): void {
    this.#order.dropFront(bytes);
    super.dropFront(bytes);
  }

  protected override repack(kept: KeptBytes): void {
    // What goes was removed from the order before.
    this.#order.repack(kept);
    super.repack(kept);
  }

  protected override packed(): void {
    this.#small = null;
    this.#isSorted = true;
  }

  #insertSmall(score: number, member: Buffer, start: number, end: number): void {
    const isBefore = this.#isBefore({ score, member, start, end });
    let at = this.value.length;
    this.rewind();
    while (this.next()) {
      const { offset } = this;
      if (isBefore(this.score, offset)) continue;
      at = offset;
      break;
    }
    const length = end - start;
    const head = numberBytes(length * 2);
    const record = Buffer.allocUnsafe(head + length + SCORE_BYTES);
    putNumber(record, 0, length * 2);
    member.copy(record, head, start, end);
    putF64(record, head + length, score);
    this.value.splice(at, 0, record, 0, record.length);
    this.removed(-1);
  }

  #placeOfFound(): Place {
    const member = Buffer.from(this.value.buffer.subarray(this.keyStart, this.keyEnd));
    return { score: this.score, member, start: 0, end: member.length };
  }

  #isBefore({ score, member, start, end }: Place): IsBefore {
    return (otherScore, offset) => {
      if (otherScore !== score) return otherScore < score;
      return this.compareMember(offset, member, start, end) < 0;
    };
  }
}
