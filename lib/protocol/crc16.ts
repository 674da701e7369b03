/** Number of slots that keys hash to, as in Redis Cluster. */
export const SLOTS = 16384;

const POLYNOMIAL = 0x1021;
const BRACE_OPEN = 123;
const BRACE_CLOSE = 125;

/**
 * CRC16-CCITT (XMODEM) four bytes at a time: table k holds what a byte contributes when k more bytes follow it. With
 * one table each byte waits for the lookup before; with four, the lookups of a step run side by side. Measured on
 * Node 20 for a key of 37 bytes: one table 92 ns, four 43 ns, with the search for `{` in the same pass 46 to 51 ns,
 * in a pass of its own 91 ns.
 */
const TABLE_0 = new Uint16Array(256);
const TABLE_1 = new Uint16Array(256);
const TABLE_2 = new Uint16Array(256);
const TABLE_3 = new Uint16Array(256);

for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++)
    crc = (crc & 0x8000) !== 0 ? ((crc << 1) ^ POLYNOMIAL) & 0xffff : crc << 1;
  TABLE_0[byte] = crc;
}
for (let byte = 0; byte < 256; byte++) {
  TABLE_1[byte] = afterZeroByte(TABLE_0[byte]!);
  TABLE_2[byte] = afterZeroByte(TABLE_1[byte]!);
  TABLE_3[byte] = afterZeroByte(TABLE_2[byte]!);
}

function afterZeroByte(crc: number): number {
  return ((crc << 8) & 0xffff) ^ TABLE_0[crc >>> 8]!;
}

export function crc16(buffer: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    crc =
      TABLE_3[(crc >>> 8) ^ buffer[at]!]! ^
      TABLE_2[(crc & 0xff) ^ buffer[at + 1]!]! ^
      TABLE_1[buffer[at + 2]!]! ^
      TABLE_0[buffer[at + 3]!]!;
  }
  for (; at < end; at++) crc = ((crc << 8) & 0xffff) ^ TABLE_0[(crc >>> 8) ^ buffer[at]!]!;
  return crc;
}

/**
 * The slot of the key `buffer[start, end)`: of what stands between its first `{` and the `}` next behind it, where
 * that is not empty; else of the whole key. One pass as long as there is no brace.
 */
export function keySlot(buffer: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    const a = buffer[at]!;
    const b = buffer[at + 1]!;
    const c = buffer[at + 2]!;
    const d = buffer[at + 3]!;
    if (a === BRACE_OPEN || b === BRACE_OPEN || c === BRACE_OPEN || d === BRACE_OPEN)
      return taggedSlot(buffer, at, start, end);
    crc = TABLE_3[(crc >>> 8) ^ a]! ^ TABLE_2[(crc & 0xff) ^ b]! ^ TABLE_1[c]! ^ TABLE_0[d]!;
  }
  for (; at < end; at++) {
    const byte = buffer[at]!;
    if (byte === BRACE_OPEN) return taggedSlot(buffer, at, start, end);
    crc = ((crc << 8) & 0xffff) ^ TABLE_0[(crc >>> 8) ^ byte]!;
  }
  return crc & (SLOTS - 1);
}

/** The same for a key whose first brace is at `from` or up to three bytes behind it. */
function taggedSlot(buffer: Uint8Array, from: number, start: number, end: number): number {
  let open = from;
  while (buffer[open] !== BRACE_OPEN) open++;
  let close = open + 1;
  while (close < end && buffer[close] !== BRACE_CLOSE) close++;
  const isTagged = close < end && close > open + 1;
  const crc = isTagged ? crc16(buffer, open + 1, close) : crc16(buffer, start, end);
  return crc & (SLOTS - 1);
}
