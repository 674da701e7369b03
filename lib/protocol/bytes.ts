/**
 * Copying and little-endian numbers at byte offsets. Offsets are not checked: callers reserve room first.
 *
 * Numbers go byte by byte, floats through a shared scratch array, because Buffer's own methods check their arguments
 * at every call (measured on Node 20: writeDoubleLE 9 ns, scratch 3 ns; writeUInt32LE 6.5 ns, bytes 1.5 ns;
 * readDoubleLE 20 ns, scratch 17 ns). A DataView is faster still, but one has to be made for every chunk (100 ns).
 */

/**
 * Ranges up to this size are copied by a loop, longer ones by TypedArray.set. Measured on Node 20: the loop takes
 * 1.5 ns per byte; `set` takes 55 to 65 ns for anything up to 1 KB, most of it for the view that it needs;
 * Buffer.copy makes such a view too and takes 5 to 15 ns more; the two meet between 32 and 40 bytes.
 */
const LOOP_BYTES_MAX = 36;

/** Copies `source[start, end)` to `target[at, ...)`; the two must not be the same memory. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  if (end - start <= LOOP_BYTES_MAX) {
    for (let from = start, to = at; from < end; from++, to++) target[to] = source[from]!;
  } else {
    target.set(new Uint8Array(source.buffer, source.byteOffset + start, end - start), at);
  }
}

/** `source[start, end)` as a Buffer of its own. Without the view that Buffer.from would need of what it copies. */
export function copyOf(source: Uint8Array, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  copyBytes(source, start, end, copy, 0);
  return copy;
}

/** Up to here bytes are compared one by one: a native call costs more. */
const COMPARE_LOOP_MAX = 64;

/** Whether `a[aStart, +length)` and `b[bStart, +length)` are the same bytes. */
export function sameBytes(
  a: Buffer,
  aStart: number,
  b: Buffer,
  bStart: number,
  length: number,
): boolean {
  if (length > COMPARE_LOOP_MAX) {
    return a.compare(b, bStart, bStart + length, aStart, aStart + length) === 0;
  }
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/**
 * Strings up to this length are written by a loop over their characters, longer ones by latin1Write. Measured on
 * Node 20: the loop takes 2 to 4 ns per character, latin1Write 53 to 57 ns for anything up to 48.
 */
const STRING_LOOP_CHARS_MAX = 16;

/** Writes one byte per character. */
export function putLatin1(target: Buffer, at: number, text: string): void {
  const { length } = text;
  if (length <= STRING_LOOP_CHARS_MAX) {
    for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
  } else {
    target.latin1Write(text, at, length);
  }
}

const float64 = new Float64Array(1);
const float64Bytes = new Uint8Array(float64.buffer);

export function putU16(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
}

export function putU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

/** Little-endian, as every platform that Node runs on stores it. */
export function putF64(target: Uint8Array, at: number, value: number): void {
  float64[0] = value;
  target[at] = float64Bytes[0]!;
  target[at + 1] = float64Bytes[1]!;
  target[at + 2] = float64Bytes[2]!;
  target[at + 3] = float64Bytes[3]!;
  target[at + 4] = float64Bytes[4]!;
  target[at + 5] = float64Bytes[5]!;
  target[at + 6] = float64Bytes[6]!;
  target[at + 7] = float64Bytes[7]!;
}

export function u16At(source: Uint8Array, at: number): number {
  return source[at]! | (source[at + 1]! << 8);
}

export function u32At(source: Uint8Array, at: number): number {
  return (
    (source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)) >>> 0
  );
}

export function f64At(source: Uint8Array, at: number): number {
  float64Bytes[0] = source[at]!;
  float64Bytes[1] = source[at + 1]!;
  float64Bytes[2] = source[at + 2]!;
  float64Bytes[3] = source[at + 3]!;
  float64Bytes[4] = source[at + 4]!;
  float64Bytes[5] = source[at + 5]!;
  float64Bytes[6] = source[at + 6]!;
  float64Bytes[7] = source[at + 7]!;
  return float64[0]!;
}
