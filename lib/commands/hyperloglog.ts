/**
 * HyperLogLog values as Redis keeps them in strings: a header of 16 bytes ("HYLL", encoding u8, three unused bytes, the
 * cardinality u64 with its highest bit set while it is not known), then 16384 registers of six bits, dense, or as runs:
 *
 *     00xxxxxx            x + 1 zeros
 *     01xxxxxx yyyyyyyy   xy + 1 zeros
 *     1vvvvvxx            x + 1 times v + 1
 */
export const REGISTERS = 16_384;
const HEADER_BYTES = 16;
const DENSE_BYTES = HEADER_BYTES + (REGISTERS * 6) / 8;
const INDEX_BITS = 14n;
/** Bits of a hash behind those that choose the register. */
const RUN_BITS = 50;
const SPARSE_VALUE_MAX = 32;
/** Sparse values that would be longer become dense. */
const SPARSE_BYTES_MAX = 3000;
const ALPHA = 0.7213475204444817;

const DENSE = 0;
const SPARSE = 1;

const MULTIPLIER = 0xc6a4a7935bd1e995n;
const SEED = 0xadc83b19n;
const MASK = 0xffffffffffffffffn;
const WORD_BYTES = 8;

/** MurmurHash64A. */
function hashOf(buffer: Buffer, start: number, end: number): bigint {
  const length = end - start;
  let hash = SEED ^ ((BigInt(length) * MULTIPLIER) & MASK);
  let at = start;
  for (; at + WORD_BYTES <= end; at += WORD_BYTES) {
    let word = (buffer.readBigUInt64LE(at) * MULTIPLIER) & MASK;
    word ^= word >> 47n;
    word = (word * MULTIPLIER) & MASK;
    hash = ((hash ^ word) * MULTIPLIER) & MASK;
  }
  if (at < end) {
    let rest = 0n;
    for (let i = end - 1; i >= at; i--) rest = (rest << 8n) | BigInt(buffer[i]!);
    hash = ((hash ^ rest) * MULTIPLIER) & MASK;
  }
  hash ^= hash >> 47n;
  hash = (hash * MULTIPLIER) & MASK;
  return hash ^ (hash >> 47n);
}

/** The register that an element belongs to, and the value that it wants to see there. */
export function placeOf(
  buffer: Buffer,
  start: number,
  end: number,
): [register: number, value: number] {
  const hash = hashOf(buffer, start, end);
  let rest = (hash >> INDEX_BITS) | (1n << BigInt(RUN_BITS));
  let value = 1;
  for (; (rest & 1n) === 0n; rest >>= 1n) value++;
  return [Number(hash & BigInt(REGISTERS - 1)), value];
}

/** The byte of the header that says, by its highest bit, that the cardinality is not known. */
export const STALE_OFFSET = 15;
export const STALE = 0x80;

/** Whether the header of a string is that of a HyperLogLog. */
export function isHyperLogLog(buffer: Buffer, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES || buffer.latin1Slice(start, start + 4) !== 'HYLL') return false;
  const encoding = buffer[start + 4]!;
  return encoding === SPARSE || (encoding === DENSE && end - start === DENSE_BYTES);
}

export const isDense = (buffer: Buffer, start: number): boolean => buffer[start + 4] === DENSE;

/** Keeps the highest value of each register; false for runs that do not make up all registers. */
export function readRegisters(
  buffer: Buffer,
  start: number,
  end: number,
  registers: Uint8Array,
): boolean {
  if (isDense(buffer, start)) {
    for (let i = 0; i < REGISTERS; i++) {
      registers[i] = Math.max(registers[i]!, denseAt(buffer, start, i));
    }
    return true;
  }
  let register = 0;
  for (let at = start + HEADER_BYTES; at < end; ) {
    const first = buffer[at++]!;
    if (first >= 0x80) {
      const value = ((first >>> 2) & 0x1f) + 1;
      const until = register + (first & 3) + 1;
      if (until > REGISTERS) return false;
      for (; register < until; register++)
        registers[register] = Math.max(registers[register]!, value);
    } else if (first < 0x40) register += first + 1;
    else {
      if (at === end) return false;
      register += (((first & 0x3f) << 8) | buffer[at++]!) + 1;
    }
  }
  return register === REGISTERS;
}

/** Where the bits of a register begin, in bytes from the start of a dense value. */
export const denseOffset = (register: number): number => HEADER_BYTES + ((register * 6) >>> 3);

/** The two bytes that hold a register, with another value in it; the last one has one byte only. */
export function withRegister(
  buffer: Buffer,
  start: number,
  register: number,
  value: number,
  target: Buffer,
): number {
  const at = start + denseOffset(register);
  const bytes = register === REGISTERS - 1 ? 1 : 2;
  const shift = (register * 6) & 7;
  const both = buffer[at]! | (bytes === 2 ? buffer[at + 1]! << 8 : 0);
  const changed = (both & ~(0x3f << shift)) | (value << shift);
  target[0] = changed;
  target[1] = changed >>> 8;
  return bytes;
}

export function denseAt(buffer: Buffer, start: number, register: number): number {
  const at = start + denseOffset(register);
  const shift = (register * 6) & 7;
  // The last register ends with the value: what is read behind it is cut off.
  return ((buffer[at]! | ((buffer[at + 1] ?? 0) << 8)) >>> shift) & 0x3f;
}

/** A value with these registers whose cardinality is not known; dense where it has to be, or is asked to be. */
export function encode(registers: Uint8Array, asDense: boolean): Buffer {
  const sparse = asDense ? null : encodeSparse(registers);
  if (sparse !== null) return sparse;
  const value = Buffer.alloc(DENSE_BYTES);
  putHeader(value, DENSE);
  for (let i = 0; i < REGISTERS; i++) {
    const bit = i * 6;
    const at = HEADER_BYTES + (bit >>> 3);
    const bits = registers[i]! << (bit & 7);
    value[at]! |= bits;
    if (bits > 0xff) value[at + 1]! |= bits >>> 8;
  }
  return value;
}

function putHeader(value: Buffer, encoding: number): void {
  value.latin1Write('HYLL', 0);
  value[4] = encoding;
  value[STALE_OFFSET] = STALE;
}

/** Null where it would be too long, or a value too high. */
function encodeSparse(registers: Uint8Array): Buffer | null {
  const value = Buffer.alloc(SPARSE_BYTES_MAX);
  putHeader(value, SPARSE);
  let at = HEADER_BYTES;
  for (let i = 0; i < REGISTERS; ) {
    const register = registers[i]!;
    if (register > SPARSE_VALUE_MAX || at + 2 > SPARSE_BYTES_MAX) return null;
    let run = 1;
    const most = register === 0 ? REGISTERS : 4;
    while (run < most && i + run < REGISTERS && registers[i + run] === register) run++;
    i += run;
    if (register > 0) value[at++] = 0x80 | ((register - 1) << 2) | (run - 1);
    else if (run <= 64) value[at++] = run - 1;
    else {
      value[at++] = 0x40 | ((run - 1) >>> 8);
      value[at++] = run - 1;
    }
  }
  return value.subarray(0, at);
}

/** The number of different elements, about. */
export function cardinality(registers: Uint8Array): number {
  const histogram = new Array<number>(64).fill(0);
  for (let i = 0; i < REGISTERS; i++) histogram[registers[i]!]!++;
  let z = REGISTERS * tau((REGISTERS - histogram[RUN_BITS + 1]!) / REGISTERS);
  for (let i = RUN_BITS; i >= 1; i--) z = (z + histogram[i]!) * 0.5;
  z += REGISTERS * sigma(histogram[0]! / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
}

function tau(given: number): number {
  if (given === 0 || given === 1) return 0;
  let x = given;
  let y = 1;
  let z = 1 - x;
  for (let before = Number.NaN; before !== z; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

function sigma(given: number): number {
  if (given === 1) return Number.POSITIVE_INFINITY;
  let x = given;
  let y = 1;
  let z = x;
  for (let before = Number.NaN; before !== z; ) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}
