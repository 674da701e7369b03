import type { FrameLog } from '../protocol/bus-frames.js';
import { copyBytes, f64At, putU32, u32At } from '../protocol/bytes.js';
import { VALUE_LENGTH_MAX } from '../store/entry.js';
import type { Ref, Store } from '../store/store.js';

/** Of the value part of an EDIT: version that it builds on f64, length of the value afterwards u32. */
const EDITS_HEADER_BYTES = 12;
/** Before the bytes of a splice: where u32, bytes removed u32, bytes inserted u32. */
const SPLICE_HEADER_BYTES = 12;
/** The buffer is given back when it has grown beyond this. */
const BYTES_KEPT = 64 * 1024;
const SCRATCH_BYTES_MIN = 1024;
const NOTHING = Buffer.alloc(0);

/**
 * The splices by which the running command changes a value, in order: what an EDIT frame carries in place of the value,
 * so that a change of a large collection costs what has changed. Both copies have the same bytes before and after.
 */
export class EditLog {
  /** Version of the value that the splices are made on. */
  base = 0;
  #buffer: Buffer = NOTHING;
  #length = 0;
  #isWhole = false;

  /** Of the value part of the frame; Infinity where the value is to be sent instead. */
  get bytes(): number {
    return this.#isWhole ? Number.POSITIVE_INFINITY : EDITS_HEADER_BYTES + this.#length;
  }

  clear(): void {
    this.#length = 0;
    this.#isWhole = false;
    if (this.#buffer.length > BYTES_KEPT) this.#buffer = NOTHING;
  }

  /** All of the value was replaced: no splices are kept until `clear`. */
  addWhole(): void {
    this.#isWhole = true;
  }

  add(at: number, removed: number, source: Buffer, start: number, end: number): void {
    if (this.#isWhole) return;
    const needed = this.#length + SPLICE_HEADER_BYTES + end - start;
    this.#reserve(needed);
    putU32(this.#buffer, this.#length, at);
    putU32(this.#buffer, this.#length + 4, removed);
    putU32(this.#buffer, this.#length + 8, end - start);
    copyBytes(source, start, end, this.#buffer, this.#length + SPLICE_HEADER_BYTES);
    this.#length = needed;
  }

  /** Splices that are made after these. */
  join(log: EditLog): void {
    this.#reserve(this.#length + log.#length);
    copyBytes(log.#buffer, 0, log.#length, this.#buffer, this.#length);
    this.#length += log.#length;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#buffer.length));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  append(log: FrameLog, valueLength: number): void {
    log.f64(this.base);
    log.u32(valueLength);
    log.bytes(this.#buffer, 0, this.#length);
  }
}

/** Whether that can be the value part of an EDIT. */
export const hasBase = (buffer: Buffer, start: number, end: number): boolean =>
  !Number.isNaN(baseOf(buffer, start, end));

/** The version that the value part of an EDIT builds on; NaN for a malformed one. */
export function baseOf(buffer: Buffer, start: number, end: number): number {
  return end - start < EDITS_HEADER_BYTES ? Number.NaN : f64At(buffer, start);
}

/** Whether the splices fit one another, and a value of `length` bytes. Each lies within the value as it is then. */
export function fitsValue(buffer: Buffer, start: number, end: number, length: number): boolean {
  let now = length;
  let at = start + EDITS_HEADER_BYTES;
  while (at < end) {
    if (end - at < SPLICE_HEADER_BYTES) return false;
    const inserted = u32At(buffer, at + 8);
    const removed = u32At(buffer, at + 4);
    if (u32At(buffer, at) + removed > now || inserted > end - at - SPLICE_HEADER_BYTES)
      return false;
    now += inserted - removed;
    if (now > VALUE_LENGTH_MAX) return false;
    at += SPLICE_HEADER_BYTES + inserted;
  }
  return now === lengthAfter(buffer, start);
}

/** The length of the value when all splices are made. */
export const lengthAfter = (buffer: Buffer, start: number): number => u32At(buffer, start + 8);

let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES_MIN);

/**
 * Makes the splices of an EDIT on a copy of the value `source[from, to)`, which they fit: the first `lengthAfter` bytes of the
 * buffer returned, which is used again by the next call.
 */
export function editedCopy(
  source: Buffer,
  from: number,
  to: number,
  buffer: Buffer,
  start: number,
  end: number,
): Buffer {
  // No splice inserts more than the frame has.
  const room = to - from + end - start;
  if (room > scratch.length || scratch.length > BYTES_KEPT) {
    scratch = Buffer.allocUnsafeSlow(Math.max(room, SCRATCH_BYTES_MIN));
  }
  copyBytes(source, from, to, scratch, 0);
  let length = to - from;
  for (let at = start + EDITS_HEADER_BYTES; at < end; ) {
    const where = u32At(buffer, at);
    const removed = u32At(buffer, at + 4);
    const inserted = u32At(buffer, at + 8);
    at += SPLICE_HEADER_BYTES;
    if (inserted !== removed) scratch.copyWithin(where + inserted, where + removed, length);
    copyBytes(buffer, at, at + inserted, scratch, where);
    length += inserted - removed;
    at += inserted;
  }
  return scratch;
}

/** Makes the splices of an EDIT on a value that they fit; returns the entry's ref from now on. */
export function applyEdits(
  store: Store,
  found: Ref,
  buffer: Buffer,
  start: number,
  end: number,
): Ref {
  let ref = found;
  for (let at = start + EDITS_HEADER_BYTES; at < end; ) {
    const from = at + SPLICE_HEADER_BYTES;
    const to = from + u32At(buffer, at + 8);
    ref = store.splice(ref, u32At(buffer, at), u32At(buffer, at + 4), buffer, from, to);
    at = to;
  }
  return ref;
}
