/** A reference copies at most so many bytes, and takes two at least. */
const COPY_BYTES_MAX = 264;

/** Whether so many bytes of LZF can stand for that many: so that a few that claim to be very many take no memory. */
export const isLzfLength = (compressed: number, bytes: number): boolean =>
  bytes <= compressed * COPY_BYTES_MAX;

/**
 * Decompresses `source[start, end)` to exactly `bytes` bytes; null where these are no such. A control byte below 32 is
 * followed by that many literal bytes and one more; else it is the length of a reference back into what is there already.
 */
export function lzfDecompress(
  source: Buffer,
  start: number,
  end: number,
  bytes: number,
): Buffer | null {
  const target = Buffer.allocUnsafeSlow(bytes);
  let at = start;
  let to = 0;
  while (at < end) {
    const control = source[at++]!;
    if (control < 32) {
      const length = control + 1;
      if (at + length > end || to + length > bytes) return null;
      source.copy(target, to, at, at + length);
      at += length;
      to += length;
      continue;
    }
    let length = (control >>> 5) + 2;
    if (length === 9) length += source[at++] ?? 0;
    if (at >= end) return null;
    let from = to - ((control & 0x1f) << 8) - source[at++]! - 1;
    if (from < 0 || to + length > bytes) return null;
    for (const until = to + length; to < until; ) target[to++] = target[from++]!;
  }
  return to === bytes ? target : null;
}
