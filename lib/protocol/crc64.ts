/** CRC-64 with the polynomial of Jones, reflected, as payloads of DUMP carry it: two halves of 32 bits. */
const POLYNOMIAL_HIGH = 0x95ac9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;

const high = new Uint32Array(256);
const low = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let h = 0;
  let l = byte;
  for (let bit = 0; bit < 8; bit++) {
    const isSet = (l & 1) !== 0;
    l = ((l >>> 1) | (h << 31)) >>> 0;
    h >>>= 1;
    if (!isSet) continue;
    h = (h ^ POLYNOMIAL_HIGH) >>> 0;
    l = (l ^ POLYNOMIAL_LOW) >>> 0;
  }
  high[byte] = h;
  low[byte] = l;
}

/** Writes the checksum of `buffer[start, end)` to `target[at, at + 8)`, little-endian. */
export function putCrc64(
  buffer: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
): void {
  let h = 0;
  let l = 0;
  for (let i = start; i < end; i++) {
    const byte = (l ^ buffer[i]!) & 0xff;
    l = ((l >>> 8) | (h << 24)) ^ low[byte]!;
    h = (h >>> 8) ^ high[byte]!;
  }
  target.writeInt32LE(l | 0, at);
  target.writeInt32LE(h | 0, at + 4);
}
