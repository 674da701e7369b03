import { freshMemory } from '../fresh-memory.js';
import { numberAt, numberBytesOf } from './numbers.js';
import type { ScoreOrder } from './score-order.js';
import type { Room } from './slices.js';

/** Of a score and an offset. */
const RECORD_BYTES = 12;
/** Shorter runs are made so long by insertion. */
const RUN_MIN = 24;
/** Records that are copied for the room of one. */
const COPIED_PER_ROOM = 32;
/** Room that a comparison of members takes. */
const TIE_ROOM = 8;
/** Up to here members are compared byte by byte: a native call costs more. */
const COMPARE_LOOP_MAX = 48;

/**
 * Puts the records of a sorted set in the order of their scores, those of the same score in that of their members: runs of what
 * comes in order, which are merged two by two, in as many turns as it takes. What comes all in order is one run.
 */
export class ScoreSort {
  #scores: Float64Array;
  #offsets: Uint32Array;
  /** Where the runs are merged to: not used, so not there, before there is something to be merged. */
  #otherScores: Float64Array;
  #otherOffsets: Uint32Array;
  #isMerged = false;
  #count = 0;
  /** Where runs end, but for the last one. */
  #ends: number[] = [];
  #runStart = 0;
  #isInserted = false;
  /** Ends of the runs of this pass that are merged, and how many of the pass before are done. */
  #merged: number[] = [];
  #done = 0;
  /** The two runs that are being merged: what is next of both, where they end, and where it goes. */
  #left = 0;
  #right = 0;
  #leftEnd = 0;
  #rightEnd = 0;
  #target = 0;
  #isMerging = false;
  #appended = 0;

  /** Of so many records at most. */
  constructor(records: number) {
    const memory = freshMemory(2 * RECORD_BYTES * records);
    this.#scores = new Float64Array(memory, 0, records);
    this.#otherScores = new Float64Array(memory, 8 * records, records);
    this.#offsets = new Uint32Array(memory, 16 * records, records);
    this.#otherOffsets = new Uint32Array(memory, 20 * records, records);
  }

  get bytes(): number {
    return (this.#isMerged ? 2 : 1) * RECORD_BYTES * this.#scores.length;
  }

  /** Whether all that was added came in order. */
  get isInOrder(): boolean {
    return this.#runStart === 0 && this.#ends.length === 0 && !this.#isInserted;
  }

  /** A record at this offset of the value that begins at `start`. */
  add(score: number, offset: number, buffer: Buffer, start: number): void {
    const scores = this.#scores;
    const offsets = this.#offsets;
    let at = this.#count++;
    if (
      at > this.#runStart &&
      isAfter(scores[at - 1]!, offsets[at - 1]!, score, offset, buffer, start)
    ) {
      if (at - this.#runStart >= RUN_MIN) {
        this.#ends.push(at);
        this.#runStart = at;
      } else {
        this.#isInserted = true;
        do {
          scores[at] = scores[at - 1]!;
          offsets[at] = offsets[at - 1]!;
          at--;
        } while (
          at > this.#runStart &&
          isAfter(scores[at - 1]!, offsets[at - 1]!, score, offset, buffer, start)
        );
      }
    }
    scores[at] = score;
    offsets[at] = offset;
  }

  /** Goes on with merging; true when all is in order. */
  merge(room: Room, buffer: Buffer, start: number): boolean {
    while (this.#ends.length > 0) {
      if (room.left <= 0) return false;
      if (!this.#isMerging) this.#nextPair();
      if (!this.#mergePair(room, buffer, start)) return false;
      this.#endPair();
    }
    return true;
  }

  /** Goes on with handing over what is in order; true at the end. */
  appendTo(order: ScoreOrder, room: Room): boolean {
    const [scores, offsets, from] = [this.#scores, this.#offsets, this.#appended];
    const until = Math.min(this.#count, from + Math.ceil(Math.max(0, room.left)));
    for (let i = from; i < until; i++) order.append(scores[i]!, offsets[i]!);
    room.left -= until - from;
    this.#appended = until;
    return until === this.#count;
  }

  /** The next two runs, or the last one by itself. */
  #nextPair(): void {
    this.#isMerged = true;
    const ends = this.#ends;
    this.#left = this.#target;
    this.#leftEnd = ends[this.#done] ?? this.#count;
    this.#right = this.#leftEnd;
    this.#rightEnd = ends[this.#done + 1] ?? this.#count;
    this.#isMerging = true;
  }

  #mergePair(room: Room, buffer: Buffer, start: number): boolean {
    const [scores, offsets] = [this.#scores, this.#offsets];
    const [toScores, toOffsets] = [this.#otherScores, this.#otherOffsets];
    const [leftEnd, rightEnd] = [this.#leftEnd, this.#rightEnd];
    let [left, right, target, { left: free }] = [this.#left, this.#right, this.#target, room];
    while (left < leftEnd && right < rightEnd && free > 0) {
      free--;
      const [first, second] = [scores[left]!, scores[right]!];
      let isRight = second < first;
      if (first === second) {
        free -= TIE_ROOM;
        isRight = compareKeys(buffer, start + offsets[left]!, start + offsets[right]!) > 0;
      }
      const from = isRight ? right++ : left++;
      toScores[target] = scores[from]!;
      toOffsets[target++] = offsets[from]!;
    }
    this.#left = left;
    this.#right = right;
    this.#target = target;
    room.left = free;
    if (left < leftEnd && right < rightEnd) return false;
    return this.#copyRest(room);
  }

  /** What is left of one of two runs when the other is at its end. */
  #copyRest(room: Room): boolean {
    const isLeft = this.#left < this.#leftEnd;
    const from = isLeft ? this.#left : this.#right;
    const end = isLeft ? this.#leftEnd : this.#rightEnd;
    const count = Math.min(end - from, Math.max(0, Math.ceil(room.left)) * COPIED_PER_ROOM);
    this.#otherScores.set(this.#scores.subarray(from, from + count), this.#target);
    this.#otherOffsets.set(this.#offsets.subarray(from, from + count), this.#target);
    this.#target += count;
    if (isLeft) this.#left += count;
    else this.#right += count;
    room.left -= count / COPIED_PER_ROOM;
    return from + count === end;
  }

  #endPair(): void {
    this.#isMerging = false;
    this.#done += 2;
    if (this.#target < this.#count) {
      this.#merged.push(this.#target);
      return;
    }
    this.#ends = this.#merged;
    this.#merged = [];
    this.#done = 0;
    this.#target = 0;
    [this.#scores, this.#otherScores] = [this.#otherScores, this.#scores];
    [this.#offsets, this.#otherOffsets] = [this.#otherOffsets, this.#offsets];
  }
}

/** Whether one record comes behind another one. */
function isAfter(
  score: number,
  offset: number,
  otherScore: number,
  otherOffset: number,
  buffer: Buffer,
  start: number,
): boolean {
  if (score !== otherScore) return score > otherScore;
  return compareKeys(buffer, start + offset, start + otherOffset) > 0;
}

/** Compares the keys of the records that begin at these places. */
function compareKeys(buffer: Buffer, first: number, second: number): number {
  const from = first + numberBytesOf(buffer[first]!);
  const otherFrom = second + numberBytesOf(buffer[second]!);
  const length = numberAt(buffer, first) >>> 1;
  const otherLength = numberAt(buffer, second) >>> 1;
  const common = Math.min(length, otherLength);
  if (common > COMPARE_LOOP_MAX) {
    return buffer.compare(buffer, otherFrom, otherFrom + otherLength, from, from + length);
  }
  for (let i = 0; i < common; i++) {
    const difference = buffer[from + i]! - buffer[otherFrom + i]!;
    if (difference !== 0) return difference;
  }
  return length - otherLength;
}
