import { f64At, u32At } from '../../protocol/bytes.js';
import type { Attachment } from '../large-payloads.js';
import { FieldIndex } from './field-index.js';
import { numberAt, numberBytesOf } from './numbers.js';
import { HEADER_BYTES, RecordKind } from './record-cursor.js';
import { ScoreOrder } from './score-order.js';
import { ScoreSort } from './score-sort.js';
import type { Room } from './slices.js';
import { SortedIndex } from './sorted-set.js';
import { DAMAGED, isDead, recordEnd } from './soundness.js';

/** Room that a record takes, and each of so many bytes of its key: it is hashed, and put into a table that is in no cache. */
const RECORD_ROOM = 12;
const KEY_BYTES_PER_ROOM = 16;
/** Room of a record more that is the first one in its page of the table, which the system has yet to provide. */
const FRESH_PAGE_ROOM = 150;
const PAGE_BYTES = 4096;
/** Where there are so many records for each page of the table, hardly one of these is fresh. */
const RECORDS_PER_WARM_PAGE = 8;
/** Whatever the header says, no more records are expected than would be so long. */
const RECORD_BYTES_MIN = 8;

const expectedRecords = (buffer: Buffer, start: number, end: number): number =>
  Math.min(u32At(buffer, start), Math.floor((end - start) / RECORD_BYTES_MIN));

export type HashOf = (buffer: Buffer, start: number, end: number) => number;

/** Checks the records of a hash or a set, and makes their index, in one walk. */
export class RecordWalk {
  protected readonly fields: FieldIndex;
  /** Records and bytes of dead ones that are yet to be met. */
  #records: number;
  #dead: number;
  #at = HEADER_BYTES;
  readonly #kind: RecordKind;

  /** Of the value in `buffer[start, end)`, longer than a header; so in each call. */
  constructor(kind: RecordKind, buffer: Buffer, start: number, end: number) {
    this.#kind = kind;
    this.#records = u32At(buffer, start);
    this.#dead = u32At(buffer, start + 4);
    this.fields = new FieldIndex(expectedRecords(buffer, start, end));
  }

  get bytes(): number {
    return this.fields.bytes;
  }

  /** The index, or DAMAGED; null where there is more to be done. */
  run(room: Room, buffer: Buffer, start: number, end: number, hashOf: HashOf): Attachment | null {
    if (!this.walk(room, buffer, start, end, hashOf)) return DAMAGED;
    if (start + this.#at < end) return null;
    return this.#records === 0 && this.#dead === 0 ? this.fields : DAMAGED;
  }

  /** False where something is no record. */
  protected walk(room: Room, buffer: Buffer, start: number, end: number, hashOf: HashOf): boolean {
    const { fields } = this;
    const kind = this.#kind;
    let at = start + this.#at;
    for (; at < end && room.left > 0; room.left -= RECORD_ROOM) {
      const next = recordEnd(kind, buffer, at, end);
      if (next === 0) return false;
      if (isDead(buffer, at)) this.#dead -= next - at;
      else {
        if (--this.#records < 0) return false;
        const keyStart = at + numberBytesOf(buffer[at]!);
        const keyEnd = keyStart + (numberAt(buffer, at) >>> 1);
        room.left -= (keyEnd - keyStart) / KEY_BYTES_PER_ROOM;
        room.left -= freshPageRoom(fields);
        fields.add(hashOf(buffer, keyStart, keyEnd), at - start);
        if (kind === RecordKind.KeyScore && !this.scored(buffer, start, at - start, keyEnd)) {
          return false;
        }
      }
      at = next;
    }
    this.#at = at - start;
    return true;
  }

  /** A record at this offset has its score at `scoreAt`. False where it may not be here. */
  protected scored(_buffer: Buffer, _start: number, _offset: number, _scoreAt: number): boolean {
    return true;
  }
}

/** Of the next record: pages are met at random, so that each record for a page leaves so many fresh. */
function freshPageRoom({ size, bytes }: FieldIndex): number {
  const perPage = (size * PAGE_BYTES) / bytes;
  return perPage < RECORDS_PER_WARM_PAGE ? FRESH_PAGE_ROOM * Math.exp(-perPage) : 0;
}

/** The same of a sorted set, whose records are put in their order then. */
export class ScoredWalk extends RecordWalk {
  readonly #sort: ScoreSort;
  readonly #order = new ScoreOrder();
  readonly #isSorted: boolean;
  #isWalked = false;

  /** `isSorted`: the records are said to lie in their order. */
  constructor(isSorted: boolean, buffer: Buffer, start: number, end: number) {
    super(RecordKind.KeyScore, buffer, start, end);
    this.#isSorted = isSorted;
    this.#sort = new ScoreSort(expectedRecords(buffer, start, end));
  }

  override get bytes(): number {
    return this.fields.bytes + this.#sort.bytes + this.#order.bytes;
  }

  override run(
    room: Room,
    buffer: Buffer,
    start: number,
    end: number,
    hashOf: HashOf,
  ): Attachment | null {
    if (!this.#isWalked) {
      const walked = super.run(room, buffer, start, end, hashOf);
      if (walked === null || walked === DAMAGED) return walked;
      this.#isWalked = true;
    }
    if (!this.#sort.merge(room, buffer, start)) return null;
    if (!this.#sort.appendTo(this.#order, room)) return null;
    return new SortedIndex(this.fields, this.#order);
  }

  protected override scored(
    buffer: Buffer,
    start: number,
    offset: number,
    scoreAt: number,
  ): boolean {
    this.#sort.add(f64At(buffer, scoreAt), offset, buffer, start);
    return !this.#isSorted || this.#sort.isInOrder;
  }
}
