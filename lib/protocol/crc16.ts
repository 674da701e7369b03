/** Number of slots that keys hash to, as in Redis Cluster. */
export const SLOTS = 16384;

const POLYNOMIAL = 0x1021;
const BRACE_OPEN = 123;
const BRACE_CLOSE = 125;

/**
 * CRC16-CCITT (XMODEM) four bytes at a time: table k holds what a byte contributes when k more bytes follow it. One
 * table is a chain of dependent loads; four are looked up side by side.
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
 * that is not empty; else of the whole key.
 */
export function keySlot(buffer: Uint8Array, start: number, end: number): number {
  let open = start;
  while (open < end && buffer[open] !== BRACE_OPEN) open++;
  if (open < end) {
    let close = open + 1;
    while (close < end && buffer[close] !== BRACE_CLOSE) close++;
    if (close < end && close > open + 1) return crc16(buffer, open + 1, close) & (SLOTS - 1);
  }
  return crc16(buffer, start, end) & (SLOTS - 1);
}
