/** Numbers that lengths, counts and versions are replaced by, as text and as bytes. */
const EXTREME_TEXTS = ['0', '-1', '1', '65536', '2147483648', '4294967295', '9223372036854775807'];
const EXTREME_WORDS = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const MUTATIONS_MAX = 6;

/** Draws from a seed: numbers in 0 <= x < 1. */
export type Draw = () => number;

export const below = (draw: Draw, count: number): number => Math.floor(draw() * count);

export function pick<T>(draw: Draw, list: readonly T[]): T {
  return list[below(draw, list.length)]!;
}

type Mutation = (bytes: Buffer, draw: Draw, other: Buffer) => Buffer;

function replaced(bytes: Buffer, from: number, to: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
}

function range(bytes: Buffer, draw: Draw): [number, number] {
  const from = below(draw, bytes.length + 1);
  return [from, Math.min(bytes.length, from + below(draw, draw() < 0.2 ? 400 : 12))];
}

const MUTATIONS: readonly Mutation[] = [
  (bytes, draw) => {
    const changed = Buffer.from(bytes);
    if (changed.length > 0) changed[below(draw, changed.length)]! ^= 1 << below(draw, 8);
    return changed;
  },
  (bytes, draw) => {
    const changed = Buffer.from(bytes);
    if (changed.length > 0) changed[below(draw, changed.length)] = below(draw, 256);
    return changed;
  },
  (bytes, draw) => replaced(bytes, ...range(bytes, draw), Buffer.alloc(0)),
  (bytes, draw) => {
    const [from, to] = range(bytes, draw);
    return replaced(bytes, from, from, bytes.subarray(from, to));
  },
  (bytes, draw) => bytes.subarray(0, below(draw, bytes.length + 1)),
  (bytes, draw, other) => {
    const at = below(draw, bytes.length + 1);
    return replaced(bytes, at, at, other.subarray(...range(other, draw)));
  },
  (bytes, draw, other) =>
    Buffer.concat([
      bytes.subarray(0, below(draw, bytes.length + 1)),
      other.subarray(below(draw, other.length + 1)),
    ]),
  (bytes, draw) => {
    const changed = Buffer.from(bytes);
    if (changed.length >= 4)
      changed.writeUInt32LE(pick(draw, EXTREME_WORDS), below(draw, changed.length - 3));
    return changed;
  },
  (bytes, draw) => {
    const numbers = [...bytes.toString('latin1').matchAll(/-?\d+/g)];
    if (numbers.length === 0) return bytes;
    const { index, 0: text } = pick(draw, numbers);
    return replaced(bytes, index, index + text.length, Buffer.from(pick(draw, EXTREME_TEXTS)));
  },
];

/** One to six changes of something valid; `other` is another valid input. */
export function mutate(bytes: Buffer, other: Buffer, draw: Draw): Buffer {
  let changed = bytes;
  for (let count = 1 + below(draw, MUTATIONS_MAX); count > 0; count--)
    changed = pick(draw, MUTATIONS)(changed, draw, other);
  return changed;
}

/** `bytes` in pieces, cut anywhere. */
export function pieces(bytes: Buffer, draw: Draw): Buffer[] {
  const cuts = Array.from({ length: below(draw, 8) }, () => below(draw, bytes.length + 1));
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}
