import type { Attachment } from '../large-payloads.js';

/** The bytes of one value while a command works on them. `splice` may move them: buffer and start are read anew after it. */
export interface ValueBytes {
  readonly buffer: Buffer;
  readonly start: number;
  readonly length: number;
  /** Whether the value is so large that an index of it can be kept. */
  readonly isLarge: boolean;
  readonly attached: Attachment | null;
  /** Keeps an index with the value, or drops it; again after it has grown. */
  attach(index: Attachment | null): void;
  /** Replaces `removed` bytes at `at` (from the value's start) by `source[from, to)`. */
  splice(at: number, removed: number, source: Buffer, from: number, to: number): void;
  /** All of it becomes these bytes; the allocation that they are a part of is not the caller's any more. What was attached goes. */
  replace(value: Buffer): void;
  hashOf(buffer: Buffer, start: number, end: number): number;
}
