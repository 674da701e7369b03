import type { FrameLog } from '../protocol/bus-frames.js';
import { copyOf, f64At, u32At } from '../protocol/bytes.js';
import { isSound } from '../store/collections/soundness.js';
import { KEY_LENGTH_MAX, VALUE_LENGTH_MAX } from '../store/entry.js';
import { isLargePayload } from '../store/size-classes.js';
import { type Ref, type Store, VALUE_TYPES, ValueType } from '../store/store.js';

/**
 * Frames of the data plane. Types below 16 are not part of the stream: they have no offset and are never sent again. A
 * PUBLISH comes only in pieces of LOSSY.
 */
export const FrameType = {
  Resume: 1,
  Ack: 2,
  Held: 3,
  Lossy: 4,
  Taken: 5,
  View: 16,
  Set: 17,
  Expire: 18,
  Delete: 19,
  Claim: 20,
  Confirm: 21,
  Reject: 22,
  Defer: 23,
  Granted: 24,
  Revoke: 25,
  Copy: 26,
  Drop: 27,
  Grant: 28,
  Swap: 29,
  Forget: 30,
  TakeBack: 31,
  Forward: 32,
  Reply: 33,
  Lookup: 34,
  Found: 35,
  Record: 36,
  Reported: 37,
  Query: 38,
  Answer: 39,
  Atomic: 40,
  Digest: 41,
  Differs: 42,
  RepairBegin: 43,
  RepairEnd: 44,
  Part: 45,
  Whole: 46,
  Full: 47,
  Collect: 48,
  Holdings: 49,
  Verdict: 50,
  Resolved: 51,
  Named: 52,
  Edit: 53,
  Announce: 54,
  Publish: 55,
  Awaited: 58,
  Invalidate: 59,
} as const;

export const FIRST_STREAM_TYPE = 16;

/** Bytes of a key frame before its key: flags, db, key length, version, expiry. */
export const KEY_HEADER_BYTES = 22;

/** Flags of a key frame: two bits of rights that are granted, three of the value's type, three of its encoding. */
const TYPE_SHIFT = 2;
const ENCODING_SHIFT = 5;

/** What the flags of a key frame say of the entry's value. */
export function valueFlags(store: Store, ref: Ref): number {
  return (store.type(ref) << TYPE_SHIFT) | (store.encodingFlags(ref) << ENCODING_SHIFT);
}

/** The same of an entry that has none any more: of which type it was. */
export const typeFlags = (store: Store, ref: Ref): number => store.type(ref) << TYPE_SHIFT;

/**
 * The common form of every frame about one key: flags u8, db u8, key length u32, version f64, expiry f64, key, value.
 * 27 bytes more than key and value with its header.
 */
export function appendKeyFrame(
  log: FrameLog,
  type: number,
  flags: number,
  db: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  version: number,
  expireAt: number,
  value: Buffer,
  valueStart: number,
  valueEnd: number,
): void {
  log.begin(type, KEY_HEADER_BYTES + keyEnd - keyStart + valueEnd - valueStart);
  log.u8(flags);
  log.u8(db);
  log.u32(keyEnd - keyStart);
  log.f64(version);
  log.f64(expireAt);
  log.bytes(key, keyStart, keyEnd);
  if (valueEnd > valueStart) log.bytes(value, valueStart, valueEnd);
}

/** The length of the key of a key frame whose payload begins at `start`. */
export function keyLengthAt(buffer: Buffer, start: number): number {
  return u32At(buffer, start + 2);
}

/** What a value keeps of its frame beside itself is at most one part in so many, as what is left free for a large value to grow. */
const OTHERS_SHARE = 8;

/** Whether a frame, which begins at `start`, was put together of parts: it has its buffer for itself. In any other one its header is before it. */
export const isOwnBuffer = (start: number): boolean => start === 0;

/** The bytes of a frame for longer than it is handled: a copy, where its buffer is not its own. */
export function ownBytes(buffer: Buffer, from: number, end: number, frameStart: number): Buffer {
  return isOwnBuffer(frameStart) ? buffer.subarray(from, end) : copyOf(buffer, from, end);
}

/** Versions and expiries: no NaN, and none from which the clock could not go on. */
const isMoment = (value: number): boolean => value >= 0 && value <= Number.MAX_SAFE_INTEGER;

/** A key frame as read: ranges of the buffer that it came in. One instance is filled again and again. */
export class KeyFrame {
  buffer: Buffer = Buffer.alloc(0);
  flags = 0;
  db = 0;
  version = 0;
  expireAt = 0;
  /** Of the entry as its sender has it; None for a key that is reserved. */
  type: ValueType = ValueType.None;
  encoding = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** The buffer is of this frame, or of the one that it is a part of, and is used nowhere else. */
  isOwn = false;

  /** False when the payload is too short for what it says, or says what cannot be. */
  read(buffer: Buffer, start: number, end: number): boolean {
    if (end - start < KEY_HEADER_BYTES) return false;
    const keyLength = keyLengthAt(buffer, start);
    if (keyLength > end - start - KEY_HEADER_BYTES || keyLength > KEY_LENGTH_MAX) return false;
    this.buffer = buffer;
    this.isOwn = isOwnBuffer(start);
    this.flags = buffer[start]!;
    this.db = buffer[start + 1]!;
    this.version = f64At(buffer, start + 6);
    this.expireAt = f64At(buffer, start + 14);
    this.keyStart = start + KEY_HEADER_BYTES;
    this.keyEnd = this.keyStart + keyLength;
    this.valueStart = this.keyEnd;
    this.valueEnd = end;
    const type = (this.flags >>> TYPE_SHIFT) & 7;
    this.type = type as ValueType;
    this.encoding = this.flags >>> ENCODING_SHIFT;
    const isPossible = type < VALUE_TYPES && end - this.valueStart <= VALUE_LENGTH_MAX;
    return isPossible && isMoment(this.version) && isMoment(this.expireAt);
  }

  /**
   * Of a frame with a whole value: false when that is not what its type says. Those that will be large are looked at when they are first
   * used, as their edits cannot be checked one by one: soundness.ts.
   */
  hasSoundValue(): boolean {
    const { buffer, valueStart, valueEnd } = this;
    if (isLargePayload(valueEnd - this.keyStart)) return true;
    return isSound(this.type, this.encoding, buffer, valueStart, valueEnd);
  }

  /** The value, where it may be kept as it is: nothing else has the buffer, and little else is in it. Null where it has to be copied. */
  valueToKeep(): Buffer | null {
    const { buffer, keyStart, valueStart, valueEnd } = this;
    if (!this.isOwn || !isLargePayload(valueEnd - keyStart)) return null;
    const others = buffer.length - (valueEnd - valueStart);
    return others * OTHERS_SHARE <= buffer.length ? buffer.subarray(valueStart, valueEnd) : null;
  }
}
