import { copyBytes } from '../../protocol/bytes.js';
import { LIST_GAP, listElementBytes } from './list-layout.js';

/** Where the gap that begins at `at` ends, `end` at the latest. */
export function gapEnd(buffer: Buffer, at: number, end: number): number {
  let next = at;
  while (next < end && buffer[next] === LIST_GAP) next++;
  return next;
}

/** Where the gap that ends at `at` begins, `start` at the earliest. */
export function gapStart(buffer: Buffer, start: number, at: number): number {
  let first = at;
  while (first > start && buffer[first - 1] === LIST_GAP) first--;
  return first;
}

/** Where behind `from`, an element's or a gap's first byte, there have been so many bytes of gaps; 0 where not before `end`. */
export function endOfGaps(buffer: Buffer, from: number, end: number, bytes: number): number {
  let left = bytes;
  for (let at = from; at < end; ) {
    if (buffer[at] !== LIST_GAP) at += listElementBytes(buffer, at);
    else {
      at++;
      if (--left === 0) return at;
    }
  }
  return 0;
}

/** Bytes of gaps among the elements of `buffer[from, end)`. */
export function gapBytes(buffer: Buffer, from: number, end: number): number {
  let bytes = 0;
  for (let at = from; at < end; ) {
    if (buffer[at] !== LIST_GAP) at += listElementBytes(buffer, at);
    else {
      at++;
      bytes++;
    }
  }
  return bytes;
}

/** Copies the elements of `source[from, end)` without the gaps between them; returns where they end. */
export function copyElements(
  source: Buffer,
  from: number,
  end: number,
  target: Buffer,
  to: number,
): number {
  let next = to;
  for (let at = from; at < end; ) {
    if (source[at] === LIST_GAP) {
      at++;
      continue;
    }
    const begin = at;
    while (at < end && source[at] !== LIST_GAP) at += listElementBytes(source, at);
    copyBytes(source, begin, at, target, next);
    next += at - begin;
  }
  return next;
}
