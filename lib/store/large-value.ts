import { copyBytes } from '../protocol/bytes.js';

/** Of the value's bytes: room that is left at an end where it grows. */
const ROOM_SHARE = 8;
/** Where there is less than this share, a move to an allocation with more room begins. */
const LOW_SHARE = 16;
/** A value of no more bytes is moved at once. */
export const MOVED_AT_ONCE_MAX = 256 * 1024;
/** A move goes on by so many bytes with each change, and by so many times what the change itself put in: it ends before the room does. */
const STEP_BYTES = 16 * 1024;
const STEP_SHARE = 1.5 * LOW_SHARE;
/** A value of more bytes has room from the beginning, this share of it at each end. */
const FIRST_ROOM_FROM_BYTES = 1024 * 1024;
const FIRST_ROOM_SHARE = 16;
/** A value that fills less than this share of its allocation is moved to a smaller one. */
const USED_SHARE_MIN = 1 / 2;

/** The allocation that a value is on its way to. */
interface Target {
  readonly buffer: Buffer;
  /** From a place in the value's buffer to its place in this one. */
  readonly shift: number;
  /** What is there already, as places in the value's buffer. */
  from: number;
  to: number;
}

/**
 * The bytes of a large value, with room before and behind them, in an allocation of its own: `buffer[start, start + length)`.
 * A change moves what lies on its nearer side. Where room gets low, the value moves to another allocation a piece with each
 * change, so that none of them has to copy all of it:
 *
 *     buffer   . . |a b c d e f g h|        a to d are in both: what is changed there, is changed in both
 *     target   . . . |a b c d . . . .|. .
 */
export class LargeValue {
  buffer: Buffer;
  start: number;
  length: number;
  #target: Target | null = null;
  /** What has ever been written to of the allocation: the system gives no memory for the rest. */
  #lowest: number;
  #highest: number;

  /** Of bytes that become this one's, with all of the allocation that they are a part of. */
  constructor(value: Buffer) {
    this.buffer = Buffer.from(value.buffer as ArrayBuffer);
    this.start = value.byteOffset;
    this.length = value.length;
    this.#lowest = this.start;
    this.#highest = this.start + this.length;
  }

  /** Memory that it takes: room that was not used yet takes none. */
  get bytes(): number {
    return this.#highest - this.#lowest;
  }

  /** Of the allocation that the value is on its way to; 0 for none. */
  get targetBytes(): number {
    return this.#target?.buffer.length ?? 0;
  }

  /** Replaces `removed` bytes at `at` by `source[from, to)`, which is in neither allocation. */
  splice(at: number, removed: number, source: Buffer, from: number, to: number): void {
    const inserted = to - from;
    const grown = inserted - removed;
    const isFront = at < this.length - at - removed;
    if (grown > 0) this.#reserve(isFront ? grown : 0, isFront ? 0 : grown);
    const { buffer, start, length } = this;
    if (grown !== 0) {
      if (isFront) {
        this.start -= grown;
        buffer.copyWithin(this.start, start, start + at);
      } else buffer.copyWithin(start + at + inserted, start + at + removed, start + length);
      this.length += grown;
    }
    copyBytes(source, from, to, buffer, this.start + at);
    this.#used();
    if (grown === 0) this.#written(start + at, start + at + inserted);
    else if (isFront) this.#written(this.start, this.start + at + inserted);
    else this.#written(start + at, start + this.length);
    this.#step(isFront, grown, inserted);
  }

  /** Gives the value another length at its end; bytes that both have in common stay, and may be written to after this. */
  resize(length: number): void {
    this.#target = null;
    this.length = Math.min(length, this.length);
    const isSparse = length < this.buffer.length * USED_SHARE_MIN;
    if (this.start + length > this.buffer.length || isSparse) {
      this.#moveTo(this.#targetOf(0, isSparse ? 0 : roomOf(length), length));
    }
    this.length = length;
    this.#used();
  }

  /** Goes on with a move, if there is one, by so many bytes; true when there is more. */
  move(bytes: number): boolean {
    if (this.#target === null) return false;
    this.#copySome(this.#target, bytes);
    return this.#target !== null;
  }

  #used(): void {
    this.#lowest = Math.min(this.#lowest, this.start);
    this.#highest = Math.max(this.#highest, this.start + this.length);
  }

  // --- room

  /** Makes sure that there are so many bytes before and behind the value, at once where it has to be. */
  #reserve(front: number, back: number): void {
    if (this.#hasRoom(front, back)) return;
    if (this.#target !== null) {
      this.#copySome(this.#target, Number.POSITIVE_INFINITY);
      if (this.#hasRoom(front, back)) return;
    }
    const length = this.length + front + back;
    const frontRoom = front > 0 ? front + roomOf(length) : otherRoom(this.start, length);
    const backRoom = back > 0 ? back + roomOf(length) : otherRoom(this.#spare, length);
    this.#moveTo(this.#targetOf(frontRoom, backRoom, this.length));
  }

  #hasRoom(front: number, back: number): boolean {
    return front <= this.start && back <= this.#spare;
  }

  /** Bytes behind the value. */
  get #spare(): number {
    return this.buffer.length - this.start - this.length;
  }

  // --- moving

  /** After a change of `inserted` bytes, by which the value has `grown` in front or behind. */
  #step(isFront: boolean, grown: number, inserted: number): void {
    if (this.#target === null) {
      if (grown === 0 || !this.#mustMove(isFront, grown)) return;
      const { length } = this;
      const isGrown = grown > 0;
      const front = isGrown && isFront ? roomOf(length) : otherRoom(this.start, length);
      const back = isGrown && !isFront ? roomOf(length) : otherRoom(this.#spare, length);
      this.#target = this.#targetOf(front, back, length);
    }
    const isSmall = this.length <= MOVED_AT_ONCE_MAX;
    const bytes = isSmall ? Number.POSITIVE_INFINITY : STEP_BYTES + STEP_SHARE * inserted;
    this.#copySome(this.#target, bytes);
  }

  #mustMove(isFront: boolean, grown: number): boolean {
    if (grown < 0) return this.length < this.buffer.length * USED_SHARE_MIN;
    const isAtOnce = this.length <= MOVED_AT_ONCE_MAX;
    return !isAtOnce && (isFront ? this.start : this.#spare) < this.length / LOW_SHARE;
  }

  /** An allocation with so much room before and behind a value of `length` bytes, none of which is there yet. */
  #targetOf(front: number, back: number, length: number): Target {
    const { start } = this;
    const buffer = Buffer.allocUnsafeSlow(front + length + back);
    return { buffer, shift: front - start, from: start, to: start };
  }

  #moveTo(target: Target): void {
    this.#target = target;
    this.#copySome(target, Number.POSITIVE_INFINITY);
  }

  /** Copies to the end of the value first, then what has come in front of it since the move has begun. */
  #copySome(target: Target, bytes: number): void {
    const { start } = this;
    const end = start + this.length;
    const to = Math.min(end, target.to + bytes);
    this.#copy(target, target.to, to);
    const from = Math.max(start, target.from - Math.max(0, bytes - (to - target.to)));
    target.to = to;
    this.#copy(target, from, target.from);
    target.from = from;
    if (to < end || from > start) return;
    this.buffer = target.buffer;
    this.start += target.shift;
    this.#target = null;
    this.#lowest = this.start;
    this.#highest = this.start + this.length;
  }

  #copy({ buffer, shift }: Target, from: number, to: number): void {
    if (to > from) this.buffer.copy(buffer, from + shift, from, to);
  }

  /** The bytes of `buffer[from, to)` were written to; the value may begin or end elsewhere than before. */
  #written(from: number, to: number): void {
    const target = this.#target;
    if (target === null) return;
    const { start, length } = this;
    const end = start + length;
    if (start + target.shift < 0 || end + target.shift > target.buffer.length) {
      // It has grown by more than there was room for: what is begun is of no use.
      this.#target = null;
      return;
    }
    target.from = Math.min(Math.max(target.from, start), end);
    target.to = Math.max(target.from, Math.min(target.to, end));
    this.#copy(target, Math.max(from, target.from), Math.min(to, target.to));
  }
}

const roomOf = (length: number): number => Math.ceil(length / ROOM_SHARE);

const firstRoomOf = (length: number): number =>
  length > FIRST_ROOM_FROM_BYTES ? Math.ceil(length / FIRST_ROOM_SHARE) : 0;

/** At an end that does not grow, of what is there: the first change there would have to copy all if there were none. */
const otherRoom = (room: number, length: number): number =>
  Math.max(Math.min(room, roomOf(length)), firstRoomOf(length));

/** Memory for a value that may grow at both ends: the value's part of an allocation, its content undefined. */
export function allocateWithRoom(length: number): Buffer {
  const room = firstRoomOf(length);
  return Buffer.allocUnsafeSlow(length + 2 * room).subarray(room, room + length);
}
