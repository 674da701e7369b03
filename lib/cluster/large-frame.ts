import { FRAME_HEADER_BYTES } from '../protocol/bus-frames.js';
import type { Key } from './key.js';
import type { Peer } from './peer.js';

/**
 * Frames with more than `part-bytes` travel in parts, which alternate with the small frames of their stream:
 *
 *     PART  lane u8, number u32, head bytes u32, total bytes u32, then bytes of the body in order
 *     WHOLE lane u8, number u32, type u8, then the head: the frame is head and body
 *
 * A lane carries one frame at a time; a PART with another number begins the next one, and drops what was before.
 */
export const PART_HEADER_BYTES = 13;
/** A whole frame of parts fills one chunk of the log. */
export const PART_BYTES = 64 * 1024 - FRAME_HEADER_BYTES - PART_HEADER_BYTES;
export const WHOLE_HEADER_BYTES = 6;

/** Frames to one member that are on their way at the same time: in front what somebody waits for, behind it the paced. */
export const Lane = { Front: 0, Paced: 1 } as const;
export type Lane = (typeof Lane)[keyof typeof Lane];
export const LANES = 2;

/** Body of a frame that is not an entry of the store: bytes that stay as they are. */
export interface Body {
  readonly head: Buffer;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Frames of one order stay in it; empty for one that may be overtaken. */
  readonly order: string;
  /** Keys whose changes it carries, and for whose replies its ack counts. */
  readonly keys: readonly Key[];
  /** The same where they are too many to be made before somebody asks; their offsets are who sends it's own business. */
  readonly lateKeys?: () => readonly Key[];
  /** The bytes are the store's. */
  readonly isLent?: boolean;
  /** The frame was written as a whole, up to this offset. */
  readonly written: (offset: number) => void;
}

export interface LargeFrame {
  readonly peer: Peer;
  readonly lane: Lane;
  /** What its offset in the stream will be called until it is written. */
  readonly ticket: number;
  /** The entry of the store that it carries, as that is when the last part goes; null for another body. */
  readonly key: Key | null;
  body: Body | null;
  type: number;
  /** Of the key frame. */
  flags: number;
  /** Counts the frames and fresh starts of a lane. */
  number: number;
  /** Parts of it were sent, if only of a start before the last one. */
  isBegun: boolean;
  /** Bytes of the body sent, and all of them. */
  sent: number;
  bytes: number;
}
