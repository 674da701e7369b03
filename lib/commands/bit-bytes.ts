import { copyBytes } from '../protocol/bytes.js';

/** Bytes of sources that are combined at a time. */
const CHUNK_BYTES = 64 * 1024;

export const BitOperation = { And: 0, Or: 1, Xor: 2, Not: 3 } as const;
export type BitOperation = (typeof BitOperation)[keyof typeof BitOperation];

/** Bytes of a value. */
export interface ByteRange {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Where whole words of 32 bits begin at or behind `start` in the memory that the buffer is a part of. */
const alignedFrom = (buffer: Buffer, start: number): number =>
  start + ((4 - ((buffer.byteOffset + start) & 3)) & 3);

/** The words of `buffer[from, from + 4 * count)`, which begins with one. */
const wordsOf = (buffer: Buffer, from: number, count: number): Uint32Array =>
  count > 0 ? new Uint32Array(buffer.buffer, buffer.byteOffset + from, count) : NO_WORDS;

const NO_WORDS = new Uint32Array(0);

function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Bits that are set in `buffer[start, end)`. */
export function countBits(buffer: Buffer, start: number, end: number): number {
  let bits = 0;
  let at = start;
  const from = Math.min(alignedFrom(buffer, start), end);
  for (; at < from; at++) bits += bitsOf(buffer[at]!);
  const words = wordsOf(buffer, from, (end - from) >>> 2);
  for (let i = 0; i < words.length; i++) bits += bitsOf(words[i]!);
  for (at = from + words.length * 4; at < end; at++) bits += bitsOf(buffer[at]!);
  return bits;
}

/** The number of the first bit that is `bit`, from that of `buffer[start]`'s highest one on, 0; -1 for none. */
export function findBit(buffer: Buffer, start: number, end: number, bit: 0 | 1): number {
  const none = bit === 0 ? 0xff : 0;
  const noneWord = bit === 0 ? 0xffffffff : 0;
  let at = start;
  const from = Math.min(alignedFrom(buffer, start), end);
  while (at < from && buffer[at] === none) at++;
  if (at === from) {
    const words = wordsOf(buffer, from, (end - from) >>> 2);
    let i = 0;
    while (i < words.length && words[i] === noneWord) i++;
    at = from + i * 4;
    while (at < end && buffer[at] === none) at++;
  }
  if (at >= end) return -1;
  const byte = bit === 0 ? ~buffer[at]! & 0xff : buffer[at]!;
  return (at - start) * 8 + Math.clz32(byte) - 24;
}

const chunk = Buffer.from(new ArrayBuffer(CHUNK_BYTES));
const chunkWords = wordsOf(chunk, 0, CHUNK_BYTES / 4);

/** Combines the bits of all sources, the shorter ones with zeros behind them: as many bytes as the longest one has. */
export function combineBits(operation: BitOperation, sources: readonly ByteRange[]): Buffer {
  const length = sources.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  const words = Math.ceil(length / 4);
  const memory = new ArrayBuffer(words * 4);
  const result = new Uint32Array(memory);
  const { length: chunkLength } = chunkWords;
  for (let first = 0; first < words; first += chunkLength) {
    const count = Math.min(chunkLength, words - first);
    sources.forEach(({ buffer, start, end }, i) => {
      const from = Math.min(start + first * 4, end);
      const to = Math.min(from + CHUNK_BYTES, end);
      copyBytes(buffer, from, to, chunk, 0);
      if (to - from < count * 4) chunk.fill(0, to - from, count * 4);
      combineChunk(i === 0 ? BitOperation.Or : operation, result, first, count);
    });
  }
  if (operation === BitOperation.Not) for (let i = 0; i < words; i++) result[i] = ~result[i]!;
  return Buffer.from(memory, 0, length);
}

function combineChunk(
  operation: BitOperation,
  result: Uint32Array,
  first: number,
  count: number,
): void {
  if (operation === BitOperation.And) {
    for (let i = 0; i < count; i++) result[first + i]! &= chunkWords[i]!;
  } else if (operation === BitOperation.Xor) {
    for (let i = 0; i < count; i++) result[first + i]! ^= chunkWords[i]!;
  } else {
    for (let i = 0; i < count; i++) result[first + i]! |= chunkWords[i]!;
  }
}
